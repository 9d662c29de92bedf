"""`grader report NAME`: found by name, by file or by path; shown here, or as a page."""

import webbrowser
from pathlib import Path

import pytest

from grader.render import saved
from grader.storage import json_text
from grader.submission.submission import UsageError
from tests import report_examples as examples


@pytest.fixture
def grades(tmp_path, monkeypatch):
    """Alice has reports of two assignments, José one whose folder has another name."""
    monkeypatch.chdir(tmp_path)
    passed = examples.passed()
    again = passed.model_copy(update={"assignment": "mnist_20k"})
    for one in (passed, again, examples.edited()):
        folder = tmp_path / "grades" / one.assignment / one.submission
        folder.mkdir(parents=True)
        (folder / "report.json").write_text(json_text.of_report(one), encoding="utf-8")
    return Path("grades")


@pytest.fixture
def browser(monkeypatch):
    """The pages that a browser was asked to open."""
    asked = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", lambda page: asked.append(page) or True)
    return asked


JOSE = "Jose-Mar-a-0123456789ab"


@pytest.mark.parametrize(
    "name",
    [JOSE, "José María", f"grades/mnist_8k/{JOSE}", f"grades/mnist_8k/{JOSE}/report.json"],
)
def test_a_report_is_found(grades, name):
    assert saved.find(name, grades) == grades / "mnist_8k" / JOSE / "report.json"


def test_a_name_that_two_assignments_have_is_asked_about(grades):
    with pytest.raises(UsageError, match="grades/mnist_20k/alice, grades/mnist_8k/alice"):
        saved.find("alice", grades)


def test_a_name_that_nobody_has_is_told_who_there_is(grades):
    with pytest.raises(UsageError, match=f"no report on bob in grades. There are {JOSE}, alice"):
        saved.find("bob", grades)


def test_without_any_report_it_says_who_writes_them(tmp_path, monkeypatch):
    monkeypatch.delenv("NOX_CURRENT_SESSION", raising=False)
    with pytest.raises(UsageError, match="`grader grade FILE` writes them"):
        saved.find("bob", tmp_path)


def test_it_shows_the_details_and_the_card_below_them(grades, capsys):
    assert saved.show("grades/mnist_8k/alice", grades, opened=False) == 0
    text = capsys.readouterr().out
    assert text.index("Layers ─") < text.index("100 of 100 points")
    assert "field: how many pixels" in text


def test_a_page_is_written_beside_the_report_and_opened(grades, browser, capsys):
    assert saved.show("grades/mnist_8k/alice", grades, opened=True) == 0
    page = grades / "mnist_8k" / "alice" / "report.html"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert browser == [page.resolve().as_uri()]
    assert capsys.readouterr().out == f"{page}\n"


def test_without_a_browser_the_path_is_printed(grades, monkeypatch, capsys):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert saved.show("grades/mnist_8k/alice", grades, opened=True) == 0
    assert capsys.readouterr().out == (
        "grades/mnist_8k/alice/report.html\n"
        "No browser could be opened here: open this file in one.\n"
    )


def test_a_browser_that_breaks_is_none(grades, browser, monkeypatch, capsys):
    def broken(page):
        raise webbrowser.Error

    monkeypatch.setattr(webbrowser, "open", broken)
    assert saved.show("grades/mnist_8k/alice", grades, opened=True) == 0
    assert "No browser" in capsys.readouterr().out
