"""Change the values of pixels: ColorJitter, GaussianBlur, sharpness, contrast, inversion.

PIL drops fractions and its enhancers blend with a degenerate image; tensors are clipped at 0 and
white. Source: Pillow, ImageEnhance.py and Blend.c; torchvision.transforms.v2.functional.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import AfterValidator, Field
from torch import Tensor

from grader.errors import SubmissionError
from grader.training.augment.operation import (
    Drawn,
    Frame,
    Operation,
    PositiveRange,
    Range,
    Sometimes,
    ordered,
    per_image,
    to_bytes,
    uniform,
)

Factor = Annotated[float, Field(ge=0, le=1000)]


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError(f"{size} is even, and a blur needs a middle pixel")
    return size


Factors = Annotated[tuple[Factor, Factor], AfterValidator(ordered)]
Taps = Annotated[int, Field(ge=1, le=101), AfterValidator(_odd)]


class ColorJitter(Operation):
    """Brightness and contrast, in random order.

    Saturation and hue leave grey images as they are.
    """

    brightness: Factors | None
    contrast: Factors | None
    saturation: Factors | None
    hue: Range | None

    def draw(self, frame: Frame, batch: int, generator: torch.Generator | None) -> Drawn:
        """`brightness` and `contrast` factors (B,), and whether `contrast_first`."""
        values = {"contrast_first": uniform((batch,), generator) < 0.5}
        for name, factors in (("brightness", self.brightness), ("contrast", self.contrast)):
            if factors:
                values[name] = uniform((batch,), generator, *factors)
        return Drawn(values)

    def apply(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """Both orders are computed where both are wanted."""
        if not (self.brightness and self.contrast):
            return self._brighter(self._contrasted(images, frame, drawn), frame, drawn)
        contrast_first = self._brighter(self._contrasted(images, frame, drawn), frame, drawn)
        brightness_first = self._contrasted(self._brighter(images, frame, drawn), frame, drawn)
        return torch.where(per_image(drawn["contrast_first"]), contrast_first, brightness_first)

    def _brighter(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        return (
            _blend(images, 0, per_image(drawn["brightness"]), frame) if self.brightness else images
        )

    def _contrasted(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        if not self.contrast:
            return images
        mean = images.double().mean(dim=(1, 2, 3), keepdim=True)
        if frame.kind == "pil":
            mean = (mean + 0.5).floor()
        elif frame.channels == 3:
            mean = mean * (0.2989 + 0.587 + 0.114)
        return _blend(images, mean.float(), per_image(drawn["contrast"]), frame)


class GaussianBlur(Operation):
    """Blurred with `kernel_size` (x, y) pixels and a standard deviation from `sigma`, in pixels."""

    kernel_size: tuple[Taps, Taps]
    sigma: PositiveRange

    def after(self, frame: Frame) -> Frame:
        """The same frame.

        Raises SubmissionError where there is too little image to mirror at the edge.
        """
        if self.kernel_size[0] // 2 >= frame.width or self.kernel_size[1] // 2 >= frame.height:
            raise SubmissionError(
                f"train_transform: GaussianBlur.kernel_size = {self.kernel_size} is too large for "
                f"images of {frame.height} x {frame.width}: use less than twice their size."
            )
        return frame

    def draw(self, frame: Frame, batch: int, generator: torch.Generator | None) -> Drawn:
        """`sigma` (B,)."""
        return Drawn({"sigma": uniform((batch,), generator, *self.sigma)})

    def apply(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """Each image is a group of one convolution, with a kernel of its own."""
        wide, high = self.kernel_size
        across, down = (gaussian(size, drawn["sigma"]) for size in self.kernel_size)
        kernels = (down[:, :, None] * across[:, None, :]).repeat_interleave(frame.channels, dim=0)[
            :, None
        ]
        edged = F.pad(images.float(), (wide // 2, wide // 2, high // 2, high // 2), mode="reflect")
        blurred = F.conv2d(edged.flatten(0, 1)[None], kernels, groups=len(kernels)).view(
            images.shape
        )
        return blurred if frame.kind == "float" else to_bytes(blurred.round())


class RandomAdjustSharpness(Sometimes):
    """Blended with its smoothed copy: 0 is smooth, 1 the image, 2 sharper."""

    sharpness_factor: Factor

    def change(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """Every image sharpened; the outermost pixels stay."""
        if min(frame.height, frame.width) < 3:
            return images
        smooth = images.clone()
        smooth[..., 1:-1, 1:-1] = _smoothed(images)
        return _blend(images, smooth.float(), self.sharpness_factor, frame)


class RandomAutocontrast(Sometimes):
    """Stretched so that the darkest pixel is black and the brightest white."""

    def change(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """Every image stretched, but for flat ones."""
        values = images.double() if frame.kind == "pil" else images.float()
        low, high = values.amin(dim=(2, 3), keepdim=True), values.amax(dim=(2, 3), keepdim=True)
        flat = high == low
        # A number divided by a tensor would be rounded twice.
        scale = torch.full_like(high, frame.white) / torch.where(flat, 1, high - low)
        stretched = values * scale - low * scale if frame.kind == "pil" else (values - low) * scale
        stretched = torch.where(flat, values, stretched).clamp(0, frame.white)
        return stretched if frame.kind == "float" else to_bytes(stretched)


class RandomInvert(Sometimes):
    """White becomes black."""

    def change(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """Every image inverted."""
        return int(frame.white) - images


def gaussian(size: int, sigma: Tensor) -> Tensor:
    """(B, size): the normal curve at whole pixels, adding up to 1."""
    reach = (size - 1) / (2 * math.sqrt(2))
    x = torch.linspace(-reach, reach, size, device=sigma.device)
    return torch.softmax(-((x / sigma[:, None]) ** 2), dim=1)


def _smoothed(images: Tensor) -> Tensor:
    height, width = images.shape[-2:]
    values = images.float()
    total = 4 * values[..., 1:-1, 1:-1]
    for row in range(3):
        for column in range(3):
            total = total + values[..., row : row + height - 2, column : column + width - 2]
    return total / 13 if images.dtype == torch.float32 else (total / 13).round().to(torch.uint8)


def _blend(images: Tensor, other: Tensor | float, factor: Tensor | float, frame: Frame) -> Tensor:
    if frame.kind == "pil":
        return to_bytes(other + factor * (images.float() - other))
    blended = (factor * images.float() + (1 - factor) * other).clamp(0, frame.white)
    return blended if frame.kind == "float" else to_bytes(blended)
