"""What every augmentation is: checked settings, a draw for each image, a change of a batch.

In: settings that an untrusted child wrote. Out: frozen operations. A batch stays a batch: nothing
loops over images, nothing is read back from the device, and no constant is copied to it, so that a
CUDA graph can record all of it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import AfterValidator, BeforeValidator, Field
from torch import Tensor

from grader.errors import GraderError, SubmissionError
from grader.program.values import Data

LARGEST_SIDE = 512
"""Pixels. No image may become higher or wider than this, not even between two operations."""

Kind = Literal["pil", "bytes", "float"]


def ordered(pair: tuple[float, float]) -> tuple[float, float]:
    """The pair itself.

    Raises ValueError, which pydantic reports, where the first number is the larger.
    """
    if pair[0] > pair[1]:
        raise ValueError(
            f"the range goes from {pair[0]} to {pair[1]}: write the smaller number first"
        )
    return pair


def _one_value(fill: Any) -> Any:
    if isinstance(fill, list | tuple):
        if len(fill) != 1:
            raise ValueError(
                f"it has {len(fill)} values, and these images have one channel: write one number"
            )
        return fill[0]
    return fill


Number = Annotated[float, Field(ge=-1e4, le=1e4)]
Probability = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[int, Field(ge=1, le=LARGEST_SIDE)]
Size = tuple[Side, Side]
Range = Annotated[tuple[Number, Number], AfterValidator(ordered)]
Fraction = Annotated[tuple[Probability, Probability], AfterValidator(ordered)]
Positive = Annotated[float, Field(ge=0.01, le=100)]
PositiveRange = Annotated[tuple[Positive, Positive], AfterValidator(ordered)]
Fill = Annotated[Annotated[float, Field(ge=-1e4, le=1e4)] | None, BeforeValidator(_one_value)]


@dataclass(frozen=True, slots=True)
class Frame:
    """What an image is at one point of the pipeline.

    `kind` is how torchvision would hold it: as a PIL image ("pil"), as a uint8 tensor ("bytes") or
    as a float32 tensor ("float"). Here the first two are both uint8 tensors.
    """

    channels: int
    height: int
    width: int
    kind: Kind = "pil"

    @property
    def white(self) -> float:
        """White, where torchvision clips: 255 for whole numbers, 1 for floats."""
        return 1.0 if self.kind == "float" else 255.0

    def resized(self, height: int, width: int) -> Frame:
        """The same kind of image at another size.

        Raises SubmissionError where it is empty or too large.
        """
        if not (1 <= height <= LARGEST_SIDE and 1 <= width <= LARGEST_SIDE):
            raise SubmissionError(
                f"train_transform makes images of {height} x {width} pixels. The grader trains on "
                f"sides of 1 to {LARGEST_SIDE} pixels: choose a smaller size or padding."
            )
        return Frame(self.channels, height, width, self.kind)


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn for each image of a batch: by name, tensors that begin with the batch."""

    values: dict[str, Tensor] = field(default_factory=dict)
    inner: tuple[Drawn, ...] = ()

    def __getitem__(self, name: str) -> Tensor:
        return self.values[name]

    def to(self, device: torch.device) -> Drawn:
        """The same draws on the device of the images."""
        values = {name: value.to(device) for name, value in self.values.items()}
        return Drawn(values, tuple(drawn.to(device) for drawn in self.inner))


def joined(parts: Sequence[Drawn]) -> Drawn:
    """The draws of several batches as those of one."""
    if len(parts) == 1:
        return parts[0]
    values: dict[str, Tensor] = {}
    for name in parts[0].values:
        values[name] = torch.cat([part[name] for part in parts])
    inner_parts = zip(*[part.inner for part in parts], strict=True)
    return Drawn(values, tuple(map(joined, inner_parts)))


class Operation(Data):
    """One augmentation, its settings as fields. `frame` is always the image that it receives.

    `in_tests` names the operation that test images meet in its place: itself, another with some of
    its settings, or none where they do without.
    """

    in_tests: ClassVar[str] = ""

    def after(self, frame: Frame) -> Frame:
        """The image that it returns.

        Raises SubmissionError where torchvision could not apply it to `frame`.
        """
        return frame

    def draw(self, frame: Frame, batch: int, generator: torch.Generator | None) -> Drawn:
        """Its random numbers for `batch` images, on the generator's device."""
        return Drawn()

    @abstractmethod
    def apply(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """The images (B, C, H, W), uint8 or float32 as `frame` says, changed as drawn."""


class Sometimes(Operation):
    """An augmentation that meets an image with probability `p`."""

    p: Probability

    def draw(self, frame: Frame, batch: int, generator: torch.Generator | None) -> Drawn:
        """Adds `applied`: which images are changed."""
        values = self.choose(frame, batch, generator)
        return Drawn({**values, "applied": uniform((batch,), generator) < self.p})

    def choose(
        self, frame: Frame, batch: int, generator: torch.Generator | None
    ) -> dict[str, Tensor]:
        """What it draws besides `applied`."""
        return {}

    def apply(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """The changed image where `applied`, elsewhere the image itself."""
        return torch.where(per_image(drawn["applied"]), self.change(images, frame, drawn), images)

    @abstractmethod
    def change(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """All images changed."""


def uniform(
    shape: tuple[int, ...], generator: torch.Generator | None, low: float = 0.0, high: float = 1.0
) -> Tensor:
    """Uniform float32 numbers in [low, high)."""
    if generator is None:
        raise GraderError("A pipeline with random augmentations was called without a generator.")
    drawn = torch.rand(shape, generator=generator, device=generator.device)
    return drawn if (low, high) == (0, 1) else drawn.mul_(high - low).add_(low)


def whole(count: Tensor | int, shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
    """Uniform int64 numbers in 0, 1, ..., count - 1, where `count` may differ per image."""
    number = (uniform(shape, generator) * count).long()
    # Rounding may lift 0.99999994 * count to count itself.
    return number.clamp(max=count - 1)


def per_image(values: Tensor) -> Tensor:
    """(B,) as (B, 1, 1, 1), to meet images."""
    return values[:, None, None, None]


def to_bytes(values: Tensor) -> Tensor:
    """Floats cut to uint8 as C does it: fractions are dropped, the rest is clipped to 0..255."""
    return values.clamp(0, 255).to(torch.uint8)
