"""How a work in steps went from each to the next. In: a Report with `steps`. Out: lines for people.

Of each step what it came to, and what changed on the way to it: network, recipe, and whether that
helped beyond noise. All of it is `printable`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grader.judging.protocols import PROTOCOLS
from grader.printable import printable
from grader.render import words
from grader.render.marks import MARKS, section
from grader.report import Helped, Report, StepRow

HEADING = "The journey"
HEAD = ("", "step", "parameters", "receptive field", "accuracy", "claimed")
SAME_NETWORK = "the same layers"
SAME_RECIPE = "the same"
MOST_STATED = 600


class Change(NamedTuple):
    """What changed on the way to a step, or what it states: a name, and a text."""

    name: str
    text: str


def cells(step: StepRow) -> tuple[str, ...]:
    """One row under `HEAD`."""
    counted = "–" if step.parameters is None else f"{step.parameters:,}"
    field = f"{words.pair(step.receptive_field)} px" if step.receptive_field else "–"
    claimed = "–" if step.claimed is None else words.percent(step.claimed)
    title = printable(step.title, 60)
    return (MARKS[step.verdict].symbol, title, counted, field, accuracy(step), claimed)


def accuracy(step: StepRow) -> str:
    """As in "98.25 ± 0.09 %, n = 5"; "–" where nothing was trained."""
    if step.accuracy is None:
        return "–"
    shown = f"{100 * step.accuracy:.2f}"
    shown += f" ± {100 * step.spread:.2f} %" if step.spread is not None else " %"
    practice = " (practice)" if step.practice else ""
    return f"{shown}, n = {step.seeds}{practice}"


def in_short(step: StepRow) -> str:
    """A step in one line: "1,674 parameters · 10 × 10 px · 95.77 %"."""
    parts = []
    if step.parameters is not None:
        parts.append(f"{step.parameters:,} parameters")
    if step.receptive_field:
        parts.append(f"{words.pair(step.receptive_field)} px")
    if step.accuracy is not None:
        parts.append(accuracy(step))
    if step.helped is not None:
        parts.append(_briefly(step.helped))
    return " · ".join(parts) or "nothing that could be graded"


def _briefly(helped: Helped) -> str:
    if helped.answer == "within noise":
        return "no better or worse beyond noise"
    return f"{helped.answer} by {100 * abs(helped.difference):.2f}"


def changes(step: StepRow) -> list[Change]:
    """What changed since the step before, and whether it helped; then what the step states."""
    found = []
    if step.problem:
        found.append(Change("problem", printable(step.problem, 600)))
    if step.network is not None:
        found.append(Change("network", listed(step.network) or SAME_NETWORK))
    if step.recipe is not None:
        found.append(Change("recipe", listed(step.recipe) or SAME_RECIPE))
    if step.helped is not None:
        found.append(Change("helped", helped(step.helped, step.protocol)))
    for one in step.stated:
        found.append(Change(one.part, f"“{printable(one.text, MOST_STATED)}”"))
    return found


def listed(said: Sequence[str]) -> str:
    """Several changes in one line."""
    return "; ".join(printable(one, 300) for one in said)


def helped(found: Helped, protocol: str = "") -> str:
    """Whether a difference is more than chance, and how many seeds would show it."""
    by = f"{100 * found.difference:+.2f} ± {100 * found.margin:.2f} points".replace("-", "−")
    known = PROTOCOLS.get(protocol)
    which = f" ({known.words})" if known else ""
    if found.answer != "within noise":
        return f"{found.answer} beyond noise: {by}{which}"
    return f"within noise: {by}{which}. {seeds(found)}"


def seeds(found: Helped) -> str:
    """How many seeds it would take to know."""
    if found.seeds is None:
        return "So small a difference takes more than 1,000 seeds of each to find."
    return f"If it is real, {found.seeds} seeds of each would show it, in four of five attempts."


def draw(report: Report) -> list[RenderableType]:
    """The block of the whole scorecard; nothing where there are no steps."""
    if not report.steps:
        return []
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name, justify in zip(HEAD, ("left", "left", *["right"] * 4), strict=True):
        table.add_column(name, justify="right" if justify == "right" else "left")
    for step in report.steps:
        table.add_row(*cells(step))
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(ratio=1, overflow="fold")
    for step in report.steps:
        grid.add_row(Text(printable(step.title, 60), style="bold"), "")
        for change in changes(step):
            grid.add_row(f" {change.name}", Text(change.text))
    return [Group(section(HEADING), Padding(Group(table, Text(), grid), (0, 0, 0, 1)))]


def facts(report: Report) -> Iterator[tuple[str, Text]]:
    """A line for each step, for the short scorecard."""
    for step in report.steps:
        mark = MARKS[step.verdict]
        text = Text(f"{mark.symbol} ", style=mark.style)
        yield printable(step.title, 8), text.append(in_short(step), style="not bold default")
