"""Which operators move the scores at all? Measured: change what one of them hands on, and look.

In: a Program, and its weights under two seeds. Out: an `Idle`. Trusted code on the CPU.

`0.0 * bn(x)` runs, and the output depends on it, but no score ever moves. So the results of an
operator are swapped among the images of a batch, and the scores compared, in double precision. A
branch that starts at zero (a BatchNorm with weight 0, LayerScale, a gate that is learned) is no
fault: what no swap moves under the initial weights is tried again after every weight that training
can move has been drawn anew. A weight whose gradient is zero, or that no optimizer is given, stays.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx

from grader.analysis.arguments import kind, operator
from grader.analysis.dataflow import Dataflow, trace
from grader.analysis.idle import LEAST_DROPPED, Idle, dropped
from grader.analysis.movable import IMAGES, images_for, movable, redrawn
from grader.errors import SubmissionError
from grader.network import Runner, Steps, build_steps
from grader.program.graph import Graph, Node
from grader.program.ops import Kind
from grader.program.program import Program
from grader.program.values import Ref

SMALLEST = 1e-3
"""The part of the scores' own spread over images that an operator must move to count."""
UNDONE = 0.05
"""The same for leaving a normalisation out: what its eps did is still seen after the next one."""

_SEEING = {
    Kind.CONVOLUTION,
    Kind.TRANSPOSED_CONVOLUTION,
    Kind.POOLING,
    Kind.ADAPTIVE_POOLING,
    Kind.NORM,
    Kind.LINEAR,
    Kind.MATMUL,
    Kind.ATTENTION,
    Kind.REDUCE,
    Kind.ALONG,
    Kind.FLIP,
    Kind.ROLL,
    Kind.GATHER,
    Kind.PAD,
    Kind.UPSAMPLE,
    Kind.UNFOLD,
    Kind.PIXEL_SHUFFLE,
    Kind.PIXEL_UNSHUFFLE,
}
_TRAINED = {Kind.BATCH_NORM, Kind.DROPOUT, Kind.ATTENTION}
_MOVING = {Kind.RESHAPE, Kind.PERMUTE}

Change = Callable[[Tensor, Tensor], Tensor]
"""From an operator's result and its first input, what it hands on instead."""


@dataclass(slots=True)
class _Bench:
    """One graph, ready to run on a few images with some results changed."""

    graph: Graph
    weights: Mapping[str, Tensor]
    module: Steps = field(init=False)

    def __post_init__(self) -> None:
        self.weights = {name: _doubled(tensor) for name, tensor in self.weights.items()}
        cpu = torch.device("cpu")
        self.module = build_steps(self.graph, self.weights, cpu, gradient_blocks=False)

    def run(
        self, values: Mapping[str, Tensor], images: Tensor, changes: Mapping[str, Change]
    ) -> Tensor:
        """The scores, after `changes` to what some nodes hand on."""
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            for name, tensor in self.weights.items():
                tensor.copy_(values[name])  # also what the last run wrote
            scores: Tensor = _Changing(self.module, self.graph, changes).run(images)
        return scores


def _doubled(tensor: Tensor) -> Tensor:
    return tensor.detach().to(
        torch.float64 if tensor.is_floating_point() else tensor.dtype, copy=True
    )


class _Changing(Runner):
    """Runs a graph in double precision and changes what some of its nodes hand on."""

    def __init__(self, module: Steps, graph: Graph, changes: Mapping[str, Change]) -> None:
        super().__init__(module)
        self.nodes = iter(graph.nodes)
        self.changes = changes

    def run_node(self, n: fx.Node) -> Any:
        """Run one node."""
        node = None if n.op == "output" else next(self.nodes)
        change = self.changes.get(node.name) if node else None
        if node is None or change is None:
            return super().run_node(n)
        given = self.fetch_args_kwargs_from_env(n)
        before = _first_tensor((*given[0], *given[1].values())).clone()
        result = super().run_node(n)
        changed = change(result, before)
        entry = operator(node)
        return result.copy_(changed) if entry is not None and entry.writes else changed

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Run one operator; what asks for single precision gets double."""
        args = tuple(torch.float64 if item is torch.float32 else item for item in args)
        kwargs = {
            name: torch.float64 if item is torch.float32 else item for name, item in kwargs.items()
        }
        result = super().call_function(target, args, kwargs)
        single = isinstance(result, Tensor) and result.dtype is torch.float32
        return result.double() if single else result


def measure(program: Program, seeds: Sequence[Mapping[str, Tensor]]) -> Idle:
    """The operators of a Program that move no score.

    `seeds` are its weights by name, under each of some seeds; they are not changed. Where the
    network cannot be run so, nothing is called idle.
    """
    weights = _Weights(program, seeds)
    try:
        return Idle(_idle_in_training(program, weights), _idle_in_evaluation(program, weights))
    except SubmissionError:
        return Idle()


@dataclass(slots=True)
class _Weights:
    """The settings that operators are tried under: each seed's, then two drawn anew."""

    program: Program
    seeds: Sequence[Mapping[str, Tensor]]
    drawn: list[Mapping[str, Tensor]] = field(default_factory=list)

    def __iter__(self) -> Iterator[Mapping[str, Tensor]]:
        yield from self.seeds
        if not self.drawn:
            names = movable(self.program, self.seeds[0])
            self.drawn = [redrawn(self.program, self.seeds[0], names, draw) for draw in (1, 2)]
        yield from self.drawn


def _idle_in_evaluation(program: Program, weights: _Weights) -> frozenset[str]:
    """All operators are tried in one run, each on some images of its own."""
    graph, flow = program.eval, trace(program.eval)
    wanted = [
        node
        for node in graph.nodes
        if node.name in flow.live and kind(node) in _SEEING and _images_at(node) is not None
    ]
    groups = _equal(graph, flow, wanted)
    bench = _Bench(graph, weights.seeds[0])
    told = False
    for values in weights:
        if not groups:
            break
        changes: dict[str, Change] = {}
        for block, group in enumerate(groups, start=1):
            for node in group:
                changes[node.name] = partial(_swapped_in, node, block, 1 + len(groups))
        images = images_for(graph).repeat(1 + len(groups), 1, 1, 1)
        plain, *changed = bench.run(values, images, changes).chunk(1 + len(groups))
        found = [_moved(plain, one) for one in changed]
        told = told or None not in found
        groups = [group for group, moved in zip(groups, found, strict=True) if not moved]
    return _names(groups) if told else frozenset()


def _idle_in_training(program: Program, weights: _Weights) -> frozenset[str]:
    """Statistics run over the batch, so every operator takes a run of its own."""
    graph, flow = program.train, trace(program.train)
    wanted = [node for node in graph.nodes if node.name in flow.live and kind(node) in _TRAINED]
    idle = [[node] for node in wanted if _drops_nothing(node)]
    groups = _equal(graph, flow, [node for node in wanted if [node] not in idle])
    bench = _Bench(graph, weights.seeds[0])
    images = images_for(graph)
    told = False
    for values in weights:
        if not groups:
            break
        plain = bench.run(values, images, {})
        left = []
        for group in groups:
            tried = []
            for change in _changes(graph, flow, group[0]):
                changes = {node.name: partial(change, node) for node in group}
                least = UNDONE if change is _left_out else SMALLEST
                tried.append(_moved(plain, bench.run(values, images, changes), least))
            told = told or None not in tried
            if not all(tried):
                left.append(group)
        groups = left
    return _names([*idle, *groups]) if told else _names(idle)


def _first_tensor(given: Iterable[Any]) -> Tensor:
    """The first tensor given; einsum and stack take theirs in a list."""
    items = itertools.chain.from_iterable(
        value if isinstance(value, list | tuple) else (value,) for value in given
    )
    return next(item for item in items if isinstance(item, Tensor))


def _names(groups: Iterable[list[Node]]) -> frozenset[str]:
    return frozenset(node.name for node in itertools.chain.from_iterable(groups))


def _drops_nothing(node: Node) -> bool:
    return kind(node) is Kind.DROPOUT and 0 < dropped(node) < LEAST_DROPPED


def _changes(
    graph: Graph, flow: Dataflow, node: Node
) -> list[Callable[[Node, Tensor, Tensor], Tensor]]:
    """What is done to the results of a layer of the train graph."""
    if kind(node) is Kind.DROPOUT:
        return [_swapped, _halved]
    if kind(node) is Kind.BATCH_NORM and _normalised_again(graph, flow, node.name):
        return [_swapped, _left_out]
    return [_swapped]


def _normalised_again(graph: Graph, flow: Dataflow, name: str) -> bool:
    """Nothing but another normalisation reads the result, which may undo all that this one did."""
    readers = [reader for reader in flow.readers[name] if reader in flow.live and reader != name]
    return bool(readers) and all(
        kind(graph[reader]) in {Kind.BATCH_NORM, Kind.NORM}
        or (kind(graph[reader]) in _MOVING and _normalised_again(graph, flow, reader))
        for reader in readers
    )


def _swapped(node: Node, result: Tensor, _: Tensor) -> Tensor:
    """Every image gets the result of the one before it."""
    at = _images_at(node)
    if at is None:
        return result.flatten().roll(1).view_as(result)
    return result.roll(result.shape[at] // IMAGES, at)


def _swapped_in(node: Node, block: int, blocks: int, result: Tensor, _: Tensor) -> Tensor:
    """The same for one of several blocks of images."""
    at = _images_at(node)
    assert at is not None, "only results that hold images are tried"
    parts = list(result.chunk(blocks, at))
    parts[block] = parts[block].roll(parts[block].shape[at] // IMAGES, at)
    return torch.cat(parts, at)


def _halved(_: Node, result: Tensor, before: Tensor) -> Tensor:
    """As a dropout of one half would leave it."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(before.shape, generator=generator) < 0.5
    return before * mask


def _left_out(_: Node, result: Tensor, before: Tensor) -> Tensor:
    """As if the layer were not there."""
    return before.view_as(result)


def _images_at(node: Node) -> int | None:
    """The dimension that holds the images, alone or with something else inside."""
    held = [at for at, size in enumerate(node.shape or ()) if isinstance(size, str)]
    return held[0] if len(held) == 1 else None


def _moved(plain: Tensor, changed: Tensor, least: float = SMALLEST) -> bool | None:
    """Whether scores differ by more than rounding. None where they say nothing."""
    known = plain.isfinite() & changed.isfinite()
    spread = float(plain.std(dim=0).nan_to_num().mean())
    if not bool(known.any()) or spread <= 1e-9 * float(plain[known].abs().max()):
        return None
    if not bool(known.all()):
        return True
    return float((changed - plain).abs().max()) > least * spread


def _equal(graph: Graph, flow: Dataflow, wanted: Sequence[Node]) -> list[list[Node]]:
    """`wanted`, those that compute the same together: f(x) - f(x) has no effect either."""
    number: dict[str, Any] = {}
    known: dict[Any, int] = {}
    for node in graph.nodes:
        written = tuple(number[name] for name in flow.reads[node.name] if name != node.name)
        given = _numbered((node.arguments, tuple(sorted(node.keywords.items()))), number)
        key: Any = (node.op, given, written)
        if kind(node) is Kind.DROPOUT or node.op == "input":
            key = (node.name,)
        number[node.name] = known.setdefault(key, len(known))
    groups: dict[int, list[Node]] = {}
    for node in wanted:
        groups.setdefault(number[node.name], []).append(node)
    return list(groups.values())


def _numbered(value: Any, number: Mapping[str, Any]) -> Any:
    if isinstance(value, Ref):
        return ("result", number[value.node])
    if isinstance(value, tuple):
        return tuple(_numbered(item, number) for item in value)
    return repr(value)
