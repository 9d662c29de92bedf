"""How a verdict looks: a symbol, a word, a colour. Never a colour alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from grader.report import Verdict


class Mark(NamedTuple):
    """A verdict for the eye: a `symbol` of one cell, `words` for a headline, a `style` of rich."""

    symbol: str
    words: str
    style: str


MARKS = {
    Verdict.PASSED: Mark("✓", "passed", "green"),
    Verdict.PASSED_SO_FAR: Mark("✓", "passed so far", "green"),
    Verdict.FAILED: Mark("✗", "failed", "red"),
    Verdict.BORDERLINE: Mark("≈", "too close to call", "yellow"),
    Verdict.UNKNOWN: Mark("?", "could not tell", "yellow"),
    Verdict.SKIPPED: Mark("–", "not graded", "dim"),
    Verdict.BROKEN: Mark("!", "the grader broke", "magenta"),
}


def section(title: str) -> Rule:
    """The line that opens a part of the scorecard."""
    return Rule(Text(title, style="bold"), align="left", style="bright_black")


def spaced(parts: Iterable[RenderableType]) -> Group:
    """The parts with an empty line between them."""
    lines: list[RenderableType] = []
    for part in parts:
        lines += [part, Text()]
    return Group(*lines[:-1])


def bullets(symbol: str, lines: Iterable[Text], style: str = "") -> Table:
    """Each line after `symbol`, its continuation indented under its text."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(style=style)
    grid.add_column(style=style, overflow="fold")
    for line in lines:
        grid.add_row(symbol, line)
    return grid
