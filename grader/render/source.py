"""One line of the student's file, to stand beside what is said about it.

In: a Report and a line. Out: the line as it was graded, or nothing: the file may have moved or
changed since. It is read as a submission is, and never run.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from grader.errors import SubmissionError
from grader.printable import printable
from grader.report import Placed, Report
from grader.submission.find import read_source

LONGEST = 100


def quoted(report: Report, where: Placed) -> str:
    """The line at that place of what is at `report.path`, from the current folder; or ""."""
    line = where.line or 0
    lines = _lines(report.path, report.sha256)
    if where.cell or where.file or not 0 < line <= len(lines):
        return ""
    return printable(lines[line - 1].strip(), LONGEST)


@lru_cache(maxsize=4)
def _lines(path: str, sha256: str) -> tuple[str, ...]:
    if not sha256:
        return ()
    try:
        content = read_source(Path(path))
    except (SubmissionError, OSError, ValueError):
        return ()
    if hashlib.sha256(content).hexdigest() != sha256:
        return ()
    return tuple(content.decode("utf-8", "replace").split("\n"))
