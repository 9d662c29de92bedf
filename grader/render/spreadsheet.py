"""A class as a table: one row a submission. In: Reports. Out: CSV for a spreadsheet, every cell of it inert.

A spreadsheet runs a cell that begins like a formula, also after it has split the text at a semicolon of its own accord.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from grader.printable import printable
from grader.render import notices, words
from grader.report import Report, Training, Verdict

FORMULA = re.compile(r"(^|[;,|\t])(\s*)(?=[=+\-@＝＋－＠])")
"""Where a cell, or what a spreadsheet may take for one, begins like a formula."""

LONGEST_TEXT = 1000


def spreadsheet(reports: Sequence[Report]) -> str:
    """The table with its head; lines end as RFC 4180 wants."""
    rows = [_row(report) for report in reports]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def cell(value: object) -> str:
    """`value` on one line; an apostrophe in front of what a spreadsheet would run."""
    text = printable("" if value is None else str(value), LONGEST_TEXT)
    return FORMULA.sub(r"\1\2'", text)


def _row(report: Report) -> dict[str, object]:
    analysis = report.analysis or {}
    return {
        "submission": report.submission,
        "assignment": report.assignment,
        "verdict": report.verdict,
        "points": words.points(report.points),
        "max_points": words.points(report.max_points),
        "parameters": analysis.get("total_parameters"),
        **_training(report.training),
        "not_final": "; ".join(title for title, _ in notices.banners(report)),
        "open_checks": " ".join(
            check.name for check in report.checks if _is_open(check.required, check.verdict)
        ),
        "flags": " / ".join(report.flags),
        "problem": report.problem.message if report.problem else "",
        "path": report.path,
        "sha256": report.sha256,
        "started": report.started,
    }


def _is_open(required: bool, verdict: Verdict) -> bool:
    return required and verdict is not Verdict.PASSED


def _training(training: Training | None) -> dict[str, object]:
    """Accuracies from 0 to 1; empty where nothing was trained."""
    low, high = (training.interval if training else None) or (None, None)
    return {
        "score": training and training.score,
        "protocol": training and training.protocol,
        "threshold": training and training.threshold,
        "best_on_test_set": training and training.best,
        "last": training and training.last,
        "mean_last_3": training and training.last_3,
        "interval_low": low,
        "interval_high": high,
        "dataset": training and training.dataset,
        "seeds": training and " ".join(str(run.seed) for run in training.runs),
        "seconds_to_99": training
        and " ".join(f"{run.seconds_to_99:.1f}" for run in training.runs if run.seconds_to_99),
    }
