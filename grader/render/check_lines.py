"""The checks as lines of the scorecard. In: a Report. Out: a line each, with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grader.printable import printable
from grader.render import notices, source, words
from grader.render.marks import MARKS, bullets, section
from grader.report import CheckResult, Hint, Report, Verdict

WIDEST_MEASURE = 18
WIDEST_LIMIT = 14


def draw(report: Report) -> RenderableType:
    """A line for each check, in the report's order; what did not pass, why, and what to do."""
    widths = _widths(report.checks)
    head = Text(), Text("measured", "dim"), Text("limit", "dim"), Text("points", "dim")
    parts: list[RenderableType] = [section("Checks"), _line(Text(), head, widths)]
    for check in report.checks:
        parts.append(_line(_symbol(check), _cells(check), widths))
        parts.extend(_reasons(report, check))
    return Group(*parts, Padding(count(report.checks), (0, 0, 0, 4)))


def hint_lines(report: Report, hints: Sequence[Hint], *, quote: bool = True) -> RenderableType:
    """An arrow, the place in the student's file, what to do there, and (`quote`) its line."""
    return bullets("→", (_hint(report, hint, quote=quote) for hint in hints))


def _hint(report: Report, hint: Hint, *, quote: bool) -> Text:
    text = Text(style="default")
    if hint.line is None:
        return text.append(printable(hint.text, 600, lines=True))
    text.append(f"{words.path_place(report, hint)}  ", style="cyan")
    if quote and (context := source.context(report, hint)):
        text.append(f"{context}  ", style="dim")
    text.append(printable(hint.text, 600, lines=True))
    if quote and (line := source.quoted(report, hint)):
        text.append(f"\n{hint.line} │ {line}", style="dim")
    return text


Cells = tuple[Text, Text, Text, Text]


def _quiet(check: CheckResult) -> str:
    """The style of what is said about a check: dim where it was not asked."""
    return "dim" if check.verdict is Verdict.SKIPPED else ""


def _cells(check: CheckResult) -> Cells:
    title = Text(printable(check.title.rstrip("."), 120), style=_quiet(check))
    if not check.required:
        title.append(" · advisory", style="dim italic")
    return (
        title,
        Text(_measure(check), style=MARKS[check.verdict].style),
        Text(_limit(check), "dim"),
        _points(check),
    )


def _symbol(check: CheckResult) -> Text:
    mark = MARKS[check.verdict]
    return Text(mark.symbol, style=f"bold {mark.style}")


def _measure(check: CheckResult) -> str:
    return printable(check.measured, 60)


def _limit(check: CheckResult) -> str:
    return printable(check.asked, 60)


def _points(check: CheckResult) -> Text:
    if not check.max_points:
        return Text("–", style="dim")
    return Text(f"{words.points(check.points)} / {words.points(check.max_points)}")


def _widths(checks: Sequence[CheckResult]) -> tuple[int, int, int]:
    measures = max((Text(_measure(check)).cell_len for check in checks), default=0)
    limits = max((Text(_limit(check)).cell_len for check in checks), default=0)
    scores = max((_points(check).cell_len for check in checks), default=0)
    return min(max(measures, 8), WIDEST_MEASURE), min(max(limits, 5), WIDEST_LIMIT), max(scores, 6)


def _line(symbol: Text, cells: Cells, widths: tuple[int, int, int]) -> RenderableType:
    measured, limit, points = widths
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(width=1)
    grid.add_column(ratio=1)
    grid.add_column(width=measured, justify="right", overflow="fold")
    grid.add_column(width=limit, overflow="fold")
    grid.add_column(width=points, justify="right", no_wrap=True)
    grid.add_row(symbol, *cells)
    return Padding(grid, (0, 0, 0, 1))


def _reasons(report: Report, check: CheckResult) -> list[RenderableType]:
    if check.verdict is Verdict.PASSED and not check.detail:
        return []
    reasons: list[RenderableType] = []
    if check.detail:
        detail = printable(check.detail, 1200, lines=True)
        reasons.append(Text(detail, style=_quiet(check)))
    if check.hints:
        reasons.append(hint_lines(report, check.hints))
    return [Padding(Group(*reasons), (0, 0, 0, 4))] if reasons else []


def count(checks: Sequence[CheckResult]) -> Text:
    """How many came out how, under the lines: "8 passed, 1 failed (advisory)"."""
    counted = Counter(
        (check.verdict, check.required or check.verdict is Verdict.PASSED) for check in checks
    )
    line = Text()
    for verdict, (required, remark) in product(Verdict, ((True, ""), (False, " (advisory)"))):
        if number := counted[verdict, required]:
            if line:
                line.append(", ", style="dim")
            line.append(f"{number} {notices.verdict(verdict)}{remark}", style=MARKS[verdict].style)
    return line
