"""Reshaping a Sight: view, flatten, unflatten, squeeze, and the splits that channel shuffles are written with.

In: a Sight and a new shape. Out: the Sight under that shape; its parts are split and regrouped, never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from grader.analysis.receptive_field.bits import Bits, NotProven
from grader.analysis.receptive_field.sight import Part, Sight, joined
from grader.program import BATCH, Shape


@dataclass(frozen=True, slots=True)
class Size:
    """One dimension of a shape: `count` elements, times the number of images where `images`."""

    count: int
    images: bool = False


def sizes(shape: Shape) -> tuple[Size, ...]:
    """The dimensions of a Program's shape: 10 is Size(10), "4*N" is Size(4, images=True)."""
    return tuple(
        Size(size)
        if isinstance(size, int)
        else Size(int(size.removesuffix(BATCH).removesuffix("*") or 1), images=True)
        for size in shape
    )


def follow(sight: Sight, shape: Shape) -> Sight:
    """The same values, in order, under another shape.

    Raises NotProven where the new dimensions cut across rows or columns, as in view(N, 28, 28, 8) of (N, 8, 28, 28):
    such a view moves values between positions and channels.
    """
    targets = sizes(shape)
    if (
        tuple(Size(prod(part.size for part in dim), _holds_images(dim)) for dim in sight.dims)
        == targets
    ):
        return sight
    walk = _Walk(sight.parts)
    for target in targets:
        if not walk.fill(target):
            return follow(_join_block(sight, walk, targets), shape)
    return sight.bits(tuple(walk.dims), walk.cut)


def _holds_images(dim: tuple[Part, ...]) -> bool:
    return any(part.axis == "images" for part in dim)


@dataclass(slots=True)
class _Walk:
    """Deals the old parts out to the new dimensions, splitting a part where a dimension ends inside it.

    `pieces` lists, for every new part, which old part it is of (None for a new dimension of size 1). `block` is the
    old part and the new dimension at which both last began together.
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
        self._close(dim)
        return True

    def _close(self, dim: list[Part]) -> None:
        if not dim:
            self.pieces.append((None, 1))
        self.dims.append(tuple(dim) or (Part(1),))

    def _next(self, *, images: bool) -> Part | None:
        if self.left is not None:
            return self.left
        while (
            self.at < len(self.parts)
            and self.parts[self.at].size == 1
            and self.parts[self.at].axis != "images"
        ):
            self.at += 1
        if self.at == len(self.parts):
            return None
        part = self.parts[self.at]
        return None if part.axis == "images" and not images else part

    def _take(self, part: Part, count: int) -> Part | None:
        if part.axis == "images" or count % part.size == 0:
            taken, self.left = part, None
            self.pieces.append((self.at, part.size))
            self.at += 1
        elif count > 1 and part.size % count == 0:
            inner = part.size // count
            taken, self.left = (
                Part(count, part.axis, part.jump * inner),
                Part(inner, part.axis, part.jump),
            )
            self.pieces.append((self.at, count))
        else:
            return None
        return taken

    def cut(self, bits: Bits) -> Bits:
        """The bit array with one axis per new part."""
        shape = [
            size if old is not None and bits.shape[old] > 1 else 1 for old, size in self.pieces
        ]
        return bits.reshape(*shape, bits.shape[-1])


def _join_block(sight: Sight, walk: _Walk, targets: Sequence[Size]) -> Sight:
    """Make one part of the old parts that the new dimensions cut across; allowed for plain features only."""
    start, first = walk.block
    stop, last = start, first
    old = new = 1
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
    if any(part.axis for part in block if part.size > 1 or part.axis == "images") or len(block) < 2:
        raise NotProven(
            "the values are read in another order, so that positions and channels change places"
        )
    singles = tuple((part,) for part in walk.parts)
    grouped = Sight((*singles[:start], block, *singles[stop:]), sight.rows, sight.columns)
    return joined(grouped, start, Part(prod(part.size for part in block)))
