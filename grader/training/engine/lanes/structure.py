"""A value in the form that an operator needs: its dimensions as channels, rows and columns.

Views cost nothing until somebody asks for their dimensions; then the map is copied once into the
form of that shape (`forms.sizes_for`), for all who ask. `arranged` copies parts of a map into a new
one, dimension by dimension.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from grader.program import ops
from grader.program.graph import Node
from grader.program.ops import Kind
from grader.program.values import Ref
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes.flow import Flow, whole
from grader.training.engine.lanes.forms import Loop, Sizes, Vector, loops, plus, sizes_for, times
from grader.training.engine.lanes.lowering import Lowering, label
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.rearrange import Arranged, Piece

HERE: Vector = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Segment:
    """Part of a dimension of a new map: where it begins in it, and in the source, and its loops."""

    loops: tuple[Loop, ...]
    source: Vector = HERE
    begin: int = 0


Dimension = Sequence[Segment]
"""Segments beside each other."""


def shape_of(state: Lowering, value: Any, node: Node) -> tuple[int, ...]:
    """Of a value, without the batch. Raises CannotTrainError where images are no longer apart."""
    found = state.graph[value.node].shape if isinstance(value, Ref) else None
    return sizes(found, node)


def sizes(shape: Sequence[Any] | None, node: Node) -> tuple[int, ...]:
    """A shape without the batch. Raises CannotTrainError."""
    if not shape or shape[0] != "N" or any(not isinstance(size, int) for size in shape[1:]):
        raise CannotTrainError(f"{label(node)} over several images")
    return tuple(int(size) for size in shape[1:])


def axis_of(given: Any, rank: int, node: Node) -> int:
    """The number of a dimension among those of an image. Raises CannotTrainError for the batch."""
    axis = int(given) % (rank + 1) - 1 if isinstance(given, int) else -1
    if axis < 0:
        raise CannotTrainError(f"{label(node)} over several images")
    return axis


def by_channel(state: Lowering, node: Node, value: Any, *, pixels: bool = True) -> Flow:
    """The value of an argument, its dimensions those of its map; a step may be added to it.

    Where `pixels` do not matter, only the channels are sure to be the shape's.
    """
    shape = shape_of(state, value, node)
    flow = state.flow(value, node)
    as_one = not pixels and shape[:1] == (flow.channels,)
    if as_one or flow.sizes == sizes_for(shape):
        return state.growing(value, node)
    return whole(structured(state, node, value))


def structured(state: Lowering, node: Node, value: Any, into: Sizes | None = None) -> Map:
    """The value of an argument, stored in the form of its shape, or `into` other sizes.

    Raises CannotTrainError.
    """
    shape = shape_of(state, value, node)
    stored, wanted = state.map(value, node), into or sizes_for(shape)
    if (stored.channels, stored.height, stored.width) == wanted:
        return stored
    key = (id(stored), wanted)
    if key not in state.formed:
        found = loops((stored.channels, stored.height, stored.width), wanted)
        if found is None:
            raise CannotTrainError(f"{label(node)} of maps that were cut into other shapes")
        dimensions = [[Segment(tuple(dimension))] for dimension in found]
        state.formed[key] = arranged(state, node, stored, dimensions, wanted, wanted)
    return state.formed[key]


def dimensions(state: Lowering, node: Node, value: Any) -> tuple[Map, list[list[Loop]]]:
    """A stored map, and each dimension of the value's shape as at most one loop over it."""
    shape = shape_of(state, value, node)
    stored = state.map(value, node)
    found = loops((stored.channels, stored.height, stored.width), shape)
    if found is None or any(len(dimension) > 1 for dimension in found):
        stored = structured(state, node, value)
        found = loops((stored.channels, stored.height, stored.width), shape)
    assert found is not None
    return stored, found


def arranged(
    state: Lowering,
    node: Node,
    source: Map,
    dimensions: Sequence[Dimension],
    shape: Sequence[int],
    into: Sizes | None = None,
    *,
    fill: float = 0.0,
) -> Map:
    """A new map of that shape, its dimensions in segments of the source; `fill` lies between."""
    form = into or form_for(state, node, shape)
    places = loops(form, shape)
    if places is None or any(len(place) > 1 for place in places):
        raise CannotTrainError(f"{label(node)} of maps that were cut into other shapes")
    target = Map(*form, node.name, source.needs_gradient)
    pieces = []
    for segments in product(*dimensions):
        parts = [_placed(one, place) for one, place in zip(segments, places, strict=True)]
        from_, to = HERE, HERE
        steps: list[tuple[int, Vector, Vector]] = []
        for segment, (begin, mine) in zip(segments, parts, strict=True):
            from_, to = plus(from_, segment.source), plus(to, begin)
            steps += mine
        pieces.append(Piece(from_, to, tuple(steps)))
    state.stages.append(Arranged(source, target, tuple(pieces), fill))
    return target


def _placed(segment: Segment, place: list[Loop]) -> tuple[Vector, list[tuple[int, Vector, Vector]]]:
    """Where a segment begins in its target, and its loops with their steps there."""
    step = place[0][1] if place else HERE
    found: list[tuple[int, Vector, Vector]] = []
    inside = 1
    for count, there in reversed(segment.loops):
        found.insert(0, (count, there, times(step, inside)))
        inside *= count
    return times(step, segment.begin), found


def form_for(state: Lowering, node: Node, shape: Sequence[int]) -> Sizes:
    """In which form to store a new map: that of the shape under which it is read, if it may be."""
    for reader in state.graph.nodes:
        known = ops.OPERATORS.get(reader.op)
        if known is None or known.kind is not Kind.RESHAPE or node.name not in reader.references():
            continue
        if reader.shape and reader.shape[0] == "N":
            form = sizes_for(sizes(reader.shape, reader))
            found = loops(form, shape)
            if found is not None and all(len(dimension) <= 1 for dimension in found):
                return form
    return sizes_for(shape)
