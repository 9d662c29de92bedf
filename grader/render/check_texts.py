"""A check as plain text for other systems: its outcome, and what a student reads about it.

In: a CheckResult of a Report. Out: `printable` text without markup.
"""

from __future__ import annotations

from collections.abc import Sequence

from grader.errors import GraderError
from grader.printable import printable
from grader.render import notices, words
from grader.render.marks import MARKS
from grader.report import CheckResult, Report, Verdict
from grader.submission.submission import UsageError

LONGEST = 4000


def earned(check: CheckResult) -> bool | None:
    """Whether the check is fulfilled; None where it was not asked or nobody can tell.

    A check that is too close to call counts as fulfilled where it earned all of its points.
    """
    if check.verdict is Verdict.BORDERLINE:
        return check.points >= check.max_points
    return {Verdict.PASSED: True, Verdict.FAILED: False}.get(check.verdict)


def explained(report: Report, check: CheckResult) -> str:
    """Verdict, measurement, reason and hints, each hint with its place: several lines."""
    facts = [check.measured, f"required: {check.asked}" if check.asked else ""]
    advisory = "" if check.required else " (advisory, costs no points)"
    lines = [
        f"{MARKS[check.verdict].words}{advisory}",
        ", ".join(filter(None, facts)),
        check.detail,
        *hints(report, check),
    ]
    return printable("\n".join(filter(None, lines)), LONGEST, lines=True)


def hints(report: Report, check: CheckResult) -> list[str]:
    """What to do, each with its place in the student's work: "model.py:21: ..."."""
    places = (words.place(report, hint) for hint in check.hints)
    return [
        f"{place}: {hint.text}" if place else hint.text
        for place, hint in zip(places, check.hints, strict=True)
    ]


def introduction(report: Report) -> str:
    """What stands above the checks: the verdict, and why it may not be what it looks like."""
    lines = [f"{notices.headline(report)}: {notices.total(report)}"]
    lines += [f"{title}. {text}" for title, text in notices.banners(report)]
    if report.problem is not None:
        title, advice = notices.problem(report.problem)
        place = words.place(report, report.problem)
        message = report.problem.message
        lines += [title, f"{place}: {message}" if place else message, advice]
    lines += [f"Flagged for your instructor: {flag}" for flag in report.flags]
    return printable("\n".join(lines), LONGEST, lines=True)


def the_one(reports: Sequence[Report], form: str) -> Report:
    """The report, for a format that holds one. Raises UsageError for several."""
    if len(reports) != 1:
        raise UsageError(
            f"{form} is the result of one submission, and these are {len(reports)} reports. "
            "Name the report.json of one."
        )
    return reports[0]


def refuse_broken(report: Report, form: str) -> None:
    """Raise GraderError where the submission is not at fault: a zero would be a wrong grade."""
    if report.verdict is Verdict.BROKEN:
        said = report.problem.message if report.problem else "a check broke"
        raise GraderError(
            f"{notices.name(report)} was not graded, and not by its own fault: "
            f"{printable(said, 300)} No {form} is written, for it would hold a grade that nobody "
            "earned. Grade again when that is put right."
        )
