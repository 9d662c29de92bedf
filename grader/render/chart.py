"""Accuracy per epoch as a small chart. In: the accuracies of every run. Out: block characters.

The scale follows the error, not the accuracy: from 98 to 99 % is as far as from 99 to 99.5 %,
because both halve the mistakes. A cell is full where the bar has reached the number written beside
its row.
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
    """One epoch over all runs: its lowest and highest accuracy (0 to 1), and whether it counts."""

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
    return [_bar(epoch, runs, counted) for epoch in reversed(chosen)]


def _bar(epoch: int, runs: Sequence[Sequence[float]], counted: Collection[int]) -> Bar:
    values = [run[epoch - 1] for run in runs if len(run) >= epoch]
    return Bar(epoch, min(values), max(values), epoch in counted)


def rungs(low: float, high: float, threshold: float | None) -> tuple[float, ...]:
    """The accuracies between which rows are drawn, ascending: from below `low` to above `high`.

    `threshold` is one of them, with a rung on either side.
    """
    wanted = (low, high) if threshold is None else (low, high, threshold)
    bottom = max((rung for rung in LADDER if rung < min(wanted)), default=0.0)
    top = min((rung for rung in LADDER if rung > max(wanted)), default=1.0)
    between = [rung for rung in LADDER if bottom < rung < top]
    if threshold is not None and threshold not in between and bottom < threshold < top:
        between = sorted([*between, threshold])
    return (bottom, *_thinned(between, threshold), top)


def _thinned(between: list[float], keep: float | None) -> list[float]:
    while len(between) + 1 > MOST_ROWS:
        fewer = [rung for place, rung in enumerate(reversed(between)) if place % 2 or rung == keep]
        between = fewer[::-1]
    return between


def draw(shown: Sequence[Bar], threshold: float | None) -> Text:
    """The whole chart, for a monospaced font, with the `threshold` (0 to 1) where one is given."""
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
        cell = _cell(bar, bottom, top) * max(1, width - 1)
        line.append(cell.ljust(width), style=f"not dim {_style(bar, threshold)}")
    return line


def _cell(bar: Bar, bottom: float, top: float) -> str:
    """A full or partial block where all runs reach; light shade where only some do."""
    if bar.low <= bottom:
        return "░" if bar.high > bottom else " "
    eighths = int(8 * (bar.low - bottom) / (top - bottom) + 1e-9)
    return BLOCKS[min(max(eighths, 1), 8)]


def _threshold_line(shown: Sequence[Bar], width: int, threshold: float) -> Text:
    line = Text(f"{_label(threshold):>{LABEL_WIDTH}} ├", style="bold")
    filled = max(1, width - 1)
    for bar in shown:
        if bar.high >= threshold:
            block = "█" if bar.low >= threshold else "░"
            line.append(block * filled, style=f"not bold {_style(bar, threshold)}")
        else:
            line.append("┄" * filled)
        line.append("┄" * (width - filled))
    return line.append("┄ required")


def _axis(shown: Sequence[Bar], width: int, bottom: float) -> list[Text]:
    indent = " " * (LABEL_WIDTH + 2)
    base = Text(f"{_label(bottom):>{LABEL_WIDTH}} └" + "─" * (width * len(shown)), style="dim")
    numbers = Text(indent + _numbers(shown, width) + "  epoch", style="dim")
    if not any(bar.counts for bar in shown):
        return [base, numbers]
    marks = ["▲" if bar.counts else " " for bar in shown]
    arrows = "".join(mark.ljust(width) for mark in marks).rstrip()
    said = "count" if marks.count("▲") > 1 else "counts"
    return [base, numbers, Text(f"{indent}{arrows} {said}")]


def _numbers(shown: Sequence[Bar], width: int) -> str:
    """Epoch numbers under their bars: the first, the last, and every fifth that has room."""
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
