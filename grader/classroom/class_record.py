"""A class as data: `class.json`. In: slim Reports, the class's list, groups. Out: `ClassRecord`.

What it says of one work is short: each work's own `report.json` has the rest. No torch here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from grader.classroom import gradebook
from grader.classroom.late import Lateness, Says
from grader.classroom.leaderboard import Board, Place
from grader.classroom.roster import Joined, Student
from grader.classroom.similarity import Group, Kind
from grader.render import class_facts, notices
from grader.report import Record, Report, Verdict

CLASS_VERSION: Final = 1
FILE = "class.json"


class StudentRow(Record):
    """A line of the class's list, as far as it is known; "" for what the list does not say."""

    name: str
    number: str = ""
    student_id: str = ""
    email: str = ""
    login: str = ""
    section: str = ""


class WorkRow(Record):
    """What came of one work.

    `submission` is its folder beside this file, with `report.json` in it. `student` is the line of
    the list that it belongs to, None where there is no list or it belongs to nobody. `points` are a
    grade only where `not_final` is empty; else that says why they are none. `accuracy` (0 to 1) is
    None where nothing was trained and graded. `open_checks` are required and did not pass.
    `problem` says why nothing could be graded, or is empty. `late` is what `late_says` says: the
    platform ("canvas", "gradescope"), or the last "commit" of a clone, by the clock of who made it;
    None where nobody does. `handed_in` is that time, where there is one. `kept`: an earlier run's
    report still stood.
    """

    submission: str
    name: str
    path: str
    sha256: str
    student: StudentRow | None
    verdict: Verdict
    points: float
    max_points: float
    not_final: str
    parameters: int | None
    accuracy: float | None
    interval: tuple[float, float] | None
    open_checks: tuple[str, ...]
    flags: tuple[str, ...]
    problem: str
    late: bool | None
    late_says: Says = ""
    handed_in: str = ""
    kept: bool


class CheckRow(Record):
    """A check over the class: how many failed, are open (too close, unknown, broken), were asked.

    Only checks that somebody failed or that are open for somebody have a row; most failed first.
    """

    name: str
    title: str
    required: bool
    failed: int
    opened: int
    asked: int


class Middle(Record):
    """A number over the class: over how many works, their mean and their median."""

    works: int
    mean: float
    median: float


class PairRow(Record):
    """Two works: the share of text in common; how far networks and recipes are apart (0 to 1).

    None where one of the two has no network that was read, or no recipe of its own.
    """

    first: str
    second: str
    text: float
    network: float | None
    recipe: float | None


class GroupRow(Record):
    """Works that are alike in one way: for a person to judge, never points.

    `share` is how many of the class (0 to 1) have it, `handed_out` names what was handed out and
    has it too. `works` and pairs are named by `submission`.
    """

    kind: Kind
    works: tuple[str, ...]
    share: float
    handed_out: tuple[str, ...]
    pairs: tuple[PairRow, ...]


class PlaceRow(Record):
    """A place on a board: `rank` from 1, the name that people see, the value."""

    rank: int
    name: str
    value: float


class RosterRow(Record):
    """The works beside the class's list.

    `missing` have no work, `unusable` are those of them who handed in something, and nothing that
    can be graded; `unknown` are works (by `submission`) of nobody on the list;
    `several` are works of a student who has more than one.
    """

    students: int
    missing: tuple[StudentRow, ...]
    unusable: tuple[StudentRow, ...]
    unknown: tuple[str, ...]
    several: tuple[tuple[str, ...], ...]


class Left(Record):
    """What was not graded, and why."""

    path: str
    reason: str


class ClassRecord(Record):
    """A class, graded.

    `started` and `seconds` are this run's. `verdicts` counts works by verdict, `late` those that
    are late; `points` is over all
    works that are not the grader's own fault, `accuracy` over those that were trained and graded.
    `similarity_key` stands for everything that `similarity` was found from, and is sealed.
    """

    schema_version: Literal[1] = CLASS_VERSION
    assignment: str
    assignment_title: str
    started: str
    seconds: float
    side_by_side: int
    quick_look: str
    isolation: str
    verdicts: dict[Verdict, int]
    late: int
    points: Middle | None
    accuracy: Middle | None
    checks: tuple[CheckRow, ...]
    works: tuple[WorkRow, ...]
    roster: RosterRow | None
    similarity: tuple[GroupRow, ...]
    similarity_key: str
    leaderboard: dict[str, tuple[PlaceRow, ...]]
    left_out: tuple[Left, ...]
    files: dict[str, str] = Field(default_factory=dict)


def works(
    reports: Sequence[Report],
    joined: Joined[Report] | None,
    *,
    late: Mapping[str, Lateness],
    kept: frozenset[str],
) -> tuple[WorkRow, ...]:
    """A row for each report, in their order. `late` and `kept` are by `submission`."""
    owners = owners_of(joined)
    return tuple(
        _work(
            one,
            owners.get(one.submission),
            late.get(one.submission, Lateness()),
            one.submission in kept,
        )
        for one in reports
    )


def owners_of(joined: Joined[Report] | None) -> dict[str, Student]:
    """The student of each work, by `submission`, also of those who have several."""
    if joined is None:
        return {}
    found = {report.submission: student for student, report in joined.owners}
    for student, several in joined.several:
        found |= {report.submission: student for report in several}
    return found


def _work(report: Report, student: Student | None, late: Lateness, kept: bool) -> WorkRow:
    graded = class_facts.graded(report)
    opened = [one for one in report.checks if one.required and one.verdict is not Verdict.PASSED]
    return WorkRow(
        submission=report.submission,
        name=notices.name(report),
        path=report.path,
        sha256=report.sha256,
        student=None if student is None else student_row(student),
        verdict=report.verdict,
        points=report.points,
        max_points=report.max_points,
        not_final=gradebook.not_final(report),
        parameters=class_facts.parameters(report),
        accuracy=graded.score if graded else None,
        interval=graded.interval if graded else None,
        open_checks=tuple(one.name for one in opened),
        flags=report.flags,
        problem=report.problem.message if report.problem else "",
        late=late.late,
        late_says=late.says,
        handed_in="" if late.when is None else late.when.isoformat(timespec="seconds"),
        kept=kept,
    )


def student_row(student: Student) -> StudentRow:
    """The line of the list, without what the platform alone wants."""
    return StudentRow(
        name=student.name,
        number=student.number,
        student_id=student.student_id,
        email=student.email,
        login=student.login,
        section=student.section,
    )


def verdicts(reports: Sequence[Report]) -> dict[Verdict, int]:
    """How many works came out how."""
    counted = Counter(report.verdict for report in reports)
    return {verdict: counted[verdict] for verdict in Verdict if counted[verdict]}


def points(reports: Sequence[Report]) -> Middle | None:
    """Mean and median of the points, without works that the grader itself could not grade."""
    return _middle([one.points for one in reports if one.verdict is not Verdict.BROKEN])


def accuracy(reports: Sequence[Report]) -> Middle | None:
    """Mean and median of the accuracies that are results."""
    graded = [found for found in map(class_facts.graded, reports) if found is not None]
    return _middle([found.score for found in graded if found.score is not None])


def _middle(values: Sequence[float]) -> Middle | None:
    if not values:
        return None
    return Middle(works=len(values), mean=mean(values), median=median(values))


def checks(reports: Sequence[Report]) -> tuple[CheckRow, ...]:
    """The checks that somebody failed or that are open, those that most failed first."""
    return tuple(CheckRow(**found._asdict()) for found in class_facts.failing(reports))


def beside_list(joined: Joined[Report] | None, unusable: Collection[Student]) -> RosterRow | None:
    """The works beside the class's list, where there is one."""
    if joined is None:
        return None
    return RosterRow(
        students=len(joined.owners) + len(joined.several) + len(joined.missing),
        missing=tuple(map(student_row, joined.missing)),
        unusable=tuple(map(student_row, unusable)),
        unknown=_names(joined.unknown),
        several=tuple(_names(several) for _, several in joined.several),
    )


def _names(reports: Sequence[Report]) -> tuple[str, ...]:
    return tuple(report.submission for report in reports)


def group_rows(groups: Sequence[Group]) -> tuple[GroupRow, ...]:
    """Groups as they are written."""
    return tuple(map(_group, groups))


def _group(group: Group) -> GroupRow:
    return GroupRow(
        kind=group.kind,
        works=group.names,
        share=group.share,
        handed_out=group.handed_out,
        pairs=tuple(PairRow(**pair._asdict()) for pair in group.closest),
    )


def boards(found: Sequence[Board]) -> dict[str, tuple[PlaceRow, ...]]:
    """Boards as they are written, by their names."""
    return {board.name: tuple(map(_place, board.places)) for board in found}


def _place(place: Place) -> PlaceRow:
    return PlaceRow(rank=place.rank, name=place.name, value=place.value)


def read(folder: Path) -> ClassRecord | None:
    """The class whose files lie in a folder of `grades/`; None where there is none, or no longer.

    Another version of the grader may have written it.
    """
    try:
        return ClassRecord.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of `class.json` as it is written."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ClassRecord.model_json_schema(mode="serialization"),
    }


def write_schema(path: Path) -> None:
    """Write `schema()` to `path` (`schema/class.schema.json`)."""
    path.write_text(json.dumps(schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
