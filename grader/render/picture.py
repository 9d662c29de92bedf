"""The accuracy chart as coordinates for an SVG. In: a Training. Out: bars, ticks, the threshold.

The scale is the one of `grader.render.chart`: equally spaced rungs, each about half the mistakes of
the one below.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from grader.render import chart, figures, words
from grader.render.chart import Bar
from grader.report import Training

TOP, BOTTOM, LEFT, RIGHT = 10, 210, 60, 620
WIDEST_BAR = 34
"""SVG units; the page scales them."""


class Tick(NamedTuple):
    """A line across, with its accuracy written beside it."""

    y: float
    text: str


class Column(NamedTuple):
    """One epoch: a bar from the height that all runs reached down to the axis.

    `text` is for a pointer or a screen reader.
    """

    x: float
    y: float
    width: float
    height: float
    label: str
    text: str
    counts: bool


class Picture(NamedTuple):
    """Everything to be drawn; `required` is the threshold's height, None where there is none."""

    ticks: Sequence[Tick]
    columns: Sequence[Column]
    required: float | None
    left: float = LEFT
    right: float = RIGHT
    bottom: float = BOTTOM


def draw(training: Training) -> Picture | None:
    """The chart; None where no epoch was finished."""
    runs = [figures.accuracies(run) for run in training.runs if run.epochs]
    if not runs:
        return None
    shown = chart.bars(runs, figures.counted(training))
    wanted = figures.threshold(training)
    levels = chart.rungs(min(bar.low for bar in shown), max(bar.high for bar in shown), wanted)
    ticks = [Tick(_height(level, levels), words.percent(level)) for level in levels]
    required = None if wanted is None else _height(wanted, levels)
    return Picture(ticks, _columns(shown, levels), required)


def _columns(shown: Sequence[Bar], levels: Sequence[float]) -> list[Column]:
    pitch = (RIGHT - LEFT) / len(shown)
    width = min(WIDEST_BAR, 0.7 * pitch)
    found = []
    for place, bar in enumerate(shown):
        y = _height(bar.low, levels)
        middle = LEFT + (place + 0.5) * pitch
        named = place in (0, len(shown) - 1) or (
            bar.epoch % 5 == 0 and bar.epoch < shown[-1].epoch - 1
        )
        label = str(bar.epoch) if named else ""
        text = f"epoch {bar.epoch}: {_span(bar)}"
        x, height = round(middle - width / 2, 1), round(BOTTOM - y, 1)
        found.append(Column(x, y, round(width, 1), height, label, text, bar.counts))
    return found


def _span(bar: Bar) -> str:
    low, high = words.percent(bar.low), words.percent(bar.high)
    return low if low == high else f"{low} to {high}"


def _height(accuracy: float, levels: Sequence[float]) -> float:
    """The y of an accuracy: rungs are equally far apart, and between two it goes straight."""
    for step, (below, above) in enumerate(pairwise(levels)):
        if accuracy <= above:
            part = step + (accuracy - below) / (above - below)
            return round(BOTTOM - (BOTTOM - TOP) * part / (len(levels) - 1), 1)
    return float(TOP)
