"""What `--details` shows, and the table of a class. In: Reports. Out: rich renderables.

Everything a submission chose (names, kinds, messages) passes `printable` and is never read
as markup.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.constrain import Constrain
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grader.printable import printable
from grader.render import (
    accuracy,
    check_lines,
    claims,
    figures,
    journey,
    layer_table,
    notices,
    recipe,
    words,
)
from grader.render.marks import MARKS, bullets, section, spaced
from grader.render.plain import Plain
from grader.report import Report, Verdict

WIDEST = 100
"""Longer lines are harder to read than they are worth."""

WIDEST_TABLE = 160
"""A class's lines are read across, not down."""

NUMBERS_WIDTH = 57
"""Of a class's table: verdict, points, parameters and accuracy."""

LEAST_REASON = 16
"""Columns that are left for what to look at, whatever the names."""

NARROWEST = 60
"""In fewer columns, names would be lost."""


def details(report: Report) -> RenderableType:
    """Recipe, checks, layers, accuracy and all remarks, to stand above the short scorecard.

    60 to 100 columns wide; an empty line ends it.
    """
    parts = [*journey.draw(report), *recipe.draw(report)]
    if report.checks:
        parts.append(check_lines.draw(report))
    if report.layers:
        parts.append(layer_table.draw(report))
    if report.training is not None:
        parts.append(accuracy.draw(report.training))
    parts += [*claims.draw(report), *_notes(report), _colophon(report), Text()]
    return Plain(Constrain(spaced(parts), WIDEST))


def summary(reports: Sequence[Report]) -> RenderableType:
    """One line per submission: verdict, points, parameters, accuracy, and what to look at first."""
    parts: list[RenderableType] = []
    for assignment in dict.fromkeys(report.assignment for report in reports):
        group = [report for report in reports if report.assignment == assignment]
        parts += [section(printable(group[0].assignment_title, 60)), _ClassTable(group), Text()]
    return Plain(Constrain(Group(*parts, _tally(reports)), WIDEST_TABLE))


def _notes(report: Report) -> list[RenderableType]:
    notes: list[RenderableType] = []
    if report.left_out:
        body = Group(
            Text("Definitions are loaded, a script is not run:", style="dim"),
            check_lines.hint_lines(report, report.left_out, quote=False),
        )
        notes.append(Group(section("Not executed"), Padding(body, (0, 0, 0, 1))))
    if report.flags:
        lines = bullets("⚑", (Text(printable(flag)) for flag in report.flags), style="yellow")
        notes.append(Group(section("For the instructor to look at"), Padding(lines, (0, 0, 0, 1))))
    if report.notes:
        lines = bullets("·", (Text(printable(note), "dim") for note in report.notes), style="dim")
        notes.append(Group(section("About the numbers"), Padding(lines, (0, 0, 0, 1))))
    return notes


def _colophon(report: Report) -> RenderableType:
    """Time, machine and versions, in a quiet voice."""
    grid = Table.grid(padding=(0, 2, 0, 1))
    for name, line in notices.colophon(report):
        grid.add_row(Text(name, style="dim"), Text(line, style="dim"))
    return grid


class _ClassTable:
    """A line for each submission. Where the terminal is wide, neither names nor reasons are cut."""

    def __init__(self, group: Sequence[Report]) -> None:
        self._group = group

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Names come first: they get what the numbers leave, but for the least of a reason."""
        room = options.max_width - NUMBERS_WIDTH
        names = [Text(notices.name(report)) for report in self._group]
        longest = max(name.cell_len for name in names)
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        least = max(min(longest, room - LEAST_REASON), 10)
        table.add_column("submission", overflow="fold", min_width=least)
        table.add_column("verdict", no_wrap=True)
        for heading in ("points", "parameters", "accuracy"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("look at", overflow="fold")
        longest_reason = max(40, 2 * (room - least))
        for name, report in zip(names, self._group, strict=True):
            table.add_row(name, *_summary_cells(report, longest_reason))
        yield table


def _summary_cells(report: Report, longest_reason: int) -> tuple[Text, ...]:
    parameters = (report.analysis or {}).get("total_parameters")
    counted = f"{parameters:,}" if isinstance(parameters, int) else "–"
    practice = report.training is not None and report.training.practice
    doubt = "yellow" if practice else ""
    return (
        Text(notices.label(report), style=MARKS[report.verdict].style),
        Text(f"{words.points(report.points)} / {words.points(report.max_points)}"),
        Text(counted),
        Text(figures.score(report.training), style=doubt),
        Text(_look_at(report, longest_reason), style="dim"),
    )


def _look_at(report: Report, longest: int) -> str:
    """The problem's first line, else the names of the required checks that did not pass."""
    if report.problem is not None:
        return printable(report.problem.message.split("\n", 1)[0], longest)
    open_checks = [
        check for check in report.checks if check.required and check.verdict is not Verdict.PASSED
    ]
    return ", ".join(printable(check.name.replace("_", " "), 40) for check in open_checks)


def _tally(reports: Sequence[Report]) -> Text:
    """How many submissions came out how: "12 submissions: 9 passed, 2 failed, 1 unknown"."""
    counted = Counter(report.verdict for report in reports)
    parts = []
    for verdict in sorted(counted, key=list(Verdict).index):
        text = f"{counted[verdict]} {notices.verdict(verdict)}"
        parts.append(Text(text, style=MARKS[verdict].style))
    head = f"{words.several(len(reports), 'submission')}: "
    return Text(head, style="bold").append(Text(", ").join(parts))
