"""A class as a table: one row a submission. In: Reports. Out: CSV, every cell of it inert.

A spreadsheet runs a cell that begins like a formula, also after it has split the text at a
semicolon of its own accord.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from grader.printable import printable
from grader.render import notices, words
from grader.report import Report, Training, Verdict

FORMULA = re.compile(r"(^|[;,|\t])(\s*)(?=[=+\-@＝＋－＠])")
"""Where a cell, or what a spreadsheet may take for one, begins like a formula."""

LONGEST_TEXT = 1000

TRAINING_COLUMNS = (
    "score",
    "protocol",
    "threshold",
    "best_on_test_set",
    "last",
    "mean_last_3",
    "interval_low",
    "interval_high",
    "dataset",
    "seeds",
    "seconds_to_99",
)


def render(reports: Sequence[Report]) -> str:
    """The table with its head; lines end as RFC 4180 wants."""
    names: dict[str, None] = {}
    for report in reports:
        names |= dict.fromkeys(check.name for check in report.checks)
    rows = [_row(report, names) for report in reports]
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(map(cell, rows[0]))
    for row in rows:
        writer.writerow(map(cell, row.values()))
    return text.getvalue()


def cell(value: object) -> str:
    """`value` on one line; an apostrophe in front of what a spreadsheet would run.

    A dash alone runs nothing: Moodle's worksheet has it where there is no date, and wants it back.
    """
    text = "" if value is None else str(value)
    if text == "-":
        return text
    return FORMULA.sub(r"\1\2'", printable(text, LONGEST_TEXT))


def _row(report: Report, names: Iterable[str]) -> dict[str, object]:
    """The facts, then three columns for each check that any of the reports has."""
    analysis = report.analysis or {}
    required = [check for check in report.checks if check.required]
    opened = [check.name for check in required if check.verdict is not Verdict.PASSED]
    return {
        "submission": notices.name(report),
        "assignment": report.assignment,
        "verdict": report.verdict,
        "points": words.points(report.points),
        "max_points": words.points(report.max_points),
        "parameters": analysis.get("total_parameters"),
        **_training(report.training),
        "recipe": _recipe(report),
        "not_final": "; ".join(title for title, _ in notices.banners(report)),
        "last_trained": notices.last_trained(report),
        "open_checks": " ".join(opened),
        "flags": " / ".join(report.flags),
        "problem": report.problem.message if report.problem else "",
        "folder": report.submission,
        "path": report.path,
        "sha256": report.sha256,
        "started": report.started,
        **_checks(report, names),
    }


def _recipe(report: Report) -> str:
    """Where the recipe comes from, and whether another was handed in that could not be followed."""
    if report.recipe is None:
        return ""
    refused = ", own not followed" if report.recipe.obstacles else ""
    return f"{report.recipe.origin}{refused}"


def _checks(report: Report, names: Iterable[str]) -> dict[str, object]:
    """Verdict, points and measurement of each check: a number where it is one, else words."""
    found: dict[str, object] = {}
    known = {check.name: check for check in report.checks}
    for name in names:
        verdict: object = ""
        points: object = ""
        measured: object = ""
        if check := known.get(name):
            verdict, points = check.verdict, words.points(check.points)
            measured = check.measured if check.value is None else _rounded(check.value)
        found |= {f"check_{name}": verdict, f"points_{name}": points, f"measured_{name}": measured}
    return found


def _training(training: Training | None) -> dict[str, object]:
    """Accuracies from 0 to 1, to six digits; empty where nothing was trained."""
    if training is None:
        return dict.fromkeys(TRAINING_COLUMNS)
    times = [run.seconds_to_99 for run in training.runs if run.seconds_to_99]
    low, high = training.interval or (None, None)
    values = (
        _rounded(training.score),
        training.protocol,
        training.threshold,
        _rounded(training.best),
        _rounded(training.last),
        _rounded(training.last_3),
        _rounded(low),
        _rounded(high),
        training.dataset,
        _seeds(training),
        " ".join(f"{seconds:.1f}" for seconds in times),
    )
    return dict(zip(TRAINING_COLUMNS, values, strict=True))


def _seeds(training: Training) -> str:
    """Which seeds, not how many: "seed 0", "seeds 0 1 2"."""
    numbers = " ".join(str(run.seed) for run in training.runs)
    return f"{'seed' if len(training.runs) == 1 else 'seeds'} {numbers}" if numbers else ""


def _rounded(number: float | None) -> float | None:
    """Six digits tell means of several runs apart, and leave out the noise of binary."""
    return None if number is None else round(number, 6)
