"""The JSON is the report: it comes back as it went, and its schema says what is in it."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from grader import report as reports
from grader.report import (
    CheckResult,
    Curve,
    Environment,
    EpochRow,
    Hint,
    LayerRow,
    Problem,
    Report,
    RunRow,
    Training,
    Verdict,
)
from tests import report_examples as examples

SCHEMA_FILE = Path(__file__).parent.parent / "schema" / "report.schema.json"

text = st.text(max_size=12)
count = st.integers(0, 10**12)
number = st.floats(allow_nan=False, allow_infinity=False)
line = st.none() | st.integers(1, 9999)
accuracy = st.none() | st.floats(0, 1)
json_value = st.recursive(
    st.none() | st.booleans() | count | number | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)


def several(record, most=3):
    return st.lists(record, max_size=most).map(tuple)


hints = st.builds(Hint, text=text, line=line)
checks = st.builds(
    CheckResult,
    name=text,
    title=text,
    verdict=st.sampled_from(Verdict),
    required=st.booleans(),
    points=number,
    max_points=number,
    measured=text,
    asked=text,
    value=st.none() | count | number,
    limit=st.none() | count | number,
    unit=text,
    detail=text,
    hints=several(hints),
)
layers = st.builds(
    LayerRow,
    module=text,
    kind=text,
    output_shape=several(count),
    parameters=count,
    share=number,
    receptive_field=st.none() | st.tuples(count, count),
    jump=st.none() | st.tuples(text, text),
    multiply_adds=count,
    line=line,
)
epochs = st.builds(
    EpochRow,
    epoch=count,
    train_loss=st.none() | number,
    correct=count,
    total=count,
    learning_rate=number,
    seconds=number,
    momentum=st.none() | number,
    train_accuracy=accuracy,
)
curves = st.none() | st.builds(Curve, first=number, lowest=number, highest=number, last=number)
runs = st.builds(
    RunRow,
    seed=count,
    epochs=several(epochs, 2),
    seconds=number,
    images_per_second=number,
    finished=st.booleans(),
    stopped_because=text,
    parameters_moved=st.booleans(),
    seconds_to_99=st.none() | number,
    learning_rate=curves,
    momentum=curves,
)
trainings = st.builds(
    Training,
    dataset=text,
    practice=st.booleans(),
    train_images=count,
    test_images=count,
    protocol=text,
    threshold=number,
    runs=several(runs, 2),
    best=accuracy,
    last=accuracy,
    last_3=accuracy,
    score=accuracy,
    interval=st.none() | st.tuples(number, number),
    confusion=several(several(count)),
    wrong=several(count),
    device=text,
    feedback=text,
    peak_memory_bytes=st.none() | count,
)
environments = st.builds(
    Environment,
    **dict.fromkeys(
        (
            "grader",
            "python",
            "torch",
            "torchvision",
            "platform",
            "processor",
            "device",
            "isolation",
        ),
        text,
    ),
    cores=count,
)
problems = st.builds(
    Problem, fault=st.sampled_from(["submission", "grader"]), message=text, line=line
)
graded = st.builds(
    Report,
    submission=text,
    path=text,
    sha256=text,
    assignment=text,
    assignment_title=text,
    verdict=st.sampled_from(Verdict),
    points=number,
    max_points=number,
    checks=several(checks, 2),
    problem=st.none() | problems,
    layers=several(layers, 2),
    analysis=st.none() | st.dictionaries(text, json_value, max_size=3),
    training=st.none() | trainings,
    left_out=several(hints, 2),
    flags=several(text),
    quick_look=text,
    interrupted=st.booleans(),
    environment=environments,
    seconds=st.dictionaries(text, number, max_size=3),
    started=text,
)


@given(graded)
@settings(max_examples=50)
def test_a_report_comes_back_from_its_json_unchanged(one):
    assert reports.read(one.model_dump_json()) == one


@given(graded)
@settings(max_examples=50)
def test_every_report_is_valid_under_the_schema(one):
    jsonschema.Draft202012Validator(reports.schema()).validate(json.loads(one.model_dump_json()))


@pytest.mark.parametrize("example", examples.ALL)
def test_a_realistic_report_is_valid_under_the_schema_file(example):
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.validate(
        json.loads(example().model_dump_json()), schema, jsonschema.Draft202012Validator
    )


def test_the_schema_file_is_the_one_that_the_code_writes(tmp_path):
    reports.write_schema(tmp_path / "schema" / "report.schema.json")
    written = (tmp_path / "schema" / "report.schema.json").read_bytes()
    assert SCHEMA_FILE.read_bytes() == written, (
        'grader/report.py has changed: python -c "from pathlib import Path; '
        "from grader.report import write_schema; "
        "write_schema(Path('schema/report.schema.json'))\""
    )


def test_the_schema_is_itself_a_valid_schema():
    jsonschema.Draft202012Validator.check_schema(reports.schema())


@pytest.mark.parametrize(
    "broken", [{"verdict": "perfect"}, {"points": "many"}, {"surprise": 1}, {"checks": None}]
)
def test_the_schema_refuses_what_reading_refuses(broken):
    document = {**json.loads(examples.passed().model_dump_json()), **broken}
    with pytest.raises(ValidationError):
        reports.read(json.dumps(document))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, reports.schema(), jsonschema.Draft202012Validator)


def test_a_report_from_before_the_curves_is_read():
    document = json.loads(examples.passed().model_dump_json())
    for run in document["training"]["runs"]:
        for name in ("seconds_to_99", "learning_rate", "momentum"):
            del run[name]
    (run,) = reports.read(json.dumps(document)).training.runs
    assert (run.seconds_to_99, run.learning_rate, run.momentum) == (None, None, None)


def test_a_report_of_another_version_is_refused():
    document = {**json.loads(examples.passed().model_dump_json()), "schema_version": 4}
    with pytest.raises(ValidationError, match="schema_version"):
        reports.read(json.dumps(document))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_cannot_write_is_refused(value):
    with pytest.raises(ValidationError):
        examples.report(points=value)


def test_a_report_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        examples.passed().points = 100


def test_a_report_of_the_first_version_says_unknown_where_it_could_not_tell():
    document = examples.of_version_2(examples.passed())
    document["schema_version"] = 1
    document["verdict"] = "skipped"
    document["checks"][0] |= {"verdict": "skipped", "detail": "could not tell: a sort moves pixels"}
    found = reports.read(json.dumps(document))
    assert (found.schema_version, found.verdict) == (3, Verdict.UNKNOWN)
    assert (found.checks[0].verdict, found.checks[0].detail) == (
        Verdict.UNKNOWN,
        "a sort moves pixels",
    )


def test_a_report_of_the_second_version_says_what_is_asked_and_says_it_once():
    found = reports.read(json.dumps(examples.of_version_2(examples.passed())))
    assert (found.schema_version, found.checks[0].asked) == (3, "<= 8,000")
    assert found.checks[0].limit is None
    assert found.analysis["recipe"] == {"epochs": 15}
    assert not set(found.analysis) & set(reports.IN_REPORT)


def test_a_number_keeps_its_kind():
    found = reports.read(examples.passed().model_dump_json())
    first = found.checks[0]
    assert (first.value, first.limit, first.unit) == (
        6260,
        8000,
        "parameters",
    )
    assert isinstance(found.checks[0].value, int)


def test_the_whole_analysis_has_what_the_report_has_itself():
    one = examples.failed()
    whole = reports.whole_analysis(one)
    assert set(reports.IN_REPORT) <= set(whole)
    assert [row["module"] for row in whole["layers"]] == [row.module for row in one.layers]
    assert reports.whole_analysis(examples.broken()) is None
