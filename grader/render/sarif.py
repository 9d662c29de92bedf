"""What to do, beside the lines, for GitHub's code scanning and editors. In: Reports. Out: SARIF.

SARIF 2.1.0, https://docs.oasis-open.org/sarif/sarif/v2.1.0/: a check is a rule with its page, and
each of its hints a result at its line. Only what does not pass is a result.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any
from urllib.parse import quote

import grader
from grader.checks import pages
from grader.checks.names import check_names
from grader.printable import printable
from grader.render import notices, words
from grader.render.annotations import LEVELS
from grader.report import CheckResult, Placed, Report, Verdict

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
CANNOT_BE_GRADED = "grading"
LONGEST_TEXT = 2000

NOTHING = Placed()


def render(reports: Sequence[Report]) -> str:
    """One run with the results of all reports."""
    results = list(chain.from_iterable(map(_of, reports)))
    found = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "grader",
                        "version": grader.__version__,
                        "rules": list(_rules(results, reports)),
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": results,
            }
        ],
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _rules(
    results: Sequence[dict[str, Any]], reports: Sequence[Report]
) -> Iterator[dict[str, Any]]:
    """A rule for each check that has a result, with the page that explains it."""
    known = check_names()
    every = chain.from_iterable(report.checks for report in reports)
    titles = {printable(check.name, 100): check.title for check in every}
    for name in dict.fromkeys(result["ruleId"] for result in results):
        if name == CANNOT_BE_GRADED:
            yield {"id": name, "shortDescription": {"text": "The work can be graded"}}
        elif name in known:
            page = pages.load(name)
            yield {
                "id": name,
                "shortDescription": {"text": page.title.rstrip(".")},
                "help": {"text": f"{page.meaning}\n\n{page.why}"},
            }
        else:  # a check of the assignment's own, or of a report that another version wrote
            title = printable(titles.get(name, name), LONGEST_TEXT).rstrip(".")
            yield {"id": name, "shortDescription": {"text": title or name}}


def _of(report: Report) -> Iterator[dict[str, Any]]:
    if report.problem is not None:
        title, _ = notices.problem(report.problem)
        text = f"{title}: {report.problem.message}"
        yield _result(report, CANNOT_BE_GRADED, "error", text, report.problem)
    for check in report.checks:
        if check.verdict in LEVELS:
            yield from _of_check(report, check)


def _of_check(report: Report, check: CheckResult) -> Iterator[dict[str, Any]]:
    """One for each hint that has a line; else one for the file with all of them."""
    level = _level(check)
    reason = check.detail or check.title
    placed = [hint for hint in check.hints if hint.line is not None]
    for hint in placed:
        yield _result(report, check.name, level, f"{reason}\n{hint.text}", hint)
    if not placed:
        text = "\n".join([reason, *(hint.text for hint in check.hints)])
        yield _result(report, check.name, level, text, NOTHING)


def _level(check: CheckResult) -> str:
    if check.required:
        return LEVELS[check.verdict]
    return "note" if check.verdict is Verdict.BORDERLINE else "warning"


def _result(report: Report, rule: str, level: str, text: str, where: Placed) -> dict[str, Any]:
    """A result; a notebook is JSON to who shows it, so there the message names the cell."""
    region: dict[str, Any] = {}
    if where.cell:
        text = f"{words.place(report, where)}: {text}"
    elif where.line is not None:
        region = {"region": {"startLine": where.line}}
    # One address for Windows and Linux, and nothing in it that a reader takes for a scheme.
    path = printable(words.within(report, where), LONGEST_TEXT).replace("\\", "/")
    return {
        "ruleId": printable(rule, 100),
        "level": level,
        "message": {"text": printable(text, LONGEST_TEXT, lines=True)},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": quote(path, safe="/")}, **region}}
        ],
    }
