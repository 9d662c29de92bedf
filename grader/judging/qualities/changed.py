"""Test images with noise, moved, and turned. In: bytes (N, channels, rows, columns). Out: the same.

What the images leave uncovered is black. Draws come from a key that no submission knows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]

DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""Up, down, left, right."""


def with_noise(images: Images, deviation: float, random: np.random.RandomState) -> Images:
    """Normal noise on every pixel, its standard deviation a share of the range 0 to 255."""
    noise = random.normal(0.0, 255 * deviation, images.shape)
    return _bytes(images + noise)


def moved(images: Images, pixels: int, random: np.random.RandomState) -> Images:
    """Each image moved by so many pixels up, down, left or right, as is drawn for it."""
    drawn = random.randint(len(DIRECTIONS), size=len(images))
    result = np.empty_like(images)
    for number, (down, right) in enumerate(DIRECTIONS):
        chosen = drawn == number
        result[chosen] = _moved(images[chosen], down * pixels, right * pixels)
    return result


def _moved(images: Images, down: int, right: int) -> Images:
    rows, columns = images.shape[2:]
    margin = max(abs(down), abs(right))
    wide = np.pad(images, ((0, 0), (0, 0), (margin, margin), (margin, margin)))
    top, left = margin - down, margin - right
    result: Images = wide[:, :, top : top + rows, left : left + columns]
    return result


def turned(images: Images, degrees: float, random: np.random.RandomState) -> Images:
    """Each image turned about its middle by so many degrees, to the left or to the right."""
    left = random.randint(2, size=len(images)) == 0
    result = np.empty_like(images)
    result[left] = turn(images[left], degrees)
    result[~left] = turn(images[~left], -degrees)
    return result


def turn(images: Images, degrees: float) -> Images:
    """All images turned counter-clockwise; between pixels, linear in both directions."""
    rows, columns = images.shape[2:]
    angle = np.deg2rad(degrees)
    down, right = np.indices((rows, columns), dtype=np.float64)
    down -= (rows - 1) / 2
    right -= (columns - 1) / 2
    # Where in the image each pixel of the result comes from.
    y = np.cos(angle) * down + np.sin(angle) * right + (rows - 1) / 2
    x = -np.sin(angle) * down + np.cos(angle) * right + (columns - 1) / 2
    # A frame of black, so that a neighbour outside has a place.
    framed = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1))).astype(np.float32)
    result = np.zeros(images.shape, dtype=np.float32)
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    for below in (0, 1):
        for beside in (0, 1):
            row, column = top + below, left + beside
            inside = (row >= -1) & (row <= rows) & (column >= -1) & (column <= columns)
            weight = (1 - abs(y - row)) * (1 - abs(x - column)) * inside
            pixels = framed[:, :, (row + 1) * inside, (column + 1) * inside]
            result += pixels * weight.astype(np.float32)
    return _bytes(result)


def _bytes(values: NDArray[np.floating]) -> Images:
    result: Images = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return result
