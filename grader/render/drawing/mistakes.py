"""What was taken for what. In: a Training. Out: the confusion matrix, and images that are wrong.

Classes have the names of their data set where it is known, else their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from grader.render import figures
from grader.render.drawing import digits
from grader.report import Mistake, Training
from grader.training.datasets import DATASETS

MOST_CLASSES = 12
"""More do not fit beside each other on a phone: then the most frequent confusions are listed."""

MOST_LISTED = 20
HEATS = 4


class Cell(NamedTuple):
    """`heat` is 0 for none to `HEATS` for the most frequent confusion; "right" on the diagonal."""

    text: str
    kind: str


class Seen(NamedTuple):
    """A wrong image: what it is, what it was taken for, and how sure the network was."""

    mistake: Mistake
    shapes: Sequence[digits.Shape]
    size: tuple[int, int]
    label: str
    taken: str
    sure: str
    of_label: str
    sure_width: float
    of_label_width: float


def names(training: Training) -> Sequence[str]:
    """The classes in order."""
    count = len(training.confusion)
    known = DATASETS.get(training.dataset)
    if known is not None and len(known.class_names) == count:
        return known.class_names
    return [str(number) for number in range(count)]


def fits(training: Training) -> bool:
    """Whether the matrix is small enough to be a table, and its classes short enough."""
    return len(training.confusion) <= MOST_CLASSES and max(map(len, names(training))) <= 3


def matrix(training: Training) -> list[list[Cell]]:
    """A row for each class, a cell for each that it was taken for."""
    most = max((images for images, _, _ in figures.confusions(training)), default=1)
    found = []
    for label, row in enumerate(training.confusion):
        cells = []
        for taken, images in enumerate(row):
            heat = -(-images * HEATS // most)
            kind = "right" if taken == label else f"heat-{heat}"
            cells.append(Cell(f"{images:,}" if images else "·", kind))
        found.append(cells)
    return found


def listed(training: Training) -> list[tuple[str, str, int]]:
    """(class, taken for, images), the most frequent first."""
    called = names(training)
    found = figures.confusions(training)[:MOST_LISTED]
    return [(called[label], called[taken], images) for images, label, taken in found]


def seen(training: Training) -> list[Seen]:
    """The wrong images that the report has pictures of, the surest first."""
    called = names(training)
    found = []
    for one in training.mistakes:
        if not (0 <= one.label < len(called) and 0 <= one.taken < len(called)):
            continue
        found.append(
            Seen(
                one,
                digits.shapes(one.picture),
                digits.size(one.picture),
                called[one.label],
                called[one.taken],
                _percent(one.sure),
                _percent(one.of_label),
                round(100 * one.sure, 1),
                round(100 * one.of_label, 1),
            )
        )
    return found


def _percent(share: float) -> str:
    """Without decimals: nobody is sure to a tenth of a percent."""
    return f"{100 * share:.0f} %" if share >= 0.005 else "< 1 %"
