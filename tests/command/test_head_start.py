"""The sandbox starts early where a file seems to have changed, and for nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from grader.command import head_start
from grader.command.workroom import Workroom
from grader.options import Options
from grader.sandbox import kept


@pytest.fixture
def begun(monkeypatch) -> list[Workroom]:
    """The workrooms that were begun, without the seconds that it takes."""
    found: list[Workroom] = []
    monkeypatch.setattr(Workroom, "begin", lambda self, **_: found.append(self))
    return found


@pytest.fixture
def file(tmp_path) -> Path:
    found = tmp_path / "ada [1].py"
    found.write_text("first")
    os.utime(found, (1_000, 1_000))
    return found


def report(file: Path, folder: str, written: int) -> None:
    found = file.parent / "grades" / "mnist_8k" / folder / "report.json"
    found.parent.mkdir(parents=True)
    found.write_text("{}")
    os.utime(found, (written, written))


def starts(file: Path, begun: list[Workroom], **more: object) -> bool:
    begun.clear()
    facts = {"paths": (file,), "static": True, "output": file.parent / "grades"}
    room = head_start.workroom(Options(**{**facts, **more}))
    return begun == [room]


def test_a_file_without_a_report_gets_one(file, begun):
    assert starts(file, begun)


def test_a_file_that_was_saved_after_its_report_gets_one(file, begun):
    report(file, "ada [1]", 900)
    assert starts(file, begun)


@pytest.mark.parametrize("folder", ["ada [1]", "ada [1]-5f3e"])
def test_a_file_whose_report_is_younger_gets_none(file, begun, folder):
    report(file, folder, 1_100)
    assert not starts(file, begun)
    assert starts(file, begun, fresh=True)


def test_what_is_no_single_file_gets_none(file, begun):
    assert not starts(file, begun, paths=())
    assert not starts(file, begun, paths=(file, file))
    assert not starts(file.parent, begun)
    assert not starts(file.parent / "nobody.py", begun)


def test_a_training_gets_none_for_torch_must_be_loaded_first(file, begun):
    assert not starts(file, begun, static=False)


@pytest.mark.parametrize(
    ("stay", "terminal", "on_ci", "stays"),
    [
        (None, True, "", True),
        (None, False, "", False),
        (None, True, "true", False),
        (True, False, "true", True),
        (False, True, "", False),
    ],
)
def test_the_sandbox_stays_for_a_person_at_a_terminal_or_where_it_is_asked_to(
    file, monkeypatch, stay, terminal, on_ci, stays
):
    asked, ended = [], []
    monkeypatch.setattr(Workroom, "begin", lambda self, *, stays=False: asked.append(stays))
    monkeypatch.setattr(kept, "end", lambda: ended.append(stay))
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    monkeypatch.setenv("CI", on_ci)
    head_start.workroom(
        Options(paths=(file,), static=True, stay=stay, output=file.parent / "grades")
    )
    assert asked == [stays]
    assert ended == [False] * (stay is False)
