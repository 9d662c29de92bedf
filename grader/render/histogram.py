"""How many works of a class lie between two numbers. In: numbers. Out: bars for a picture.

Across, a place is a percentage of the picture's width; downwards it is pixels from the top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from grader.render import words

HEIGHT = 120
GAP = 1.2
"""Percent of the width between two bars."""


class Column(NamedTuple):
    """The works from one edge (with it) to the next (without it; the last one with it).

    `full` where it is drawn in full colour: what reaches the threshold, or keeps the limit.
    """

    x: float
    y: float
    width: float
    height: float
    number: int
    text: str
    full: bool

    @property
    def middle(self) -> float:
        """Where its number is written."""
        return round(self.x + self.width / 2, 2)


class Edge(NamedTuple):
    """The number below the line between two columns; `required` where it is the threshold."""

    x: float
    text: str
    required: bool


class Histogram(NamedTuple):
    """Everything to be drawn."""

    columns: Sequence[Column]
    edges: Sequence[Edge]


def of_accuracies(
    scores: Sequence[float], levels: Sequence[float], threshold: float
) -> Histogram | None:
    """Accuracies (0 to 1) between the rungs of the chart; what is below the lowest counts there."""
    inside = [max(score, levels[0]) for score in scores]
    texts = [f"{100 * level:.4g}" for level in levels]
    if not scores:
        return None
    return _draw(inside, levels, texts, lambda low: low >= threshold, threshold)


def of_points(points: Sequence[float], most: float) -> Histogram | None:
    """Points in tenths of all that there are; None where there are none to be had."""
    if not points or most <= 0:
        return None
    edges = [*(most * tenth / 10 for tenth in range(10)), most]
    inside = [min(max(value, 0.0), most) for value in points]
    return _draw(inside, edges, [words.points(edge) for edge in edges], lambda low: False)


def of_sizes(within: Sequence[int], more: int, limit: int) -> Histogram | None:
    """Parameters in fifths of the limit; `more` works that exceed it are one column at the end."""
    if not within and not more:
        return None
    edges = [limit * fifth / 5 for fifth in range(6)]
    texts = [f"{edge:,.0f}" for edge in edges]
    if not more:
        return _draw(within, edges, texts, lambda low: True)
    inside = [min(size, limit - 0.5) for size in within] + [limit] * more
    return _draw(inside, [*edges, 1.2 * limit], [*texts, "more"], lambda low: low < limit)


def counted(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    """How many values lie from each edge to the next; the last edge is part of the last bin."""
    numbers = []
    for low, high in pairwise(edges):
        last = high == edges[-1]
        inside = [value for value in values if low <= value < high or (last and value == high)]
        numbers.append(len(inside))
    return numbers


def _draw(
    values: Sequence[float],
    edges: Sequence[float],
    texts: Sequence[str],
    full: Callable[[float], bool],
    threshold: float | None = None,
) -> Histogram:
    numbers = counted(values, edges)
    wide = 100 / len(numbers)
    columns = []
    for place, number in enumerate(numbers):
        height = round(HEIGHT * number / max(numbers), 1)
        columns.append(
            Column(
                x=round(place * wide + GAP / 2, 2),
                y=round(HEIGHT - height, 1),
                width=round(wide - GAP, 2),
                height=height,
                number=number,
                text=f"{texts[place]} to {texts[place + 1]}: {words.several(number, 'work')}",
                full=full(edges[place]),
            )
        )
    places = [round(place * wide, 2) for place in range(len(edges))]
    required = [edge == threshold for edge in edges]
    return Histogram(columns, list(map(Edge, places, texts, required)))
