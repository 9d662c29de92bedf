"""One submission for Gradescope: `results.json`. In: one Report. Out: JSON.

https://gradescope-autograders.readthedocs.io/en/latest/specs/: the total is stated, every text is
plain ("text"), and nothing is hidden, for one hidden test would hide the total.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from grader.printable import printable
from grader.render import check_texts
from grader.report import CheckResult, Report, Training

FORM = "results.json"


def render(reports: Sequence[Report]) -> str:
    """The JSON of the one report. Raises UsageError for several, GraderError for a broken one."""
    report = check_texts.the_one(reports, FORM)
    check_texts.refuse_broken(report, FORM)
    found: dict[str, Any] = {
        "score": report.points,
        "execution_time": round(sum(report.seconds.values())),
        "output": check_texts.introduction(report),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [
            _test(report, check, str(number)) for number, check in enumerate(report.checks, 1)
        ],
        "leaderboard": list(_leaderboard(report)),
        "extra_data": {
            "submission": printable(report.submission, 100),
            "sha256": report.sha256,
            "verdict": report.verdict,
        },
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _test(report: Report, check: CheckResult, number: str) -> dict[str, Any]:
    outcome = check_texts.earned(check)
    status = {} if outcome is None else {"status": "passed" if outcome else "failed"}
    return {
        "name": printable(check.title.rstrip(".")),
        "number": number,
        "score": check.points,
        "max_score": check.max_points,
        **status,
        "output": check_texts.explained(report, check),
        "visibility": "visible",
    }


def _leaderboard(report: Report) -> Iterator[dict[str, Any]]:
    """The columns of Gradescope's leaderboard, the first one decides; only of graded trainings."""
    training = report.training
    if training is None or training.score is None or training.practice or report.quick_look:
        return
    yield {"name": "accuracy, %", "value": round(100 * training.score, 3), "order": "desc"}
    parameters = (report.analysis or {}).get("total_parameters")
    if isinstance(parameters, int):
        yield {"name": "parameters", "value": parameters, "order": "asc"}
    if seconds := _seconds_to_99(training):
        yield {"name": "seconds to 99 %", "value": seconds, "order": "asc"}


def _seconds_to_99(training: Training) -> float | None:
    times = [run.seconds_to_99 for run in training.runs if run.seconds_to_99]
    return round(min(times), 1) if times else None
