"""What to do, beside the lines of a pull request. In: Reports. Out: GitHub's workflow commands.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions: percent signs, line
ends and, in properties, colons and commas are escaped. GitHub shows ten errors and ten warnings of
a step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Literal, NamedTuple

from grader.printable import printable
from grader.render import notices, words
from grader.report import CheckResult, Placed, Report, Verdict

MOST = 10
LONGEST_TEXT = 1200

Level = Literal["error", "warning", "notice"]

LEVELS: dict[Verdict, Level] = {
    Verdict.FAILED: "error",
    Verdict.UNKNOWN: "error",
    Verdict.BORDERLINE: "warning",
}
"""How much a required check matters with that verdict; one that is advisory only warns."""


class Annotation(NamedTuple):
    """A remark on a file, and on a line of it where one is known."""

    level: Level
    path: str
    line: int | None
    title: str
    message: str


def render(reports: Sequence[Report]) -> str:
    """At most `MOST` errors and as many warnings, one a line."""
    return "".join(f"{command(annotation)}\n" for annotation in shown(of_reports(reports)))


def of_reports(reports: Iterable[Report]) -> list[Annotation]:
    """What there is to do in each, in order."""
    return list(chain.from_iterable(map(_of, reports)))


def shown(found: Sequence[Annotation]) -> list[Annotation]:
    """As many as GitHub shows of one step: the first of each level, errors before warnings."""
    levels: tuple[Level, ...] = ("error", "warning", "notice")
    kept: list[Annotation] = []
    for level in levels:
        kept += [annotation for annotation in found if annotation.level == level][:MOST]
    return kept


def command(annotation: Annotation) -> str:
    """The workflow command: `::error file=model.py,line=3,title=Dropout::message`."""
    facts = {"file": annotation.path or None, "line": annotation.line, "title": annotation.title}
    properties = ",".join(
        f"{name}={_property(str(value))}" for name, value in facts.items() if value is not None
    )
    return f"::{annotation.level} {properties}::{_data(annotation.message, lines=True)}"


def plain(annotation: Annotation) -> str:
    """The same as a compiler says it, for systems that know no commands: `model.py:3: error: ...`.

    Editors and many CI systems find the line by that.
    """
    place = f"{annotation.path}:{annotation.line}" if annotation.line else annotation.path
    said = " ".join(f"{annotation.title}. {annotation.message}".split())
    return printable(f"{place or '(all)'}: {annotation.level}: {said}", LONGEST_TEXT)


def _of(report: Report) -> Iterator[Annotation]:
    if report.problem is not None:
        title, _ = notices.problem(report.problem)
        yield _beside(report, report.problem, "error", title, report.problem.message)
    for check in report.checks:
        if check.verdict in LEVELS:
            yield from _of_check(report, check)


def _of_check(report: Report, check: CheckResult) -> Iterator[Annotation]:
    """One for each line that a hint names; else one for the file."""
    level = LEVELS[check.verdict] if check.required else "warning"
    title = check.title.rstrip(".")
    placed = [hint for hint in check.hints if hint.line is not None]
    for hint in placed:
        message = f"{check.detail}\n{hint.text}".strip()
        yield _beside(report, hint, level, title, message)
    if not placed:
        texts = [check.detail, *(hint.text for hint in check.hints)]
        message = "\n".join(filter(None, texts)) or check.measured
        yield Annotation(level, report.path, None, title, message)


def _beside(report: Report, where: Placed, level: Level, title: str, message: str) -> Annotation:
    """A notebook is JSON to GitHub, whose lines nobody knows: there the message names the cell."""
    path = words.within(report, where)
    if where.cell:
        return Annotation(level, path, None, title, f"{words.place(report, where)}: {message}")
    return Annotation(level, path, where.line, title, message)


def _data(text: str, *, lines: bool = False) -> str:
    shown = printable(text, LONGEST_TEXT, lines=lines)
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
