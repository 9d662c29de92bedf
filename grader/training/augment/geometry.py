"""Turn, move, scale, shear and tilt: RandomRotation, RandomAffine, RandomPerspective.

The formulas are torchvision's (`_get_inverse_affine_matrix`, `_get_perspective_coeffs`), for a
batch of draws at once.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

from grader.training.augment import sampling
from grader.training.augment.operation import (
    Drawn,
    Fill,
    Frame,
    Number,
    Operation,
    PositiveRange,
    Probability,
    Range,
    Sometimes,
    uniform,
    whole,
)

Interpolation = Literal["nearest", "bilinear"]
Shear = Annotated[float, Field(ge=-85, le=85)]
Centre = tuple[Number, Number] | None


class RandomRotation(Operation):
    """Turned counter-clockwise by an angle from `degrees`, around `center` (x, y) or the middle."""

    degrees: Range
    interpolation: Interpolation
    expand: bool
    center: Centre
    fill: Fill

    @field_validator("expand")
    @classmethod
    def _same_size(cls, expand: bool) -> bool:
        if expand:
            raise ValueError(
                "with expand=True every image gets another size and they fit in no batch: leave "
                "it out"
            )
        return expand

    def draw(self, frame: Frame, batch: int, generator: torch.Generator | None) -> Drawn:
        """`angle` (B,), in degrees."""
        return Drawn({"angle": uniform((batch,), generator, *self.degrees)})

    def apply(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """One resampling."""
        return _move(images, frame, self, drawn)

    @property
    def straight(self) -> bool:
        """Whether rows stay rows."""
        return self.degrees == (0, 0)

    def affine(self, drawn: Drawn) -> dict[str, Tensor]:
        """What `inverse_affine` needs; to rotate is to turn by the negative angle."""
        zero = torch.zeros_like(drawn["angle"])
        values = {"x": zero, "y": zero, "scale": zero + 1, "shear_x": zero, "shear_y": zero}
        return {**values, "angle": -drawn["angle"]}


class RandomAffine(Operation):
    """Turned, moved, scaled and sheared (degrees) in one step.

    `translate` is the largest move, as a share of (width, height).
    """

    degrees: Range
    translate: tuple[Probability, Probability] | None
    scale: PositiveRange | None
    shear: tuple[Shear, Shear] | tuple[Shear, Shear, Shear, Shear] | None
    interpolation: Interpolation
    fill: Fill
    center: Centre

    @field_validator("shear")
    @classmethod
    def _ranges(cls, shear: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if shear is not None and any(
            low > high for low, high in zip(shear[::2], shear[1::2], strict=True)
        ):
            raise ValueError(f"the ranges in {shear} do not go from small to large")
        return shear

    def draw(self, frame: Frame, batch: int, generator: torch.Generator | None) -> Drawn:
        """`angle`, `shear_x`, `shear_y` (degrees), `x`, `y` (whole pixels), `scale`: each (B,)."""
        move_x, move_y = self.translate or (0.0, 0.0)
        shear = (*(self.shear or (0.0, 0.0)), 0.0, 0.0)
        ranges = {
            "angle": self.degrees,
            "x": (-move_x * frame.width, move_x * frame.width),
            "y": (-move_y * frame.height, move_y * frame.height),
            "scale": self.scale or (1.0, 1.0),
            "shear_x": shear[0:2],
            "shear_y": shear[2:4],
        }
        values = {
            name: uniform((batch,), generator, low, high) for name, (low, high) in ranges.items()
        }
        return Drawn({**values, "x": values["x"].round(), "y": values["y"].round()})

    def apply(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """One resampling for all four."""
        return _move(images, frame, self, drawn)

    @property
    def straight(self) -> bool:
        """Whether rows stay rows."""
        return self.degrees == (0, 0) and not any(self.shear or ())

    def affine(self, drawn: Drawn) -> dict[str, Tensor]:
        """What `inverse_affine` needs: the draws themselves."""
        return drawn.values


class RandomPerspective(Sometimes):
    """Seen at an angle: corners move inwards by up to half of `distortion_scale` of the side."""

    distortion_scale: Probability
    interpolation: Interpolation
    fill: Fill

    def choose(
        self, frame: Frame, batch: int, generator: torch.Generator | None
    ) -> dict[str, Tensor]:
        """`corners` (B, 4, 2): where they go, as whole (x, y), clockwise from the top left."""
        reach_x = int(self.distortion_scale * (frame.width // 2)) + 1
        reach_y = int(self.distortion_scale * (frame.height // 2)) + 1
        left, right_in = (whole(reach_x, (batch, 2), generator) for _ in range(2))
        top, bottom_in = (whole(reach_y, (batch, 2), generator) for _ in range(2))
        right, bottom = frame.width - 1 - right_in, frame.height - 1 - bottom_in
        x = torch.stack([left[:, 0], right[:, 0], right[:, 1], left[:, 1]], dim=1)
        y = torch.stack([top[:, 0], top[:, 1], bottom[:, 1], bottom[:, 0]], dim=1)
        return {"corners": torch.stack([x, y], dim=2)}

    def change(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """Every image tilted."""
        found = coefficients(drawn["corners"].double(), frame.width, frame.height)
        if frame.kind == "pil":
            return sampling.pil_perspective(
                images, found, interpolation=self.interpolation, fill=self.fill
            )
        moved = sampling.tensor_perspective(
            images.float(), found, interpolation=self.interpolation, fill=self.fill
        )
        return _back(moved, frame)


def inverse_affine(values: dict[str, Tensor], center: tuple[float, float]) -> Tensor:
    """From an output pixel to its source: (B, 6) float64 of (B,) draws, angles in degrees."""
    degrees = torch.stack([values[name] for name in ("angle", "shear_x", "shear_y")]).double()
    turn, shear_x, shear_y = (degrees * (math.pi / 180)).unbind()
    x, y, scale = torch.stack([values[name] for name in ("x", "y", "scale")]).double().unbind()
    a = torch.cos(turn - shear_y) / torch.cos(shear_y)
    b = -a * torch.tan(shear_x) - torch.sin(turn)
    c = torch.sin(turn - shear_y) / torch.cos(shear_y)
    d = -c * torch.tan(shear_x) + torch.cos(turn)
    # PIL rounds so, and by it a right angle moves whole pixels to whole pixels.
    xx, xy, yx, yy = (
        value.round(decimals=15) for value in (d / scale, -b / scale, -c / scale, a / scale)
    )
    back_x, back_y = -center[0] - x, -center[1] - y
    start_x = xx * back_x + xy * back_y + center[0]
    start_y = yx * back_x + yy * back_y + center[1]
    return torch.stack([xx, xy, start_x, yx, yy, start_y], dim=1)


def coefficients(corners: Tensor, width: int, height: int) -> Tensor:
    """The perspective (B, 8) that takes `corners` (B, 4, 2) back to the image's own corners.

    Closed form of a square seen as a quadrilateral (Heckbert 1989, Fundamentals of Texture Mapping,
    2.2.3), inverted.
    """
    p0, p1, p2, p3 = corners.unbind(1)
    x1, y1 = (p1 - p2).unbind(1)
    x2, y2 = (p3 - p2).unbind(1)
    x3, y3 = (p0 - p1 + p2 - p3).unbind(1)
    area = x1 * y2 - x2 * y1
    g, h = (x3 * y2 - x2 * y3) / area, (x1 * y3 - x3 * y1) / area
    a, d = (p1 - p0 + g[:, None] * p1).unbind(1)
    b, e = (p3 - p0 + h[:, None] * p3).unbind(1)
    c, f = p0.unbind(1)
    bottom = a * e - b * d
    rows = [
        e - f * h,
        c * h - b,
        b * f - c * e,
        f * g - d,
        a - c * g,
        c * d - a * f,
        d * h - e * g,
        b * g - a * h,
    ]
    scale = torch.stack([value / bottom for value in rows], dim=1)
    across, down = scale[:, 0:3] * (width - 1), scale[:, 3:6] * (height - 1)
    # torchvision hands them on in single precision.
    return torch.cat([across, down, scale[:, 6:8]], dim=1).float().double()


def pil_matrix(frame: Frame, way: RandomRotation | RandomAffine, drawn: Drawn) -> Tensor:
    """From an output pixel to its source, as PIL counts: (B, 6) float64."""
    return inverse_affine(way.affine(drawn), way.center or (frame.width * 0.5, frame.height * 0.5))


def _move(images: Tensor, frame: Frame, way: RandomRotation | RandomAffine, drawn: Drawn) -> Tensor:
    if frame.kind == "pil":
        matrix = pil_matrix(frame, way, drawn)
        return sampling.pil_affine(
            images, matrix, interpolation=way.interpolation, fill=way.fill, straight=way.straight
        )
    middle = (frame.width * 0.5, frame.height * 0.5)
    x, y = way.center or middle
    matrix = inverse_affine(way.affine(drawn), (x - middle[0], y - middle[1]))
    moved = sampling.tensor_affine(
        images.float(), matrix, interpolation=way.interpolation, fill=way.fill
    )
    return _back(moved, frame)


def _back(moved: Tensor, frame: Frame) -> Tensor:
    return moved if frame.kind == "float" else moved.round().clamp(0, 255).to(torch.uint8)
