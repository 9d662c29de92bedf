"""One submission for Classroom 50: `result.json`. In: one Report, and the runner's variables.

https://github.com/foundation50/classroom50/wiki/Advanced-Autograding: whose result it is stands in
environment variables that the runner sets. Scores are whole numbers there: where an assignment has
half points, all are counted in hundredths.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from grader.printable import printable
from grader.render import check_texts
from grader.report import CheckResult, Report
from grader.submission.submission import UsageError

FORM = "result.json"
SCHEMA = "classroom50/result/v1"

VARIABLES = {
    "classroom": "CLASSROOM",
    "assignment": "ASSIGNMENT",
    "submission": "SUBMISSION_TAG",
    "commit": "COMMIT_URL",
    "release": "RELEASE_URL",
}
"""By key of the result; the runner adds the owner and the type of the assignment itself."""


def render(reports: Sequence[Report]) -> str:
    """The JSON of the one report. Raises UsageError for several, or outside of the runner."""
    report = check_texts.the_one(reports, FORM)
    check_texts.refuse_broken(report, FORM)
    identity = _identity(os.environ)
    whole = all(points.is_integer() for points in _all_points(report))
    unit = 1 if whole else 100
    tests = [_test(report, check, unit) for check in report.checks]
    if report.problem is not None:
        tests.append(_problem(report, unit))
    found = {
        "schema": SCHEMA,
        **identity,
        "datetime": _utc(report.started),
        "graded_at": _utc(report.started),
        "score": sum(test["score"] for test in tests),
        "max-score": sum(test["max-score"] for test in tests),
        "tests": tests,
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _identity(environment: Mapping[str, str]) -> dict[str, str]:
    missing = [name for name in VARIABLES.values() if not environment.get(name)]
    if missing:
        raise UsageError(
            f"{FORM} says whose result it is, which Classroom 50's runner knows: set "
            f"{', '.join(missing)}, or let its autograder.py call this command."
        )
    found = {key: environment[name] for key, name in VARIABLES.items()}
    return {**found, "review": environment.get("REVIEW_URL") or found["commit"]}


def _all_points(report: Report) -> list[float]:
    found = [float(report.max_points)]
    for check in report.checks:
        found += [float(check.points), float(check.max_points)]
    return found


def _test(report: Report, check: CheckResult, unit: int) -> dict[str, Any]:
    return {
        "test-name": printable(check.name),
        "passed": check_texts.earned(check) is True,
        "score": round(unit * check.points),
        "max-score": round(unit * check.max_points),
        "title": printable(check.title.rstrip(".")),
        "output": check_texts.explained(report, check),
    }


def _problem(report: Report, unit: int) -> dict[str, Any]:
    """What stands in place of the checks of a submission that could not be graded."""
    return {
        "test-name": "grading",
        "passed": False,
        "score": 0,
        "max-score": round(unit * report.max_points),
        "output": check_texts.introduction(report),
    }


def _utc(time: str) -> str:
    """An ISO time as Classroom 50 writes it: UTC, whole seconds, and Z."""
    return datetime.fromisoformat(time).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
