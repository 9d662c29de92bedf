"""Where branches meet: add, multiply, concatenate, stack, and products of two tensors.

In: Sights (None for a tensor that does not depend on the image). Out: the one Sight that covers them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from math import prod

import numpy as np

from grader.analysis.receptive_field.bits import Bits, NotProven
from grader.analysis.receptive_field.reshape import Size, follow, sizes
from grader.analysis.receptive_field.sight import (
    AXES,
    AxisName,
    Dims,
    Field,
    Part,
    Sight,
    forget,
    isolate,
)
from grader.program import Shape


def meet(
    sights: Sequence[Sight | None], shape: Shape, *, gate: str | None = "context"
) -> Sight | None:
    """Every output element sees what the elements that it is made of see; shapes broadcast to `shape`.

    A tensor that has no rows, met by one that has (the gate of squeeze-and-excitation), is seen from every row. Its
    reach is kept apart from the window, as `shared`, and flagged with the word `gate`; with `gate=None` it widens the
    window to the whole axis.
    """
    found = [_broadcast(sight, sizes(shape)) for sight in sights if sight is not None]
    if not found:
        return None
    aligned = _aligned(found)
    parts = tuple(
        _leading(column) for column in zip(*(sight.parts for sight in aligned), strict=True)
    )
    dims = tuple(map(_grown_to, _grouped(parts, aligned[0].dims), sizes(shape)))
    if len(aligned) == 1:
        return Sight(dims, aligned[0].rows, aligned[0].columns)
    return Sight(dims, *(_merged(aligned, parts, axis, gate) for axis in AXES))


def _grown_to(dim: tuple[Part, ...], target: Size) -> tuple[Part, ...]:
    """A dimension that is 1 in all tensors that see the image, and larger in one that does not."""
    if prod(part.size for part in dim) == target.count:
        return dim
    return (Part(target.count), *dim[1:])


def _broadcast(sight: Sight, targets: Sequence[Size]) -> Sight:
    """The sight with the rank of the output; dimensions that are 1 there grow without an axis of their own."""
    missing = len(targets) - len(sight.dims)
    if missing:
        ones = tuple((Part(1),) for _ in range(missing))
        return sight.bits(
            (*ones, *sight.dims), lambda bits: bits.reshape(*(1,) * missing, *bits.shape)
        )
    return sight


def _aligned(sights: Sequence[Sight]) -> list[Sight]:
    """The same tensors, every dimension with as many parts of the same sizes (or 1) in each."""
    aligned = list(sights)
    for dim in range(len(sights[0].dims)):
        factors = [tuple(part.size for part in sight.dims[dim]) for sight in aligned]
        whole = {one for one in factors if prod(one) > 1}
        if len(whole) > 1:
            common = reduce(_refined, whole)
            if common:
                aligned = [_split(sight, dim, common) for sight in aligned]
            else:
                aligned = [isolate(sight, dim) for sight in aligned]
        count = max(len(sight.dims[dim]) for sight in aligned)
        aligned = [_padded(sight, dim, count) for sight in aligned]
    return aligned


def _refined(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """The coarsest factors that both can be split into; () where there are none."""
    ends = sorted(
        {prod(factors[at:]) for factors in (one, other) for at in range(len(factors) + 1)},
        reverse=True,
    )
    steps = list(pairwise(ends))
    return (
        tuple(big // small for big, small in steps)
        if all(big % small == 0 for big, small in steps)
        else ()
    )


def _split(sight: Sight, dim: int, factors: tuple[int, ...]) -> Sight:
    if prod(part.size for part in sight.dims[dim]) == 1 or len(sight.dims[dim]) == len(factors):
        return sight
    if any(part.axis == "images" for part in sight.dims[dim]):
        raise NotProven("images of the batch are regrouped")
    apart = tuple((part,) for parts in sight.dims[:dim] for part in parts)
    after = tuple((part,) for parts in sight.dims[dim + 1 :] for part in parts)
    flat = Sight(
        (*apart, *((part,) for part in sight.dims[dim]), *after), sight.rows, sight.columns
    )
    shape = (*map(_size, apart), *factors, *map(_size, after))
    cut = follow(flat, shape)
    made = tuple(parts[0] for parts in cut.dims[len(apart) : len(apart) + len(factors)])
    return Sight((*sight.dims[:dim], made, *sight.dims[dim + 1 :]), cut.rows, cut.columns)


def _size(parts: tuple[Part, ...]) -> int | str:
    return "N" if parts[0].axis == "images" else parts[0].size


def _padded(sight: Sight, dim: int, count: int) -> Sight:
    missing = count - len(sight.dims[dim])
    if not missing:
        return sight
    end = sight.axes(dim).stop
    made = (*sight.dims[dim], *[Part(1)] * missing)
    dims = (*sight.dims[:dim], made, *sight.dims[dim + 1 :])
    return sight.bits(dims, lambda bits: np.expand_dims(bits, tuple(range(end, end + missing))))


def _leading(column: Sequence[Part]) -> Part:
    """The part that names the result's: the first that runs along an axis, else the largest."""
    size = max(part.size for part in column)
    for part in column:
        if part.axis and part.size == size:
            return part
    return Part(size)


def _grouped(parts: Sequence[Part], like: Dims) -> Dims:
    left = iter(parts)
    return tuple(tuple(next(left) for _ in dim) for dim in like)


def _merged(
    sights: Sequence[Sight], parts: Sequence[Part], axis: AxisName, gate: str | None
) -> Field:
    placed = any(part.axis == axis and part.size > 1 for part in parts)
    inside = [sight for sight in sights if not (gate and placed) or _runs_along(sight, axis)]
    outside = [sight for sight in sights if not any(sight is one for one in inside)]
    windows = [_moved(sight, parts, axis) for sight in inside]
    fields = [sight.field(axis) for sight in inside]
    flags = frozenset[str]().union(*(sight.field(axis).flags for sight in sights))
    if gate and (len({low + high for low, high in windows}) > 1 or _jumps_differ(inside, axis)):
        flags |= {"misaligned"}
    seen = reduce(np.bitwise_or, (field.seen for field in fields))
    shared = reduce(np.bitwise_or, (field.shared for field in fields))
    for sight in outside:
        field = sight.field(axis)
        shared = shared | field.seen | field.shared
        if gate and (field.seen.any() or field.shared.any()):
            flags |= {gate}
    return Field(
        min(low for low, _ in windows), max(high for _, high in windows), seen, shared, flags
    )


def _runs_along(sight: Sight, axis: AxisName) -> bool:
    return any(part.axis == axis and part.size > 1 for part in sight.parts)


def _jumps_differ(sights: Sequence[Sight], axis: AxisName) -> bool:
    jumps = {
        tuple(part.along(axis) for part in sight.parts if part.along(axis)) for sight in sights
    }
    return len(jumps) > 1


def _moved(sight: Sight, parts: Sequence[Part], axis: AxisName) -> tuple[Fraction, Fraction]:
    """The sight's window as seen from the result's positions, which move by the jumps of `parts`."""
    field = sight.field(axis)
    drift = [
        (mine.along(axis) - theirs.along(axis)) * (theirs.size - 1)
        for mine, theirs in _pairs(sight, parts)
    ]
    low = field.low + sum((min(one, Fraction(0)) for one in drift), Fraction(0))
    high = field.high + sum((max(one, Fraction(0)) for one in drift), Fraction(0))
    return low, high


def _pairs(sight: Sight, parts: Sequence[Part]) -> list[tuple[Part, Part]]:
    return list(zip(sight.parts, parts, strict=True))


def concatenate(sights: Sequence[Sight | None], dim: int, shapes: Sequence[Shape]) -> Sight | None:
    """Tensors side by side along `dim`; `shapes` are theirs. Along rows, each starts where the one before ends."""
    found = [sight for sight in sights if sight is not None]
    if not found:
        return None
    lengths = [_length(shape[dim]) for shape in shapes]
    if (
        len(found) == len(sights)
        and all(sight is found[0] for sight in found)
        and not _any_placed(found, dim)
    ):
        return _grown(found[0], dim, sum(lengths))
    found = _side_by_side(found, dim)
    starts = [sum(lengths[:at]) for at, sight in enumerate(sights) if sight is not None]
    at = found[0].axes(dim)[0]
    parts = [
        _leading(column) if place != at else replace(column[0], size=sum(lengths))
        for place, column in enumerate(zip(*(sight.parts for sight in found), strict=True))
    ]
    own = iter(found)
    everyone = [next(own) if sight is not None else None for sight in sights]
    fields = [_in_a_row(everyone, starts, lengths, at, parts, axis) for axis in AXES]
    return Sight(_grouped(parts, found[0].dims), *fields)


def _length(size: int | str) -> int:
    if isinstance(size, str):
        raise NotProven("images of the batch are put side by side")
    return size


def _any_placed(sights: Sequence[Sight], dim: int) -> bool:
    return any(part.axis for sight in sights for part in sight.dims[dim])


def _grown(sight: Sight, dim: int, size: int) -> Sight:
    plain = forget(sight, dim)
    if all(bits.shape[plain.axes(dim)[0]] == 1 for bits in (plain.rows.seen, plain.columns.seen)):
        dims = (*plain.dims[:dim], (Part(size),), *plain.dims[dim + 1 :])
        return Sight(dims, plain.rows, plain.columns)
    times = size // plain.dims[dim][0].size
    dims = (*plain.dims[:dim], (Part(size),), *plain.dims[dim + 1 :])
    at = plain.axes(dim)[0]
    return plain.bits(
        dims, lambda bits: np.concatenate([bits] * times, axis=at) if bits.shape[at] > 1 else bits
    )


def _side_by_side(found: Sequence[Sight], dim: int) -> list[Sight]:
    """The concatenated dimension as one part in each, and all others alike."""
    axes = {frozenset(part.axis for part in sight.dims[dim] if part.axis) for sight in found}
    along_one = len(axes) == 1 and len(next(iter(axes))) <= 1
    single = [isolate(sight, dim) if along_one else forget(sight, dim) for sight in found]
    held = [sight.dims[dim][0] for sight in single]
    bare = [_with_part(sight, dim, Part(1)) for sight in single]
    return [_with_part(sight, dim, part) for sight, part in zip(_aligned(bare), held, strict=True)]


def _with_part(sight: Sight, dim: int, part: Part) -> Sight:
    return Sight((*sight.dims[:dim], (part,), *sight.dims[dim + 1 :]), sight.rows, sight.columns)


def _in_a_row(
    sights: Sequence[Sight | None],
    starts: Sequence[int],
    lengths: Sequence[int],
    at: int,
    parts: Sequence[Part],
    axis: AxisName,
) -> Field:
    found = [sight for sight in sights if sight is not None]
    windows = []
    for sight, start in zip(found, starts, strict=True):
        low, high = _moved(sight, [*parts[:at], sight.parts[at], *parts[at + 1 :]], axis)
        mine, theirs = sight.parts[at].along(axis), parts[at].along(axis)
        ends = [mine * place - theirs * (start + place) for place in (0, sight.parts[at].size - 1)]
        windows.append((low + min(ends), high + max(ends)))
    flags = frozenset[str]().union(*(sight.field(axis).flags for sight in found))
    if len({low + high for low, high in windows}) > 1 or _jumps_differ(found, axis):
        flags |= {"misaligned"}
    fields = [sight.field(axis) if sight is not None else None for sight in sights]
    seen = _stacked([field.seen if field else None for field in fields], lengths, at)
    shared = _stacked([field.shared if field else None for field in fields], lengths, at)
    return Field(
        min(low for low, _ in windows), max(high for _, high in windows), seen, shared, flags
    )


def _stacked(pieces: Sequence[Bits | None], lengths: Sequence[int], at: int) -> Bits:
    """The bit arrays one after the other along axis `at`; kept at size 1 where all are equal and uniform."""
    known = [piece for piece in pieces if piece is not None]
    rank = known[0].ndim
    if len(known) == len(pieces) and all(piece.shape[at] == 1 for piece in known):
        if all(
            piece.shape == known[0].shape and np.array_equal(piece, known[0]) for piece in known
        ):
            return known[0]
    elif not any(piece.any() for piece in known):
        return known[0][tuple(slice(0, 1) for _ in range(rank - 1))]
    shape = np.broadcast_shapes(
        *((*piece.shape[:at], 1, *piece.shape[at + 1 :]) for piece in known)
    )
    full = []
    for piece, length in zip(pieces, lengths, strict=True):
        wide = (*shape[:at], length, *shape[at + 1 :])
        full.append(np.zeros(wide, np.uint64) if piece is None else np.broadcast_to(piece, wide))
    return np.concatenate(full, axis=at)
