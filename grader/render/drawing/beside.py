"""The student's own lines with the remarks below them. In: a Report with excerpts. Out: blocks.

The lines are those that were graded, moved left as far as all of a block can be. A remark whose
line the report does not hold is told where the check is, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from grader.report import Excerpt, Placed, Report, Verdict


class Remark(NamedTuple):
    """What is said about a line, by which check; `kind` is its verdict."""

    kind: str
    title: str
    text: str


class Line(NamedTuple):
    """A line of the file, its number, and what is said about it; `anchor` where something is."""

    number: int
    text: str
    remarks: Sequence[Remark]
    anchor: str


class Block(NamedTuple):
    """Lines that follow each other; `title` is their file or cell."""

    title: str
    lines: Sequence[Line]


def blocks(report: Report) -> list[Block]:
    """All excerpts, those without a remark left out."""
    said = list(_said(report))
    found = []
    for number, excerpt in enumerate(report.excerpts, 1):
        lines = list(_lines(excerpt, said, f"lines-{number}"))
        if any(line.remarks for line in lines):
            found.append(Block(_title(report, excerpt), lines))
    return found


def anchor(report: Report, where: Placed) -> str:
    """The anchor of the line at that place; "" where the page does not show it."""
    for number, excerpt in enumerate(report.excerpts, 1):
        if (excerpt.file, excerpt.cell) == (where.file, where.cell) and where.line is not None:
            place = where.line - excerpt.first
            if 0 <= place < len(excerpt.lines):
                return f"lines-{number}-{place}"
    return ""


def _title(report: Report, excerpt: Excerpt) -> str:
    file = excerpt.file or report.path.replace("\\", "/").rpartition("/")[2]
    return f"{file}, cell {excerpt.cell}" if excerpt.cell else file


def _lines(excerpt: Excerpt, said: Sequence[tuple[Placed, Remark]], name: str) -> Iterator[Line]:
    indents = [len(line) - len(line.lstrip()) for line in excerpt.lines if line.strip()]
    margin = min(indents, default=0)
    for place, line in enumerate(excerpt.lines):
        text = line[margin:]
        key = (excerpt.file, excerpt.cell, excerpt.first + place)
        remarks = [remark for where, remark in said if (where.file, where.cell, where.line) == key]
        yield Line(excerpt.first + place, text, remarks, f"{name}-{place}" if remarks else "")


def _said(report: Report) -> Iterator[tuple[Placed, Remark]]:
    if report.problem is not None:
        yield report.problem, Remark("failed", "", report.problem.message)
    if report.recipe is not None:
        for obstacle in report.recipe.obstacles:
            yield obstacle, Remark("unknown", "Your training", obstacle.text)
    for check in report.checks:
        if check.verdict is Verdict.PASSED:
            continue
        kind = str(check.verdict) if check.required else "skipped"
        for hint in check.hints:
            yield hint, Remark(kind, check.title.rstrip("."), hint.text)
