"""How a network gets from its final feature map to the scores: pooling, fully connected layers.

In: the eval Graph and its receptive field. Out: the parts of the head, in order. Only what comes
after the final feature map counts: the squeeze of a squeeze-and-excitation block is not a head.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import isclose, prod
from typing import Literal

from grader.analysis.arguments import base, bound, kind, layer_type, several, spatial
from grader.analysis.dataflow import trace
from grader.analysis.receptive_field.field import ReceptiveField
from grader.analysis.receptive_field.final_map import covered, placed, sources_of, spatial_maps
from grader.analysis.receptive_field.sight import AXES, AxisName, Sight, count_of
from grader.program.graph import Graph, Node
from grader.program.ops import Kind
from grader.program.values import Ref
from grader.report import Hint

HeadKind = Literal[
    "global average pooling",
    "global max pooling",
    "global sum pooling",
    "global Lp pooling",
    "global pooling",
    "average pooling",
    "full-kernel convolution",
    "fully connected",
]

_MIXES = {Kind.LINEAR, Kind.CONVOLUTION, Kind.MATMUL}
_SUMS_NOTHING_UP = {
    *(Kind.SELECT, Kind.TAKE, Kind.SPLIT, Kind.CONCATENATE, Kind.STACK, Kind.SIZE, Kind.CREATE),
    None,
}
_POOLS = {
    "mean": "average",
    "sum": "sum",
    "amax": "max",
    "max": "max",
    "linalg_vector_norm": "Lp",
    "norm": "Lp",
    "einsum": "sum",
}


@dataclass(frozen=True, slots=True)
class HeadItem:
    """One step of the head.

    `spelled` is how the student wrote it; features are None where they do not apply.
    """

    kind: HeadKind
    name: str
    type: str
    spelled: str
    line: int | None
    in_features: int | None = None
    out_features: int | None = None


def describe(items: Iterable[HeadItem]) -> str:
    """The head in one line."""
    return (
        " → ".join(f"{item.kind} ({item.spelled})" for item in items)
        or "no pooling and no fully connected layer"
    )


def find_head(graph: Graph, field: ReceptiveField) -> tuple[HeadItem, ...]:
    """The parts of the head, in execution order."""
    behind = _behind(graph, field)
    items: list[HeadItem] = []
    pending: list[str] = []
    for node in graph.nodes:
        if node.name in behind and node.name in field.live:
            items.extend(_items(graph, field, node, pending))
    return tuple(items)


def _behind(graph: Graph, field: ReceptiveField) -> set[str]:
    """The nodes that depend on a map of several rows and columns, and that none is made from."""
    flow = trace(graph)
    maps = spatial_maps(graph, flow, field.answers)
    behind = set(maps)
    for node in graph.nodes:
        if any(source in behind for source in flow.reads[node.name]):
            behind.add(node.name)
    return behind - set(maps) - sources_of(maps, flow)


def _items(
    graph: Graph, field: ReceptiveField, node: Node, pending: list[str]
) -> Iterator[HeadItem]:
    lost = _lost(graph, field, node)
    if kind(node) in _MIXES and _learned(graph, field, node):
        if not lost and _positions(field, node):
            return
        full = kind(node) is Kind.CONVOLUTION and bool(lost)
        inputs, outputs = _features(graph, node)
        if full and not _before_end(field, node):
            # It has a weight for each value of the map, as a linear layer has.
            item = _item(node, "fully connected", inputs, outputs)
            yield replace(item, spelled=f"full-kernel {item.spelled}")
        else:
            word: HeadKind = "full-kernel convolution" if full else "fully connected"
            yield _item(node, word, inputs, outputs)
    elif window := _part_averaged(field, node):
        yield replace(_item(node, "average pooling"), spelled=window)
    elif lost:
        pending.extend([_pool(graph, node)] * len(lost))
        if len(pending) >= len(AXES):
            # Rows and columns may end in two steps, as in x.mean(3).mean(2): that is one item.
            way = pending[0] if len(set(pending)) == 1 else ""
            if way == "sum" and _divided(graph, field, node):
                way = "average"
            pending.clear()
            yield _item(node, _NAMES[way])


def _divided(graph: Graph, field: ReceptiveField, node: Node) -> bool:
    """What is done with a sum of all positions is to divide it by their number."""
    readers = [other for other in graph.nodes if node.name in other.references()]
    if len(readers) != 1 or base(readers[0]) not in ("div", "mul"):
        return False
    number = bound(readers[0])["other"]
    sights = [field.answers[name] for name in node.references()]
    count = prod(
        count_of(dim) for sight in sights if isinstance(sight, Sight) for dim in sight.dims[-2:]
    )
    if isinstance(number, bool) or not isinstance(number, int | float) or not number:
        return False
    return isclose(number if base(readers[0]) == "div" else 1 / number, count, rel_tol=1e-6)


_NAMES: dict[str, HeadKind] = {
    "average": "global average pooling",
    "max": "global max pooling",
    "sum": "global sum pooling",
    "Lp": "global Lp pooling",
    "": "global pooling",
}


def _part_averaged(field: ReceptiveField, node: Node) -> str:
    """The window that averages a part of a map to one position, and the map: "3×3 of 5×5"."""
    if kind(node) is not Kind.POOLING or "avg" not in base(node):
        return ""
    before, after = field.answers[bound(node)["self"].node], field.answers[node.name]
    left = len(AXES) - len(placed(after, least=2))
    if not isinstance(before, Sight) or left < len(AXES) or not placed(after):
        return ""
    if len(placed(before, least=2)) < len(AXES):
        return ""
    window = "×".join(map(str, several(bound(node)["kernel_size"], spatial(node))))
    size = "×".join(str(count_of(before.dims[dim])) for dim in (-2, -1))
    return f"{window} windows of a {size} map"


def _item(
    node: Node, word: HeadKind, inputs: int | None = None, outputs: int | None = None
) -> HeadItem:
    type_name = layer_type(node)
    if not node.module or type_name in ("", "Sequential"):
        type_name = node.op
    return HeadItem(
        word,
        node.module or node.name,
        type_name,
        _spelled(node),
        node.line,
        inputs,
        outputs,
    )


def _spelled(node: Node) -> str:
    """What the student will recognise: the module's class, or the function's name."""
    name = base(node)
    layer = layer_type(node)
    return layer if name.replace("_", "") in layer.lower() and layer else name


def _placed(field: ReceptiveField, name: str) -> frozenset[AxisName]:
    return placed(field.answers[name], least=2)


def _sources(field: ReceptiveField, node: Node) -> list[str]:
    return [name for name in node.references() if isinstance(field.answers[name], Sight)]


def _positions(field: ReceptiveField, node: Node) -> frozenset[AxisName]:
    """The axes along which what the node reads has positions."""
    return frozenset[AxisName]().union(*(_placed(field, name) for name in _sources(field, node)))


def _lost(graph: Graph, field: ReceptiveField, node: Node) -> frozenset[AxisName]:
    """The axes that the node ends: its input has positions along them, its result has none."""
    if kind(node) in _SUMS_NOTHING_UP:
        return frozenset()
    if kind(node) is Kind.CONVOLUTION:
        return covered(graph, field.answers, node)
    return _positions(field, node) - placed(field.answers[node.name])


def _learned(graph: Graph, field: ReceptiveField, node: Node) -> bool:
    """One factor comes from the image, the other from weights."""
    if kind(node) is not Kind.MATMUL:
        return True
    factors = list(node.references())
    return len(_sources(field, node)) == 1 and len(factors) > 1


def _features(graph: Graph, node: Node) -> tuple[int | None, int | None]:
    if kind(node) is Kind.MATMUL:
        last = node.shape[-1] if node.shape else None
        return None, last if isinstance(last, int) else None
    weight = bound(node)["weight"]
    shape = graph[weight.node].shape if isinstance(weight, Ref) else None
    if not shape:
        return None, None
    if any(isinstance(size, str) for size in shape):
        return None, None  # weights for each image
    return prod(map(int, shape[1:])), int(shape[0])


def _pool(graph: Graph, node: Node) -> str:
    """How the node sums up an axis: "average", "max", "sum", "Lp", or "" for anything else."""
    name = base(node)
    if kind(node) in {Kind.POOLING, Kind.ADAPTIVE_POOLING}:
        way = "max" if "max" in name else "average"
    else:
        way = _POOLS.get(name, "")
    before = next(iter(node.references()), None)
    return "Lp" if way == "average" and before and base(graph[before]) in {"pow", "square"} else way


def head_hints(
    graph: Graph, field: ReceptiveField, items: tuple[HeadItem, ...]
) -> tuple[Hint, ...]:
    """What looks like global average pooling but is not, and what to write instead."""
    if any(item.kind == "global average pooling" for item in items):
        return ()
    hints: list[Hint] = []
    for node in graph.nodes:
        if node.name in field.live:
            hints.extend(_near_miss(graph, field, node))
    if not hints:
        text = (
            "Average each channel of the last map, made here, as a whole: "
            "nn.AdaptiveAvgPool2d(1) does it."
        )
        hints = [Hint(text=text, line=field.line)]
    return tuple(hints)


def _near_miss(graph: Graph, field: ReceptiveField, node: Node) -> Iterator[Hint]:
    name = base(node)
    if "avg_pool" not in name and name != "mean":
        return
    if (
        "avg_pool2d" in name
        and kind(node) is Kind.POOLING
        and set(several(bound(node)["kernel_size"], 2)) == {1}
    ):
        yield Hint(
            text="This pools windows of one pixel, which changes nothing. "
            "nn.AdaptiveAvgPool2d(1) pools the whole map.",
            line=node.line,
        )
    elif _lost(graph, field, node) and not _before_end(field, node):
        return
    elif _lost(graph, field, node):
        yield Hint(
            text="This global pooling feeds a gate inside the network (squeeze-and-excitation), "
            "not the scores.",
            line=node.line,
        )
    elif _placed(field, node.name) and ("adaptive" in name or node.name in field.ends):
        size = " × ".join(str(size) for size in (node.shape or ())[-2:])
        yield Hint(
            text=f"This leaves a map of {size} positions: nn.AdaptiveAvgPool2d(1) pools the whole "
            "map to one.",
            line=node.line,
        )
    elif window := _part_averaged(field, node):
        yield Hint(
            text=f"This averages {window} and leaves the rest out: nn.AdaptiveAvgPool2d(1) "
            "averages the whole map.",
            line=node.line,
        )
    elif "avg_pool2d" in name and not _positions(field, node) and not _before_end(field, node):
        yield Hint(
            text="The map is 1 × 1 here already: there is nothing left to average.", line=node.line
        )


def _before_end(field: ReceptiveField, node: Node) -> bool:
    """The node ran before the final feature map was made."""
    order = list(field.answers)
    return order.index(node.name) < order.index(field.final)
