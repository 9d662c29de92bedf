"""A scorecard can be read where only ASCII can be printed."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console, Group

from grader.render.card import draw as scorecard
from grader.render.plain import STAND_INS
from grader.render.terminal import details, summary
from tests import report_examples as examples


def printed(renderable, encoding, width=80):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=stream, width=width, force_terminal=False, legacy_windows=False).print(renderable)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("example", examples.ALL)
@pytest.mark.parametrize("width", [80, 120])
def test_a_scorecard_is_pure_ascii_where_it_must_be(example, width):
    text = printed(Group(scorecard(example()), details(example())), "ascii", width)
    if example is not examples.edited:  # the escape of a letter is longer than the letter
        assert max(map(len, text.splitlines())) <= min(width, 100)


def test_a_summary_is_pure_ascii_where_it_must_be():
    assert "v passed" in printed(summary([example() for example in examples.ALL]), "ascii")


def test_the_chart_and_the_curves_keep_their_shape():
    lines = printed(details(examples.passed()), "ascii").splitlines()
    (rate,) = [line for line in lines if "learning rate" in line]
    assert rate.split("learning rate")[1].split()[0] == "#..____________"
    assert any(line.startswith(" 99.40 % +---") for line in lines)


def test_where_unicode_can_be_printed_nothing_is_replaced():
    assert "✓ passed" in printed(scorecard(examples.passed()), "utf-8")


def test_every_stand_in_is_one_character_as_wide_as_what_it_stands_for():
    assert all(cell_len(chr(code)) == len(stand_in) == 1 for code, stand_in in STAND_INS.items())
