"""What operators become that move numbers: permutations, parts, pieces, rolls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grader.program.graph import Node
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes.flow import Flow, whole
from grader.training.engine.lanes.forms import Loop, loops, times
from grader.training.engine.lanes.lowering import Lowering, label, takes
from grader.training.engine.lanes.structure import (
    HERE,
    Dimension,
    Segment,
    arranged,
    axis_of,
    dimensions,
    shape_of,
    sizes,
)

AS_IT_IS: tuple[tuple[int, int, int, int], ...] = ()


def permute(state: Lowering, node: Node) -> Flow | None:
    """Dimensions in another order; None where that changes nothing."""
    value = node.arguments[0]
    shape = shape_of(state, value, node)
    order = _order(node, takes(node), len(shape))
    long = [axis for axis in order if shape[axis] > 1]
    if long == sorted(long):
        return None
    stored = state.map(value, node)
    found = loops((stored.channels, stored.height, stored.width), shape)
    if found is None:
        stored, found = dimensions(state, node, value)
    moved = [[Segment(tuple(found[axis]))] for axis in order]
    return whole(arranged(state, node, stored, moved, [shape[axis] for axis in order]))


def _order(node: Node, given: dict[str, Any], rank: int) -> list[int]:
    """Which dimension each of the result is."""
    name = node.op.split(".")[1].rstrip("_")
    order = list(range(-1, rank))
    if name == "permute":
        order = [int(dim) % (rank + 1) - 1 for dim in given["dims"]]
    elif name == "movedim":
        order = _moved(given["source"], given["destination"], rank)
    else:
        keys = ("dim0", "dim1") if "dim0" in given else ("axis0", "axis1")
        one, other = (int(given.get(key, 0)) % (rank + 1) for key in keys)
        if name in ("t", "numpy_T", "mT"):
            one, other = rank - 1, rank
        order[one], order[other] = order[other], order[one]
    if order[0] != -1:
        raise CannotTrainError(f"{label(node)} over several images")
    return order[1:]


def _moved(source: Any, destination: Any, rank: int) -> list[int]:
    from_ = [int(dim) % (rank + 1) for dim in _several(source)]
    to = [int(dim) % (rank + 1) for dim in _several(destination)]
    rest = [dim for dim in range(rank + 1) if dim not in from_]
    placed = dict(zip(to, from_, strict=True))
    return [(placed[dim] if dim in placed else rest.pop(0)) - 1 for dim in range(rank + 1)]


def _several(value: Any) -> Sequence[Any]:
    return value if isinstance(value, tuple) else (value,)


def part(state: Lowering, node: Node) -> Flow | None:
    """A slice, or one of a dimension; None where it is all of it."""
    given = takes(node)
    value = given["self"]
    shape = shape_of(state, value, node)
    if "slice" in node.op and given["dim"] % (len(shape) + 1) == 0 and _is_all(given):
        return None
    axis = axis_of(given["dim"], len(shape), node)
    size = shape[axis]
    if "select" in node.op:
        begin, count, step = whole_number(given["index"], node) % size, 1, 1
    elif "narrow" in node.op:
        begin = whole_number(given["start"], node) % (size + 1)
        count, step = whole_number(given["length"], node), 1
    else:
        wanted = slice(given["start"], given["end"], given["step"])
        begin, end, step = wanted.indices(size)
        count = len(range(begin, end, step))
    if (count, step) == (size, 1) and "select" not in node.op:
        return None
    return of_axis(state, node, value, axis, [(begin, step, count, 0)], sizes(node.shape, node))


def _is_all(given: dict[str, Any]) -> bool:
    limits = given["start"] in (None, 0), given["end"] in (None, 2**63 - 1), given["step"] == 1
    return all(limits)


def whole_number(value: Any, node: Node) -> int:
    """An argument that is a number, not computed. Raises CannotTrainError."""
    if not isinstance(value, int):
        raise CannotTrainError(f"{label(node)} at a place that is computed")
    return value


Part = tuple[int, int, int, int]
"""Of a dimension: from where on, by what steps, how many, and where they go to."""


def of_axis(
    state: Lowering,
    node: Node,
    value: Any,
    axis: int,
    parts: Sequence[Part],
    shape: Sequence[int],
    *,
    fill: float = 0.0,
) -> Flow:
    """Parts of one dimension, the others as they are; `shape` may lack it where one is taken."""
    return of_axes(state, node, value, {axis: parts}, shape, fill=fill)


def of_axes(
    state: Lowering,
    node: Node,
    value: Any,
    parts: Mapping[int, Sequence[Part]],
    shape: Sequence[int],
    *,
    fill: float = 0.0,
) -> Flow:
    """The same of several dimensions."""
    stored, found = dimensions(state, node, value)
    rank = len(found)
    made: list[Dimension] = []
    for axis, dimension in enumerate(found):
        if axis in parts:
            made.append([_segment(dimension, one) for one in parts[axis]])
        else:
            made.append([Segment(tuple(dimension))])
    if len(shape) < rank:  # one of a dimension: it adds nothing but where to begin
        whole_shape = [*shape]
        whole_shape[next(iter(parts)) : next(iter(parts))] = [1]
        target = arranged(state, node, stored, made, whole_shape, fill=fill)
    else:
        target = arranged(state, node, stored, made, shape, fill=fill)
    return whole(target)


def _segment(dimension: Sequence[Loop], one: Part) -> Segment:
    begin, step, count, to = one
    there = dimension[0][1] if dimension else HERE
    inner: tuple[Loop, ...] = ((count, times(there, step)),) if count > 1 else ()
    return Segment(inner, times(there, begin), to)


def flip(state: Lowering, node: Node) -> Flow:
    """Dimensions in reverse."""
    given = takes(node)
    shape = shape_of(state, given["self"], node)
    parts = {}
    for dim in given["dims"]:
        axis = axis_of(dim, len(shape), node)
        parts[axis] = [(shape[axis] - 1, -1, shape[axis], 0)]
    return of_axes(state, node, given["self"], parts, shape)


def roll(state: Lowering, node: Node) -> Flow:
    """Dimensions moved round."""
    given = takes(node)
    shape = shape_of(state, given["self"], node)
    shifts, dims = _several(given["shifts"]), _several(given["dims"])
    if len(shifts) != len(dims) or len(set(dims)) != len(dims):
        raise CannotTrainError(f"{label(node)} of flat maps")
    parts: dict[int, Sequence[Part]] = {}
    for shift, dim in zip(shifts, dims, strict=True):
        axis = axis_of(dim, len(shape), node)
        size = shape[axis]
        there = int(shift) % size
        if there:
            parts[axis] = [(0, 1, size - there, there), (size - there, 1, there, 0)]
    return of_axes(state, node, given["self"], parts, shape)


def piece(state: Lowering, node: Node, number: Any) -> Flow:
    """One of the pieces of a split; the node is the split, with that piece's shape."""
    given = takes(node)
    value = given["self"]
    shape = shape_of(state, value, node)
    axis = axis_of(given["dim"], len(shape), node)
    size = shape[axis]
    if "unbind" in node.op:
        return of_axis(state, node, value, axis, [(number, 1, 1, 0)], sizes(node.shape, node))
    lengths = _lengths(node, given, size)
    begin = sum(lengths[:number])
    parts = [(begin, 1, lengths[number], 0)]
    return of_axis(state, node, value, axis, parts, sizes(node.shape, node))


def _lengths(node: Node, given: dict[str, Any], size: int) -> list[int]:
    """Of all pieces of a dimension."""
    if "tensor_split" in node.op:
        count = whole_number(given["sections"], node)
        return [size // count + (number < size % count) for number in range(count)]
    if "chunk" in node.op:
        length = -(-size // whole_number(given["chunks"], node))
    elif isinstance(given.get("split_size"), int):
        length = given["split_size"]
    else:
        found = given.get("split_size") or given["split_sizes"]
        return [whole_number(one, node) for one in found]
    return [min(length, size - begin) for begin in range(0, size, length)]
