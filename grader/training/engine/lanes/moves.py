"""Operations that only move pixels, as the way back: where a pixel that comes out came from.

In: an Operation of `grader.training.augment` with the frame that it receives. Out: a `Move`, which
gives numbers for each image from what was drawn, and writes the way back of one pixel of all lanes
at once, in whole numbers. The numbers are computed by the operations' own functions, so that every
pixel is the one that they take.

A worked example: a row of 4 pixels, mirrored, then moved to the right by 1. The pixel at 3 came
from 3 - 1 = 2, and that from 4 - 1 - 2 = 1. The one at 0 came from -1: that is outside, so it has
the fill, whatever the mirror did before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from grader.training.augment.crops import (
    CenterCrop,
    Pad,
    RandomCrop,
    RandomErasing,
    RandomHorizontalFlip,
    RandomVerticalFlip,
)
from grader.training.augment.geometry import RandomAffine, RandomRotation, pil_matrix
from grader.training.augment.operation import Drawn, Frame, Operation
from grader.training.augment.sampling import fixed_point, pil_fill
from grader.training.engine.lanes.ir import Function, Value

FARTHEST = 2**14
"""Pixels. Nothing that comes from as far away is computed here, where numbers have 32 bits."""


class Pixel(NamedTuple):
    """Its row and column in each lane, in 32 bits; `found`: where it lies in the image."""

    row: Value
    column: Value
    found: Value | None = None


class Move(Protocol):
    """See the module. `stay` are an image's numbers that leave every pixel where it is.

    Numbers are `whole` (32 bits) and then `real` (64 bits).
    """

    @property
    def stay(self) -> Sequence[float]:
        """Of one image that is not moved."""

    @property
    def real(self) -> int:
        """How many of the numbers, the last, are real."""

    def numbers(self, drawn: Drawn) -> Sequence[Tensor]:
        """For each image (B,), as drawn."""

    def back(self, f: Function, to: Pixel, given: Sequence[Value]) -> Pixel:
        """Where the pixel comes from, with the numbers of the images in the lanes."""


@dataclass(frozen=True, slots=True)
class Shift:
    """Pad, CenterCrop and RandomCrop: by whole pixels, the same for all images or as drawn."""

    before: Frame
    top: int
    left: int
    drawn: bool = False
    real: int = 0

    @property
    def stay(self) -> Sequence[float]:
        """See `Move`."""
        return (-self.top, -self.left) if self.drawn else ()

    def numbers(self, drawn: Drawn) -> Sequence[Tensor]:
        """See `Move`."""
        return (drawn["top"], drawn["left"]) if self.drawn else ()

    def back(self, f: Function, to: Pixel, given: Sequence[Value]) -> Pixel:
        """See `Move`."""
        row, column = to.row + self.top, to.column + self.left
        if self.drawn:
            row, column = row + given[0], column + given[1]
        return _found(f, self.before, row, column)


@dataclass(frozen=True, slots=True)
class Mirror:
    """RandomHorizontalFlip, or RandomVerticalFlip where `rows`. The number: -1 where applied."""

    before: Frame
    rows: bool
    stay: Sequence[float] = (0,)
    real: int = 0

    def numbers(self, drawn: Drawn) -> Sequence[Tensor]:
        """See `Move`."""
        return (-drawn["applied"].int(),)

    def back(self, f: Function, to: Pixel, given: Sequence[Value]) -> Pixel:
        """X exclusive or -1 is -1 - x."""
        (applied,) = given
        if self.rows:
            row = f.binary("xor", to.row, applied)
            return Pixel(row + f.binary("and", applied, self.before.height), to.column)
        column = f.binary("xor", to.column, applied)
        return Pixel(to.row, column + f.binary("and", applied, self.before.width))


@dataclass(frozen=True, slots=True)
class Turn:
    """RandomRotation and RandomAffine of PIL, nearest, in 1/65536 of a pixel: see `fixed_point`."""

    before: Frame
    way: RandomRotation | RandomAffine
    stay: Sequence[float] = (2**15, 2**15, 2**16, 0, 0, 2**16)
    real: int = 0

    def numbers(self, drawn: Drawn) -> Sequence[Tensor]:
        """See `Move`."""
        return fixed_point(pil_matrix(self.before, self.way, drawn)).unbind()

    def back(self, f: Function, to: Pixel, given: Sequence[Value]) -> Pixel:
        """See `Move`."""
        x0, y0, xx, yx, xy, yy = given
        row = f.binary("ashr", y0 + yy * to.row + yx * to.column, 16)
        column = f.binary("ashr", x0 + xy * to.row + xx * to.column, 16)
        return _found(f, self.before, row, column)


@dataclass(frozen=True, slots=True)
class Stretch:
    """RandomAffine of PIL, nearest, where rows stay rows: in double precision."""

    before: Frame
    way: RandomRotation | RandomAffine
    stay: Sequence[float] = (1.0, 0.0, 1.0, 0.0)
    real: int = 4

    def numbers(self, drawn: Drawn) -> Sequence[Tensor]:
        """See `Move`."""
        a, _, c, _, e, f = pil_matrix(self.before, self.way, drawn).unbind(1)
        return a, c, e, f

    def back(self, f: Function, to: Pixel, given: Sequence[Value]) -> Pixel:
        """See `Move`."""
        across, left, down, top = given
        row, column = _along(f, to.row, down, top), _along(f, to.column, across, left)
        return _found(f, self.before, row, column)


@dataclass(frozen=True, slots=True)
class Erase:
    """RandomErasing with one value: pixels of a rectangle are not found."""

    stay: Sequence[float] = (0, 0, 0, 0)
    real: int = 0

    def numbers(self, drawn: Drawn) -> Sequence[Tensor]:
        """See `Move`."""
        return drawn["top"], drawn["left"], drawn["height"] * drawn["applied"], drawn["width"]

    def back(self, f: Function, to: Pixel, given: Sequence[Value]) -> Pixel:
        """See `Move`."""
        top, left, height, width = given
        above = f.compare("uge", to.row - top, height)
        beside = f.compare("uge", to.column - left, width)
        return Pixel(to.row, to.column, f.binary("or", above, beside))


def move(operation: Operation, before: Frame) -> Move | None:
    """The operation as a Move; None where it does more than that, or has no code here."""
    if isinstance(operation, RandomHorizontalFlip | RandomVerticalFlip):
        return Mirror(before, rows=isinstance(operation, RandomVerticalFlip))
    if isinstance(operation, CenterCrop):
        return Shift(before, *operation.corner(before))
    if isinstance(operation, Pad | RandomCrop):
        return _padded(operation, before)
    if isinstance(operation, RandomRotation | RandomAffine):
        return _affine(operation, before)
    if isinstance(operation, RandomErasing) and before.kind == "float":
        return None if isinstance(operation.value, str) else Erase()
    return None


def fill(operation: Operation, before: Frame) -> Tensor:
    """What pixels that are not found become, as an image (1, channels, 1, 1)."""
    wanted = getattr(operation, "fill", getattr(operation, "value", 0)) or 0
    dtype = torch.float32
    if before.kind != "float":
        wanted, dtype = pil_fill(wanted), torch.uint8
    return torch.full((1, before.channels, 1, 1), wanted, dtype=dtype)


def _padded(operation: Pad | RandomCrop, before: Frame) -> Move | None:
    drawn = isinstance(operation, RandomCrop)
    pads = operation.pads(before) if isinstance(operation, RandomCrop) else [operation]
    # Tensors of bytes take any fill, in a way of their own.
    painted = any(pad.padding_mode != "constant" for pad in pads)
    if painted or (before.kind == "bytes" and operation.fill):
        return None
    top, left = sum(pad.padding[1] for pad in pads), sum(pad.padding[0] for pad in pads)
    return Shift(before, -top, -left, drawn)


def _affine(operation: RandomRotation | RandomAffine, before: Frame) -> Move | None:
    if before.kind != "pil" or operation.interpolation != "nearest":
        return None
    if _reach(operation, before) >= FARTHEST:
        return None
    return Stretch(before, operation) if operation.straight else Turn(before, operation)


def _reach(operation: RandomRotation | RandomAffine, before: Frame) -> float:
    """No pixel comes from farther away from the image's corner, in pixels."""
    sides = before.width + before.height
    centre, moved, shear, smallest = sum(map(abs, operation.center or ())), 0.0, 0.0, 1.0
    if isinstance(operation, RandomAffine):
        moved = sides * max(operation.translate or (0.0,))
        shear = max(map(abs, operation.shear or (0.0,)))
        smallest = operation.scale[0] if operation.scale else 1.0
    turn = math.radians(shear)
    most = (math.tan(turn) / math.cos(turn) + 1 + 1 / math.cos(turn)) / smallest
    return most * (2 * sides + centre + moved) + sides + centre


def _found(f: Function, before: Frame, row: Value, column: Value) -> Pixel:
    """The pixel, which may lie outside of the image."""
    inside = f.binary(
        "and", f.compare("ult", row, before.height), f.compare("ult", column, before.width)
    )
    return Pixel(row, column, inside)


def _along(f: Function, index: Value, factor: Value, start: Value) -> Value:
    """The pixel that covers the place where the middle of pixel `index` comes from."""
    doubles = f"<{f.lanes} x double>"
    middle = f.convert("sitofp", index, doubles) + 0.5
    return f.convert("fptosi", f.unary("floor", factor * middle + start), f.whole_vector)
