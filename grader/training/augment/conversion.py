"""From PIL image to tensor to normalised tensor, and from one grey channel to three."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from grader.errors import SubmissionError
from grader.training.augment.operation import Drawn, Frame, Kind, Number, Operation


class ToTensor(Operation):
    """A PIL image as floats from 0 to 1."""

    in_tests = "ToTensor"

    def after(self, frame: Frame) -> Frame:
        """Floats."""
        _needs_pil(self, frame)
        return _as(frame, "float")

    def apply(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """Divided by 255."""
        return images.float().div_(255)


class PILToTensor(Operation):
    """A PIL image as a tensor of the same bytes."""

    in_tests = "PILToTensor"

    def after(self, frame: Frame) -> Frame:
        """Bytes."""
        _needs_pil(self, frame)
        return _as(frame, "bytes")

    def apply(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """Nothing to do: images are tensors here."""
        return images


class ToImage(Operation):
    """Version 2's PILToTensor, which leaves tensors alone."""

    in_tests = "ToImage"

    def after(self, frame: Frame) -> Frame:
        """Bytes, or floats if they were."""
        return _as(frame, "bytes") if frame.kind == "pil" else frame

    def apply(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """Nothing to do: images are tensors here."""
        return images


class ToDtype(Operation):
    """Bytes to floats, scaled to 0..1 only with `scale`.

    PIL images and bytes that stay bytes pass unchanged.
    """

    in_tests = "ToDtype"

    dtype: Literal["float32", "uint8"]
    scale: bool

    def after(self, frame: Frame) -> Frame:
        """Floats where that is the dtype. Raises SubmissionError for the way back."""
        if self.dtype == "uint8" and frame.kind == "float":
            raise SubmissionError(
                "train_transform converts floats back to uint8 with ToDtype or ConvertImageDtype. "
                "The network needs floats: convert once, to torch.float32."
            )
        return _as(frame, "float") if (frame.kind, self.dtype) == ("bytes", "float32") else frame

    def apply(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """Version 2 multiplies by 1/255 where ToTensor divides by 255."""
        if (frame.kind, self.dtype) != ("bytes", "float32"):
            return images
        return images.float().mul_(1 / 255) if self.scale else images.float()


class ConvertImageDtype(ToDtype):
    """ToDtype with scale=True, for tensors only."""

    in_tests = "ConvertImageDtype"
    scale: Literal[True] = True

    def after(self, frame: Frame) -> Frame:
        """As ToDtype. Raises SubmissionError for PIL images."""
        if frame.kind == "pil":
            raise SubmissionError(
                "train_transform applies ConvertImageDtype to a PIL image: put PILToTensor before "
                "it, or use ToTensor."
            )
        return super().after(frame)


class Normalize(Operation):
    """(value - mean) / std, with one number for all channels or one for each."""

    in_tests = "Normalize"

    mean: Annotated[tuple[Number, ...], Field(min_length=1, max_length=3)]
    std: Annotated[
        tuple[Annotated[float, Field(ge=1e-6, le=1e6)], ...], Field(min_length=1, max_length=3)
    ]

    def after(self, frame: Frame) -> Frame:
        """The same frame.

        Raises SubmissionError before ToTensor, or for another number of channels.
        """
        if frame.kind != "float":
            raise SubmissionError(
                "train_transform has Normalize where the image is no float tensor yet, which "
                "torchvision refuses: put ToTensor() before it."
            )
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, frame.channels):
                raise SubmissionError(
                    f"train_transform: Normalize.{name} has {len(values)} values, but the images "
                    f"have {frame.channels} channel(s): write one number for each channel, such "
                    "as (0.1307,)."
                )
        return frame

    def apply(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """Channel by channel, because a tensor of means would have to be copied to the device."""
        if len(self.mean) == len(self.std) == 1:
            return images.sub(self.mean[0]).div_(self.std[0])
        means, stds = (values * (frame.channels // len(values)) for values in (self.mean, self.std))
        channels = zip(images.unbind(1), means, stds, strict=True)
        return torch.stack([(channel - mean).div_(std) for channel, mean, std in channels], dim=1)


class Grayscale(Operation):
    """One grey channel, or the same grey three times."""

    in_tests = "Grayscale"

    num_output_channels: Literal[1, 3]

    def after(self, frame: Frame) -> Frame:
        """The number of channels asked for.

        Raises SubmissionError where grey images would become one channel again.
        """
        if frame.channels > self.num_output_channels:
            raise SubmissionError(
                "train_transform makes 3 channels of the grey images, then 1 again: leave both out."
            )
        return Frame(self.num_output_channels, frame.height, frame.width, frame.kind)

    def apply(self, images: Tensor, frame: Frame, drawn: Drawn) -> Tensor:
        """The images of the data set are grey, so that there is nothing to mix."""
        return images.expand(-1, self.num_output_channels, -1, -1)


def as_floats(images: Tensor) -> Tensor:
    """What the network gets: floats as they are, bytes as 0 to 1 (a transform without ToTensor)."""
    return images if images.dtype == torch.float32 else images.float().div_(255)


def _as(frame: Frame, kind: Kind) -> Frame:
    return Frame(frame.channels, frame.height, frame.width, kind)


def _needs_pil(operation: Operation, frame: Frame) -> None:
    if frame.kind != "pil":
        raise SubmissionError(
            f"train_transform applies {type(operation).__name__} to what is a tensor already, "
            "which torchvision refuses: convert once."
        )
