"""The checks as JUnit XML, which most CI systems show. In: Reports. Out: a suite per submission.

A check that is not required never fails the suite: it is skipped, with its reason. One that is too
close to call fails it where it cost points, one that could not tell always: both cost the verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree as ET

from grader.printable import printable
from grader.render import check_texts, notices, words
from grader.render.marks import MARKS
from grader.report import CheckResult, Placed, Report, Verdict

LONGEST_TEXT = 4000


class Outcome(NamedTuple):
    """How a test case ended that did not pass: the element's name, its message, its text."""

    element: str
    message: str
    text: str = ""


def render(reports: Sequence[Report]) -> str:
    """The XML, with its declaration."""
    root = ET.Element("testsuites", name="grader")
    for report in reports:
        root.append(_suite(report))
    _count(root, root)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(report: Report) -> ET.Element:
    suite = ET.Element("testsuite", name=_text(f"{report.assignment}/{notices.name(report)}"))
    suite.set("timestamp", _text(report.started))
    suite.set("time", f"{sum(report.seconds.values()):.3f}")
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(report).items():
        ET.SubElement(properties, "property", name=name, value=_text(value))
    if report.problem is not None:
        element = "failure" if report.problem.fault == "submission" else "error"
        title, advice = notices.problem(report.problem)
        outcome = Outcome(element, title, f"{report.problem.message}\n{advice}")
        _case(suite, report, "grading", outcome, report.problem)
    for check in report.checks:
        where = next((hint for hint in check.hints if hint.line is not None), None)
        _case(suite, report, check.name, _outcome(report, check), where)
    _count(suite, suite)
    return suite


def _properties(report: Report) -> dict[str, str]:
    found = {
        "verdict": str(report.verdict),
        "points": words.points(report.points),
        "max_points": words.points(report.max_points),
        "title": report.assignment_title,
    }
    if earlier := notices.last_trained(report):
        found["last_trained"] = earlier
    for number, (title, _) in enumerate(notices.banners(report), 1):
        found[f"notice {number}"] = title
    for number, flag in enumerate(report.flags, 1):
        found[f"flag {number}"] = flag
    return found


def _case(
    suite: ET.Element, report: Report, name: str, outcome: Outcome | None, where: Placed | None
) -> None:
    facts = {
        "classname": f"{report.assignment}.{notices.name(report)}",
        "name": name,
        "file": words.within(report, where),
    }
    case = ET.SubElement(suite, "testcase", {key: _text(fact) for key, fact in facts.items()})
    if where is not None and where.line is not None and not where.cell:
        case.set("line", str(where.line))
    if outcome is not None:
        found = ET.SubElement(case, outcome.element, message=_text(outcome.message))
        found.text = _text(outcome.text) or None


def _outcome(report: Report, check: CheckResult) -> Outcome | None:
    message = _message(check)
    text = "\n".join([*filter(None, [check.detail]), *check_texts.hints(report, check)])
    if check.verdict is Verdict.BROKEN:
        return Outcome("error", message, text)
    if check.verdict is Verdict.SKIPPED:
        return Outcome("skipped", check.detail or message)
    # Too close to call, and the student got the benefit of the doubt.
    forgiven = check.verdict is Verdict.BORDERLINE and check.points >= check.max_points
    if check.verdict is Verdict.PASSED or forgiven:
        return None
    if check.verdict is not Verdict.FAILED:
        message = f"{MARKS[check.verdict].words}: {message}"
    if not check.required:
        return Outcome("skipped", f"advisory, not required: {message}", text)
    return Outcome("failure", message, text)


def _message(check: CheckResult) -> str:
    """The check in one line: what it asks, what was measured, and the limit."""
    facts = [check.measured, f"limit {check.asked}" if check.asked else ""]
    measured = ", ".join(filter(None, facts))
    return f"{check.title.rstrip('.')}: {measured}" if measured else check.title


def _text(text: str) -> str:
    """Without what XML 1.0 forbids, a terminal obeys, or a CI runner reads as an order."""
    return printable(text, LONGEST_TEXT, lines=True)


def _count(element: ET.Element, within: ET.Element) -> None:
    cases = list(within.iter("testcase"))
    element.set("tests", str(len(cases)))
    for name, plural in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        found = [case for case in cases if case.find(name) is not None]
        element.set(plural, str(len(found)))
