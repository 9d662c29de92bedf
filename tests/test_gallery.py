"""Every file of the gallery gets exactly the verdicts, reasons, hints, flags and notes it says.

The files are ordinary submissions, each named for one habit of students; `gallery_expectations`
explains their docstrings. They are graded by the product's own pipeline without training.
"""

from pathlib import Path

import pytest

from tests import gallery_expectations as gallery
from tests.static_grading import report

FOLDER = Path(__file__).parent / "gallery"
FILES = sorted(FOLDER.glob("*.py"))
HONEST = [file for file in FILES if file.stem.startswith("honest_")]


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_verdicts_on(file):
    text = file.read_text(encoding="utf-8")
    expected = gallery.expected(text)
    assert gallery.found(report(text, file.name), gallery.named(expected)) == expected


@pytest.mark.parametrize("file", HONEST, ids=[file.stem for file in HONEST])
def test_an_honest_file_fails_no_check_and_raises_no_flag(file):
    assert all(item.startswith("✓") for item in gallery.expected(file.read_text(encoding="utf-8")))


def test_every_file_begins_with_what_it_shows():
    for file in FILES:
        first = gallery.docstring(file.read_text(encoding="utf-8")).splitlines()[0]
        assert first.strip(), file.name
        assert not first.startswith(gallery.STARTS), file.name
