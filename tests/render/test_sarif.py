"""SARIF 2.1.0, by those of its rules that concern us."""

import json

import jsonschema
import pytest
from hypothesis import given, settings

from grader.render import sarif
from grader.render.annotations import LEVELS
from tests import report_examples as examples
from tests.render import hostile

MESSAGE = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
PLACE = {
    "type": "object",
    "required": ["artifactLocation"],
    "properties": {
        "artifactLocation": {
            "type": "object",
            "required": ["uri"],
            "properties": {"uri": {"type": "string", "pattern": r"^[A-Za-z0-9._~%/-]+$"}},
        },
        "region": {
            "type": "object",
            "required": ["startLine"],
            "properties": {"startLine": {"type": "integer", "minimum": 1}},
        },
    },
}
RESULT = {
    "type": "object",
    "required": ["message", "ruleId", "level", "locations"],
    "additionalProperties": False,
    "properties": {
        "ruleId": {"type": "string", "minLength": 1},
        "level": {"enum": ["none", "note", "warning", "error"]},
        "message": MESSAGE,
        "locations": {
            "type": "array",
            "items": {"type": "object", "properties": {"physicalLocation": PLACE}},
        },
    },
}
RULE = {
    "type": "object",
    "required": ["id"],
    "additionalProperties": False,
    "properties": {"id": {"type": "string"}, "shortDescription": MESSAGE, "help": MESSAGE},
}
DRIVER = {
    "type": "object",
    "required": ["name"],
    "properties": {"rules": {"type": "array", "uniqueItems": True, "items": RULE}},
}
RUN = {
    "type": "object",
    "required": ["tool"],
    "properties": {
        "tool": {"type": "object", "required": ["driver"], "properties": {"driver": DRIVER}},
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "results": {"type": "array", "items": RESULT},
    },
}
LOG = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "items": RUN},
    },
}


def rendered(*reports):
    return json.loads(sarif.render(reports))


def results(*reports):
    return rendered(*reports)["runs"][0]["results"]


def keeps_to_the_rules(log):
    jsonschema.validate(log, LOG)
    (run,) = log["runs"]
    known = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert {result["ruleId"] for result in run["results"]} == known


@pytest.mark.parametrize("example", examples.ALL)
def test_a_log_keeps_to_the_rules(example):
    keeps_to_the_rules(rendered(example()))


@given(hostile.HOSTILE)
@settings(max_examples=40)
def test_so_does_one_with_hostile_text_in_every_field(report):
    keeps_to_the_rules(rendered(report))


def test_a_hint_is_a_result_at_its_line_with_the_check_as_its_rule():
    first = results(examples.failed())[0]
    place = first["locations"][0]["physicalLocation"]
    assert (first["ruleId"], first["level"]) == ("parameter_limit", "error")
    assert place["artifactLocation"]["uri"] == "assignments/mnist_20k/submissions/model_a.py"
    assert place["region"] == {"startLine": 21}


def test_a_rule_is_explained_by_the_page_of_its_check():
    (run,) = rendered(examples.failed())["runs"]
    (rule,) = [one for one in run["tool"]["driver"]["rules"] if one["id"] == "parameter_limit"]
    assert rule["help"]["text"].strip()


def test_what_passed_is_no_result():
    open_checks = [check for check in examples.passed().checks if check.verdict in LEVELS]
    assert (results(examples.passed()) == []) == (open_checks == [])


def test_work_that_could_not_be_graded_is_an_error_at_its_line():
    (one,) = results(examples.uncaptured())
    assert (one["ruleId"], one["level"]) == ("grading", "error")
    assert one["locations"][0]["physicalLocation"]["region"] == {"startLine": 40}


def test_an_odd_path_is_an_address_that_every_reader_takes():
    report = examples.failed().model_copy(update={"path": "C:\\ünser Netz\\a b.py"})
    place = results(report)[0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "C%3A/%C3%BCnser%20Netz/a%20b.py"
