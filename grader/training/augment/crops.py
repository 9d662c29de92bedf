"""Cut out, pad, flip, erase: the operations that move pixels by whole steps or not at all."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from grader.errors import SubmissionError
from grader.training.augment.operation import (
    LARGEST_SIDE,
    Drawn,
    Fill,
    Fraction,
    Frame,
    Operation,
    PositiveRange,
    Size,
    Sometimes,
    per_image,
    uniform,
    whole,
)
from grader.training.augment.sampling import pick, pil_fill

Margin = Annotated[int, Field(ge=0, le=LARGEST_SIDE)]
Padding = tuple[Margin, Margin, Margin, Margin]
PaddingMode = Literal["constant", "edge", "reflect", "symmetric"]


class CenterCrop(Operation):
    """The middle `size` (height, width), padded with 0 where the image is smaller."""

    in_tests = "CenterCrop"

    size: Size

    def after(self, frame: Frame) -> Frame:
        """That size."""
        return frame.resized(*self.size)

    def apply(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """Padded, then cut."""
        top, left = self.corner(frame)
        bottom, right = self.size[0] - frame.height + top, self.size[1] - frame.width + left
        margins = (max(-left, 0), max(right, 0), max(-top, 0), max(bottom, 0))
        padded = F.pad(images, margins)
        top, left = max(top, 0), max(left, 0)
        return padded[..., top : top + self.size[0], left : left + self.size[1]]

    def corner(self, frame: Frame) -> tuple[int, int]:
        """Row and column of the image at which the middle begins; below 0 where it is padded.

        Padding puts the odd pixel to the right and below; a crop rounds halves to even.
        """
        spare = frame.height - self.size[0], frame.width - self.size[1]
        top, left = (round(s / 2) if s > 0 else -(-s // 2) for s in spare)
        return top, left


class Pad(Operation):
    """`padding` (left, top, right, bottom) more pixels."""

    in_tests = "Pad"

    padding: Padding
    fill: Fill
    padding_mode: PaddingMode

    def after(self, frame: Frame) -> Frame:
        """The larger frame. Raises SubmissionError where there is too little image to mirror."""
        left, top, right, bottom = self.padding
        spare = {"reflect": 1, "symmetric": 0}.get(self.padding_mode)
        if spare is not None and (
            max(left, right) > frame.width - spare or max(top, bottom) > frame.height - spare
        ):
            raise SubmissionError(
                f"train_transform mirrors {max(self.padding)} pixels of an image of "
                f"{frame.height} x {frame.width} "
                f'(padding_mode="{self.padding_mode}"): pad by less.'
            )
        return frame.resized(frame.height + top + bottom, frame.width + left + right)

    def apply(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """The images in their frame."""
        left, top, right, bottom = self.padding
        if self.padding_mode == "constant":
            fill = pil_fill(self.fill) if frame.kind == "pil" else self.fill
            return F.pad(images, (left, right, top, bottom), value=fill)
        rows = self._mirrored(
            torch.arange(-top, frame.height + bottom, device=images.device), frame.height
        )
        columns = self._mirrored(
            torch.arange(-left, frame.width + right, device=images.device), frame.width
        )
        return images[..., rows[:, None], columns[None, :]]

    def _mirrored(self, index: Tensor, count: int) -> Tensor:
        if self.padding_mode == "symmetric":
            index = torch.where(index < 0, -1 - index, index)
            return torch.where(index >= count, 2 * count - 1 - index, index)
        if self.padding_mode == "reflect":
            return count - 1 - (count - 1 - index.abs()).abs()
        return index.clamp(0, count - 1)


class RandomCrop(Operation):
    """`size` (height, width) out of the image, anywhere, after padding."""

    in_tests = "CenterCrop"

    size: Size
    padding: Padding | None
    pad_if_needed: bool
    fill: Fill
    padding_mode: PaddingMode

    def after(self, frame: Frame) -> Frame:
        """That size. Raises SubmissionError where the padded image is smaller."""
        padded = self._padded(frame)
        if padded.height < self.size[0] or padded.width < self.size[1]:
            raise SubmissionError(
                f"train_transform takes a RandomCrop of {self.size} from an image of "
                f"{padded.height} x {padded.width}: crop less, or pad."
            )
        return frame.resized(*self.size)

    def draw(self, frame: Frame, batch: int, generator: torch.Generator | None) -> Drawn:
        """`top` and `left` (B,), in pixels of the padded image."""
        padded = self._padded(frame)
        top = whole(padded.height - self.size[0] + 1, (batch,), generator)
        left = whole(padded.width - self.size[1] + 1, (batch,), generator)
        return Drawn({"top": top, "left": left})

    def apply(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """Padded, then cut."""
        for pad in self.pads(frame):
            images = pad.apply(images, frame, drawn)
            frame = pad.after(frame)
        rows = drawn["top"][:, None] + torch.arange(self.size[0], device=images.device)
        columns = drawn["left"][:, None] + torch.arange(self.size[1], device=images.device)
        return pick(images, rows[:, :, None], columns[:, None, :])

    def _padded(self, frame: Frame) -> Frame:
        for pad in self.pads(frame):
            frame = pad.after(frame)
        return frame

    def pads(self, frame: Frame) -> list[Pad]:
        """What pads the image before it is cut."""
        pads = []
        if self.padding and any(self.padding):
            pads.append(Pad(padding=self.padding, fill=self.fill, padding_mode=self.padding_mode))
            frame = pads[0].after(frame)
        lack_y, lack_x = max(self.size[0] - frame.height, 0), max(self.size[1] - frame.width, 0)
        if self.pad_if_needed and (lack_y or lack_x):
            missing = (lack_x, lack_y, lack_x, lack_y)
            pads.append(Pad(padding=missing, fill=self.fill, padding_mode=self.padding_mode))
        return pads


class RandomHorizontalFlip(Sometimes):
    """Mirrored left to right."""

    def change(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """Every image mirrored."""
        return images.flip(-1)


class RandomVerticalFlip(Sometimes):
    """Mirrored top to bottom."""

    def change(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """Every image mirrored."""
        return images.flip(-2)


class RandomErasing(Sometimes):
    """A rectangle painted with `value` or with noise.

    It takes `scale` of the area, and its height / width is in `ratio`.
    """

    scale: Fraction
    ratio: PositiveRange
    value: Literal["random"] | Fill

    def after(self, frame: Frame) -> Frame:
        """The same frame. Raises SubmissionError before ToTensor."""
        if frame.kind == "pil" or (frame.kind == "bytes" and self.value == "random"):
            raise SubmissionError(
                "train_transform has RandomErasing where the image is no float tensor yet: put "
                "ToTensor() before it."
            )
        return frame

    def choose(
        self, frame: Frame, batch: int, generator: torch.Generator | None
    ) -> dict[str, Tensor]:
        """`top`, `left`, `height`, `width` (B,), 0 x 0 where nothing fits; `noise` (B, C, H, W)."""
        height, width, found = rectangle(
            frame, batch, generator, scale=self.scale, ratio=self.ratio, tall=True
        )
        top = whole(frame.height - height + 1, (batch,), generator)
        left = whole(frame.width - width + 1, (batch,), generator)
        values = {"top": top, "left": left, "height": height * found, "width": width * found}
        if self.value == "random" and generator is not None:
            shape = (batch, frame.channels, frame.height, frame.width)
            values["noise"] = torch.randn(shape, generator=generator, device=generator.device)
        return values

    def change(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """Every image erased."""
        rows = torch.arange(frame.height, device=images.device)[None, None, :, None] - per_image(
            drawn["top"]
        )
        columns = torch.arange(frame.width, device=images.device)[None, None, None, :] - per_image(
            drawn["left"]
        )
        erased = (rows >= 0) & (rows < per_image(drawn["height"])) & (columns >= 0)
        erased = erased & (columns < per_image(drawn["width"]))
        if isinstance(self.value, str):
            return torch.where(erased, drawn["noise"], images)
        return images.masked_fill(erased, self.value or 0)


def rectangle(
    frame: Frame,
    batch: int,
    generator: torch.Generator | None,
    *,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    tall: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Height and width (B,) of a random rectangle, and whether it fits into the image.

    Like torchvision, it makes ten attempts and takes the first that fits.

    `tall`: `ratio` is height / width and both must be smaller than the image (RandomErasing);
    otherwise it is width / height and both may reach it (RandomResizedCrop).
    """
    area = uniform((batch, 10), generator, *scale) * (frame.height * frame.width)
    aspect = uniform((batch, 10), generator, math.log(ratio[0]), math.log(ratio[1])).exp()
    height, width = (area * aspect, area / aspect) if tall else (area / aspect, area * aspect)
    height, width = height.sqrt().round().long(), width.sqrt().round().long()
    if tall:
        fits = (height < frame.height) & (width < frame.width)
    else:
        fits = (height > 0) & (height <= frame.height) & (width > 0) & (width <= frame.width)
    first = fits.int().argmax(dim=1, keepdim=True)
    height, width, found = (values.gather(1, first)[:, 0] for values in (height, width, fits))
    return height.clamp(0, frame.height), width.clamp(0, frame.width), found
