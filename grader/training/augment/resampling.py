"""Change the number of pixels: Resize and RandomResizedCrop.

A resize is two products with matrices of weights, one for rows and one for columns, which Pillow
computes in whole numbers of 2^-22 and rounds to bytes after each: first along the rows, then along
the columns. (Pillow 13 swaps the two where an image loses much more height than width; some bytes
then differ by rounding.) Source: Pillow, Resample.c.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import AfterValidator, Field
from torch import Tensor

from grader.errors import SubmissionError
from grader.training.augment.crops import rectangle
from grader.training.augment.operation import (
    Drawn,
    Frame,
    Operation,
    PositiveRange,
    Side,
    Size,
    ordered,
    whole,
)
from grader.training.augment.sampling import pick

Filter = Literal["nearest", "nearest-exact", "bilinear", "bicubic"]
Share = Annotated[float, Field(gt=0, le=1)]


class Resize(Operation):
    """To `size` (height, width).

    With one number the shorter side goes to it, and the longer at most to `max_size`.
    """

    in_tests = "Resize"

    size: Annotated[tuple[Side, ...], Field(min_length=1, max_length=2)]
    interpolation: Filter
    max_size: Side | None
    antialias: bool | None

    def after(self, frame: Frame) -> Frame:
        """The new size. Raises SubmissionError where `max_size` contradicts `size`."""
        if (
            frame.kind == "bytes"
            and not self.antialias
            and self.interpolation in ("bilinear", "bicubic")
        ):
            raise _no_antialias(self)
        if len(self.size) == 2:
            return frame.resized(*self.size)
        short, long = sorted((frame.height, frame.width))
        new_short, new_long = self.size[0], int(self.size[0] * long / short)
        if self.max_size is not None and self.max_size <= new_short:
            raise SubmissionError(
                f"train_transform: Resize.max_size = {self.max_size} must be larger than its size."
            )
        if self.max_size is not None and new_long > self.max_size:
            new_short, new_long = int(self.max_size * new_short / new_long), self.max_size
        return frame.resized(
            *((new_long, new_short) if frame.width <= frame.height else (new_short, new_long))
        )

    def apply(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """PIL's resize or torch's interpolate; an image that has the size already is left alone."""
        new = self.after(frame)
        if new == frame:
            return images
        if frame.kind == "float" or (
            frame.kind == "bytes" and self.interpolation.startswith("nearest")
        ):
            return self._interpolate(images, new)
        box = {name: torch.zeros(1, device=images.device) for name in ("top", "left")}
        box["height"], box["width"] = box["top"] + frame.height, box["left"] + frame.width
        return pil_resize(images, box, new, interpolation=self.interpolation)

    def _interpolate(self, images: Tensor, new: Frame) -> Tensor:
        smooth = self.interpolation in ("bilinear", "bicubic")
        align_corners = False if smooth else None
        resized = F.interpolate(
            images.float(),
            size=(new.height, new.width),
            mode=self.interpolation,
            align_corners=align_corners,
            antialias=bool(self.antialias) and smooth,
        )
        return resized.to(images.dtype)


class RandomResizedCrop(Operation):
    """A random part of the image, resized to `size`.

    It has `scale` of the area, and its width / height is in `ratio`.
    """

    in_tests = "Resize"

    size: Size
    scale: Annotated[tuple[Share, Share], AfterValidator(ordered)]
    ratio: PositiveRange
    interpolation: Literal["bilinear", "bicubic"]
    antialias: bool | None

    def after(self, frame: Frame) -> Frame:
        """That size. Raises SubmissionError for what only torch's interpolate could do."""
        if frame.kind != "pil" and not self.antialias:
            raise _no_antialias(self)
        return frame.resized(*self.size)

    def draw(self, frame: Frame, batch: int, generator: torch.Generator | None) -> Drawn:
        """`top`, `left`, `height`, `width` (B,); the middle where ten attempts did not fit."""
        height, width, found = rectangle(
            frame, batch, generator, scale=self.scale, ratio=self.ratio, tall=False
        )
        spare = self._middle(frame)
        height = torch.where(found, height, spare[0])
        width = torch.where(found, width, spare[1])
        top, left = (
            whole(side - part + 1, (batch,), generator)
            for side, part in zip(_sides(frame), (height, width), strict=True)
        )
        top = torch.where(found, top, (frame.height - spare[0]) // 2)
        left = torch.where(found, left, (frame.width - spare[1]) // 2)
        return Drawn({"top": top, "left": left, "height": height, "width": width})

    def apply(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """Cut and resized in one step, with the pixels of the part only."""
        new = self.after(frame)
        if frame.kind != "float":
            return pil_resize(images, drawn.values, new, interpolation=self.interpolation)
        rows, columns = _weights(drawn.values, frame, new, interpolation=self.interpolation)
        return rows.float() @ images @ columns.float().mT

    def _middle(self, frame: Frame) -> tuple[int, int]:
        shape = frame.width / frame.height
        if shape < self.ratio[0]:
            return round(frame.width / self.ratio[0]), frame.width
        if shape > self.ratio[1]:
            return frame.height, round(frame.height * self.ratio[1])
        return frame.height, frame.width


def pil_resize(
    images: Tensor, box: dict[str, Tensor], new: Frame, *, interpolation: Filter
) -> Tensor:
    """PIL's `crop(box).resize(size)` of uint8 images.

    `box` holds top, left, height, width, each (B,) or (1,).
    """
    old = Frame(images.shape[1], images.shape[2], images.shape[3])
    if interpolation.startswith("nearest"):
        rows = _nearest(box["top"], box["height"], new.height)
        return pick(
            images, rows[:, :, None], _nearest(box["left"], box["width"], new.width)[:, None, :]
        )
    rows, columns = _weights(box, old, new, interpolation=interpolation)
    wide = _rounded(images.double() @ _whole(columns).mT)
    return _rounded((wide.mT @ _whole(rows).mT).mT).to(torch.uint8)


def _nearest(start: Tensor, length: Tensor, count: int) -> Tensor:
    step = length.double()[:, None] / count
    # Pillow adds up the steps, and its rounding decides where a centre lies between two pixels.
    position = torch.cat([step * 0.5, step.expand(-1, count - 1)], dim=1).cumsum(dim=1)
    return start.long()[:, None] + position.floor().long()


def _weights(
    box: dict[str, Tensor], old: Frame, new: Frame, *, interpolation: Filter
) -> tuple[Tensor, Tensor]:
    rows = weights(box["top"], box["height"], old.height, new.height, interpolation=interpolation)
    columns = weights(box["left"], box["width"], old.width, new.width, interpolation=interpolation)
    # One matrix for all images makes one large product; one for each image makes a product for
    # each.
    return (rows[0], columns[0]) if len(rows) == 1 else (rows[:, None], columns[:, None])


def weights(
    start: Tensor, length: Tensor, pixels: int, count: int, *, interpolation: Filter
) -> Tensor:
    """How much each source pixel gives to each new one: (B, count, pixels) float64.

    Only the part [start, start + length) of the `pixels` is read, and averaged where it becomes
    smaller (antialias).
    """
    start, length = start.double()[:, None, None], length.double()[:, None, None]
    step = length / count
    spread = step.clamp(min=1)
    reach = spread * (1 if interpolation == "bilinear" else 2)
    centre = (torch.arange(count, device=start.device, dtype=torch.float64)[:, None] + 0.5) * step
    first = (centre - reach + 0.5).trunc().clamp(min=0)
    last = torch.minimum((centre + reach + 0.5).trunc(), length)
    position = torch.arange(pixels, device=start.device, dtype=torch.float64) - start
    distance = (position - centre).add_(0.5).div_(spread).abs_()
    taps = _triangle(distance) if interpolation == "bilinear" else _cubic(distance)
    taps = taps.mul_((position >= first).logical_and_(position < last))
    return taps.div_(taps.sum(dim=2, keepdim=True))


def _triangle(distance: Tensor) -> Tensor:
    return (1 - distance).clamp_(min=0)


def _cubic(x: Tensor) -> Tensor:
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def _whole(taps: Tensor) -> Tensor:
    return (taps * 2**22).round_()


def _rounded(total: Tensor) -> Tensor:
    return total.add_(2**21).div_(2**22).floor_().clamp_(0, 255)


def _no_antialias(operation: Operation) -> SubmissionError:
    return SubmissionError(
        f"train_transform uses {type(operation).__name__}(antialias=False) on tensors, which the "
        "grader does not have: use antialias=True, torchvision's default."
    )


def _sides(frame: Frame) -> tuple[int, int]:
    return frame.height, frame.width
