"""A picture as shapes of an SVG: five greys, each one path. In: a Picture. Out: paths."""

from __future__ import annotations

from typing import NamedTuple

from grader.report import Picture

GREYS = 5


class Shape(NamedTuple):
    """All pixels of one grey, as a path in pixels; the ink's `opacity` is 0 to 1."""

    opacity: float
    path: str


def size(picture: Picture) -> tuple[int, int]:
    """Columns and rows."""
    return picture.columns, -(-len(picture.pixels) // picture.columns)


def shapes(picture: Picture) -> list[Shape]:
    """The ink of the picture; black is left out."""
    paths = [""] * (GREYS + 1)
    columns, rows = size(picture)
    for row in range(rows):
        line = picture.pixels[row * columns : (row + 1) * columns]
        greys = [-(-int(digit, 16) * GREYS // 15) for digit in line]
        start = 0
        for column in range(1, len(greys) + 1):
            if column == len(greys) or greys[column] != greys[start]:
                length = column - start
                paths[greys[start]] += f"M{start} {row}h{length}v1h-{length}z"
                start = column
    return [Shape(grey / GREYS, paths[grey]) for grey in range(1, GREYS + 1) if paths[grey]]
