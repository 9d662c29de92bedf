"""Run a network on marked images and collect which marks arrive at which positions of every result.

In: the eval Graph, its weights, and how each result is laid out. Out: masks of rows and columns,
per node and position. Trusted code on the CPU; no student code.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from grader.analysis.cost import images_at_once
from grader.analysis.receptive_field.proven import Masks
from grader.analysis.receptive_field.sight import AXES, AxisName, Sight, count_of
from grader.errors import SubmissionError
from grader.network import Runner, Steps, build_steps
from grader.program.graph import Graph, Node

AT_ONCE = 64
"""Images in one forward pass, where they fit into memory."""
DRAWS = 4
"""Random images that rows are changed in, where NaN cannot be used."""


@dataclass
class Probe:
    """Runs the graph on marked images. `found` are the masks of each node in `sights`.

    `blind` are nodes that should not depend on the image at all; `seeing` those of them that do.
    `mixed` are nodes where a plain image shows the marks of others: images see each other there.
    `idle` are nodes that move no score: they hand on one number, so that no mark gets past them.
    """

    graph: Graph
    weights: Mapping[str, Tensor]
    sights: Mapping[str, Sight]
    blind: Set[str]
    seed: int
    idle: Set[str] = frozenset()
    found: dict[str, Masks] = field(default_factory=dict)
    mixed: set[str] = field(default_factory=set)
    seeing: set[str] = field(default_factory=set)
    steps: Steps = field(init=False)

    def __post_init__(self) -> None:
        cpu = torch.device("cpu")
        self.steps = build_steps(self.graph, self.weights, cpu, gradient_blocks=False)

    def naturally_nan(self) -> set[str]:
        """Nodes that are NaN for ordinary images."""
        found: set[str] = set()

        def see(node: Node, result: Tensor) -> None:
            if bool(result.isnan().any()):
                found.add(node.name)

        self._run(self._images(2), see)
        return found

    def nan_rows(self, skip: set[str]) -> None:
        """Mark rows and columns with NaN."""
        other = torch.full_like(self._images(1)[0], torch.nan)
        for axis, lines, images in self._marked(other):
            self._watch(axis, lines, images, self.sights.keys() - skip, torch.isnan)

    def changed_rows(self, only: set[str]) -> None:
        """Change rows and columns to other random values and look for changes."""
        if not only:
            return
        for draw in range(1, 1 + DRAWS):
            other = self._images(1, draw)[0]
            for axis, lines, images in self._marked(other):
                self._watch(axis, lines, images, self.sights.keys() & only, _differs)

    def _watch(
        self,
        axis: AxisName,
        lines: range,
        images: Tensor,
        names: set[str],
        marks: Callable[[Tensor], Tensor],
    ) -> None:
        """Run `images`, of which the first is plain and each other has one of `lines` marked."""

        def see(node: Node, result: Tensor) -> None:
            if node.name in self.blind and result.isnan().any():
                self.seeing.add(node.name)
            if node.name not in names:
                return
            laid_out = by_position(self.sights[node.name], axis, result)
            arrived = None if laid_out is None else marks(laid_out).any(dim=2).numpy()
            if arrived is None or len(arrived) != len(images) or arrived[0].any():
                self.mixed.add(node.name)
                return
            masks = self.found.setdefault(node.name, {}).setdefault(axis, [0] * arrived.shape[1])
            for line, row in zip(lines, arrived[1:], strict=True):
                for position in np.flatnonzero(row):
                    masks[position] |= 1 << line

        self._run(images, see)

    def _images(self, count: int, draw: int = 0) -> Tensor:
        shape = [int(size) for size in (self.graph.input.shape or ())[1:]]
        generator = torch.Generator().manual_seed(self.seed + draw)
        # As images are: 0 to 1, with some pixels just 0 and some just 1.
        return torch.rand((count, *shape), generator=generator).mul(1.5).sub(0.25).clamp(0, 1)

    def _marked(self, other: Tensor) -> Iterator[tuple[AxisName, range, Tensor]]:
        """Batches of one plain image and copies of it, each with one row or column of `other`."""
        plain = self._images(1)[0]
        most = min(AT_ONCE, images_at_once(self.graph) - 1)
        for dim, axis in zip((-2, -1), AXES, strict=True):
            size = plain.shape[dim]
            for start in range(0, size, most):
                lines = range(start, min(start + most, size))
                images = plain.repeat(1 + len(lines), *[1] * plain.ndim)
                for at, line in enumerate(lines):
                    images[1 + at].narrow(dim, line, 1).copy_(other.narrow(dim, line, 1))
                yield axis, lines, images

    def _run(self, images: Tensor, see: Callable[[Node, Tensor], None]) -> None:
        watcher = _Watcher(self.steps, self.graph, see, self.idle)
        with torch.inference_mode(), _window_by_window():
            watcher.run(images)


@contextmanager
def _window_by_window() -> Iterator[None]:
    """No Winograd or FFT: they compute neighbouring positions together, which spreads NaN."""
    with warnings.catch_warnings():
        # oneDNN's flags include TF32, which CPUs warn about.
        warnings.simplefilter("ignore", UserWarning)
        with torch.backends.mkldnn.flags(enabled=False), torch.backends.nnpack.flags(enabled=False):
            yield


class Refused(Exception):  # noqa: N818 - it is an answer, not an error of ours
    """An operator raised an error on the images that it was given."""

    def __init__(self, node: Node, reason: str) -> None:
        super().__init__(reason)
        self.node = node
        self.reason = reason


class _Watcher(Runner):
    """Runs a graph and shows every tensor at the moment it is made. Raises Refused."""

    def __init__(
        self,
        module: Steps,
        graph: Graph,
        see: Callable[[Node, Tensor], None],
        idle: Set[str],
    ) -> None:
        super().__init__(module)
        self.nodes = iter(graph.nodes)
        self.see = see
        self.idle = idle
        self.whole = False

    def run_node(self, n: fx.Node) -> object:
        """Run one node."""
        if n.op == "output":
            return super().run_node(n)
        node = next(self.nodes)
        self.whole = (node.dtype or "").startswith(("int", "uint"))
        try:
            result = super().run_node(n)
        except SubmissionError as error:
            raise Refused(node, error.message) from error
        if node.name in self.idle and isinstance(result, Tensor):
            result = torch.full_like(result, float(result.double().nanmean().nan_to_num()))
        if isinstance(result, Tensor) and node.shape is not None:
            self.see(node, result)
        return result

    def call_function(self, target: Any, args: Any, kwargs: Any) -> object:
        """Run one operator. NaN is no whole number: it would become any, and no index at all."""
        if self.whole:
            args = tuple(_known(item) for item in args)
        return super().call_function(target, args, kwargs)


def _known(item: object) -> object:
    if isinstance(item, Tensor) and item.is_floating_point() and bool(item.isnan().any()):
        return item.nan_to_num()
    return item


def by_position(sight: Sight, axis: AxisName, result: Tensor) -> Tensor | None:
    """A node's tensor as (images, positions along `axis`, all else).

    None where it does not hold images apart.
    """
    parts = sight.parts
    images = next((at for at, part in enumerate(parts) if part.axis == "images"), None)
    if images is None:
        return None
    count = result.numel() // max(1, count_of(parts))
    shape = [part.size for part in parts]
    shape[images] = count
    place = next((at for at, part in enumerate(parts) if part.axis == axis), None)
    kept = [images] if place is None else [images, place]
    positions = 1 if place is None else parts[place].size
    others = [at for at in range(len(parts)) if at not in kept]
    return result.reshape(shape).permute(*kept, *others).reshape(count, positions, -1)


def _differs(result: Tensor) -> Tensor:
    """Where an image's result is not that of the first (plain) image; NaN equals NaN."""
    plain = result[:1]
    return (result != plain) & ((result == result) | (plain == plain))
