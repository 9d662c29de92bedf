"""How wide the layers of the example are: as wide as an assignment's limit lets them be.

In: an Assignment. Out: two widths, for `example.jinja`, and how many parameters they come to.
"""

from __future__ import annotations

from dataclasses import dataclass

from grader.assignment import Assignment

WIDTHS = ((16, 32), (12, 24), (8, 16), (8, 14), (6, 12), (6, 10), (4, 8), (4, 6), (3, 4), (2, 2))


@dataclass(frozen=True, slots=True)
class Size:
    """Channels after the first convolution, and in those that follow."""

    first: int
    others: int
    parameters: int


def size(asked: Assignment) -> Size | None:
    """The widest that the limit allows; None where it allows none."""
    for first, others in WIDTHS:
        count = parameters(first, others, channels=asked.input_shape[0], classes=asked.classes)
        if asked.limits.parameters.allows(count):
            return Size(first, others, count)
    return None


def parameters(first: int, others: int, *, channels: int, classes: int) -> int:
    """Those of the network in `example.jinja`: convolutions without bias, norms with two each."""
    convolutions = 25 * channels * first + 9 * first * others + 2 * 9 * others**2
    return convolutions + 9 * others * classes + 2 * (first + 3 * others)
