"""Gradescope's results.json, by the rules of its documentation."""

import json

import jsonschema
import pytest
from hypothesis import given, settings

from grader.errors import GraderError
from grader.render.gradescope import render
from grader.submission.submission import UsageError
from tests import report_examples as examples
from tests.render import hostile

VISIBILITY = {"enum": ["hidden", "after_due_date", "after_published", "visible"]}
FORMAT = {"enum": ["text", "html", "simple_format", "md", "ansi"]}
RULES = {
    "type": "object",
    "required": ["score", "tests"],
    "additionalProperties": False,
    "properties": {
        "score": {"type": "number"},
        "execution_time": {"type": "number"},
        "output": {"type": "string"},
        "output_format": FORMAT,
        "test_output_format": FORMAT,
        "test_name_format": FORMAT,
        "visibility": VISIBILITY,
        "stdout_visibility": VISIBILITY,
        "extra_data": {"type": "object"},
        "tests": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "score": {"type": "number"},
                    "max_score": {"type": "number"},
                    "status": {"enum": ["passed", "failed"]},
                    "name": {"type": "string"},
                    "name_format": FORMAT,
                    "number": {"type": "string"},
                    "output": {"type": "string"},
                    "output_format": FORMAT,
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "visibility": VISIBILITY,
                    "extra_data": {"type": "object"},
                },
            },
        },
        "leaderboard": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "value"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string"},
                    "value": {"type": ["number", "string"]},
                    "order": {"enum": ["asc", "desc"]},
                },
            },
        },
    },
}
"""https://gradescope-autograders.readthedocs.io/en/latest/specs/, as a schema."""


def rendered(report):
    return json.loads(render([report]))


def broken(report):
    return report.verdict == "broken"


@pytest.mark.parametrize("example", [one for one in examples.ALL if not broken(one())])
def test_a_result_keeps_to_the_rules(example):
    jsonschema.validate(rendered(example()), RULES)


@given(hostile.HOSTILE)
@settings(max_examples=40)
def test_so_does_one_with_hostile_text_in_every_field(report):
    found = rendered(report)
    jsonschema.validate(found, RULES)
    shown = [found["output"], *(test["output"] for test in found["tests"])]
    assert all("::" not in text and "\x1b" not in text for text in shown)


def test_the_total_is_the_grader_s_own_and_nothing_is_hidden():
    found = rendered(examples.failed())
    assert found["score"] == examples.failed().points
    assert {test["visibility"] for test in found["tests"]} == {"visible"}


def test_a_failed_check_says_why_and_where():
    (test,) = [one for one in rendered(examples.failed())["tests"] if "small" in one["name"]]
    assert (test["status"], test["score"]) == ("failed", 0)
    assert "model_a.py:21: conv4 alone has 9,248" in test["output"]


def test_what_was_not_asked_is_neither_passed_nor_failed():
    unasked = [check.title for check in examples.practice().checks if check.verdict == "skipped"]
    found = {test["name"]: test for test in rendered(examples.practice())["tests"]}
    assert unasked
    assert all("status" not in found[title.rstrip(".")] for title in unasked)


def test_the_leaderboard_has_what_was_measured():
    found = {item["name"]: item for item in rendered(examples.passed())["leaderboard"]}
    assert found["accuracy, %"]["order"] == "desc"
    assert found["parameters"] == {"name": "parameters", "value": 6260, "order": "asc"}


def test_practice_images_are_on_no_leaderboard():
    assert rendered(examples.practice())["leaderboard"] == []


def test_a_result_is_one_submission_s():
    with pytest.raises(UsageError, match="2 reports"):
        render([examples.passed(), examples.failed()])


@pytest.mark.parametrize("example", [one for one in examples.ALL if broken(one())])
def test_nobody_gets_a_zero_that_he_did_not_earn(example):
    with pytest.raises(GraderError, match=r"No results\.json is written"):
        render([example()])
