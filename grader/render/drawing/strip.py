"""The score of each seed on one line. In: a Training. Out: dots, the threshold, the interval.

Places are percentages of the width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from grader.judging.protocols import PROTOCOLS
from grader.render import figures, words
from grader.report import RunRow, Training


class Dot(NamedTuple):
    """One seed."""

    x: float
    text: str


class Strip(NamedTuple):
    """`interval` and `required` are None where there is none; `told` says it in a sentence."""

    dots: Sequence[Dot]
    mean: float
    interval: tuple[float, float] | None
    required: float | None
    ends: tuple[str, str]
    required_text: str
    told: str


MARGIN = 6
"""Percent of the width that stay free on either side."""

NARROWEST = 0.0004
"""An accuracy: less between both ends would show noise as a difference."""


def draw(training: Training) -> Strip | None:
    """The strip; None where fewer than two seeds have a score."""
    scores = {run.seed: score for run in training.runs if (score := _score(training, run)) >= 0}
    if len(scores) < 2:
        return None
    wanted = figures.threshold(training)
    marks: list[float] = [*scores.values(), *(training.interval or ())]
    if wanted is not None:
        marks.append(wanted)
    low, high = min(marks), max(marks)
    missing = max(0.0, NARROWEST - (high - low))
    low, high = low - missing / 2, high + missing / 2
    span = high - low

    def place(value: float) -> float:
        return round(MARGIN + (100 - 2 * MARGIN) * (value - low) / span, 2)

    shown = sorted(scores.items(), key=lambda item: item[1])
    ends = training.interval
    return Strip(
        dots=[Dot(place(value), f"seed {seed}: {words.percent(value)}") for seed, value in shown],
        mean=place(sum(scores.values()) / len(scores)),
        interval=(place(ends[0]), place(ends[1])) if ends else None,
        required=None if wanted is None else place(wanted),
        ends=(words.percent(shown[0][1]), words.percent(shown[-1][1])),
        required_text="" if wanted is None else words.percent(wanted),
        told="; ".join(f"seed {seed}: {words.percent(value)}" for seed, value in scores.items()),
    )


def _score(training: Training, run: RunRow) -> float:
    """By the assignment's protocol; -1 where there is none."""
    if training.protocol not in PROTOCOLS or not run.epochs or not run.epochs[0].total:
        return -1.0
    correct = [row.correct for row in run.epochs]
    return float(PROTOCOLS[training.protocol].score(correct, run.epochs[0].total))
