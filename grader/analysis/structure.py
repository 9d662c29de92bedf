"""Which BatchNorm and Dropout layers really run, and which only look as if they did.

In: a Program. Out: a `Structure`. A layer counts when the network's output depends on it; a module
that is declared and has no effect is named with the reason and its line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from grader.analysis.arguments import base, bound, kind
from grader.analysis.dataflow import Dataflow, trace
from grader.analysis.head import HeadItem, describe, find_head, head_hints
from grader.analysis.idle import LEAST_DROPPED, NOTHING_IDLE, Idle, dropped
from grader.analysis.receptive_field.field import ReceptiveField, find_field
from grader.program.graph import Graph, Module, Node
from grader.program.ops import Kind
from grader.program.program import Program
from grader.report import Hint

_BATCH_NORMS = {
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "SyncBatchNorm",
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
}
_DROPOUTS = {
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "AlphaDropout",
    "FeatureAlphaDropout",
}


_SHORT = {
    "global average pooling": "GAP",
    "fully connected": "FC",
    "full-kernel convolution": "full kernel",
    "average pooling": "average of a part",
}


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that has an effect.

    `name` is the module path, or the operator's where forward() calls it directly.
    `settings` holds what students' tools show: num_features of a BatchNorm, p of a Dropout.
    """

    name: str
    type: str
    line: int | None
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """The layers of one sort that have an effect, and hints for those that have none.

    `active_in_eval`: they (Dropout) still act when the network is evaluated.
    """

    layers: tuple[Layer, ...]
    hints: tuple[Hint, ...] = ()
    active_in_eval: bool = False

    @property
    def count(self) -> str:
        """How many, in words."""
        return f"{len(self.layers)} layer{'' if len(self.layers) == 1 else 's'}"


@dataclass(frozen=True)
class Structure:
    """What the network is made of, as far as an assignment asks.

    `head` is everything after the final feature map.
    """

    batch_norm: Found
    dropout: Found
    head: tuple[HeadItem, ...]
    head_hints: tuple[Hint, ...]

    @cached_property
    def has_gap(self) -> bool:
        """Global average pooling is in the head."""
        return any(item.kind == "global average pooling" for item in self.head)

    @cached_property
    def has_fc(self) -> bool:
        """A fully connected layer is in the head."""
        return any(item.kind == "fully connected" for item in self.head)

    @cached_property
    def head_short(self) -> str:
        """The head in a few letters: "GAP → FC"."""
        return " → ".join(_SHORT.get(item.kind, item.kind) for item in self.head) or "neither"

    @cached_property
    def head_text(self) -> str:
        """The head in order, for people."""
        return describe(self.head)


def find_structure(
    program: Program,
    field: ReceptiveField | None = None,
    flow: Dataflow | None = None,
    idle: Idle = NOTHING_IDLE,
) -> Structure:
    """The structure of a Program.

    `field` is its eval graph's receptive field, `flow` its train graph's dataflow; `idle` are the
    operators that were measured to have no effect.
    """
    field = field or find_field(program.eval)
    flow = flow or trace(program.train)
    items = find_head(program.eval, field)
    return Structure(
        batch_norm=_batch_norm(program, flow, idle.train),
        dropout=_dropout(program, flow, idle.train, field.live),
        head=items,
        head_hints=head_hints(program.eval, field, items),
    )


def _batch_norm(program: Program, flow: Dataflow, idle: frozenset[str]) -> Found:
    nodes = _live(program.train, flow, Kind.BATCH_NORM)
    reasons = {node.name: _unshared(program.train, node, idle) for node in nodes}
    return _found(program, flow, "BatchNorm", nodes, reasons, ("num_features",))


def _unshared(graph: Graph, node: Node, idle: frozenset[str]) -> str:
    """Why a BatchNorm that runs is none, or ""."""
    if not bound(node)["training"]:
        return "it runs in eval mode during training"
    shape = graph[bound(node)["input"].node].shape or ()
    if len(shape) > 1 and isinstance(shape[1], str):
        return (
            "the images lie in dimension 1, where it expects the channels, so it normalises each "
            "image by itself and shares nothing between images (instance normalisation)"
        )
    return _unmoved(node) if node.name in idle else ""


def _unmoved(node: Node) -> str:
    where = f" in line {node.line}" if node.line else ""
    return f"forward() calls it{where}, but whatever it hands on, no score changes"


def _dropout(
    program: Program, flow: Dataflow, idle: frozenset[str], live_in_eval: frozenset[str]
) -> Found:
    nodes = _droppers(program.train, flow.live)
    reasons = {node.name: _switched_off(node, idle) for node in nodes}
    left_on = [node for node in _droppers(program.eval, live_in_eval) if _drops(node)]
    found = _found(program, flow, "Dropout", nodes, reasons, ("p",))
    hints = (*found.hints, *map(_still_on, left_on))
    return Found(found.layers, hints, active_in_eval=bool(left_on))


def _droppers(graph: Graph, live: frozenset[str]) -> list[Node]:
    """The dropouts of a graph, and the attention that has one (off in evaluation: p is 0)."""
    return [
        node
        for node in graph.nodes
        if node.name in live
        and (kind(node) is Kind.DROPOUT or (kind(node) is Kind.ATTENTION and dropped(node) > 0))
    ]


def _drops(node: Node) -> bool:
    return bool(bound(node).get("train", True)) and dropped(node) > 0


def _switched_off(node: Node, idle: frozenset[str]) -> str:
    """Why a dropout that is called has no effect, or ""."""
    if not dropped(node):
        return "its p is 0"
    if not bound(node).get("train", True):
        return "it is off in training too; write training=self.training"
    if dropped(node) < LEAST_DROPPED:
        return f"its p is {dropped(node):g}, so it drops next to nothing"
    return _unmoved(node) if node.name in idle else ""


def _found(
    program: Program,
    flow: Dataflow,
    word: str,
    nodes: list[Node],
    reasons: dict[str, str],
    shown: tuple[str, ...],
) -> Found:
    """The layers of one sort. `reasons` says of each node why it does not count, or ""."""
    layers = _layers(program, [node for node in nodes if not reasons[node.name]], word, shown)
    why = {node.module: reasons[node.name] for node in nodes if word in node.module_type}
    types = _BATCH_NORMS if word == "BatchNorm" else _DROPOUTS
    hints = [*_dead(program, flow, types, layers, why)]
    for node in nodes:
        if reasons[node.name] and word not in node.module_type:
            text = f"This {_called(node)} has no effect: {reasons[node.name]}."
            hints.append(Hint(text=text, line=node.line))
    return Found(layers, tuple(hints))


def _called(node: Node) -> str:
    words = {Kind.DROPOUT: "dropout", Kind.ATTENTION: "attention's dropout"}
    found = kind(node)
    return words.get(found, base(node)) if found else base(node)


def _still_on(node: Node) -> Hint:
    return Hint(
        text="This dropout still acts in evaluation, so predictions are random: write "
        "F.dropout(x, p, training=self.training), or use nn.Dropout.",
        line=node.line,
    )


def _live(graph: Graph, flow: Dataflow, wanted: Kind) -> list[Node]:
    return [node for node in graph.nodes if node.name in flow.live and kind(node) is wanted]


def _layers(
    program: Program, nodes: Iterable[Node], word: str, shown: tuple[str, ...]
) -> tuple[Layer, ...]:
    """One Layer per module that runs, or per call where no module of that sort does."""
    modules = {module.path: module for module in program.modules}
    layers: dict[str, Layer] = {}
    for node in nodes:
        if word in node.module_type:
            name, type_name = node.module, node.module_type
        else:
            name, type_name = node.name, node.op
        settings = modules[name].settings if name in modules else {}
        values = {key: settings.get(key, _setting(node, key)) for key in shown}
        layers.setdefault(name, Layer(name, type_name, node.line, values))
    return tuple(layers.values())


def _setting(node: Node, name: str) -> Any:
    if name == "num_features":
        return node.shape[1] if node.shape and len(node.shape) > 1 else None
    return dropped(node) if name == "p" else bound(node).get(name)


def _dead(
    program: Program,
    flow: Dataflow,
    types: set[str],
    layers: tuple[Layer, ...],
    why: dict[str, str],
) -> Iterable[Hint]:
    """Why each declared module of `types` that has no effect has none."""
    alive = {layer.name for layer in layers}
    for module in program.modules:
        if module.type in types and module.path not in alive:
            reason = why.get(module.path) or unused(module, program.train, flow)
            yield Hint(
                text=f"{module.path} ({module.type}) has no effect: {reason}.", line=module.line
            )


def unused(module: Module, graph: Graph, flow: Dataflow) -> str:
    """Why a declared module has no part in the output."""
    nodes = [node for node in graph.nodes if node.module == module.path]
    if not nodes:
        return "forward() never calls it"
    inside = {node.name for node in nodes}
    read = not all(inside.issuperset(flow.readers[name]) for name in inside)
    line = next((node.line for node in nodes if node.line), None)
    where = f" in line {line}" if line else ""
    if read:
        return f"forward() calls it{where}, but what comes of the result never reaches the output"
    return f"forward() calls it{where} and throws the result away"
