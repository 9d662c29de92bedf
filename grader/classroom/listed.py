"""What the class's list has to say: names for works, who has none, whose work is on no list.

In: reports or rows, beside the list. Out: the same with the list's names; sentences for people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from grader.classroom.class_record import RosterRow, StudentRow, WorkRow
from grader.classroom.roster import Joined
from grader.report import Report


def by_list(reports: Sequence[Report], joined: Joined[Report] | None) -> list[Report]:
    """The reports with the names that the list has, where a work is one student's only one.

    Students of one name keep the names that their works came with, which differ.
    """
    owners = () if joined is None else joined.owners
    count = Counter(student.name for student, _ in owners)
    names = {
        report.submission: student.name for student, report in owners if count[student.name] == 1
    }
    return renamed(reports, names)


def renamed(reports: Sequence[Report], names: Mapping[str, str]) -> list[Report]:
    """The reports under these names, which are by `submission`; others keep their own."""
    shown = []
    for report in reports:
        name = names.get(report.submission) or report.display_name
        shown.append(report.model_copy(update={"display_name": name}))
    return shown


def beside(found: RosterRow, rows: Sequence[WorkRow]) -> list[tuple[str, list[str]]]:
    """Who of the list has not one work that can be graded, and whose work is on no list.

    Each with what is said of them; the names are those that people see.
    """
    names = {work.submission: work.name for work in rows}
    owners = {work.submission: called(work.student) for work in rows if work.student}
    missing = [student for student in found.missing if student not in found.unusable]
    said = [
        ("handed in nothing", list(map(called, missing))),
        ("handed in nothing that can be graded", list(map(called, found.unusable))),
        ("not on the list", [names.get(work, work) for work in found.unknown]),
        ("with several works", [owners.get(works[0], works[0]) for works in found.several]),
    ]
    return [(what, who) for what, who in said if who]


def called(student: StudentRow) -> str:
    """What the list has for a name."""
    return student.name or student.login or student.number
