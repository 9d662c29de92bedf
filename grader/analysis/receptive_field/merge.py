"""Where branches meet: add, multiply, concatenate, stack, and products of two tensors.

In: Sights (None for a tensor that does not depend on the image). Out: the one Sight that covers
them all.

A worked example, one row of 6 pixels. Branch a is a window of 3 pixels, branch b one of 3 pixels
with dilation 2, both padded to 6 positions. Position p of a sees p - 1 to p + 1 (low -1, high 1),
position p of b sees p - 2, p and p + 2 (low -2, high 2):

    row          0 1 2 3 4 5
    a, p = 2     . # # # . .
    b, p = 2     # . # . # .
    a + b        # # # # # .      low = min(-1, -2) = -2, high = max(1, 2) = 2: 5 pixels

The bits are united and the window is the hull of both. Three things make it harder:

1. Gates. g = a.mean() has no positions. In a * g, every position reads all 6 pixels through g. The
   window stays low -1, high 1 with the bits of a; the bits of g go to `shared`, flagged "gate".
2. Jumps. Two tensors may have 6 positions that move by 1 and by 2 pixels (by Upsample and back, for
   instance). The result's positions move by 1. At position 5 the other has drifted 5 * (2 - 1) = 5
   pixels further, so its window, as seen from the result's positions, ends 5 pixels later.
3. Concatenation along rows. In cat([a, b]), position 6 is position 0 of b, which sees -2 to 2. From
   position 6, that is low -2 - 6 = -8, high 2 - 6 = -4. With a's -1 to 1 the hull is -8 to 1. Such
   windows have different centres: "misaligned".

A dimension of 6 may also be one part in a and two parts (2, 3) in b, after a view. Before they are
compared, both are split into the coarsest factors that fit both, here (2, 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from itertools import islice, pairwise
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
    count_of,
    forget,
    isolate,
)
from grader.program.values import Shape


def meet(
    sights: Sequence[Sight | None], shape: Shape, *, gate: str | None = "context"
) -> Sight | None:
    """Every output element sees what its operands' elements see; shapes broadcast to `shape`.

    A tensor that has no rows, met by one that has (the gate of squeeze-and-excitation), is seen
    from every row. What it sees is kept apart from the window, as `shared`, and flagged with the
    word `gate`; with `gate=None` it widens the window to the whole axis.
    Raises NotProven where images of the batch are regrouped.
    """
    found = [_broadcast(sight, len(shape)) for sight in sights if sight is not None]
    if not found:
        return None
    aligned = _aligned(found)
    parts = [_leading(column) for column in _columns(aligned)]
    dims = tuple(map(_grown_to, _grouped(parts, aligned[0].dims), sizes(shape)))
    if len(aligned) == 1:
        return Sight(dims, aligned[0].rows, aligned[0].columns)
    return Sight(dims, *(_merged(aligned, parts, axis, gate) for axis in AXES))


def _grown_to(dim: tuple[Part, ...], target: Size) -> tuple[Part, ...]:
    """A dimension that is 1 in all tensors that see the image, and larger in one that does not."""
    if count_of(dim) == target.count:
        return dim
    return (Part(target.count), *dim[1:])


def _broadcast(sight: Sight, rank: int) -> Sight:
    """The sight with the rank of the output; as in PyTorch, missing dimensions are put in front."""
    missing = rank - len(sight.dims)
    if not missing:
        return sight
    dims = (*[(Part(1),)] * missing, *sight.dims)
    return sight.bits(dims, lambda bits: bits.reshape(*(1,) * missing, *bits.shape))


def _aligned(sights: Sequence[Sight]) -> list[Sight]:
    """The same tensors, every dimension with as many parts of the same sizes (or 1) in each."""
    aligned = list(sights)
    for dim in range(len(sights[0].dims)):
        # A dimension of size 1 is broadcast: it fits any factors and has no say in them.
        whole = {_factors(sight, dim) for sight in aligned if count_of(sight.dims[dim]) > 1}
        if len(whole) > 1:
            common = reduce(_refined, whole)
            if common:
                aligned = [_split(sight, dim, common) for sight in aligned]
            else:
                aligned = [isolate(sight, dim) for sight in aligned]
        count = max(len(sight.dims[dim]) for sight in aligned)
        aligned = [_padded(sight, dim, count) for sight in aligned]
    return aligned


def _factors(sight: Sight, dim: int) -> tuple[int, ...]:
    return tuple(part.size for part in sight.dims[dim])


def _refined(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """The coarsest factors that both can be split into; () where there are none.

    (6,) and (2, 3) give (2, 3). (2, 3) and (3, 2) give (): one has a boundary every 3 elements, the
    other every 2, and no factors have both.
    """
    ends = set()
    for factors in (one, other):
        ends |= {prod(factors[at:]) for at in range(len(factors) + 1)}
    steps = list(pairwise(sorted(ends, reverse=True)))
    if any(big % small for big, small in steps):
        return ()
    return tuple(big // small for big, small in steps)


def _split(sight: Sight, dim: int, factors: tuple[int, ...]) -> Sight:
    """Dimension `dim` with one part for each of `factors`."""
    if count_of(sight.dims[dim]) == 1 or len(sight.dims[dim]) == len(factors):
        return sight
    if any(part.axis == "images" for part in sight.dims[dim]):
        raise NotProven("images of the batch are regrouped")
    axes = sight.axes(dim)
    before, after = sight.parts[: axes.start], sight.parts[axes.stop :]
    # Every part as a dimension of its own, so that the reshape can touch none but those of `dim`.
    flat = Sight(tuple((part,) for part in sight.parts), sight.rows, sight.columns)
    cut = follow(flat, (*map(_size, before), *factors, *map(_size, after)))
    made = tuple(parts[0] for parts in cut.dims[axes.start : axes.start + len(factors)])
    return Sight(sight.dims_with(dim, made), cut.rows, cut.columns)


def _size(part: Part) -> int | str:
    return "N" if part.axis == "images" else part.size


def _padded(sight: Sight, dim: int, count: int) -> Sight:
    """Dimension `dim` with `count` parts: parts of size 1 are added at its end."""
    missing = count - len(sight.dims[dim])
    if not missing:
        return sight
    end = sight.axes(dim).stop
    dims = sight.dims_with(dim, (*sight.dims[dim], *[Part(1)] * missing))
    return sight.bits(dims, lambda bits: np.expand_dims(bits, tuple(range(end, end + missing))))


def _columns(sights: Sequence[Sight]) -> list[tuple[Part, ...]]:
    """For each part of the result, the parts of the aligned tensors that meet there."""
    return list(zip(*[sight.parts for sight in sights], strict=True))


def _leading(column: Sequence[Part]) -> Part:
    """The part that names the result's: the first that runs along an axis, else the largest."""
    size = max(part.size for part in column)
    for part in column:
        if part.axis and part.size == size:
            return part
    return Part(size)


def _grouped(parts: Sequence[Part], like: Dims) -> Dims:
    left = iter(parts)
    return tuple(tuple(islice(left, len(dim))) for dim in like)


def _merged(
    sights: Sequence[Sight], parts: Sequence[Part], axis: AxisName, gate: str | None
) -> Field:
    """What the result sees along one axis; `parts` are its own."""
    placed = any(part.axis == axis and part.size > 1 for part in parts)
    inside, outside = [], []
    for sight in sights:
        # Where nobody has positions, as after pooling, nobody is a gate.
        runs_along = any(part.axis == axis and part.size > 1 for part in sight.parts)
        if gate and placed and not runs_along:
            outside.append(sight)
        else:
            inside.append(sight)
    windows = [_moved(sight, parts, axis) for sight in inside]
    fields = [sight.field(axis) for sight in inside]
    flags = frozenset[str]().union(*(sight.field(axis).flags for sight in sights))
    # With gate=None (products of matrices, attention) positions are mixed on purpose: no centre.
    if gate and (_centres_differ(windows) or _jumps_differ(inside, axis)):
        flags |= {"misaligned"}
    slack = min(field.slack for field in fields)
    seen = reduce(np.bitwise_or, (field.seen for field in fields))
    shared = reduce(np.bitwise_or, (field.shared for field in fields))
    for sight in outside:
        field = sight.field(axis)
        shared = shared | field.seen | field.shared
        if gate and (field.seen.any() or field.shared.any()):
            flags |= {gate}
    return replace(_hull(windows, seen, shared, flags), slack=slack)


def _hull(
    windows: Sequence[tuple[Fraction, Fraction]], seen: Bits, shared: Bits, flags: frozenset[str]
) -> Field:
    low, high = min(low for low, _ in windows), max(high for _, high in windows)
    return Field(low, high, seen, shared, flags)


def _centres_differ(windows: Sequence[tuple[Fraction, Fraction]]) -> bool:
    return len({low + high for low, high in windows}) > 1


def _jumps_differ(sights: Sequence[Sight], axis: AxisName) -> bool:
    jumps = set()
    for sight in sights:
        steps = (part.along(axis) for part in sight.parts)
        jumps.add(tuple(step for step in steps if step))
    return len(jumps) > 1


def _moved(sight: Sight, parts: Sequence[Part], axis: AxisName) -> tuple[Fraction, Fraction]:
    """The sight's window as seen from the result's positions, which move by the jumps of `parts`.

    The drift is 0 at the first position and largest at the last: those two decide how far the
    window must reach to cover all positions.
    """
    field = sight.field(axis)
    low, high = field.low, field.high
    for mine, theirs in zip(sight.parts, parts, strict=True):
        drift = (mine.along(axis) - theirs.along(axis)) * (theirs.size - 1)
        low += min(drift, Fraction(0))
        high += max(drift, Fraction(0))
    return low, high


def concatenate(sights: Sequence[Sight | None], dim: int, shapes: Sequence[Shape]) -> Sight | None:
    """Tensors side by side along `dim`; `shapes` are theirs.

    Along rows, each starts where the one before it ends. Raises NotProven where images of the
    batch are put side by side.
    """
    known = {place: sight for place, sight in enumerate(sights) if sight is not None}
    if not known:
        return None
    found = list(known.values())
    lengths = [_length(shape[dim]) for shape in shapes]
    same = len(found) == len(sights) and all(sight is found[0] for sight in found)
    # Copies of one tensor (cat([x, x])) need no bits of their own where all its channels are alike.
    if same and not any(part.axis for part in found[0].dims[dim]):
        return _grown(found[0], dim, sum(lengths))
    found = _side_by_side(found, dim)
    at = found[0].axes(dim)[0]
    columns = _columns(found)
    parts = [_leading(column) for column in columns]
    parts[at] = replace(columns[at][0], size=sum(lengths))
    placed = dict(zip(known, found, strict=True))
    fields = [_in_a_row(placed, lengths, at, parts, axis) for axis in AXES]
    return Sight(_grouped(parts, found[0].dims), *fields)


def _length(size: int | str) -> int:
    if isinstance(size, str):
        raise NotProven("images of the batch are put side by side")
    return size


def _grown(sight: Sight, dim: int, size: int) -> Sight:
    """Several copies of one tensor along a dimension of plain features, `size` together."""
    plain = forget(sight, dim)
    at = plain.axes(dim)[0]
    dims = plain.dims_with(dim, (Part(size),))
    if all(bits.shape[at] == 1 for bits in (plain.rows.seen, plain.columns.seen)):
        return Sight(dims, plain.rows, plain.columns)
    times = size // plain.dims[dim][0].size

    def repeated(bits: Bits) -> Bits:
        return np.concatenate([bits] * times, axis=at) if bits.shape[at] > 1 else bits

    return plain.bits(dims, repeated)


def _side_by_side(found: Sequence[Sight], dim: int) -> list[Sight]:
    """The concatenated dimension as one part in each, and all others alike."""
    axes = {_axes_along(sight, dim) for sight in found}
    along_one = len(axes) == 1 and len(axes.pop()) <= 1
    single = [isolate(sight, dim) if along_one else forget(sight, dim) for sight in found]
    # Their lengths along `dim` differ, and only there. Aligned with size 1, they do not matter.
    bare = [_with_part(sight, dim, Part(1)) for sight in single]
    held = [sight.dims[dim][0] for sight in single]
    return [_with_part(sight, dim, part) for sight, part in zip(_aligned(bare), held, strict=True)]


def _axes_along(sight: Sight, dim: int) -> frozenset[str]:
    return frozenset(part.axis for part in sight.dims[dim] if part.axis)


def _with_part(sight: Sight, dim: int, part: Part) -> Sight:
    return Sight(sight.dims_with(dim, (part,)), sight.rows, sight.columns)


def _in_a_row(
    sights: Mapping[int, Sight],
    lengths: Sequence[int],
    at: int,
    parts: Sequence[Part],
    axis: AxisName,
) -> Field:
    """What the result sees along one axis; the tensors follow each other along array axis `at`.

    `sights` are the tensors that depend on the image, by their place in the row; `lengths` has the
    length of every tensor, `parts` are those of the result.
    """
    windows = []
    for place, sight in sights.items():
        own = sight.parts[at]
        # All parts but the one they are joined along; for that one, the drift at both ends.
        low, high = _moved(sight, [*parts[:at], own, *parts[at + 1 :]], axis)
        mine, theirs = own.along(axis), parts[at].along(axis)
        start = sum(lengths[:place])
        ends = [mine * step - theirs * (start + step) for step in (0, own.size - 1)]
        windows.append((low + min(ends), high + max(ends)))
    fields = {place: sight.field(axis) for place, sight in sights.items()}
    flags = frozenset[str]().union(*(field.flags for field in fields.values()))
    if _centres_differ(windows) or _jumps_differ(list(sights.values()), axis):
        flags |= {"misaligned"}
    seen = _stacked({place: field.seen for place, field in fields.items()}, lengths, at)
    shared = _stacked({place: field.shared for place, field in fields.items()}, lengths, at)
    return _hull(windows, seen, shared, flags)


def _stacked(pieces: Mapping[int, Bits], lengths: Sequence[int], at: int) -> Bits:
    """The bit arrays one after the other along axis `at`, zeros where a place has none.

    Kept at size 1 along `at` where all are equal and uniform: concatenated channels, mostly.
    """
    known = list(pieces.values())
    rank = known[0].ndim
    if len(known) == len(lengths) and all(piece.shape[at] == 1 for piece in known):
        first = known[0]
        if all(one.shape == first.shape and np.array_equal(one, first) for one in known):
            return first
    elif not any(piece.any() for piece in known):
        return known[0][tuple(slice(0, 1) for _ in range(rank - 1))]
    flat = [(*piece.shape[:at], 1, *piece.shape[at + 1 :]) for piece in known]
    shape = np.broadcast_shapes(*flat)
    full = []
    for place, length in enumerate(lengths):
        wide = (*shape[:at], length, *shape[at + 1 :])
        if place in pieces:
            full.append(np.broadcast_to(pieces[place], wide))
        else:
            full.append(np.zeros(wide, np.uint64))
    return np.concatenate(full, axis=at)
