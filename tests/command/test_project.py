"""Where a command finds its assignments: the nearest folder of the user's, else what is brought."""

import shutil
from pathlib import Path

import pytest

from grader.command import project

ROOT = Path(__file__).parents[2]


@pytest.fixture
def course(tmp_path):
    """A project with an assignment of its own, and a folder in it."""
    source = ROOT / "assignments" / "mnist_8k"
    shutil.copytree(source, tmp_path / "course" / "assignments" / "mnist_8k")
    (tmp_path / "course" / "week 2").mkdir()
    return tmp_path / "course"


def test_the_current_folder_comes_first(course, monkeypatch):
    monkeypatch.chdir(course)
    assert project.find() == project.Project(course, course)


def test_then_the_folders_above(course, monkeypatch):
    monkeypatch.chdir(course / "week 2")
    assert project.find() == project.Project(course, course)


def test_else_what_the_grader_brings_and_paths_are_shown_from_here(tmp_path, monkeypatch):
    (tmp_path / "assignments" / "essay").mkdir(parents=True)  # another course's, without rules
    monkeypatch.chdir(tmp_path)
    assert project.find() == project.Project(ROOT, tmp_path, brought=True)


def test_a_folder_that_is_given_is_taken_as_it_is(course, tmp_path, monkeypatch):
    monkeypatch.chdir(course)
    assert project.find(tmp_path) == project.Project(tmp_path, tmp_path)
