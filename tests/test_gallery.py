"""Every file of the gallery gets exactly the verdicts, reasons, hints, flags and notes it says.

The files are ordinary submissions, each named for one habit of students; `gallery_expectations`
explains their docstrings. They are graded by the product's own pipeline without training.
"""

from pathlib import Path

import pytest

from grader.report import Report
from tests import gallery_expectations as gallery
from tests.static_grading import every_check, report

FOLDER = Path(__file__).parent / "gallery"
FILES = sorted(FOLDER.glob("*.py"))
HONEST = [file for file in FILES if file.stem.startswith("honest_")]


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_verdicts_on(file):
    text = file.read_text(encoding="utf-8")
    expected = gallery.expected(text)
    assert gallery.found(graded(text, file.name), gallery.named(expected)) == expected


def graded(text: str, name: str) -> Report:
    """By every check that looks at what a file does; these files state nothing about it."""
    assignment = every_check()
    asked = {key: check for key, check in assignment.checks.items() if key != "write_up"}
    return report(text, name, assignment.model_copy(update={"checks": asked}))


@pytest.mark.parametrize("file", HONEST, ids=[file.stem for file in HONEST])
def test_an_honest_file_fails_no_check_and_raises_no_flag(file):
    assert all(item.startswith("✓") for item in gallery.expected(file.read_text(encoding="utf-8")))


def test_every_file_begins_with_what_it_shows():
    for file in FILES:
        first = gallery.docstring(file.read_text(encoding="utf-8")).splitlines()[0]
        assert first.strip(), file.name
        assert not first.startswith(gallery.STARTS), file.name
