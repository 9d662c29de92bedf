"""What to do, shown by GitHub beside the lines of a pull request. In: Reports. Out: workflow commands, one a line.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions: percent signs, line ends and, in
properties, colons and commas are escaped. GitHub shows ten errors and ten warnings of a step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal, NamedTuple

from grader.printable import printable
from grader.render import notices
from grader.report import CheckResult, Report, Verdict

MOST = 10
LONGEST_TEXT = 1200
LEVELS: dict[Verdict, Literal["error", "warning"]] = {
    Verdict.FAILED: "error",
    Verdict.BORDERLINE: "warning",
}

Level = Literal["error", "warning"]


class Annotation(NamedTuple):
    """A remark on a file, and on a line of it where one is known."""

    level: Level
    path: str
    line: int | None
    title: str
    message: str


def commands(reports: Sequence[Report]) -> str:
    """At most `MOST` errors and as many warnings."""
    found = [annotation for report in reports for annotation in _of(report)]
    levels: tuple[Level, ...] = ("error", "warning")
    shown = [
        annotation
        for level in levels
        for annotation in islice((one for one in found if one.level == level), MOST)
    ]
    return "".join(f"{command(annotation)}\n" for annotation in shown)


def command(annotation: Annotation) -> str:
    """The workflow command: `::error file=model.py,line=3,title=Dropout::message`."""
    facts = {"file": annotation.path, "line": annotation.line, "title": annotation.title}
    properties = ",".join(
        f"{name}={_property(str(value))}" for name, value in facts.items() if value is not None
    )
    return f"::{annotation.level} {properties}::{_data(annotation.message, lines=True)}"


def _of(report: Report) -> Iterator[Annotation]:
    if report.problem is not None:
        title, _ = notices.problem(report.problem)
        yield Annotation("error", report.path, report.problem.line, title, report.problem.message)
    for check in report.checks:
        if check.verdict in LEVELS:
            yield from _of_check(report, check)


def _of_check(report: Report, check: CheckResult) -> Iterator[Annotation]:
    """One for each line that a hint names; else one for the file."""
    level = LEVELS[check.verdict] if check.required else "warning"
    title = check.title.rstrip(".")
    placed = [hint for hint in check.hints if hint.line is not None]
    for hint in placed:
        yield Annotation(
            level, report.path, hint.line, title, f"{check.detail}\n{hint.text}".strip()
        )
    if not placed:
        texts = [check.detail, *(hint.text for hint in check.hints)]
        yield Annotation(
            level, report.path, None, title, "\n".join(filter(None, texts)) or check.measured
        )


def _data(text: str, *, lines: bool = False) -> str:
    shown = printable(text, LONGEST_TEXT, lines=lines)
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
