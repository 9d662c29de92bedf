"""What readers of JSON disagree about is refused; everything else is read as it is."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.sandbox import strict_json

keys = st.text(st.characters(max_codepoint=127), max_size=8)
letters = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | letters,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@given(value=values, ascii_only=st.booleans())
def test_plain_json_is_read_as_python_reads_it(value, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert strict_json.read(text.encode()) == json.loads(text)


@given(
    data=st.binary(max_size=60)
    | st.text('[]{}",:\\u0d8e19-+.NaInfty ', max_size=60).map(str.encode)
)
def test_anything_else_is_a_value_error(data):
    try:
        value = strict_json.read(data)
    except ValueError:
        return
    assert value == json.loads(data)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "a": 2}', "twice"),
        ('{"b": {"a": 1, "\\u0061": 2}}', "twice"),
        ('{"ä": 1}', "not ASCII"),
        ('{"\\u00e4": 1}', "not ASCII"),
        ("NaN", "NaN"),
        ("[-Infinity]", "Infinity"),
        ("1e999", "too large"),
        ("9223372036854775808", "too large"),
        ("-9223372036854775809", "too large"),
        ("1" * 5000, "too large"),
        ("0." + "1" * 5000, "too large"),
        ('"\\ud800"', "surrogate"),
        ('{"a": ["\\udfff"]}', "surrogate"),
        ("[" * 101 + "]" * 101, "too deeply"),
        ("[" * 500_000 + "]" * 500_000, "too deeply"),
        ("[" * 1_000_001, "too many values"),
        ("[" + "0," * 8_000_001 + "0]", "too many values"),
        ("\ufeff1", "byte order mark"),
        ("1 2", "Extra data"),
        ('"\n"', "control character"),
        ("", "Expecting value"),
    ],
)
def test_it_says_what_it_refuses(text, reason):
    with pytest.raises(ValueError, match=reason):
        strict_json.read(text.encode())


def test_numbers_that_are_not_finite_are_read_where_they_are_asked_for():
    found = strict_json.read(b"[NaN, Infinity, -Infinity, 0.5]", non_finite=True)
    assert math.isnan(found[0])
    assert found[1:] == [math.inf, -math.inf, 0.5]
    with pytest.raises(ValueError, match="too large"):
        strict_json.read(b"1e999", non_finite=True)


def test_the_limits_themselves_are_allowed():
    assert strict_json.read(b"[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]
    assert strict_json.read(b"[" * 100 + b"]" * 100)
    assert (
        strict_json.read(b'"' + b"[" * 101 + b'"') == "[" * 101
    )  # brackets in a string nest nothing


def test_other_encodings_are_refused():
    for encoding in ("utf-16", "utf-32", "utf-16-le"):
        with pytest.raises(ValueError, match=r"decode|Expecting|Extra|control"):
            strict_json.read('{"a": "ä"}'.encode(encoding))


def test_more_bytes_than_asked_for_are_not_parsed():
    with pytest.raises(ValueError, match="more than 10"):
        strict_json.read(b'"0123456789"', most_bytes=10)
