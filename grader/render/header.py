"""The head of every scorecard: whose it is, the verdict and the points. In: a Report. Out: rich."""

from __future__ import annotations

from rich.console import RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from grader.printable import printable
from grader.render import notices
from grader.render.marks import MARKS
from grader.report import Report


def draw(report: Report) -> RenderableType:
    """A frame in the colour of the verdict."""
    grid = Table.grid(expand=True, padding=(0, 1))
    grid.add_column(ratio=1, overflow="fold")
    grid.add_column(justify="right", no_wrap=True)
    verdict = Text(notices.headline(report), style=f"bold {MARKS[report.verdict].style}")
    grid.add_row(Text(notices.name(report), style="bold"), verdict)
    grid.add_row(
        Text(printable(report.path, 200), style="dim"), Text(notices.total(report), style="bold")
    )
    if earlier := notices.last_trained(report):
        grid.add_row(Text(f"last trained: {earlier}"))
    title = Text(printable(report.assignment_title, 60), style="bold")
    return Panel(
        grid,
        title=title,
        title_align="left",
        border_style=MARKS[report.verdict].style,
        padding=(0, 1),
    )
