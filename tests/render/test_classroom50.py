"""Classroom 50's result.json, by the rules of its documentation."""

import json

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings

from grader.render import classroom50
from grader.submission.submission import UsageError
from tests import report_examples as examples
from tests.render import hostile

RUNNER = {
    "CLASSROOM": "vision",
    "ASSIGNMENT": "mnist-8k",
    "SUBMISSION_TAG": "submit/2026-06-01T14-32-05Z-a1b2c3d",
    "COMMIT_URL": "https://github.com/a/b/commit/c",
    "RELEASE_URL": "https://github.com/a/b/releases/tag/submit%2Fd",
}
TEXT = {"type": "string", "minLength": 1}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}
WHOLE = {"type": "integer", "minimum": 0}
RULES = {
    "type": "object",
    "required": [
        *("schema", "classroom", "assignment", "submission", "commit", "release", "review"),
        *("datetime", "score", "max-score", "tests"),
    ],
    "additionalProperties": False,
    "properties": {
        "schema": {"const": "classroom50/result/v1"},
        **dict.fromkeys(("classroom", "assignment", "commit", "release", "review"), TEXT),
        "submission": {"type": "string", "pattern": "^submit/"},
        "datetime": TIME,
        "graded_at": TIME,
        "score": WHOLE,
        "max-score": WHOLE,
        "tests": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["test-name", "passed", "score", "max-score"],
                "properties": {
                    "test-name": TEXT,
                    "passed": {"type": "boolean"},
                    "score": WHOLE,
                    "max-score": WHOLE,
                },
            },
        },
    },
}


@pytest.fixture(autouse=True)
def runner(monkeypatch):
    for name, value in RUNNER.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("REVIEW_URL", raising=False)


def rendered(report):
    return json.loads(classroom50.render([report]))


def keeps_to_the_rules(found):
    jsonschema.validate(found, RULES)
    assert found["score"] == sum(test["score"] for test in found["tests"])
    assert found["max-score"] == sum(test["max-score"] for test in found["tests"])


@pytest.mark.parametrize("example", [one for one in examples.ALL if one().verdict != "broken"])
def test_a_result_keeps_to_the_rules_and_to_the_points(example):
    found = rendered(example())
    keeps_to_the_rules(found)
    unit = 1 if float(example().max_points).is_integer() else 100
    assert found["score"] in (example().points, unit * example().points)


@given(hostile.HOSTILE)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_so_does_one_with_hostile_text_in_every_field(report):
    keeps_to_the_rules(rendered(report.model_copy(update={"started": "2026-06-01T00:00:00Z"})))


def test_half_points_become_whole_numbers_of_hundredths():
    report = examples.passed()
    first = report.checks[0].model_copy(update={"points": 12.5, "max_points": 12.5})
    found = rendered(report.model_copy(update={"checks": (first,), "points": 12.5}))
    assert (found["score"], found["max-score"]) == (1250, 1250)


def test_work_that_could_not_be_graded_has_one_test_with_the_reason():
    (test,) = rendered(examples.uncaptured())["tests"]
    assert (test["passed"], test["score"], test["max-score"]) == (False, 0, 100)
    assert "bob.py:40" in test["output"]


def test_outside_of_the_runner_it_says_which_variables_are_missing(monkeypatch):
    monkeypatch.delenv("COMMIT_URL")
    with pytest.raises(UsageError, match="set COMMIT_URL"):
        rendered(examples.passed())
