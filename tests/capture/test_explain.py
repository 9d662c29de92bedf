"""Whatever a student's file raises becomes a sentence for the student, with a line, and never
another exception.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from grader.capture.explain import LONGEST, explained
from grader.errors import SubmissionError
from grader.program.graph import Weight
from tests.capture.sources import FILE


def raised(source: str) -> SubmissionError:
    """What is said of the error that `source`, as the student's file, ends in."""
    try:
        exec(compile(source, FILE, "exec"), {})
    except BaseException as error:
        return explained(error, FILE)
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise KeyError", "The network raises KeyError."),
        ("raise NotImplementedError('Write the network here')", "Write the network here."),
        ("exit()", "The file ends the program"),
        ("import nothing_x", "The network uses nothing_x, which is not installed here"),
        ("import nothing_x.inner", "The network uses nothing_x, which is not installed here"),
        ("raise MemoryError", "needs more memory than the grader gives it"),
        ("raise KeyboardInterrupt", "The network raises KeyboardInterrupt."),
        ("f = lambda: f()\nf()", "calls itself without end"),
        ("raise RuntimeError('  \\n\\n  second  line\\nthird')", "RuntimeError: second line"),
    ],
)
def test_an_error_becomes_a_sentence(source, message):
    assert message in raised(source).message


def test_the_line_is_the_innermost_of_the_students_file():
    assert raised("import json\ndef read():\n    return json.loads('[')\n\nread()").line == 3


def test_an_error_outside_the_students_file_has_no_line():
    assert explained(ValueError("no"), FILE).line is None


def test_a_line_that_only_the_message_names_is_found():
    assert explained(ValueError(f'no way\n  File "{FILE}", line 12, in forward'), FILE).line == 12


def test_our_own_message_is_kept_and_gets_a_line():
    source = "from grader.errors import SubmissionError\n\nraise SubmissionError('Write less.')"
    assert (raised(source).message, raised(source).line) == ("Write less.", 3)
    assert explained(SubmissionError("Write less.", line=7), FILE).line == 7


def test_a_hostile_text_is_left_out():
    source = "class Bad(Exception):\n    def __str__(self):\n        raise ValueError\nraise Bad"
    assert raised(source).message == "The network raises Bad."


def test_a_long_text_is_cut():
    assert len(raised("raise ValueError('x' * 10**6)").message) < LONGEST + 50


def test_a_value_that_no_program_can_hold_is_named():
    with pytest.raises(ValidationError) as caught:
        Weight(name="a b", kind="buffer", shape=(1,), dtype="float32", trainable=False, storage="a")
    assert "'a b' is not a plain name" in explained(caught.value, FILE).message


@given(st.text(max_size=300))
@settings(max_examples=50)
def test_any_text_is_one_line(text):
    message = explained(RuntimeError(text), FILE).message
    assert message
    assert "\n" not in message
