"""What a class was given to begin with: the starter, the example, published networks.

In: an assignment. Out: what of it can resemble a student's work. Each is captured once, and what
was found is remembered in the user's cache folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import platformdirs
from pydantic import ValidationError

from grader import report as report_format
from grader.assignment import Assignment
from grader.classroom import works
from grader.classroom.similarity import Work
from grader.errors import GraderError
from grader.options import Options
from grader.report import Report
from grader.storage import seal
from grader.storage.atomic import write_whole
from grader.submission import find
from grader.submission.submission import Submission, UsageError


@dataclass(slots=True)
class HandedOut:
    """Works that were handed out: those that are known, and those that are to be captured."""

    known: list[Work] = field(default_factory=list)
    unknown: list[Submission] = field(default_factory=list)
    _addresses: dict[str, str] = field(default_factory=dict)

    @property
    def addresses(self) -> tuple[str, ...]:
        """What stands for all of them."""
        return tuple(sorted(self._addresses.values()))

    def look(self, item: Submission, assignment: Assignment) -> None:
        """Take one up, by what is remembered of it where something is."""
        address = seal.address(item, assignment, {"handed out": True})
        self._addresses[item.name] = address
        try:
            self._add(item, report_format.read(_remembered(address).read_bytes()))
        except (OSError, ValidationError):
            self.unknown.append(item)

    def add(self, item: Submission, report: Report) -> None:
        """One of the unknown is captured."""
        self._add(item, report)
        with suppress(GraderError):
            write_whole(_remembered(self._addresses[item.name]), report.model_dump_json())

    def _add(self, item: Submission, report: Report) -> None:
        self.known.append(replace(works.work(item.listing, report), name=item.display))


def look(assignment: Assignment, options: Options) -> HandedOut:
    """The starter, the examples and the published networks of an assignment, as far as there are.

    What cannot be read is left out: nothing is graded by it.
    """
    found = HandedOut()
    for path in _files(assignment, options.root):
        with suppress(UsageError):
            items = find.discover(
                [path],
                [assignment.name],
                root=options.root,
                assignment=assignment.name,
                steps={assignment.name: assignment.steps} if assignment.steps else {},
            )
            for item in items:
                found.look(replace(item, name=f"handed-out-{item.name}"), assignment)
    return found


def _files(assignment: Assignment, root: Path) -> Iterator[Path]:
    folder = root / "assignments" / assignment.name
    starter = folder / "starter.py"
    yield from [starter] if starter.is_file() else []
    yield from sorted((folder / "submissions").glob("example*"))
    yield from sorted(
        (root / "reference" / assignment.name).glob("*" if assignment.steps else "*.py")
    )


def _remembered(address: str) -> Path:
    cache = platformdirs.user_cache_path("grader", appauthor=False)
    return cache / "handed_out" / f"{address}.json"
