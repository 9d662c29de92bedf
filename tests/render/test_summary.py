"""The page of a CI run fits its limit, and says what had no room."""

import pytest

from grader.render import summary
from grader.render.annotations import Annotation
from tests import report_examples as examples
from tests.render import hostile

INTRO = ["# ✓ passed: 2 submissions"]
REMARK = Annotation("warning", "a.py", None, "Changed", "Not what was meant.")


def test_everything_is_there_where_there_is_room():
    text = summary.render(INTRO, [REMARK], [examples.passed(), examples.failed()], 1_000_000)
    assert text.startswith("# ✓ passed: 2 submissions\n\n- ⚠ **Changed** <code>a.py</code>: Not")
    assert text.count("\n## ") == 2
    assert "had no room" not in text


def test_a_scorecard_without_room_becomes_its_table_and_that_is_said():
    reports = [examples.failed() for _ in range(5)]
    whole = summary.render(INTRO, [], reports, 1_000_000)
    text = summary.render(INTRO, [], reports, len(whole.encode()) * 2 // 3)
    assert text.count("\n## ") == 5
    assert "scorecards had no room here in full: see `index.html`" in text


@pytest.mark.parametrize("most", [0, 10, 300, 1_000, 5_000, 20_000, 60_000])
def test_no_page_is_longer_than_its_limit(most):
    reports = [
        hostile.everywhere("\x1b[31m::error::x @all <b>"),
        *(examples.failed() for _ in range(30)),
    ]
    remarks = [Annotation("error", "é" * 200, 3, "é" * 200, "é" * 5_000)] * 70
    text = summary.render(INTRO, remarks, reports, most)
    assert len(text.encode()) <= most


def test_many_remarks_are_counted():
    text = summary.render(INTRO, [REMARK] * 70, [], 1_000_000)
    assert text.count("**Changed**") == 50
    assert "… and 20 more" in text


def test_a_class_of_hundreds_is_cut_to_a_table_that_github_takes():
    text = summary.render(INTRO, [], [examples.passed()] * 300, 1_000_000)
    assert len(text.encode()) <= 1_000_000
    assert "… and 100 more" in text


def test_a_remark_is_only_text():
    bad = Annotation("error", "<b>.py", None, "[x](y)", "::error::\x1b[31m <script> @all")
    text = summary.render([], [bad], [], 10_000)
    for order in ("<b>", "<script>", "\x1b", "::error", "[x](y)", "@all"):
        assert order not in text


def test_a_command_in_a_remark_is_code_to_copy():
    text = "Take that back: `git checkout 12ab -- 'a_b.py'`, and hand in your own."
    shown = summary.render([], [Annotation("error", "a.py", None, "Taken", text)], [], 10_000)
    assert "back: <code>git checkout 12ab -- 'a\\_b.py'</code>, and" in shown
    assert "`" not in shown


def test_a_single_backtick_in_a_remark_stays_one():
    bad = Annotation("error", "a.py", None, "Taken", "It is in a`b.py.")
    assert "a\\`b.py" in summary.render([], [bad], [], 10_000)
