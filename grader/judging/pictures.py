"""Small pictures of images, for reports. In: images as training has them. Out: `Picture`s.

Sixteen greys are enough for an eye, and a digit of 28 x 28 is 784 characters.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.judging.judge import Seen
from grader.report import Mistake, Picture

MOST_MISTAKES = 24
DIGITS = np.array(list("0123456789abcdef"))


def picture(image: NDArray[np.uint8]) -> Picture | None:
    """An image of shape (channels, rows, columns), 0 to 255; None where it is too large."""
    _, rows, columns = image.shape
    if columns > 64 or rows * columns > 4_096:
        return None
    greys: NDArray[Any] = np.rint(image.mean(axis=0) * (15 / 255)).astype(np.int64)
    return Picture(columns=columns, pixels="".join(DIGITS[greys.ravel()].tolist()))


def mistakes(found: list[Seen], images: NDArray[np.uint8]) -> tuple[Mistake, ...]:
    """Records of what was not recognised among the test images."""
    records = []
    for one in found:
        drawn = picture(images[one.position])
        if drawn is not None:
            records.append(
                Mistake(
                    position=one.position,
                    label=one.label,
                    taken=one.taken,
                    sure=round(one.sure, 4),
                    of_label=round(one.of_label, 4),
                    picture=drawn,
                )
            )
    return tuple(records)
