"""Show images to functions under fixed draws, and compare what they give.

In: functions of the student's. Out: images and numbers. Runs in the child.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

Function = Callable[[Any], Any]
IMAGES = 6
EXACT = 2e-5
"""Of the largest value: what is computed in another order differs by rounding."""


def seed(number: int) -> None:
    """Start all draws (torch's, Python's and NumPy's) anew."""
    torch.default_generator.manual_seed(number)  # torch.manual_seed is written down
    random.seed(number)
    np.random.seed(number)


def samples(size: Sequence[int] = (28, 28)) -> list[Image.Image]:
    """Images of many grey levels, none like its own mirror image."""
    draw = np.random.default_rng(7)
    found = []
    for index in range(IMAGES):
        pixels = draw.integers(0, 256, tuple(size), dtype=np.uint8)
        pixels[: 4 + index, : 3 * index + 1] = 0
        pixels //= 1 + index % 3  # some are dim: dividing by the brightest pixel is no identity
        if index == 1:
            pixels = 255 - pixels
        found.append(Image.fromarray(pixels))
    return found


def numbers(image: Any) -> Tensor | None:
    """An image as float64 (channels, height, width), or None for what is not an image."""
    if isinstance(image, Image.Image):
        image = np.array(image)
        image = image if image.ndim == 2 else np.moveaxis(image, -1, 0)
    try:
        pixels = torch.as_tensor(np.asarray(image) if not isinstance(image, Tensor) else image)
    except (TypeError, ValueError, RuntimeError):
        return None
    pixels = pixels.detach().double()
    return pixels[None] if pixels.dim() == 2 else pixels


def same(one: Any, two: Any) -> bool:
    """Whether two images are equal, but for rounding."""
    first, second = numbers(one), numbers(two)
    if first is None or second is None or first.shape != second.shape:
        return False
    most = max(1.0, float(second.abs().max()) if second.numel() else 1.0)
    return bool((first - second).abs().max() <= EXACT * most)


def answer(function: Function, image: Any, *, number: int) -> Any:
    """What the function gives, with draws under that seed."""
    seed(number)
    return function(copied(image))


def copied(image: Any) -> Any:
    """The image, for a function that may change it."""
    if isinstance(image, Image.Image):
        return image.copy()
    return image.clone() if isinstance(image, Tensor) else image
