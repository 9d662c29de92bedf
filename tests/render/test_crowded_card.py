"""The short scorecard where much has failed: a readable reason and its line for each that is shown.

What has no room is counted and named, and the last line says how to see it.
"""

import io
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from grader.render import card
from grader.report import Verdict
from tests import report_examples as examples
from tests.render import crowded

SCREENS = ((80, 24), (60, 20), (120, 40), (40, 24))
EVERY = range(1, 9)
SEE_THEM = "grader report my_model, or --details"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch, tmp_path):
    for name in ("FORCE_COLOR", "COLUMNS", "LINES", "NOX_CURRENT_SESSION", "UV", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    Path(crowded.PATH).write_text(crowded.FILE)


def shown(number, width=80, height=24, **changes):
    """The card on a terminal of that size, without its codes."""
    stream = io.StringIO()
    console = Console(
        file=stream, width=width, height=height, force_terminal=True, legacy_windows=False
    )
    report = crowded.failed(number).model_copy(update=changes)
    file = Path("grades", report.assignment, report.submission, "report.json")
    console.print(card.draw(report, file))
    return re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())


def said(text):
    """The words, whatever lines they stand on."""
    return " ".join(text.split())


def left_out(text):
    """How many checks the card says that it does not show."""
    found = re.search(r"more (\d+) failed checks?: ", text)
    return int(found[1]) if found else 0


def reasons(check):
    """What may be said of a check: what is wrong with it, or what to do, to a sentence's end."""
    found = [check.detail, *(hint.text for hint in check.hints)]
    return [text for reason in found for text in sentences(reason)]


def sentences(text):
    return [said(text), *(text[: match.start() + 1] for match in re.finditer(r"\. ", text))]


@pytest.mark.parametrize("size", SCREENS)
@pytest.mark.parametrize("number", EVERY)
def test_a_recipe_that_is_not_the_students_is_said_however_little_room_there_is(number, size):
    text = shown(number, *size, recipe=examples.obstructed().recipe)
    assert "the assignment's: yours could not be" in said(text)
    assert len(text.splitlines()) <= size[1] - 3


@pytest.mark.parametrize("size", SCREENS)
@pytest.mark.parametrize("number", EVERY)
def test_it_fits_on_the_screen_with_the_prompt_and_two_lines_of_nox(number, size):
    lines = shown(number, *size).splitlines()
    assert len(lines) <= size[1] - 3
    assert max(map(cell_len, lines)) <= size[0]


@pytest.mark.parametrize("size", SCREENS)
@pytest.mark.parametrize("number", EVERY)
def test_a_check_that_is_shown_keeps_a_whole_reason_and_its_line(number, size):
    text = said(shown(number, *size))
    missing = left_out(text)
    for check in crowded.FAILED[: number - missing]:
        if not check.required:  # an advisory one is named where there is little room
            continue
        assert any(reason in text for reason in reasons(check)), check.name
        lines = [hint.line for hint in check.hints if hint.line]
        assert not lines or any(f"my_model.py:{line}" in text for line in lines), check.name


@pytest.mark.parametrize(
    ("size", "most"), [((80, 24), 4), ((60, 20), 2), ((120, 40), 8), ((40, 24), 1)]
)
def test_as_many_are_shown_as_there_is_room_for(size, most):
    assert 8 - left_out(said(shown(8, *size))) >= most


@pytest.mark.parametrize("size", SCREENS)
@pytest.mark.parametrize("number", EVERY)
def test_the_last_line_says_how_many_have_no_room_and_how_to_see_them(number, size):
    text = shown(number, *size)
    hidden = left_out(said(text))
    last = said(text[text.rindex(" more   ") :])
    if hidden:
        assert last == f"more {hidden} failed check{'s' * (hidden > 1)}: {SEE_THEM}"


def test_at_80_columns_those_without_room_are_named():
    assert "and 4 more: independent samples, same network, epochs, dropout" in shown(8)


def test_the_first_hint_with_a_place_stands_for_a_check():
    text = said(shown(5, 120, 40))
    assert "my_model.py:29" in text
    assert "rand draws other numbers" in text
    assert "Something random" not in text


def test_on_a_tall_screen_more_is_said_of_each():
    assert "29 │ return self.fc2(x.tanh()) + torch.rand(1)" in shown(5, 120, 40)


def test_all_of_these_failed():
    assert all(check.verdict is Verdict.FAILED for check in crowded.FAILED)
