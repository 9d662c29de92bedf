"""Reshaping a Sight: view, flatten, unflatten, squeeze, and the splits of channel shuffles.

In: a Sight and a new shape. Out: the Sight under that shape; its parts are split and regrouped,
never guessed.

A worked example, one row of 6 pixels: 6@1 is a part of 6 positions that move by 1 pixel.

    x                  (6@1)              position p is pixel p
    x.view(2, 3)       (2@3) (3@1)        position (a, b) is pixel 3 * a + b
    x.view(2, 3)[:, 0] (2@3)              pixels 0 and 3: the jump says so
    .view(6) again     (2@3, 3@1)         one dimension of two parts; nothing was forgotten

`_Walk` deals old parts out to new dimensions, from left to right. For two channels of that row,
(2) (6@1), viewed as (4, 3), the first new dimension needs 4 elements:

    needs 4   takes part 2 whole, needs 4 / 2 = 2 more
    needs 2   part 6@1 is too long, but 2 divides 6: it takes 2@3 and leaves 3@1
    needs 3   takes the 3@1 that was left
    result    (2, 2@3) (3@1)

Viewed as (3, 4), the first dimension needs 3 elements and the first part has 2. Neither divides the
other: the new dimensions cut across the old ones. Plain features that are cut across are made one
part of 12, which splits as it likes; here one of them runs along the row: NotProven.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from grader.analysis.receptive_field.bits import Bits, NotProven
from grader.analysis.receptive_field.sight import Part, Sight, count_of, joined
from grader.program.values import BATCH, Shape


@dataclass(frozen=True, slots=True)
class Size:
    """One dimension of a shape: `count` elements, times the number of images where `images`."""

    count: int
    images: bool = False


def sizes(shape: Shape) -> tuple[Size, ...]:
    """The dimensions of a Program's shape: 10 is Size(10), "4*N" is Size(4, images=True)."""
    return tuple(map(_parsed, shape))


def _parsed(size: int | str) -> Size:
    if isinstance(size, int):
        return Size(size)
    return Size(int(size.removesuffix(BATCH).removesuffix("*") or 1), images=True)


def follow(sight: Sight, shape: Shape) -> Sight:
    """The same values, in order, under another shape.

    Raises NotProven where the new dimensions cut across rows or columns, as in view(N, 28, 28, 8)
    of (N, 8, 28, 28): such a view moves values between positions and channels.
    """
    targets = sizes(shape)
    if tuple(map(_size_of, sight.dims)) == targets:
        return sight
    walk = _Walk(sight.parts)
    for target in targets:
        if not walk.fill(target):
            # Ends, because every round leaves fewer parts or raises NotProven.
            return follow(_join_block(sight, walk, targets), shape)
    return sight.bits(tuple(walk.dims), walk.cut)


def _size_of(dim: tuple[Part, ...]) -> Size:
    return Size(count_of(dim), images=any(part.axis == "images" for part in dim))


@dataclass(slots=True)
class _Walk:
    """Deals old parts out to new dimensions; splits a part where a dimension ends inside it.

    `pieces` lists, for every new part, which old part it is of (None for a new dimension of size
    1). `block` is the old part and the new dimension at which both last began together.
    """

    parts: tuple[Part, ...]
    at: int = 0
    left: Part | None = None
    dims: list[tuple[Part, ...]] = field(default_factory=list)
    pieces: list[tuple[int | None, int]] = field(default_factory=list)
    block: tuple[int, int] = (0, 0)

    def fill(self, target: Size) -> bool:
        """Give the next dimension its parts; False where no part can be split to fit."""
        if self.left is None:
            self.block = (self.at, len(self.dims))
        dim: list[Part] = []
        count, images = target.count, target.images
        while count > 1 or images:
            part = self._next(images=images)
            if part is None:
                return False
            taken = self._take(part, count)
            if taken is None:
                return False
            dim.append(taken)
            images = images and taken.axis != "images"
            count //= taken.size
        if not dim:
            self.pieces.append((None, 1))
        self.dims.append(tuple(dim) or (Part(1),))
        return True

    def _next(self, *, images: bool) -> Part | None:
        """The part, or the rest of one, that comes next; None where it is not to be had."""
        if self.left is not None:
            return self.left
        # Parts of size 1 may go anywhere or nowhere. The batch counts as 1 too, but has a place.
        for part in self.parts[self.at :]:
            if part.size != 1 or part.axis == "images":
                return None if part.axis == "images" and not images else part
            self.at += 1
        return None

    def _take(self, part: Part, count: int) -> Part | None:
        """What `count` elements need of the part: all, or an outer factor; None if neither fits."""
        if part.axis == "images" or count % part.size == 0:
            taken, self.left = part, None
            self.pieces.append((self.at, part.size))
            self.at += 1
        elif count > 1 and part.size % count == 0:
            inner = part.size // count
            # A step of the outer factor skips all of the inner one: 6@1 becomes 2@3 and 3@1.
            taken = Part(count, part.axis, part.jump * inner)
            self.left = Part(inner, part.axis, part.jump)
            self.pieces.append((self.at, count))
        else:
            return None
        return taken

    def cut(self, bits: Bits) -> Bits:
        """The bit array with one axis per new part."""
        # An array axis of size 1 (all alike) stays 1 in every piece, whatever the part's size.
        shape = []
        for old, size in self.pieces:
            alike = old is None or bits.shape[old] <= 1
            count = 1 if alike else size
            shape.append(count)
        return bits.reshape(*shape, bits.shape[-1])


def _join_block(sight: Sight, walk: _Walk, targets: Sequence[Size]) -> Sight:
    """Make one part of the old parts that the new dimensions cut across.

    Raises NotProven where one of them runs along rows, columns or images: only plain features may
    change places with each other.
    """
    start, last = walk.block
    stop = start
    old = new = 1
    # From where both last began together to where both next end together: in (2) (6) to (3, 4),
    # the products of old and new go 2 and 1, 2 and 3, 12 and 3, 12 and 12.
    while stop == start or old != new:
        if old <= new and stop < len(walk.parts):
            old *= walk.parts[stop].size
            stop += 1
        elif last < len(targets):
            new *= targets[last].count
            last += 1
        else:
            break
    block = walk.parts[start:stop]
    placed = any(part.axis and (part.size > 1 or part.axis == "images") for part in block)
    # A block of one part has been tried already: to join it again would go on for ever.
    if placed or len(block) < 2:
        raise NotProven(
            "the values are read in another order, so that positions and channels change places"
        )
    singles = tuple((part,) for part in walk.parts)
    grouped = Sight((*singles[:start], block, *singles[stop:]), sight.rows, sight.columns)
    return joined(grouped, start, Part(count_of(block)))
