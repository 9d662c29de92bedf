"""What to do, beside the lines of a merge request. In: Reports. Out: GitLab's code quality report.

https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format: a list of findings,
each with a text, the name of its check, a fingerprint, a severity, and a place. A place without a
line is the file's first one.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence

from grader.printable import printable
from grader.render.annotations import LONGEST_TEXT, Annotation, Level, of_reports
from grader.report import Report

SEVERITIES: dict[Level, str] = {"error": "major", "warning": "minor", "notice": "info"}


def render(reports: Sequence[Report]) -> str:
    """The JSON."""
    seen: Counter[str] = Counter()
    found = []
    for annotation in of_reports(reports):
        seen[_key(annotation)] += 1
        found.append(_finding(annotation, seen[_key(annotation)]))
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _finding(annotation: Annotation, number: int) -> dict[str, object]:
    key = f"{_key(annotation)}\0{number}"
    text = printable(annotation.message, LONGEST_TEXT, lines=True)
    return {
        "description": f"{printable(annotation.title)}. {text}",
        "check_name": printable(annotation.title),
        "fingerprint": hashlib.sha256(key.encode("utf-8", "replace")).hexdigest(),
        "severity": SEVERITIES[annotation.level],
        "location": {
            "path": printable(annotation.path),
            "lines": {"begin": annotation.line or 1},
        },
    }


def _key(annotation: Annotation) -> str:
    """What stays the same when the file around it moves: the file, and what is said of it."""
    return f"{annotation.path}\0{annotation.title}\0{annotation.message}"
