"""JSON on few lines is the same JSON."""

import json

from hypothesis import given
from hypothesis import strategies as st

from grader.storage import json_text
from tests import report_examples as examples

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=40,
)


@given(VALUES, st.booleans())
def test_it_is_read_as_it_was_written(value, ascii_only):
    text = json_text.text(value, ascii_only=ascii_only)
    assert json.loads(text) == value
    assert text.isascii() or not ascii_only


def test_what_fits_on_a_line_stays_on_it():
    assert json_text.text({"a": [1, 2], "b": {"c": None}}) == '{"a": [1, 2], "b": {"c": null}}'


def test_a_curve_has_many_points_on_a_line():
    lines = json_text.text({"curve": [[step / 8, 1] for step in range(200)]}).splitlines()
    assert len(lines) < 40
    assert max(map(len, lines)) <= 100


def test_a_list_of_names_that_is_too_long_has_some_on_each_line():
    names = [f"features.{place}.weight" for place in range(12)]
    assert len(json_text.text(names).splitlines()) == 2 + 3


def test_each_of_several_records_has_its_own_line():
    lines = json_text.text([{"value": 0.001, "steps": 1000}] * 9).splitlines()
    assert lines[1:-1] == ['  {"value": 0.001, "steps": 1000},'] * 8 + [
        '  {"value": 0.001, "steps": 1000}'
    ]


def test_a_report_is_read_from_its_text():
    one = examples.borderline()
    assert type(one).model_validate_json(json_text.of_report(one)) == one
