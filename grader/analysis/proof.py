"""Measure what every node sees of the image, and compare with the rules: the proof of the receptive field.

In: the eval Graph and its weights. Out: a `Proof`. The one analysis that runs the network (trusted code, CPU).

NaN goes wherever a value is used, whatever the weights are. One batch of images, each with one row (or column) of NaN,
therefore shows the whole dependency map in one forward pass. Behind an operator that loses NaN (a comparison, a mask, a
cast) rows are changed to other random values instead; that can miss what a ReLU or a maximum hides, so there the
measurement must lie within the rule, and equal it to count as proven.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from grader.analysis.arguments import base, operator
from grader.analysis.dataflow import trace
from grader.analysis.propagation import Answer, propagate
from grader.analysis.receptive_field import reach
from grader.analysis.sight import AXES, AxisName, Sight
from grader.network import build_graph
from grader.program import Graph, Node

AT_ONCE = 64
"""Images in one forward pass."""
DRAWS = 4
"""Random images that rows are changed in, where NaN cannot be used."""

Masks = dict[AxisName, list[int]]


@dataclass(frozen=True, slots=True)
class Proof:
    """How the measurement compares with the rules, over `nodes` operators.

    `disagreement` names the first operator where they differ, or is "". `loses_nan` names the operator behind which
    rows were changed instead, and `within` the number of nodes there whose measurement lies within the rule without
    filling it. `mixes_images` names an operator that lets images see each other.
    """

    nodes: int
    disagreement: str = ""
    line: int | None = None
    loses_nan: str = ""
    within: int = 0
    mixes_images: str = ""

    @property
    def proven(self) -> bool:
        """Every node's dependency table was measured as the rules say."""
        return not self.disagreement and not self.within and self.nodes > 0

    @property
    def text(self) -> str:
        """The answer in one line."""
        if self.disagreement:
            return f"measurement disagrees: {self.disagreement}"
        if not self.nodes:
            return "not measured"
        text = f"proven by measurement at {self.nodes} operators"
        if self.within:
            text = f"confirmed by measurement at {self.nodes} operators, {self.within} of them as an upper bound"
        return text + (f" (behind {self.loses_nan} by changing rows instead of NaN)" if self.loses_nan else "")


def measure(graph: Graph, weights: Mapping[str, Tensor], *, seed: int = 0) -> Proof:
    """Compare every node's dependency table with a measurement at the graph's image size.

    `weights` maps the names in the graph to CPU tensors; they are not changed.
    """
    live = trace(graph).live
    answers = {name: answer if name in live else None for name, answer in propagate(graph).items()}
    probe = _Probe(graph, {name: tensor.detach().clone() for name, tensor in weights.items()}, answers, seed)
    lossy = _behind(graph, {*_losing(graph, answers), *probe.naturally_nan()})
    mixes = probe.nan_rows(set(lossy))
    if lossy:
        probe.changed_rows(set(lossy))
    return _compare(graph, answers, probe.found, lossy, mixes)


def _losing(graph: Graph, answers: Mapping[str, Answer]) -> Iterator[str]:
    """Operators whose result may not be NaN though what they read is; whole numbers never are."""
    for node in graph.nodes:
        entry = operator(node)
        loses = (entry is not None and entry.loses_nan) or (node.dtype or "").startswith(("int", "uint", "bool"))
        if loses and isinstance(answers[node.name], Sight):
            yield node.name


def _behind(graph: Graph, names: set[str]) -> dict[str, str]:
    """Every node that depends on one of `names`, with the first of them."""
    cause = {name: name for name in names}
    reads = trace(graph).reads
    for node in graph.nodes:
        for source in reads[node.name]:
            if source in cause:
                cause.setdefault(node.name, cause[source])
    return cause


@dataclass
class _Probe:
    """Runs the graph on marked images and collects, per node, which marks arrive at which positions."""

    graph: Graph
    weights: Mapping[str, Tensor]
    answers: Mapping[str, Answer]
    seed: int
    found: dict[str, Masks] = field(default_factory=dict)

    def naturally_nan(self) -> set[str]:
        """Nodes that are NaN for ordinary images."""
        found: set[str] = set()

        def see(node: Node, result: Tensor) -> None:
            if bool(result.isnan().any()):
                found.add(node.name)

        self._run(self._images(2), see)
        return found

    def nan_rows(self, skip: set[str]) -> str:
        """Mark rows and columns with NaN; returns the first node where an unmarked image became NaN, or ""."""
        mixes: list[str] = []
        for axis, lines, images in self._marked(lambda image: torch.full_like(image, torch.nan)):

            def see(node: Node, result: Tensor, axis: AxisName = axis, lines: range = lines) -> None:
                if node.name not in skip and isinstance(sight := self.answers[node.name], Sight):
                    arrived = by_position(sight, axis, result.isnan())
                    mixes.extend([node.name] * bool(arrived[0].any()))
                    self._add(node.name, axis, lines, arrived[1:])

            self._run(images, see)
        return mixes[0] if mixes else ""

    def changed_rows(self, only: set[str]) -> None:
        """Change rows and columns to other random values and look for changes."""
        for draw in range(DRAWS):
            for axis, lines, images in self._marked(lambda image, draw=draw: self._images(1, draw + 1)[0]):  # type: ignore[misc] # a default binds the loop's value

                def see(node: Node, result: Tensor, axis: AxisName = axis, lines: range = lines) -> None:
                    if node.name in only and isinstance(sight := self.answers[node.name], Sight):
                        changed = _differs(sight, result)
                        self._add(node.name, axis, lines, by_position(sight, axis, changed)[1:])

                self._run(images, see)

    def _images(self, count: int, draw: int = 0) -> Tensor:
        shape = [int(size) for size in (self.graph.input.shape or ())[1:]]
        generator = torch.Generator().manual_seed(self.seed + draw)
        return torch.randn((count, *shape), generator=generator)

    def _marked(self, mark: Callable[[Tensor], Tensor]) -> Iterator[tuple[AxisName, range, Tensor]]:
        """Batches of one plain image and copies of it with one marked row or column each."""
        plain = self._images(1)[0]
        other = mark(plain)
        for dim, axis in zip((-2, -1), AXES, strict=True):
            size = plain.shape[dim]
            for start in range(0, size, AT_ONCE):
                lines = range(start, min(start + AT_ONCE, size))
                images = plain.repeat(1 + len(lines), *[1] * plain.ndim)
                for at, line in enumerate(lines):
                    images[1 + at].narrow(dim, line, 1).copy_(other.narrow(dim, line, 1))
                yield axis, lines, images

    def _run(self, images: Tensor, see: Callable[[Node, Tensor], None]) -> None:
        module = build_graph(self.graph, self.weights, images.device, gradient_blocks=False)
        watcher = _Watcher(module, self.graph, see)
        with torch.inference_mode(), _window_by_window():
            watcher.run(images)

    def _add(self, name: str, axis: AxisName, lines: range, arrived: NDArray[np.bool_]) -> None:
        masks = self.found.setdefault(name, {}).setdefault(axis, [0] * arrived.shape[1])
        for line, row in zip(lines, arrived, strict=True):
            for position in np.flatnonzero(row):
                masks[position] |= 1 << line


@contextmanager
def _window_by_window() -> Iterator[None]:
    """No Winograd or FFT: they compute neighbouring positions of a convolution together, which would spread NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # oneDNN's flags include TF32, which CPUs warn about
        with torch.backends.mkldnn.flags(enabled=False), torch.backends.nnpack.flags(enabled=False):
            yield


class _Watcher(fx.Interpreter):
    """Runs a graph and shows every tensor at the moment it is made."""

    def __init__(self, module: fx.GraphModule, graph: Graph, see: Callable[[Node, Tensor], None]) -> None:
        super().__init__(module)
        self.nodes = iter(graph.nodes)
        self.see = see

    def run_node(self, n: fx.Node) -> object:
        """Run one node."""
        result = super().run_node(n)
        if n.op != "output":
            node = next(self.nodes)
            if isinstance(result, Tensor) and node.shape is not None:
                self.see(node, result)
        return result


def by_position(sight: Sight, axis: AxisName, marks: Tensor) -> NDArray[np.bool_]:
    """Marks on a node's tensor, as (images, positions along `axis`): whether any element there is marked."""
    parts = sight.parts
    images = next((at for at, part in enumerate(parts) if part.axis == "images"), None)
    count = marks.numel() // max(1, _product(part.size for part in parts))
    split = marks.reshape([count if at == images else part.size for at, part in enumerate(parts)])
    place = next((at for at, part in enumerate(parts) if part.axis == axis), None)
    kept = [at for at in (images, place) if at is not None]
    others = [at for at in range(len(parts)) if at not in kept]
    flat = split.permute(*kept, *others)
    positions = 1 if place is None else parts[place].size
    found: NDArray[np.bool_] = flat.reshape(count if images is not None else 1, positions, -1).any(dim=2).numpy()
    return found


def _product(sizes: Iterator[int]) -> int:
    result = 1
    for size in sizes:
        result *= size
    return result


def _differs(sight: Sight, result: Tensor) -> Tensor:
    """Where each image's result is another than the first (plain) image's."""
    dim = next(at for at, parts in enumerate(sight.dims) if any(part.axis == "images" for part in parts))
    count = _product(part.size for part in sight.dims[dim])
    first = next(at for at, part in enumerate(sight.dims[dim]) if part.axis == "images") == 0
    size = result.shape[dim] // count
    inside = (size, count) if first else (count, size)
    split = result.reshape(*result.shape[:dim], *inside, *result.shape[dim + 1 :])
    images = dim if first else dim + 1
    plain = split.narrow(images, 0, 1)
    same = (split == plain) | ((split != split) & (plain != plain))  # NaN is not equal to itself
    return (~same).flatten(dim, dim + 1)


def _compare(
    graph: Graph, answers: Mapping[str, Answer], found: Mapping[str, Masks], lossy: Mapping[str, str], mixes: str
) -> Proof:
    height, width = (int(size) for size in (graph.input.shape or (1, 1))[-2:])
    cause = next((base(graph[lossy[name]]) for name in found if name in lossy), "")
    within = 0
    for name, masks in found.items():
        sight = answers[name]
        assert isinstance(sight, Sight)
        for axis, size in zip(AXES, (height, width), strict=True):
            rule = reach(sight, axis, size)
            wanted = [seen | shared for seen, shared in zip(rule.seen, rule.shared, strict=True)]
            if name in lossy and all(not mask & ~most for mask, most in zip(masks[axis], wanted, strict=True)):
                within += masks[axis] != wanted
            elif masks[axis] != wanted:
                mixed = base(graph[mixes]) if mixes else ""
                text = _difference(graph[name], axis, masks[axis], wanted)
                return Proof(len(found), text, graph[name].line, cause, within, mixed)
    return Proof(len(found), loses_nan=cause, within=within, mixes_images=base(graph[mixes]) if mixes else "")


def _difference(node: Node, axis: AxisName, measured: list[int], wanted: list[int]) -> str:
    position = next(at for at, (one, other) in enumerate(zip(measured, wanted, strict=True)) if one != other)
    more = measured[position] & ~wanted[position]
    word = "more" if more else "fewer"
    where = f" (line {node.line})" if node.line else ""
    return f"{base(node)}{where} sees {word} {axis} at position {position} than the rule says"
