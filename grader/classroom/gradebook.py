"""Points as a learning platform takes them back. In: a class's Reports and its list. Out: CSV.

A grade is written only where it is final. A cell that stays empty leaves the gradebook as it is,
and what stayed empty is said, with the reason.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grader.classroom import roster
from grader.classroom.roster import COLUMNS, Identity, Joined, Roster, Student
from grader.printable import printable
from grader.render import notices, words
from grader.render.spreadsheet import cell
from grader.report import Report, Verdict
from grader.submission import people
from grader.submission.submission import UsageError

CANVAS_COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
MOODLE_COLUMNS = (
    "Identifier",
    "Full name",
    "Email address",
    "Status",
    "Grade",
    "Maximum Grade",
    "Grade can be changed",
    "Last modified (submission)",
    "Last modified (grade)",
    "Feedback comments",
)
NBGRADER_COLUMNS = (
    "assignment",
    "duedate",
    "timestamp",
    "student_id",
    "last_name",
    "first_name",
    "email",
    "raw_score",
    "late_submission_penalty",
    "score",
    "max_score",
)


@dataclass(frozen=True, slots=True)
class Gradebook:
    """The table, and what is not in it: sentences for the instructor."""

    text: str
    remarks: tuple[str, ...]


def canvas(reports: Sequence[Report], known: Roster, *, column: str = "") -> Gradebook:
    """Canvas's "Import grades": https://community.canvaslms.com, gradebook CSV.

    `column` is the assignment's column as Canvas exports it, "MNIST (4711)"; another name makes a
    new assignment. Without it, that of the list that was exported is taken, else the title.
    Raises UsageError where the reports are not of one assignment.
    """
    title, points = _assignment(reports)
    joined = join(reports, known)
    found = column or next((name for name in known.columns if name.startswith(f"{title} (")), title)
    rows = [[*CANVAS_COLUMNS, found], ["    Points Possible", "", "", "", "", words.points(points)]]
    for student in known.students:
        report = _of(joined, student)
        row = [student.row.get(name) or _canvas(student)[name] for name in CANVAS_COLUMNS]
        rows.append([*row, _points(report)])
    return Gradebook(_csv(rows), tuple(_remarks(joined)))


def fitting(
    reports: Sequence[Report], known: Roster, *, unusable: Collection[Student] = ()
) -> Gradebook:
    """The gradebook of the platform whose list it is; of any other list, its lines with points.

    `unusable` handed in something, and nothing that can be graded.
    """
    if {"Identifier", "Grade"} <= set(known.columns):
        return moodle(reports, known)
    if {"Student", "ID"} <= set(known.columns):
        return canvas(reports, known)
    return plain(reports, known, unusable=unusable)


def plain(
    reports: Sequence[Report], known: Roster, *, unusable: Collection[Student] = ()
) -> Gradebook:
    """The list as it is, with points and verdict beside each line.

    `unusable` handed in something, and nothing that can be graded. Raises UsageError where the
    reports are not of one assignment.
    """
    title, points = _assignment(reports)
    joined = join(reports, known)
    several = {student: len(works) for student, works in joined.several}
    rows = [[*known.columns, title, f"of {words.points(points)}", "verdict", "remark"]]
    for student in known.students:
        report = _of(joined, student)
        own = [student.row.get(name, "") for name in known.columns]
        verdict = "" if report is None else notices.verdict(report.verdict)
        remark = ""
        if works := several.get(student):
            remark = f"{works} works, so no grade is written"
        if student in joined.missing:
            remark = "nothing that can be graded" if student in unusable else "no work"
        if report is not None:
            remark = not_final(report)
        rows.append([*own, _points(report), words.points(points), verdict, remark])
    return Gradebook(_csv(rows), tuple(_remarks(joined)))


def _canvas(student: Student) -> dict[str, str]:
    facts = (student.name, student.number, student.student_id, student.login, student.section)
    return dict(zip(CANVAS_COLUMNS, facts, strict=True))


def moodle(reports: Sequence[Report], known: Roster) -> Gradebook:
    """Moodle's grading worksheet, filled in: https://docs.moodle.org, "Offline grading worksheet".

    The list is the worksheet that Moodle exports: every column of it comes back. Raises UsageError
    for another list, or where the reports are not of one assignment.
    """
    _, points = _assignment(reports)
    missing = [name for name in ("Identifier", "Grade") if name not in known.columns]
    if missing:
        raise UsageError(
            f"Moodle takes back its own worksheet, and this list has no column {missing[0]!r}. "
            'Download it in the assignment: "Grading action", "Download grading worksheet".'
        )
    joined = join(reports, known)
    rows = [list(known.columns)]
    for student in known.students:
        rows.append(_moodle(student, _of(joined, student), points, known.columns))
    return Gradebook(_csv(rows), tuple(_remarks(joined)))


def _moodle(
    student: Student, report: Report | None, points: float, columns: Sequence[str]
) -> list[str]:
    row = dict(student.row)
    if report is not None and not not_final(report):
        row["Grade"] = _rescaled(report, points, row.get("Maximum Grade", ""))
        if "Feedback comments" in columns:
            row["Feedback comments"] = _feedback(report)
    return [row.get(name, "") for name in columns]


def nbgrader(reports: Sequence[Report], known: Roster) -> Gradebook:
    """The table that `nbgrader export` writes: nbgrader/plugins/export.py, CsvExportPlugin.

    When work was due and handed in is not known here: these stay empty, and nobody is late. Raises
    UsageError where the reports are not of one assignment.
    """
    _, points = _assignment(reports)
    joined = join(reports, known)
    rows = [list(NBGRADER_COLUMNS)]
    for student in known.students:
        report = _of(joined, student)
        earned = _points(report)
        last, first = _names(student)
        own = [_identifier(student), last, first, student.email]
        late = "0" if earned else ""
        scores = [earned, late, earned, words.points(points)]
        rows.append([reports[0].assignment, "", "", *own, *scores])
    return Gradebook(_csv(rows), tuple(_remarks(joined)))


def _identifier(student: Student) -> str:
    return student.student_id or student.login or student.number or student.name


def _names(student: Student) -> tuple[str, str]:
    """Last and first name as the list has them; the whole name as the last where it has one."""
    cells = {name.strip().casefold(): text.strip() for name, text in student.row.items()}
    found = [next(filter(None, map(cells.get, COLUMNS[fact])), "") for fact in ("last", "first")]
    if any(found):
        return found[0], found[1]
    for name in COLUMNS["name"]:
        last, comma, first = cells.get(name, "").partition(",")
        if comma:
            return last.strip(), first.strip()
    return student.name, ""


def otter(reports: Sequence[Report], known: Roster) -> Gradebook:
    """otter-grader's final_grades.csv: points of each question, their sum, and its share (0 to 1).

    Raises UsageError where the reports are not of one assignment.
    """
    _, points = _assignment(reports)
    joined = join(reports, known)
    names: dict[str, None] = {}
    for report in reports:
        names |= dict.fromkeys(check.name for check in report.checks if check.max_points)
    rows = [["identifier", *names, "total", "percent_correct"]]
    for student in known.students:
        own = _of(joined, student)
        found, share = {}, ""
        if own is not None and not not_final(own):
            found = {check.name: words.points(check.points) for check in own.checks}
            share = f"{own.points / points:.4f}"
        cells = [found.get(name, "") for name in names]
        rows.append([_identifier(student), *cells, _points(own), share])
    return Gradebook(_csv(rows), tuple(_remarks(joined)))


def _rescaled(report: Report, points: float, maximum: str) -> str:
    """The points on the platform's own scale, where it says another maximum than we do."""
    try:
        scale = float(maximum.replace(",", ".")) / points
    except (ValueError, ZeroDivisionError):
        scale = 1.0
    return words.points(report.points * scale)


def _feedback(report: Report) -> str:
    """What the student reads beside the grade: the verdict, and what is open."""
    opened = [
        f"{check.title.rstrip('.')}: {check.measured or check.detail}"
        for check in report.checks
        if check.required and check.verdict is not Verdict.PASSED
    ]
    said = [f"{notices.headline(report)}: {notices.total(report)}", *opened]
    if report.problem is not None:
        said.append(report.problem.message)
    return printable(". ".join(said), 1000)


def not_final(report: Report) -> str:
    """Why these points are no grade; empty where they are one."""
    if report.verdict is Verdict.BROKEN:
        return "could not be graded, and not by its own fault"
    if banners := notices.banners(report):
        return banners[0][0]
    if report.verdict in (Verdict.PASSED_SO_FAR, Verdict.UNKNOWN, Verdict.SKIPPED):
        return f"is not decided yet ({notices.verdict(report.verdict)})"
    return ""


def _points(report: Report | None) -> str:
    return "" if report is None or not_final(report) else words.points(report.points)


def _assignment(reports: Sequence[Report]) -> tuple[str, float]:
    """The title of the one assignment, and its points."""
    names = sorted({report.assignment for report in reports})
    if len(names) != 1:
        raise UsageError(
            f"A gradebook's column is one assignment's, and these reports are of {len(names)}: "
            f"{', '.join(map(printable, names))}. Name the folder of one, grades/{names[0]}."
        )
    return reports[0].assignment_title, max(report.max_points for report in reports)


def join(reports: Sequence[Report], known: Roster) -> Joined[Report]:
    """Each report to the student of the list whose work it is on.

    Clones of one assignment are called after it and after a login: what all names begin with, up
    to a "-", may be the assignment's.
    """
    names = [_own_name(report) for report in reports]
    cuts = _cuts(names)
    found = []
    for name, report in zip(names, reports, strict=True):
        logins = tuple(name[cut:] for cut in cuts)
        found.append((replace(identity(report), logins=logins), report))
    return roster.join(known, found)


def _cuts(names: Sequence[str]) -> list[int]:
    """Places after a "-" up to which several names are all the same."""
    if len(names) < 2:
        return []
    first, last = min(names), max(names)  # what these two share, all do
    places = (place for place, letter in enumerate(first, 1) if letter == "-")
    return [place for place in places if last.startswith(first[:place])]


def _own_name(report: Report) -> str:
    return report.display_name or report.submission


def identity(report: Report) -> Identity:
    """Whose work a report is on, as far as its name and place say."""
    return identity_at(report.path, _own_name(report))


def identity_at(path: str, name: str) -> Identity:
    """Whose what lies at `path` is: as a learning platform says there, else `name`."""
    named = people.person(Path(path))
    return Identity(*named) if named else Identity(name)


def _of(joined: Joined[Report], student: Student) -> Report | None:
    return next((report for owner, report in joined.owners if owner is student), None)


def _remarks(joined: Joined[Report]) -> Iterator[str]:
    yield from _named(
        "not on the list, so in no row", [notices.name(report) for report in joined.unknown]
    )
    for student, works in joined.several:
        paths = ", ".join(printable(report.path, 100) for report in works)
        yield f"{printable(student.name)} has {len(works)} works, so no grade is written: {paths}"
    yield from _named("no work", [printable(student.name) for student in joined.missing])
    for student, report in joined.owners:
        if reason := not_final(report):
            name = printable(student.name) or notices.name(report)
            yield f"{name}: no grade is written: {reason}"


def _named(what: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        yield f"{what} ({len(names)}): {', '.join(names)}"


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([list(map(cell, row)) for row in rows])
    return text.getvalue()
