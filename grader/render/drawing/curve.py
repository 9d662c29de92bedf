"""Accuracy after each epoch as curves. In: a Training. Out: lines, a band, the threshold.

Heights follow the error, as in `grader.render.chart`: equally spaced rungs, each about half the
mistakes of the one below. Across, everything is a percentage of the width, so that a phone shows it
as large as a desk; up, it is in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from grader.render import chart, figures, words
from grader.render.chart import Bar
from grader.report import Training

HEIGHT = 240
MOST_LABELS = 8


class Tick(NamedTuple):
    """A line across at `y`, with its accuracy beside it; or a place below the axis at `x`."""

    place: float
    text: str
    required: bool = False


class Dot(NamedTuple):
    """One epoch: the mean over the seeds, in words too."""

    x: float
    y: float
    text: str
    counts: bool


class Curve(NamedTuple):
    """Everything to be drawn. `band` is what lies between the seeds, "" for one seed.

    `runs` are the seeds' own lines, none for one seed; `interval` the ends of the 95 % interval of
    the score.
    """

    ticks: Sequence[Tick]
    epochs: Sequence[Tick]
    band: str
    runs: Sequence[str]
    mean: str
    dots: Sequence[Dot]
    required: float | None
    interval: tuple[float, float] | None
    told: str


def draw(training: Training) -> Curve | None:
    """The curves; None where no epoch was finished."""
    runs = [figures.accuracies(run) for run in training.runs if run.epochs]
    if not runs:
        return None
    bars = chart.bars(runs, figures.counted(training))
    wanted = figures.threshold(training)
    ends = training.interval or ()
    low = min([*(bar.low for bar in bars), *ends])
    high = max([*(bar.high for bar in bars), *ends])
    levels = chart.rungs(low, high, wanted)
    longest = max(map(len, runs))
    spots = [(bar, _across(bar.epoch, longest)) for bar in bars]
    several = len(runs) > 1
    means = [(x, _height(_mean(runs, bar), levels)) for bar, x in spots]
    lines = []
    if several:
        for run in runs:
            shown = [(x, run[bar.epoch - 1]) for bar, x in spots if bar.epoch <= len(run)]
            lines.append(_points([(x, _height(value, levels)) for x, value in shown]))
    return Curve(
        ticks=[
            Tick(_height(level, levels), words.percent(level), level == wanted) for level in levels
        ],
        epochs=_labels(bars, longest),
        band=_band(spots, levels) if several else "",
        runs=lines,
        mean=_points(means),
        dots=_dots(spots, means, several=several),
        required=None if wanted is None else _height(wanted, levels),
        interval=(_height(ends[1], levels), _height(ends[0], levels)) if ends else None,
        told=_told(runs, bars),
    )


def _dots(
    spots: Sequence[tuple[Bar, float]], means: Sequence[tuple[float, float]], *, several: bool
) -> list[Dot]:
    found = []
    for (bar, x), (_, y) in zip(spots, means, strict=True):
        low, high = words.percent(bar.low), words.percent(bar.high)
        span = f"{low} to {high}" if several and low != high else low
        found.append(Dot(x, y, f"epoch {bar.epoch}: {span}", bar.counts))
    return found


def _mean(runs: Sequence[Sequence[float]], bar: Bar) -> float:
    values = [run[bar.epoch - 1] for run in runs if len(run) >= bar.epoch]
    return sum(values) / len(values)


def _band(spots: Sequence[tuple[Bar, float]], levels: Sequence[float]) -> str:
    there = [(x, _height(bar.high, levels)) for bar, x in spots]
    back = [(x, _height(bar.low, levels)) for bar, x in reversed(spots)]
    return _points([*there, *back])


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in places)


def _across(epoch: int, longest: int) -> float:
    return round(100 * (epoch - 0.5) / longest, 2)


def _labels(bars: Sequence[Bar], longest: int) -> list[Tick]:
    """The numbers of the first and the last epoch, and some between, equally far apart."""
    step = -(-longest // MOST_LABELS)
    chosen = range(longest, 0, -step)
    return [Tick(_across(epoch, longest), str(epoch)) for epoch in reversed(chosen)]


def _height(accuracy: float, levels: Sequence[float]) -> float:
    """The y of an accuracy: rungs are equally far apart, and between two it goes straight."""
    for step, (below, above) in enumerate(pairwise(levels)):
        if accuracy <= above:
            part = max(0.0, step + (accuracy - below) / (above - below))
            return round(HEIGHT * (1 - part / (len(levels) - 1)), 1)
    return 0.0


def _told(runs: Sequence[Sequence[float]], bars: Sequence[Bar]) -> str:
    """The curves in a sentence, for whoever does not see them."""
    first, last = bars[0], bars[-1]
    seeds = f" of {words.several(len(runs), 'seed')}" if len(runs) > 1 else ""
    best = max(bars, key=lambda bar: bar.high)
    return (
        f"Test accuracy{seeds}: {words.percent(first.low)} after epoch {first.epoch}, "
        f"{words.percent(last.low)} after epoch {last.epoch}, at best {words.percent(best.high)} "
        f"after epoch {best.epoch}."
    )
