"""GitLab's code quality report: its shape, a place for each finding, and nothing that is obeyed."""

import json

from jsonschema import Draft202012Validator

from grader.render import gitlab
from tests import report_examples as examples
from tests.render import hostile

SHAPE = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "minLength": 1, "not": {"pattern": "^\\./"}},
                    "lines": {"required": ["begin"], "properties": {"begin": {"minimum": 1}}},
                },
            },
        },
    },
}
"""https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format"""


def findings(*reports):
    found = json.loads(gitlab.render(reports))
    Draft202012Validator(SHAPE).validate(found)
    return found


def test_every_example_is_in_gitlabs_shape():
    for example in examples.ALL:
        findings(example())


def test_a_hint_is_at_its_line_and_no_two_findings_have_one_fingerprint():
    found = findings(examples.failed(), examples.failed())
    assert {"major"} <= {one["severity"] for one in found}
    assert any(one["location"]["lines"]["begin"] > 1 for one in found)
    prints = [one["fingerprint"] for one in found]
    assert len(set(prints)) == len(prints)


def test_a_fingerprint_stays_when_the_lines_move():
    report = examples.failed()
    checks = []
    for check in report.checks:
        hints = tuple(
            hint.model_copy(update={"line": hint.line and hint.line + 78}) for hint in check.hints
        )
        checks.append(check.model_copy(update={"hints": hints}))
    moved = report.model_copy(update={"checks": tuple(checks)})
    before = [one["fingerprint"] for one in findings(report)]
    assert [one["fingerprint"] for one in findings(moved)] == before


def test_what_a_submission_wrote_is_only_text():
    text = gitlab.render([hostile.everywhere("\x1b[31m::error::x @all <b>")])
    assert "\x1b" not in text
    assert "\\u001b" not in text
