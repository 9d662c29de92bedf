"""One line of the student's file, to stand beside what is said about it.

In: a Report and a line. Out: the line as it was graded, or nothing: the file may have moved or
changed since. It is read as a submission is, and never run.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from grader.printable import printable
from grader.report import Report
from grader.submission.find import again

LONGEST = 100


def quoted(report: Report, line: int) -> str:
    """That line of the file at `report.path`, seen from the current folder; "" without one."""
    lines = _lines(report.path, report.sha256)
    if not 0 < line <= len(lines):
        return ""
    return printable(lines[line - 1].strip(), LONGEST)


@lru_cache(maxsize=4)
def _lines(path: str, sha256: str) -> tuple[str, ...]:
    if not sha256:
        return ()
    listing = again(Path(path), sha256)
    if listing is None:
        return ()
    lines: list[str] = []
    for part in listing.parts:
        lines += part.text.split("\n")
    return tuple(lines)
