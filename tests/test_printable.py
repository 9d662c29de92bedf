"""What a submission wrote can be seen, and does nothing."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grader.printable import printable

ANY_TEXT = st.text(st.characters(codec=None), max_size=400)
FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]8;;http://evil\x07link", "\\x1b]8;;http://evil\\x07link"),
        ("pass\u202essap", "pass\\u202essap"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("a\tb\r\nc", "a\\tb\\r\\nc"),
        ("\u2028", "\\u2028"),
        ("::error::oops", ":\\x3aerror:\\x3aoops"),
        ("##[error]", "#\\x23[error]"),
        ("\u3164", "\\u3164"),
        ("[red]not markup[/red]", "[red]not markup[/red]"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_as_an_escape(hostile, shown):
    assert printable(hostile) == shown


@pytest.mark.parametrize(
    "text", ["conv1", "blocks.2.conv", "Größe", "层", "e\u0301", "16×7×7 → 10", "a\\b"]
)
def test_ordinary_text_is_left_alone(text):
    assert printable(text) == text


@given(ANY_TEXT, st.integers(0, 400), st.booleans())
@example("\ud800" * 50, 3, False)
@example("\n" * 9, 300, True)
def test_no_text_gets_a_control_or_format_character_through_or_exceeds_its_limit(
    text, limit, lines
):
    shown = printable(text, limit, lines=lines)
    kept = shown.replace("\n", "") if lines else shown
    assert not {unicodedata.category(character) for character in kept} & FORBIDDEN
    assert "::" not in shown
    assert "##" not in shown
    assert len(shown) <= limit


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "Zs"]), max_size=300))
def test_short_plain_text_comes_back_unchanged(text):
    assert printable(text) == text


def test_newlines_are_kept_only_where_they_are_asked_for():
    assert printable("one\ntwo") == "one\\ntwo"
    assert printable("one\ntwo", lines=True) == "one\ntwo"


def test_a_cut_text_says_so():
    assert printable("abcdef", 4) == "abc…"
    assert printable("abcd", 4) == "abcd"


def test_a_million_characters_cost_no_more_than_the_limit():
    assert len(printable("\x1b" * 10**6, 300)) == 300


def test_no_more_than_two_marks_are_stacked_on_one_letter():
    assert printable("a" + "\u0301" * 4) == "a\u0301\u0301\\u0301\\u0301"
