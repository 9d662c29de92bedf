"""One line of the student's file, to stand beside what is said about it.

In: a Report and a line. Out: the line as it was graded, or nothing: the file may have moved or
changed since. It is read as a submission is, and never run.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

from grader.printable import printable
from grader.program.listing import Listing
from grader.report import Placed, Report
from grader.submission.find import again

LONGEST = 100
LONGEST_CONTEXT = 60
_HOME: ContextVar[Path] = ContextVar("_HOME", default=Path())
DEFINITION = re.compile(r"\s*(?:async\s+def|def|class)\s+(\w+)")


@contextlib.contextmanager
def beneath(folder: Path) -> Iterator[None]:
    """Look for the files in that folder instead of the current one, until the `with` ends."""
    before = _HOME.set(folder)
    try:
        yield
    finally:
        _HOME.reset(before)


def quoted(report: Report, where: Placed) -> str:
    """The line at that place of what is at `report.path`, from the current folder; or ""."""
    lines = _until(report, where)
    return printable(lines[-1].strip(), LONGEST) if lines else ""


def context(report: Report, where: Placed) -> str:
    """The class and function that the line is in, "in Net.forward"; or ""."""
    lines = _until(report, where)
    if not lines:
        return ""
    names: list[str] = []
    depth = _indent(lines[-1])
    for line in reversed(lines[:-1]):
        if not line.strip() or _indent(line) >= depth:
            continue
        depth = _indent(line)
        if found := DEFINITION.match(line):
            names.insert(0, found[1])
    return printable(f"in {'.'.join(names)}", LONGEST_CONTEXT) if names else ""


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _until(report: Report, where: Placed) -> list[str]:
    """The lines of that file or cell, that place the last; none where it cannot be found."""
    listing = _listing(_HOME.get() / report.path, report.sha256)
    if listing is None or not where.line:
        return []
    file = where.file or listing.main
    for part in listing.parts:
        if (part.file, part.cell) == (file, where.cell):
            lines = part.text.split("\n")
            if 0 < where.line <= len(lines):
                return lines[: where.line]
    return []


@lru_cache(maxsize=4)
def _listing(path: Path, sha256: str) -> Listing | None:
    return again(path, sha256) if sha256 else None
