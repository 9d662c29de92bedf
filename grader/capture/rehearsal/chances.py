"""Flips that a file makes by chance, with draws of its own: recognise them and their chance.

In: a function of an image that flips it or not. Out: torchvision's operation, or None. Runs in the
child.

`if random.random() < 0.3: image = flip(image)` is asked under 200 seeds. Under each, the first draw
of Python's generator is known: all that flip are below all that do not, the border lies between
0.2986 and 0.3021, and 0.3 is the one usual number in there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torchvision import transforms

from grader.capture.rehearsal.comparing import Function, answer, numbers, same, seed

DRAWS = 200
"""Enough to know the chance of a flip to about one percent."""
_CHANCES = (0.5, 0.1, 0.15, 0.2, 0.25, 0.3, 1 / 3, 0.35, 0.4, 0.6, 2 / 3, 0.7, 0.75, 0.8, 0.9)


def flips(
    function: Function, images: Sequence[Any], before: Function = lambda image: image
) -> list[Any] | None:
    """A flip by chance: under every seed, whether it flips follows from the seed's first draw.

    `before` is what the function does to each image besides.
    """
    kinds = (
        (transforms.RandomHorizontalFlip, -1),
        (transforms.RandomVerticalFlip, -2),
    )
    for kind, side in kinds:
        flipped = _flipped(function, images, before, side)
        chance = None if flipped is None else _chance(flipped)
        if chance is not None:
            return [kind(p=chance)]
    return None


def _flipped(
    function: Function, images: Sequence[Any], before: Function, side: int
) -> list[bool] | None:
    """For each seed, whether the image comes back mirrored; None where it comes back otherwise."""
    found = []
    for number in range(DRAWS):
        image = images[number % len(images)]
        plain = numbers(answer(before, image, number=number))
        result = numbers(answer(function, image, number=number))
        if plain is None or result is None:
            return None
        if same(result, plain):
            found.append(False)
        elif same(result, plain.flip(side)):
            found.append(True)
        else:
            return None
    return found


def _chance(flipped: Sequence[bool]) -> float | None:
    """The chance p of "flips if a draw from 0 to 1 is below p", or above 1 - p."""
    for source in _sources():
        draws = []
        for number in range(len(flipped)):
            seed(number)
            draws.append(source())
        for sign in (1, -1):
            yes = [sign * draw for draw, is_so in zip(draws, flipped, strict=True) if is_so]
            no = [sign * draw for draw, is_so in zip(draws, flipped, strict=True) if not is_so]
            if not yes or not no or max(yes) >= min(no):
                continue
            low, high = max(yes), min(no)
            if sign < 0:
                low, high = low + 1, high + 1
            return next((chance for chance in _CHANCES if low <= chance <= high), None)
    return None


def _sources() -> tuple[Callable[[], float], ...]:
    return (
        lambda: float(torch.rand(1)),
        random.random,
        lambda: float(np.random.rand()),
    )
