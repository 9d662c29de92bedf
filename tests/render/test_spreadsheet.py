"""A class as CSV: one row a submission, and no cell that a spreadsheet would run."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.printable import printable
from grader.render.spreadsheet import cell, render
from tests import report_examples as examples
from tests.render import hostile

FORMULA = set("=+-@\t\r＝＋－＠")


def rows(*reports, **dialect):
    return list(csv.reader(io.StringIO(render(reports), newline=""), **dialect))


def table(*reports):
    head, *others = rows(*reports)
    return [dict(zip(head, row, strict=True)) for row in others]


@given(st.lists(hostile.HOSTILE, min_size=1, max_size=3))
@settings(max_examples=40)
def test_every_submission_is_one_row_of_the_same_columns_without_a_formula(reports):
    found = rows(*reports)
    assert len(found) == 1 + len(reports)
    assert {len(row) for row in found} == {len(found[0])}
    assert not [text for row in found for text in row if text.strip()[:1] in FORMULA]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@given(hostile.HOSTILE)
@settings(max_examples=30)
def test_a_spreadsheet_that_splits_at_another_character_finds_no_formula_either(delimiter, report):
    # Its reader takes a quote inside of a cell as a character, as spreadsheets do.
    found = rows(report, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    assert not [
        text for row in found for text in row if text.strip().strip('"').strip()[:1] in FORMULA
    ]


@pytest.mark.parametrize("text", hostile.STRINGS)
def test_a_known_trick_is_still_readable(text):
    assert cell(text).replace("'", "") == printable(text, 1000).replace("'", "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("=1+1", "'=1+1"), ("-3", "'-3"), ("a;=1", "a;'=1"), ("conv-1", "conv-1"), ("-", "-")],
)
def test_an_apostrophe_stands_before_what_would_run(text, shown):
    assert cell(text) == shown


def test_a_trained_submission_has_its_figures():
    (row,) = table(examples.passed())
    expected = {
        "submission": "alice",
        "verdict": "passed",
        "points": "100",
        "parameters": "6260",
        "protocol": "mean_last_3",
        "threshold": "0.994",
        "best_on_test_set": "0.9944",
        "seeds": "seed 1",
        "seconds_to_99": "81.0",
        "dataset": "MNIST",
        "open_checks": "",
        "problem": "",
    }
    assert {name: row[name] for name in expected} == expected


def test_an_untrained_submission_has_empty_cells():
    (row,) = table(examples.failed())
    assert (row["score"], row["seeds"], row["interval_low"]) == ("", "", "")
    assert row["open_checks"] == "parameter_limit dropout same_network accuracy"


def test_what_could_not_be_told_is_open():
    (row,) = table(examples.unknown())
    assert (row["verdict"], row["open_checks"]) == ("unknown", "receptive_field")


def test_what_is_not_final_says_so():
    (row,) = table(examples.practice())
    assert row["not_final"] == "PRACTICE: not graded on MNIST; QUICK LOOK: not a graded run"


def test_a_check_has_its_verdict_its_points_and_what_was_measured():
    passed, failed = table(examples.passed(), examples.failed())
    found = {name: failed[f"{name}_parameter_limit"] for name in ("check", "points", "measured")}
    assert found == {"check": "failed", "points": "0", "measured": "26202"}
    assert passed["check_parameter_limit"] == "passed"


def test_a_measured_share_has_no_noise_of_the_machine():
    check = examples.passed().checks[0].model_copy(update={"value": 0.10999999940395355})
    (row,) = table(examples.passed().model_copy(update={"checks": (check,)}))
    assert row[f"measured_{check.name}"] == "0.11"


def test_a_check_that_was_not_asked_for_is_an_empty_cell():
    broken, passed = table(examples.broken(), examples.passed())
    name = examples.passed().checks[0].name
    cells = [broken[f"{kind}_{name}"] for kind in ("check", "points", "measured")]
    assert cells == ["", "", ""]
    assert passed[f"check_{name}"] == "passed"


def test_it_says_whose_recipe_was_trained():
    rehearsed, obstructed = table(examples.rehearsed(), examples.obstructed())
    assert rehearsed["recipe"] == "rehearsed"
    assert obstructed["recipe"] == "assignment, own not followed"


def test_the_accuracy_has_its_interval():
    (row,) = table(examples.passed())
    assert float(row["interval_low"]) < float(row["score"]) < float(row["interval_high"])
