"""What every element of a tensor sees of the image: what receptive-field analysis computes with.

In: nothing but sizes. Out: `Sight`, and how it changes when a tensor is reshaped, windowed, mixed,
merged. No graphs.

A worked example, one row of 6 pixels, a convolution and a pooling layer (# is seen):

    row                      0 1 2 3 4 5      low  high  jump  pixels
    image        position 2  . . # . . .       0    0     1     1
    convolution  position 0  # # . . . .      -1    1     1     3
      kernel 3   position 2  . # # # . .
      padding 1  position 5  . . . . # #
    pooling      position 0  # # # . . .      -1    2     2     4
      kernel 2   position 1  . # # # # .
      stride 2   position 2  . . . # # #

As a rule, position p sees from low + jump * p to high + jump * p. The convolution moves low by
-padding and high by kernel - 1 - padding, in steps of the jump so far: 0 - 1 and 0 + 3 - 1 - 1. The
pooling adds 0 and 1, and doubles the jump: position 1 sees from -1 + 2 to 2 + 2. The rule ignores
borders: it says that position 0 sees row -1, which is padding.

Exactly, `Field.seen` has one bit per row of the image for each position: after the pooling
0b000111, 0b011110, 0b111000. Rows and columns are answered apart, each with its own `Field`.

A tensor dimension is a tuple of `Part`s, so that view, permute and flatten are exact bookkeeping:
flattening (8, 7, 7) gives one dimension of three parts, of which two still know that they are rows
and columns. The bit arrays have one axis for each part, of size 1 where all along it see the same
(8 channels of one convolution do), and a last one for the bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from math import prod
from typing import Literal

import numpy as np

from grader.analysis.receptive_field.bits import Bits, NotProven, any_of, gather, identity, join
from grader.analysis.receptive_field.windows import Reads

AxisName = Literal["rows", "columns"]
AXES: tuple[AxisName, AxisName] = ("rows", "columns")


@dataclass(frozen=True, slots=True)
class Part:
    """A factor of a tensor dimension.

    Where it runs along the image's rows (or columns), one step is `jump` pixels.
    `axis` "images" is the batch; it counts as size 1, because images do not see each other.
    """

    size: int
    axis: AxisName | Literal["images"] | None = None
    jump: Fraction = Fraction(0)

    def along(self, axis: AxisName) -> Fraction:
        """Pixels along `axis` per step of this part: 0 where it does not run along it."""
        return self.jump if self.axis == axis else Fraction(0)

    @property
    def placed(self) -> bool:
        """It runs along rows or columns."""
        return self.axis in AXES


Dims = tuple[tuple[Part, ...], ...]


def count_of(parts: Iterable[Part]) -> int:
    """Elements that parts have together, the number of images left out."""
    return prod(part.size for part in parts)


@dataclass(frozen=True, slots=True)
class Field:
    """What is seen along one axis of the image, in pixels.

    As a rule: the element at index 0 of every part sees from `low` to `high`; others are moved by
    the parts' jumps. Exactly: `seen` has the bits of the rows that lie in each element's window,
    `shared` those that reach it through a gate or through statistics. `flags` say what happened on
    the way: "gate", "context", "statistics", "misaligned". `slack` is how much wider the window is
    than any element's, where windows lie at uneven steps.
    """

    low: Fraction
    high: Fraction
    seen: Bits
    shared: Bits
    flags: frozenset[str] = frozenset()
    slack: Fraction = Fraction(0)

    @property
    def pixels(self) -> int:
        """Width of the window, borders of the image ignored."""
        return int((self.high - self.low) // 1) + 1

    def bits(self, change: Callable[[Bits], Bits]) -> Field:
        """The same change on both arrays."""
        seen = change(self.seen)
        # One array in both places (as after a gate) stays one array, and is changed once.
        shared = seen if self.shared is self.seen else change(self.shared)
        return replace(self, seen=seen, shared=shared)

    def widen(self, low: Fraction, high: Fraction) -> Field:
        """The window moved by `low` at its start and `high` at its end."""
        return replace(self, low=self.low + low, high=self.high + high) if low or high else self


@dataclass(frozen=True, slots=True)
class Sight:
    """A tensor that depends on the image: its dimensions, and what its elements see of it.

    `rows` says which rows an element sees, `columns` which columns.
    """

    dims: Dims
    rows: Field
    columns: Field

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, outermost first: the axes of the bit arrays."""
        return tuple(chain.from_iterable(self.dims))

    def field(self, axis: AxisName) -> Field:
        """What is seen along that axis."""
        return self.rows if axis == "rows" else self.columns

    def change(self, dims: Dims, change: Callable[[AxisName, Field], Field]) -> Sight:
        """New dimensions, and the same change on both fields."""
        return Sight(dims, change("rows", self.rows), change("columns", self.columns))

    def bits(self, dims: Dims, change: Callable[[Bits], Bits]) -> Sight:
        """New dimensions, and the same change on all bits."""
        return self.change(dims, lambda _, one: one.bits(change))

    def axes(self, dim: int) -> range:
        """The array axes of a tensor dimension."""
        start = sum(len(parts) for parts in self.dims[:dim])
        return range(start, start + len(self.dims[dim]))

    def dims_with(self, dim: int, *made: tuple[Part, ...]) -> Dims:
        """The dimensions, with `made` instead of dimension `dim`."""
        return (*self.dims[:dim], *made, *self.dims[dim + 1 :])


def image(shape: Sequence[int]) -> Sight:
    """The input (images, channels, rows, columns): every pixel sees itself."""
    *_, height, width = shape
    one = Fraction(1)
    leading = ((Part(1, "images"),), *((Part(size),) for size in shape[1:-2]))
    dims = (*leading, (Part(height, "rows", one),), (Part(width, "columns", one),))
    ones = (1,) * len(leading)
    rows = identity(height).reshape(*ones, height, 1, -1)
    columns = identity(width).reshape(*ones, 1, width, -1)
    return Sight(dims, _itself(rows), _itself(columns))


def _itself(seen: Bits) -> Field:
    """A window of one pixel, and nothing shared."""
    nothing = np.zeros((*[1] * (seen.ndim - 1), seen.shape[-1]), np.uint64)
    return Field(Fraction(0), Fraction(0), seen, nothing)


def read(sight: Sight, dim: int, reads: Reads, *, pools: bool = False) -> Sight:
    """Along dimension `dim`, let every output position see what its input positions see.

    Where it `pools` all positions into one, the axis is gone; one position of a map that shrank is
    still a position.
    """
    if reads.identical:
        return sight
    sight = isolate(sight, dim)
    at = sight.axes(dim)[0]
    part = sight.parts[at]
    gone = (pools and reads.takes_all) or not part.placed
    made = Part(reads.outputs) if gone else Part(reads.outputs, part.axis, part.jump * reads.ratio)

    def change(axis: AxisName, field: Field) -> Field:
        # A flipped dimension has a negative jump: there low and high change places.
        ends = (part.along(axis) * reads.low, part.along(axis) * reads.high)
        moved = field.bits(lambda bits: gather(bits, at, reads)).widen(min(ends), max(ends))
        if reads.high == reads.low or not part.along(axis):
            return moved
        # A window after uneven steps may lie where they are widest: only the last ones are known.
        return replace(moved, slack=abs(part.along(axis)) * reads.slack)

    return sight.change(sight.dims_with(dim, (made,)), change)


def mix(sight: Sight, dims: Iterable[int], *, keep: bool = True) -> Sight:
    """Every element sees all along `dims`, as in a sum, a mean or a linear layer.

    The dimensions become size 1, or with `keep=False` are removed.
    """
    mixed = sorted(set(dims))
    for dim in mixed:
        sight = _mixed(sight, dim)
    return sight if keep else remove(sight, mixed)


def _mixed(sight: Sight, dim: int) -> Sight:
    axes, parts = sight.axes(dim), sight.dims[dim]
    ones = [1] * len(parts)

    def change(axis: AxisName, field: Field) -> Field:
        united = field.bits(lambda bits: join(any_of(bits, axes), axes, ones))
        return united.widen(*spread(parts, axis))

    return sight.change(sight.dims_with(dim, (Part(1),)), change)


def spread(parts: Iterable[Part], axis: AxisName) -> tuple[Fraction, Fraction]:
    """How far the window widens at its start and end when all of `parts` are seen together."""
    reach = [part.along(axis) * (part.size - 1) for part in parts]
    return sum((min(one, Fraction(0)) for one in reach), Fraction(0)), sum(
        (max(one, Fraction(0)) for one in reach), Fraction(0)
    )


def remove(sight: Sight, dims: Iterable[int]) -> Sight:
    """Drop dimensions of size 1."""
    gone = set(dims)
    axes = tuple(chain.from_iterable(map(sight.axes, gone)))
    if not axes:
        return sight
    left = tuple(parts for dim, parts in enumerate(sight.dims) if dim not in gone)
    return sight.bits(left, lambda bits: bits.squeeze(axes))


def permute(sight: Sight, order: Sequence[int]) -> Sight:
    """The dimensions in another order."""
    axes = list(chain.from_iterable(map(sight.axes, order)))
    dims = tuple(sight.dims[dim] for dim in order)
    return sight.bits(dims, lambda bits: bits.transpose(*axes, bits.ndim - 1))


def isolate(sight: Sight, dim: int) -> Sight:
    """The same tensor with dimension `dim` as one part.

    Parts that belong together (14 steps of 2 pixels, 2 steps of 1) join exactly; rows x channels
    become finer rows. Raises NotProven where all rows and columns lie in this one dimension.
    """
    parts = sight.dims[dim]
    if len(parts) == 1:
        return sight
    axes = [part.axis for part in parts if part.axis]
    if len(set(axes)) > 1:
        outside = chain.from_iterable((*sight.dims[:dim], *sight.dims[dim + 1 :]))
        others = {part.axis for part in outside}
        if not others >= set(AXES):
            raise NotProven("rows and columns of the map lie in one dimension")
        # The taps of a window, laid out as channels: the map itself lies in other dimensions.
        return forget(sight, dim)
    size = count_of(parts)
    for at, part in enumerate(parts):
        if part.placed:
            # 14 steps of 2 pixels with 2 steps inside each become 28 steps of 2 / 2 = 1 pixel.
            # Where the inner steps are not of that size, `joined` widens by what they differ.
            return joined(sight, dim, Part(size, part.axis, part.jump / count_of(parts[at + 1 :])))
    axis = axes[0] if axes else None
    return joined(sight, dim, Part(size, axis))


def joined(sight: Sight, dim: int, made: Part) -> Sight:
    """Dimension `dim` as the one part `made`; windows widen by what its jump does not say."""
    axes = sight.axes(dim)
    parts = sight.dims[dim]
    sizes = [part.size for part in parts]

    def change(axis: AxisName, field: Field) -> Field:
        moves = []
        for at, part in enumerate(parts):
            step = part.along(axis) - made.along(axis) * prod(sizes[at + 1 :])
            moves.append(replace(part, axis=axis, jump=step))
        return field.bits(lambda bits: join(bits, axes, sizes)).widen(*spread(moves, axis))

    return sight.change(sight.dims_with(dim, (made,)), change)


def forget(sight: Sight, dim: int) -> Sight:
    """Dimension `dim` as one part of plain features, whatever its parts were."""
    parts = sight.dims[dim]
    if len(parts) == 1 and not parts[0].placed:
        return sight
    return joined(sight, dim, Part(count_of(parts)))


def sized(sight: Sight, dim: int, size: int) -> Sight:
    """Dimension `dim` as `size` plain features, all alike unless the bits say otherwise."""
    return Sight(sight.dims_with(dim, (Part(size),)), sight.rows, sight.columns)


def length(sight: Sight, dim: int) -> int:
    """Size of a tensor dimension, the number of images left out."""
    return count_of(sight.dims[dim])


def inserted(sight: Sight, dim: int) -> Sight:
    """The sight with a new dimension of size 1."""
    at = sight.axes(dim - 1).stop if dim else 0
    dims = (*sight.dims[:dim], (Part(1),), *sight.dims[dim:])
    return sight.bits(dims, lambda bits: np.expand_dims(bits, at))
