"""What a work says of itself, beside what was measured. In: a Report. Out: lines for people.

A claim is a quotation out of stored outputs, docstrings or a README: shown, and never believed.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from grader.printable import printable
from grader.render import figures, words
from grader.render.marks import section
from grader.report import Claim, Report

HEADING = "What the work says of itself"


def draw(report: Report) -> list[RenderableType]:
    """The block; nothing where nothing is claimed."""
    found = list(rows(report))
    if not found:
        return []
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(ratio=1, overflow="fold")
    grid.add_column(justify="right", style="cyan", overflow="fold")
    for row in found:
        grid.add_row(*row)
    return [Group(section(HEADING), Padding(grid, (0, 0, 0, 1)))]


def rows(report: Report) -> Iterator[tuple[str, str, str]]:
    """Name, "says 99.54 %, measured 99.46 %", and where it says so."""
    for claim in report.claims:
        measured = _measured(report, claim)
        said = f"says {_number(claim)}" + (f", {measured}" if measured else "")
        yield printable(claim.name, 30), said, printable(claim.place, 80)


def _number(claim: Claim) -> str:
    if claim.name == "accuracy":
        return words.percent(claim.number)
    return f"{claim.number:,.0f}"


def _measured(report: Report, claim: Claim) -> str:
    analysis = report.analysis or {}
    if claim.name == "accuracy":
        return f"measured {figures.score(report.training)}" if report.training else ""
    if claim.name == "parameters":
        counted = analysis.get("total_parameters")
        return f"measured {counted:,}" if isinstance(counted, int) else ""
    recipe = analysis.get("recipe")
    epochs = recipe.get("epochs") if isinstance(recipe, dict) else None
    if not isinstance(epochs, int):
        return ""
    runs = report.training.runs if report.training else ()
    trained = max((len(run.epochs) for run in runs), default=0)
    if not trained:
        return f"{epochs:,} in the recipe"
    return f"trained {trained:,}" + (f" of at most {epochs:,}" if trained < epochs else "")
