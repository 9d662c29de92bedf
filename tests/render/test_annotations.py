"""Remarks for GitHub: one command a line, whatever a submission wrote."""

import re

import pytest
from hypothesis import given, settings

from grader.render.annotations import MOST, Annotation, command, plain, render
from tests import report_examples as examples
from tests.render import hostile

COMMAND = re.compile(
    r"::(error|warning) file=([^:,\r\n]*)(,line=\d+)?,title=([^:,\r\n]*)::([^\r\n]*)"
)
"""What a runner reads: properties end at a comma, a colon or the line."""


def levels(*reports):
    return [COMMAND.fullmatch(line)[1] for line in render(reports).split("\n")[:-1]]


CALM = levels(hostile.calm())


@given(hostile.HOSTILE)
@settings(max_examples=60)
def test_every_line_is_one_command_of_ours(report):
    text = render([report])
    assert levels(report) == CALM
    assert text.count("::") == 2 * len(CALM)
    assert len(text.splitlines()) == len(CALM)  # splits at \x85 and \u2028 too


@pytest.mark.parametrize("text", hostile.STRINGS)
def test_a_known_trick_in_every_field_changes_nothing(text):
    assert levels(hostile.everywhere(text)) == CALM


def test_a_hint_with_a_line_is_shown_at_that_line():
    (first, *_) = render([examples.failed()]).splitlines()
    path, detail = (
        "assignments/mnist_20k/submissions/model_a.py",
        "26,202 trainable parameters; the limit is 20,000.",
    )
    assert first.startswith(
        f"::error file={path},line=21,title=The model is small enough::{detail}%0A"
    )


def test_percent_signs_and_line_ends_are_escaped():
    assert "hold 88 %25.%0Aconv4 alone" in render([examples.failed()])


def test_what_cannot_be_graded_is_an_error_at_its_line():
    (line,) = render([examples.uncaptured()]).splitlines()
    assert line.startswith(
        "::error file=assignments/mnist_8k/submissions/bob.py,line=40,title=This submission cannot"
    )


def test_what_is_not_required_or_too_close_to_call_is_a_warning():
    assert levels(examples.passed()) == ["warning"]
    assert levels(examples.borderline()) == ["warning"]


def test_what_could_not_be_told_is_an_error_where_it_is_required():
    line, _ = render([examples.unknown()]).splitlines()
    path = "assignments/mnist_8k/submissions/dora.py"
    assert line.startswith(f"::error file={path},line=33,title=The last feature map")
    assert levels(examples.unknown()) == ["error", "warning"]


def test_github_shows_no_more_than_ten_of_each():
    many = [examples.failed(), examples.passed()] * 20
    assert levels(*many) == ["error"] * MOST + ["warning"] * MOST


def test_elsewhere_a_remark_is_said_as_a_compiler_says_it():
    found = Annotation("error", "a/b.py", 3, "No dropout", "None is called.\nAdd one.")
    assert plain(found) == "a/b.py:3: error: No dropout. None is called. Add one."
    assert plain(found._replace(line=None)) == "a/b.py: error: No dropout. None is called. Add one."
    assert plain(found._replace(path="", line=None)).startswith("(all): error: ")


def test_a_remark_on_the_whole_has_no_file():
    assert command(Annotation("notice", "", None, "T", "x")) == "::notice title=T::x"
