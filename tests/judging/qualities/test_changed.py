"""Noise, shifts and rotations of images, held to numpy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from grader.judging import shuffle
from grader.judging.qualities import changed

KEY = b"k" * 32


def pictures(seed: int, count: int = 6, rows: int = 9, columns: int = 7, channels: int = 1):
    shape = (count, channels, rows, columns)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def draws(purpose: str = "a test") -> np.random.RandomState:
    return shuffle.draws(KEY, purpose)


def by_hand(image, down: int, right: int):
    """A picture moved pixel by pixel."""
    rows, columns = image.shape
    result = np.zeros_like(image)
    for row in range(rows):
        for column in range(columns):
            if 0 <= row - down < rows and 0 <= column - right < columns:
                result[row, column] = image[row - down, column - right]
    return result


@given(seed=st.integers(0, 2**16), pixels=st.integers(1, 4), channels=st.integers(1, 3))
@settings(max_examples=30)
def test_each_image_is_moved_up_down_left_or_right_and_the_rest_is_black(seed, pixels, channels):
    images = pictures(seed, channels=channels)
    found = changed.moved(images, pixels, np.random.RandomState(seed))
    assert (found.shape, found.dtype) == (images.shape, np.uint8)
    for image, result in zip(images, found, strict=True):
        ways = [
            [by_hand(channel, down * pixels, right * pixels) for channel in image]
            for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1))
        ]
        assert any(np.array_equal(way, result) for way in ways)


def test_all_four_directions_are_drawn_about_equally_often():
    dot = np.zeros((4_000, 1, 5, 5), dtype=np.uint8)
    dot[:, :, 2, 2] = 255
    found = changed.moved(dot, 2, draws())
    places, counts = np.unique(found.reshape(4_000, -1).argmax(1), return_counts=True)
    assert places.tolist() == [2, 10, 14, 22]  # (0, 2), (2, 0), (2, 4), (4, 2)
    assert counts == pytest.approx(1_000, rel=0.1)


@given(seed=st.integers(0, 2**16), degrees=st.floats(-45, 45), columns=st.integers(3, 10))
@settings(max_examples=40)
def test_a_turned_image_is_what_scipy_makes_of_it(seed, degrees, columns):
    images = pictures(seed, columns=columns)
    expected = ndimage.rotate(
        images.astype(np.float64),
        degrees,
        axes=(2, 3),
        reshape=False,
        order=1,
        mode="grid-constant",
    )
    found = changed.turn(images, degrees).astype(np.float64)
    assert abs(found - np.clip(expected, 0, 255)).max() <= 0.51


def test_images_are_turned_to_both_sides():
    image = np.zeros((1, 1, 28, 28), dtype=np.uint8)
    image[0, 0, 2:12, 13:15] = 200
    found = changed.turned(np.repeat(image, 400, axis=0), 10, draws())
    left = (found == changed.turn(image, 10)).all((1, 2, 3))
    right = (found == changed.turn(image, -10)).all((1, 2, 3))
    assert (left ^ right).all()
    assert left.sum() == pytest.approx(200, rel=0.2)


def test_noise_has_the_deviation_that_is_asked_for():
    grey = np.full((50, 1, 28, 28), 128, dtype=np.uint8)
    change = changed.with_noise(grey, 0.1, draws()).astype(float) - 128
    assert change.std() == pytest.approx(25.5, rel=0.02)
    assert change.mean() == pytest.approx(0, abs=0.5)


@given(seed=st.integers(0, 2**16), deviation=st.floats(0.01, 1))
@settings(max_examples=20)
def test_noise_is_rounded_and_cut_to_bytes_as_numpy_does_it(seed, deviation):
    images = pictures(seed)
    noise = np.random.RandomState(seed).normal(0, 255 * deviation, images.shape)
    expected = np.clip(np.round(images + noise), 0, 255)
    found = changed.with_noise(images, deviation, np.random.RandomState(seed))
    assert np.array_equal(found, expected)
