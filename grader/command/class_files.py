"""The files of a graded class: `class.json`, the page, the table, the gradebook.

In: slim Reports, what similarity compares, the class's list. Out: files beside the reports, and the
`ClassRecord` that says where they are.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader import report as report_format
from grader.assignment import Assignment
from grader.classroom import class_record, gradebook, leaderboard, listed, similarity, works
from grader.classroom.class_record import FILE, ClassRecord, GroupRow, Left
from grader.classroom.late import Lateness
from grader.classroom.roster import Joined, Roster, Student
from grader.classroom.similarity import Group, Pair, Work
from grader.command.handed_out import HandedOut
from grader.printable import printable_path
from grader.render import class_page, html, spreadsheet
from grader.report import Report, Training
from grader.sandbox.same_code import own_source
from grader.storage import json_text
from grader.storage.atomic import write_whole
from grader.storage.reports import REPORT
from grader.submission.submission import LeftOut, Submission

PAGE, TABLE, BOOK = "class.html", "class.csv", "gradebook.csv"
WORK_PAGE = "report.html"
_KEPT_OF_ANALYSIS = ("total_parameters", "multiply_adds")


def slim(report: Report) -> Report:
    """The report with what a class needs of it: a thousand fit into memory."""
    analysis = report.analysis or {}
    kept = {name: analysis[name] for name in _KEPT_OF_ANALYSIS if name in analysis}
    training = report.training
    return report.model_copy(
        update={
            "layers": (),
            "analysis": kept,
            "notes": (),
            "left_out": (),
            "claims": (),
            "excerpts": (),
            "sample": None,
            "training": None if training is None else _slim(training),
        }
    )


def _slim(training: Training) -> Training:
    runs = tuple(run.model_copy(update={"epochs": ()}) for run in training.runs)
    return training.model_copy(update={"runs": runs, "confusion": (), "wrong": (), "mistakes": ()})


class Works:
    """What of each submission can resemble another's, as reports come in."""

    def __init__(self, items: Sequence[Submission], given: HandedOut) -> None:
        self._items = {item.name: item for item in items}
        self._given = given
        self._found: dict[str, Work] = {}

    def add(self, report: Report) -> None:
        """A whole report: later, only a slim one is kept."""
        listing = self._items[report.submission].listing
        self._found[report.submission] = works.work(listing, report)

    def groups(self, before: ClassRecord | None, secret: bytes) -> tuple[list[Group], str]:
        """All groups, and their key: those of the class's last record, where that still stands."""
        facts = self._facts()
        if before is not None and hmac.compare_digest(
            before.similarity_key, _key(facts, before.similarity, secret)
        ):
            return list(map(_group, before.similarity)), before.similarity_key
        ordered = [self._found[name] for name in sorted(self._found)]
        given = sorted(self._given.known, key=lambda work: work.name)
        found = similarity.groups(ordered, given)
        return found, _key(facts, class_record.group_rows(found), secret)

    def _facts(self) -> str:
        """What decides the groups."""
        found = [
            (name, self._items[name].sha256, work.architecture, work.layers, work.recipe)
            for name, work in sorted(self._found.items())
        ]
        text = json.dumps([own_source(), self._given.addresses, found])
        return hashlib.sha256(text.encode()).hexdigest()


def _key(facts: str, groups: Sequence[GroupRow], secret: bytes) -> str:
    """A seal on groups and what they were found from."""
    text = facts + json.dumps([group.model_dump(mode="json") for group in groups])
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def _group(row: GroupRow) -> Group:
    pairs = tuple(Pair(**pair.model_dump()) for pair in row.pairs)
    return Group(row.kind, row.works, row.share, row.handed_out, pairs)


@dataclass(frozen=True, slots=True)
class Graded:
    """A class whose works are graded: see `ClassRecord`."""

    assignment: Assignment
    reports: Sequence[Report]
    works: Works
    kept: frozenset[str]
    late: Mapping[str, Lateness]
    left_out: Sequence[LeftOut]
    started: str
    seconds: float
    side_by_side: int
    isolation: str
    quick_look: str


def write(found: Graded, students: Roster | None, output: Path, *, secret: bytes) -> ClassRecord:
    """Write all files of the class into its folder in `output`. Raises GraderError."""
    folder = output / found.assignment.name
    joined = None if students is None else gradebook.join(found.reports, students)
    before = class_record.read(folder)
    groups, key = found.works.groups(before, secret)
    reports = listed.by_list(found.reports, joined)
    unusable = _unusable(found.left_out, students, joined)
    boards = leaderboard.boards(reports, names=leaderboard.own_name)
    rows = class_record.works(reports, joined, late=found.late, kept=found.kept)
    files = {"page": PAGE, "table": TABLE, **({"gradebook": BOOK} if students else {})}
    record = ClassRecord(
        assignment=found.assignment.name,
        assignment_title=found.assignment.title,
        started=found.started,
        seconds=round(found.seconds, 3),
        side_by_side=found.side_by_side,
        quick_look=found.quick_look,
        isolation=found.isolation or (before.isolation if before else ""),
        verdicts=class_record.verdicts(found.reports),
        late=sum(one.late is True for one in found.late.values()),
        points=class_record.points(found.reports),
        accuracy=class_record.accuracy(found.reports),
        checks=class_record.checks(found.reports),
        works=rows,
        roster=class_record.beside_list(joined, unusable),
        similarity=class_record.group_rows(groups),
        similarity_key=key,
        leaderboard=class_record.boards(boards),
        left_out=tuple(Left(path=one.display, reason=one.reason) for one in found.left_out),
        files={name: printable_path(folder / file) for name, file in files.items()},
    )
    for report in found.reports:
        _page_of_work(folder / report.submission)
    name = found.assignment.name
    page = class_page.render(
        reports,
        groups={name: groups},
        boards={name: boards},
        records={name: record},
        page_of=lambda report: f"{report.submission}/{WORK_PAGE}",
    )
    write_whole(folder / PAGE, page)
    write_whole(folder / TABLE, spreadsheet.render(reports))
    if students is not None:
        book = gradebook.fitting(found.reports, students, unusable=unusable)
        write_whole(folder / BOOK, book.text)
    write_whole(folder / FILE, json_text.text(record.model_dump(mode="json")) + "\n")
    return record


def _unusable(
    left_out: Sequence[LeftOut], students: Roster | None, joined: Joined[Report] | None
) -> list[Student]:
    """Who on the list has no work, but handed in something that is none."""
    if students is None or joined is None:
        return []
    paths = [Path(one.display) for one in left_out]
    found = [students.find(gradebook.identity_at(str(path), path.stem)) for path in paths]
    return [student for student in joined.missing if student in found]


def _page_of_work(folder: Path) -> None:
    """A page for one person, where there is none that is as new as its report."""
    page, file = folder / WORK_PAGE, folder / REPORT
    if not page.exists() or page.stat().st_mtime < file.stat().st_mtime:
        write_page(file)


def write_page(file: Path) -> None:
    """The page of the report in that file, beside it. Raises GraderError."""
    found = report_format.read(file.read_bytes())
    write_whole(file.with_name(WORK_PAGE), html.render([found]))
