"""What the journey of a submission comes to: a Report, and the exit code of a whole run.

In: what capture, analyses and checks found. Out: the Report. Decides nothing: the checks have.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from grader import environment, plugin
from grader.analysis import summary
from grader.errors import GraderError, SubmissionError
from grader.report import CheckResult, Hint, Problem, Report, Verdict

if TYPE_CHECKING:
    from grader.assignment import Assignment
    from grader.clock import Clock
    from grader.findings import Findings
    from grader.sandbox.capture import Captured
    from grader.sandbox.level import Isolation
    from grader.submission import Submission


def finished(
    submission: Submission,
    assignment: Assignment,
    captured: Captured,
    findings: Findings,
    checks: Sequence[CheckResult],
    clock: Clock,
    isolation: Isolation,
) -> Report:
    """The report of a submission whose checks have run."""
    done = findings.trial
    program = captured.program
    return Report(
        submission=submission.name,
        path=submission.display,
        sha256=submission.sha256,
        assignment=assignment.name,
        assignment_title=assignment.title,
        verdict=plugin.overall(checks),
        points=sum(check.points for check in checks),
        max_points=sum(check.max_points for check in checks),
        checks=tuple(checks),
        layers=findings.analysis.layers,
        analysis=summary.to_json(findings.analysis, assignment),
        training=done.training if done else None,
        left_out=tuple(Hint(text=f"{item.text} ({item.reason})", line=item.line) for item in program.left_out),
        flags=findings.analysis.flags,
        notes=(*program.notes, *findings.analysis.notes),
        quick_look=findings.quick_look,
        interrupted=done.interrupted if done else False,
        environment=environment.describe(device=done.device if done else "none", isolation=isolation),
        seconds=clock.seconds,
        started=clock.started.isoformat(timespec="seconds"),
    )


def unfinished(
    submission: Submission, assignment: Assignment, error: Exception, isolation: Isolation, quick_look: str = ""
) -> Report:
    """The report of a submission that could not be graded: no points when it is at fault, "broken" when we are."""
    problem = _problem(error)
    return Report(
        submission=submission.name,
        path=submission.display,
        sha256=submission.sha256,
        assignment=assignment.name,
        assignment_title=assignment.title,
        verdict=Verdict.FAILED if problem.fault == "submission" else Verdict.BROKEN,
        points=0,
        max_points=assignment.points,
        checks=(),
        problem=problem,
        quick_look=quick_look,
        environment=environment.describe(device="none", isolation=isolation),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _problem(error: Exception) -> Problem:
    if isinstance(error, SubmissionError):
        return Problem(fault="submission", message=error.message, line=error.line)
    if isinstance(error, GraderError):
        return Problem(fault="grader", message=str(error))
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return Problem(
        fault="grader",
        message=f"{type(error).__name__} at {place}: {error}. This is a mistake in the grader: please report it.",
    )


EXIT = {Verdict.PASSED: 0, Verdict.BORDERLINE: 0, Verdict.FAILED: 1, Verdict.SKIPPED: 1, Verdict.BROKEN: 3}


def exit_code(reports: Sequence[Report], assignments: Mapping[str, Assignment]) -> int:
    """0 when every required check passed, 1 when some failed, 3 when the grader could not grade."""
    codes = [EXIT[item.verdict] for item in reports]
    codes += [
        1
        for item in reports
        if item.verdict is Verdict.BORDERLINE and not assignments[item.assignment].borderline_earns_points
    ]
    return max(codes, default=0)
