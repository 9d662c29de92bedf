"""A class's networks by size and accuracy, as places in a picture. In: Reports. Out: a Scatter.

Worked example: three works with 2,000, 4,000 and 8,000 parameters reach 99.2, 99.5 and 99.4 %. On a
logarithmic axis they stand equally far apart. The first two are the front: nobody is both as small
and as accurate. The third is beaten by the second in both.

Across, a place is a percentage of the picture's width, so that the page can make it as wide as its
window and keep the letters' size. Downwards it is pixels from the top, on the scale of
`grader.render.chart`: each rung has about half the mistakes of the one below.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from grader.render import chart, class_facts, notices, words
from grader.report import Report, Training, Verdict

HEIGHT = 340
MANY = 150
"""From so many marks on they are drawn lighter, since they cover one another."""
OUTLYING = 4
"""A work with more than this many times the permitted mistakes is drawn at the lower edge: one
network that learned nothing would press all others into a line."""
USUAL_WIDTH, LETTER = 620, 7
"""Pixels of the picture and of a letter, to see which names would collide."""
STEPS = ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9))
"""What the ticks of a logarithmic axis are multiples of; the first that gives three is taken."""


class Tick(NamedTuple):
    """A line with a number beside it."""

    place: float
    text: str


class Mark(NamedTuple):
    """One work: `x` in percent, `y` in pixels, its interval from `top` to `bottom`.

    `label` is its name where it stands on the front and there is room, to the right of the mark
    where it is `after`; `outlying` where it lies below the picture's edge, on which it is drawn.
    """

    x: float
    y: float
    top: float
    bottom: float
    verdict: Verdict
    text: str
    label: str
    after: bool
    outlying: bool


class Line(NamedTuple):
    """A piece of the front: `x` in percent, `y` in pixels."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Scatter:
    """Everything to be drawn. `limit` is None where no limit is known."""

    marks: Sequence[Mark]
    across: Sequence[Tick]
    up: Sequence[Tick]
    required: Tick
    limit: Tick | None
    front: Sequence[Line]
    on_front: Sequence[str]
    outlying: str


class _Point(NamedTuple):
    report: Report
    training: Training
    parameters: int
    score: float


def draw(reports: Sequence[Report]) -> Scatter | None:
    """The picture of all works that were trained and graded; None where there is none."""
    points = [point for point in map(_point, reports) if point is not None]
    if not points:
        return None
    levels = _levels(points)
    most = class_facts.limit(reports)
    sizes = [point.parameters for point in points] + ([most.number] if most else [])
    across = _Across(min(sizes), max(sizes))
    best = front(points)
    shown = _labelled([_mark(point, across, levels) for point in points], points, best)
    required = points[-1].training.threshold
    below = sum(mark.outlying for mark in shown)
    return Scatter(
        marks=shown,
        across=across.ticks(),
        up=[Tick(_height(level, levels), words.percent(level)) for level in levels],
        required=Tick(_height(required, levels), f"required {words.percent(required)}"),
        limit=Tick(across.place(most.number), f"limit {most.text}") if most else None,
        front=_stairs([(across.place(p.parameters), _height(p.score, levels)) for p in best]),
        on_front=[_said(point) for point in best],
        outlying=f"{below:,} below {words.percent(levels[0])}, at the edge" if below else "",
    )


def front(points: Sequence[_Point]) -> list[_Point]:
    """The works that no other beats in size and accuracy, from the smallest on.

    A work that fails another required check than the accuracy's is not one of them.
    """
    found: list[_Point] = []
    rivals = [point for point in points if _may_lead(point.report)]
    for point in sorted(rivals, key=lambda point: (point.parameters, -point.score)):
        if not found or point.score > found[-1].score:
            found.append(point)
    return found


def _may_lead(report: Report) -> bool:
    failed = [check.name for check in report.checks if check.verdict is Verdict.FAILED]
    required = {check.name for check in report.checks if check.required}
    return not required.intersection(failed) - {"accuracy"}


def _point(report: Report) -> _Point | None:
    training, size = class_facts.graded(report), class_facts.parameters(report)
    if training is None or training.score is None or not size or size < 0:
        return None
    return _Point(report, training, size, training.score)


def levels(scores: Sequence[float], threshold: float) -> tuple[float, ...]:
    """The rungs for these accuracies (0 to 1), ascending; what is far below the lowest is cut."""
    floor = max(0.0, 1 - OUTLYING * max(1 - threshold, 0.002))
    low = min(max(score, floor) for score in scores)
    return chart.rungs(low, max(scores), threshold)


def _levels(points: Sequence[_Point]) -> tuple[float, ...]:
    ends = [point.score for point in points]
    for point in points:
        ends += point.training.interval or ()
    return levels(ends, points[-1].training.threshold)


@dataclass(frozen=True, slots=True)
class _Across:
    """A logarithmic axis from a little below `least` to a little above `most`."""

    least: int
    most: int

    def _ends(self) -> tuple[float, float]:
        low, high = math.log(self.least), math.log(self.most)
        margin = max(0.06 * (high - low), 0.02)
        return low - margin, high + margin

    def place(self, size: float) -> float:
        low, high = self._ends()
        return round(100 * (math.log(size) - low) / (high - low), 2)

    def ticks(self) -> list[Tick]:
        low, high = self._ends()
        least, most = math.exp(low), math.exp(high)
        found: list[float] = []
        for steps in STEPS:
            found = _multiples(steps, least, most)
            if len(found) >= 3:
                break
        else:
            found = _even(least, most)
        every = math.ceil(len(found) / 6)
        return [Tick(self.place(value), words.large(round(value))) for value in found[::every]]


def _multiples(steps: Sequence[float], least: float, most: float) -> list[float]:
    found = []
    for power in range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1):
        found += [step * 10**power for step in steps]
    return [value for value in found if least <= value <= most and value == int(value)]


def _even(least: float, most: float) -> list[float]:
    """Round numbers at equal distances: for works of nearly the same size."""
    step = max(1, 10 ** math.floor(math.log10(most - least)))
    if (most - least) / step < 3 and step >= 10:
        step //= 5
    first = math.ceil(least / step)
    return [float(step * count) for count in range(first, math.floor(most / step) + 1)]


def _mark(point: _Point, across: _Across, levels: Sequence[float]) -> Mark:
    low, high = point.training.interval or (point.score, point.score)
    return Mark(
        x=across.place(point.parameters),
        y=_height(point.score, levels),
        top=_height(high, levels),
        bottom=_height(low, levels),
        verdict=point.report.verdict,
        text=f"{_said(point)}: {notices.verdict(point.report.verdict)}",
        label="",
        after=False,
        outlying=point.score < levels[0],
    )


def _said(point: _Point) -> str:
    threshold = point.training.threshold
    accuracy = words.percent(point.score, threshold=threshold)
    if point.training.interval is not None:
        low, high = (words.percent(end, threshold=threshold) for end in point.training.interval)
        accuracy = f"{accuracy}, {low} to {high}"
    return f"{notices.name(point.report)} ({point.parameters:,} parameters; {accuracy})"


def _labelled(
    marks: Sequence[Mark], points: Sequence[_Point], best: Sequence[_Point]
) -> Sequence[Mark]:
    """The marks, with names at those of the front that have room.

    A name stands to the upper left of its mark, where by the front's own meaning nobody is; or to
    the right, where it would leave the picture.
    """
    found = list(marks)
    taken: list[tuple[float, float, float]] = []
    chosen = {id(point) for point in best}
    for place, (mark, point) in enumerate(zip(marks, points, strict=True)):
        if id(point) not in chosen or mark.outlying:
            continue
        label = notices.name(point.report)[:24]
        right = mark.x * USUAL_WIDTH / 100
        left = right - LETTER * len(label)
        if left < 0:
            left, right = right, 2 * right - left
        free = all(abs(mark.y - y) > 14 or left > end or right < start for start, end, y in taken)
        if free:
            taken.append((left, right, mark.y))
            found[place] = mark._replace(label=label, after=left == mark.x * USUAL_WIDTH / 100)
    return found


def _stairs(corners: Sequence[tuple[float, float]]) -> list[Line]:
    """From each corner across to the next one's place and up to it, and on to the right edge."""
    found = []
    for (x1, y1), (x2, y2) in pairwise(corners):
        found += [Line(x1, y1, x2, y1), Line(x2, y1, x2, y2)]
    if corners:
        x, y = corners[-1]
        found.append(Line(x, y, 100, y))
    return found


def _height(accuracy: float, levels: Sequence[float]) -> float:
    """The y of an accuracy: rungs are equally far apart, and between two it goes straight."""
    for step, (below, above) in enumerate(pairwise(levels)):
        if accuracy <= above:
            part = step + max(0.0, (accuracy - below) / (above - below))
            return round(HEIGHT - HEIGHT * part / (len(levels) - 1), 1)
    return 0.0
