"""How far one value sees, layer by layer, over an image. In: a Report. Out: a frame for each step.

The value in the middle of each map is meant. A layer that leaves field and jump as they are has no
frame of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from grader.printable import printable
from grader.render import field_panel, words
from grader.render.drawing import digits
from grader.report import LayerRow, Report

MOST = 16


class Frame(NamedTuple):
    """The part of the image that is seen: where it begins and how large it is, in pixels.

    `beyond`: the field is larger than the image, of which all is seen.
    """

    x: float
    y: float
    width: float
    height: float
    name: str
    field: str
    beyond: bool
    line: str


def image_size(report: Report) -> tuple[int, int]:
    """Columns and rows of an image."""
    if report.sample is None:
        return field_panel.IMAGE, field_panel.IMAGE
    return digits.size(report.sample)


def draw(report: Report) -> list[Frame]:
    """The frames; none where no field is known."""
    columns, rows = image_size(report)
    found = _chosen(field_panel.rows(report))
    return [_frame(row, columns, rows) for row in found]


def _chosen(steps: Sequence[LayerRow]) -> Sequence[LayerRow]:
    """At most `MOST`, the first and the last among them."""
    if len(steps) <= MOST:
        return steps
    places = [round(place * (len(steps) - 1) / (MOST - 1)) for place in range(MOST)]
    return [steps[place] for place in places]


def _frame(row: LayerRow, columns: int, rows: int) -> Frame:
    high, wide = row.receptive_field or (0, 0)
    width, height = min(wide, columns), min(high, rows)
    # An odd field has a pixel in its middle, an even one an edge.
    x, y = (columns - width) // 2, (rows - height) // 2
    return Frame(
        x,
        y,
        width,
        height,
        printable(f"{row.module} {row.kind}".strip(), 60),
        f"{words.pair(row.receptive_field)} px",
        wide > columns or high > rows,
        words.line_of(row),
    )
