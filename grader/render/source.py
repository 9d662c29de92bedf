"""One line of the student's file, to stand beside what is said about it.

In: a Report and a line. Out: the line as it was graded, or nothing: the file may have moved or
changed since. It is read as a submission is, and never run.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from grader.printable import printable
from grader.program.listing import Listing
from grader.report import Placed, Report
from grader.submission.find import again

LONGEST = 100


def quoted(report: Report, where: Placed) -> str:
    """The line at that place of what is at `report.path`, from the current folder; or ""."""
    listing = _listing(report.path, report.sha256)
    if listing is None or not where.line:
        return ""
    file = where.file or listing.main
    for part in listing.parts:
        if (part.file, part.cell) == (file, where.cell):
            lines = part.text.split("\n")
            if 0 < where.line <= len(lines):
                return printable(lines[where.line - 1].strip(), LONGEST)
    return ""


@lru_cache(maxsize=4)
def _listing(path: str, sha256: str) -> Listing | None:
    return again(Path(path), sha256) if sha256 else None
