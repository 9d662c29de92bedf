"""Accuracy per epoch as a small chart. In: accuracies of every run. Out: lines of block characters with two axes.

The scale follows the error, not the accuracy: from 98 to 99 % is as far as from 99 to 99.5 %, because both halve the
mistakes. A cell is full where the bar has reached the number written beside its row.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.text import Text

ERRORS = (
    100,
    50,
    30,
    20,
    15,
    10,
    7,
    5,
    3,
    2,
    1.5,
    1,
    0.7,
    0.5,
    0.3,
    0.2,
    0.15,
    0.1,
    0.07,
    0.05,
    0.03,
    0.02,
    0.01,
    0,
)
"""Percent of images read wrongly: the rungs of the ladder that rows are taken from."""

LADDER = tuple(round(1 - error / 100, 6) for error in ERRORS)
BLOCKS = " ▁▂▃▄▅▆▇█"
MOST_ROWS = 8
MOST_COLUMNS = 60
LABEL_WIDTH = 7


@dataclass(frozen=True, slots=True)
class Bar:
    """One epoch over all runs: the lowest and the highest accuracy (0 to 1), and whether the protocol counts it."""

    epoch: int
    low: float
    high: float
    counts: bool


def bars(runs: Sequence[Sequence[float]], counted: Collection[int]) -> list[Bar]:
    """One bar per epoch (from 1); `counted` are the epochs that the protocol asks for.

    Where there are more epochs than columns, each bar is the last of several epochs.
    """
    longest = max((len(run) for run in runs), default=0)
    stride = math.ceil(longest / MOST_COLUMNS) or 1
    chosen = range(longest, 0, -stride)
    return [
        _bar(epoch, [run[epoch - 1] for run in runs if len(run) >= epoch], counted)
        for epoch in reversed(chosen)
    ]


def _bar(epoch: int, values: list[float], counted: Collection[int]) -> Bar:
    return Bar(epoch, min(values), max(values), epoch in counted)


def rungs(low: float, high: float, threshold: float | None) -> tuple[float, ...]:
    """The accuracies between which rows are drawn, ascending: one below `low`, one above `high` where there is any.

    `threshold` is one of them, with a rung on either side.
    """
    lowest, highest = (
        (low, high) if threshold is None else (min(low, threshold), max(high, threshold))
    )
    bottom = max((rung for rung in LADDER if rung < lowest), default=0.0)
    top = min((rung for rung in LADDER if rung > highest), default=1.0)
    between = [rung for rung in LADDER if bottom < rung < top]
    if threshold is not None and threshold not in between and bottom < threshold < top:
        between = sorted([*between, threshold])
    return (bottom, *_thinned(between, threshold), top)


def _thinned(between: list[float], keep: float | None) -> list[float]:
    while len(between) + 1 > MOST_ROWS:
        between = [
            rung for place, rung in enumerate(reversed(between)) if place % 2 or rung == keep
        ][::-1]
    return between


def chart(shown: Sequence[Bar], threshold: float | None) -> Text:
    """The whole chart, best read in a monospaced font; `threshold` (0 to 1) is drawn where it is given."""
    levels = rungs(min(bar.low for bar in shown), max(bar.high for bar in shown), threshold)
    width = max(1, min(3, MOST_COLUMNS // len(shown)))
    lines = []
    for bottom, top in reversed(list(pairwise(levels))):
        if top == threshold:
            lines.append(_threshold_line(shown, width, top))
        lines.append(_line(shown, width, bottom, top, threshold))
    return Text("\n").join([*lines, *_axis(shown, width, levels[0])])


def _line(
    shown: Sequence[Bar], width: int, bottom: float, top: float, threshold: float | None
) -> Text:
    label = "" if top == threshold else _label(top)
    line = Text(f"{label:>{LABEL_WIDTH}} │", style="dim")
    for bar in shown:
        cell = _cell(bar, bottom, top)
        line.append(
            (cell * max(1, width - 1)).ljust(width), style=f"not dim {_style(bar, threshold)}"
        )
    return line


def _cell(bar: Bar, bottom: float, top: float) -> str:
    """A full or partial block where all runs reach; light shade where only some do."""
    if bar.low <= bottom:
        return "░" if bar.high > bottom else " "
    eighths = int(8 * (bar.low - bottom) / (top - bottom) + 1e-9)
    return BLOCKS[min(max(eighths, 1), 8)]


def _threshold_line(shown: Sequence[Bar], width: int, threshold: float) -> Text:
    line = Text(f"{_label(threshold):>{LABEL_WIDTH}} ├", style="bold")
    for bar in shown:
        reached = "█" if bar.low >= threshold else "░" if bar.high >= threshold else "┄"
        rest = "┄" * (width - max(1, width - 1))
        line.append(
            reached * max(1, width - 1),
            style="not bold " + _style(bar, threshold) if reached != "┄" else "",
        )
        line.append(rest)
    return line.append("┄ required")


def _axis(shown: Sequence[Bar], width: int, bottom: float) -> list[Text]:
    indent = " " * (LABEL_WIDTH + 2)
    base = Text(f"{_label(bottom):>{LABEL_WIDTH}} └" + "─" * (width * len(shown)), style="dim")
    numbers = Text(indent + _numbers(shown, width) + "  epoch", style="dim")
    if not any(bar.counts for bar in shown):
        return [base, numbers]
    arrows = "".join(("▲" if bar.counts else " ").ljust(width) for bar in shown).rstrip()
    return [
        base,
        numbers,
        Text(f"{indent}{arrows} {'count' if arrows.count('▲') > 1 else 'counts'}"),
    ]


def _numbers(shown: Sequence[Bar], width: int) -> str:
    """Epoch numbers under their bars: the first, the last, and every fifth that does not touch another."""
    line = [" "] * (width * len(shown) + 6)
    last = len(shown) - 1
    for place in sorted(range(len(shown)), key=lambda place: place not in (0, last)):
        number, at = str(shown[place].epoch), width * place
        wanted = place in (0, last) or shown[place].epoch % 5 == 0
        if wanted and all(mark == " " for mark in line[max(at - 1, 0) : at + len(number) + 1]):
            line[at : at + len(number)] = number
    return "".join(line).rstrip()


def _label(accuracy: float) -> str:
    return "100.0 %" if accuracy == 1 else f"{100 * accuracy:.2f} %"


def _style(bar: Bar, threshold: float | None) -> str:
    return "green" if threshold is not None and bar.low >= threshold else "cyan"
