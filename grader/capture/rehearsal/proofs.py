"""Prove that an own function of images equals known operations, by comparing on images.

In: any function of an image (a lambda, an own class, all of an own data set). Out: the operations
of torchvision that it equals, or None. Runs in the child.

A worked example: `lambda x: (x - 0.13) / 0.31`. It is shown six images, twice under the same draws,
and draws nothing. No operation of the grid (flips, quarter turns, padding, ...) is needed to get
from its images to what it gives: a line does, 3.2258 x - 0.4194, and it does so for every pixel of
all six. That is `Normalize(mean=0.13, std=0.31)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms
from torchvision.transforms import v2

from grader.capture.rehearsal.chances import flips
from grader.capture.rehearsal.comparing import (
    EXACT,
    Function,
    answer,
    copied,
    numbers,
    same,
    seed,
)

DRAWS = 100
"""A change that is made once in twenty times shows itself among so many."""


def equal(one: Function, two: Function, images: Sequence[Any], *, draws: int = 12) -> bool:
    """Whether both give the same for all images, under the same draws."""
    for number in range(draws):
        for image in images:
            seed(number)
            first = one(copied(image))
            seed(number)
            if not _same_kind(first, second := two(copied(image))) or not same(first, second):
                return False
    return True


def _same_kind(one: Any, two: Any) -> bool:
    """A picture with integers is not what a tensor with fractions is."""
    return isinstance(one, Tensor) == isinstance(two, Tensor)


def operations(function: Function, images: Sequence[Any]) -> list[Any] | None:
    """The torchvision operations that `function` equals on `images`; [] where it changes nothing.

    None where it equals none that are known here. What it raises is the caller's.
    """
    results = [answer(function, image, number=0) for image in images]
    if any(numbers(result) is None for result in results):
        return None
    if _draws_nothing(function, images, results):
        return fixed(images, results)
    return flips(function, images)


def draws_at_random(function: Function, images: Sequence[Any]) -> bool:
    """Whether it gives something else under other draws."""
    results = [answer(function, image, number=0) for image in images]
    return not _draws_nothing(function, images, results)


def _draws_nothing(function: Function, images: Sequence[Any], results: Sequence[Any]) -> bool:
    for number in range(1, DRAWS):
        image, known = images[number % len(images)], results[number % len(images)]
        if not same(answer(function, image, number=number), known):
            return False
    return True


def fixed(images: Sequence[Any], results: Sequence[Any]) -> list[Any] | None:
    """The operations that make `results` of `images`, by chance of nothing.

    Tried are a rearrangement of pixels, a conversion to a tensor, and a line, in this order.
    """
    shape = numbers(results[0]).shape  # type: ignore[union-attr] # asked by the caller
    conversion = _conversion(images[0], results[0])
    for steps in _rearrangements(images[0], shape):
        known = [*steps, *conversion]
        try:
            moved = [_all(known, image) for image in images]
        except (ValueError, TypeError, RuntimeError):
            continue
        line = _line(moved, results)
        if line is not None and (normal := _normalize(line, results[0])) is not None:
            return [*known, *normal]
    return None


def _conversion(image: Any, result: Any) -> list[Any]:
    """What makes a tensor of a picture, and fractions of integers."""
    if not isinstance(result, Tensor):
        return []
    if isinstance(image, Image.Image):
        return [transforms.ToTensor()]
    is_integer = isinstance(image, Tensor) and not image.is_floating_point()
    return [transforms.ConvertImageDtype(torch.float32)] if is_integer else []


def _all(steps: Sequence[Any], image: Any) -> Any:
    for step in steps:
        image = step(image)
    return image


def _rearrangements(image: Any, shape: torch.Size) -> Iterator[list[Any]]:
    """What could have been done to the pixels of `image`, given the shape that came out."""
    yield []
    if len(shape) != 3:
        return
    before = numbers(image).shape  # type: ignore[union-attr] # an image
    height, width = shape[1:]
    if shape[0] != before[0]:
        if (before[0], shape[0]) == (1, 3):
            yield [v2.Grayscale(3)]  # version 1's leaves a tensor of one channel as it is
        return
    if (height, width) == tuple(before[1:]):
        yield [transforms.RandomInvert(p=1.0)]
        yield [transforms.RandomHorizontalFlip(p=1.0)]
        yield [transforms.RandomVerticalFlip(p=1.0)]
        yield from ([transforms.RandomRotation((turn, turn))] for turn in (90, 180, 270))
        return
    if height > before[1] and width > before[2] and (height - before[1]) % 2 == 0:
        yield [transforms.Pad(((width - before[2]) // 2, (height - before[1]) // 2))]
    if height < before[1] and width < before[2]:
        yield [transforms.CenterCrop((height, width))]
    for mode in (transforms.InterpolationMode.BILINEAR, transforms.InterpolationMode.NEAREST):
        yield [transforms.Resize((height, width), interpolation=mode)]


@dataclass(frozen=True, slots=True)
class _Line:
    """`slope` x + `start`, for every pixel."""

    slope: float
    start: float


def _line(before: Sequence[Any], after: Sequence[Any]) -> _Line | None:
    """The line from one to the other that holds for all pixels of all images."""
    x = [numbers(image) for image in before]
    y = [numbers(image) for image in after]
    for one, two in zip(x, y, strict=True):
        if one is None or two is None or one.shape != two.shape:
            return None
    inputs, outputs = torch.stack(x), torch.stack(y)  # type: ignore[arg-type] # checked above
    low, high = inputs.argmin(), inputs.argmax()
    span = inputs.view(-1)[high] - inputs.view(-1)[low]
    if span == 0:
        return None
    slope = (outputs.view(-1)[high] - outputs.view(-1)[low]) / span
    start = outputs.view(-1)[low] - slope * inputs.view(-1)[low]
    most = max(1e-3, float(outputs.abs().max()))
    if (slope * inputs + start - outputs).abs().max() > EXACT * most:
        return None
    return _Line(float(slope), float(start))


def _normalize(line: _Line, result: Any) -> list[Any] | None:
    """The line as an operation on tensors; nothing where it is x itself."""
    if abs(line.slope - 1) < EXACT and abs(line.start) < EXACT:
        return []
    if not isinstance(result, Tensor) or not result.is_floating_point() or line.slope <= 0:
        return None
    channels = result.shape[0] if result.dim() == 3 else 1
    mean, deviation = rounded(-line.start / line.slope) + 0.0, rounded(1 / line.slope)
    return [transforms.Normalize([mean] * channels, [deviation] * channels)]


def rounded(value: float) -> float:
    """The number as it was most likely written: 0.1307 for 0.13070000342."""
    for digits in range(1, 8):
        short = float(f"{value:.{digits}g}")
        if abs(short - value) <= 4e-6 * max(abs(value), 0.01):
            return short
    return value


def inside(function: Any) -> list[Any]:
    """What an own function or object holds, and may well apply."""
    held: list[Any] = list(getattr(function, "__dict__", {}).values())
    code = getattr(function, "__code__", None)
    for cell in getattr(function, "__closure__", None) or ():
        held.append(cell.cell_contents)
    if code is not None:
        known = getattr(function, "__globals__", {})
        held += [known[name] for name in code.co_names if name in known]
    if (inner := getattr(function, "lambd", None)) is not None:
        held += inside(inner)
    return held


def is_torchvision(item: Any) -> bool:
    """Whether it is a transform of torchvision's own."""
    return type(item).__module__.startswith("torchvision.transforms") and callable(item)


def is_lambda(item: Any) -> bool:
    """Whether it is torchvision's Lambda, of either version."""
    return isinstance(item, transforms.Lambda | v2.Lambda)
