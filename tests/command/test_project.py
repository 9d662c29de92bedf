"""Where a command finds its assignments: the nearest folder of the user's, else what is brought."""

import shutil
from pathlib import Path

import pytest

from grader.command import project
from grader.submission.submission import UsageError

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


def test_an_assignment_that_a_folder_of_ones_own_hides_is_named_with_the_way_to_it(course):
    with pytest.raises(UsageError) as error:
        project.refuse_hidden("mnist_20k", ["mnist_8k"], course)
    assert f"in {course / 'assignments'}; known there: mnist_8k" in str(error.value)
    assert str(error.value).endswith(f"add --root {ROOT}")
    for name in (None, "mnist_8k", "mnist_30k"):  # 30k is none of the grader's
        project.refuse_hidden(name, ["mnist_8k"], course)


def test_what_came_along_is_hidden_by_nothing():
    project.refuse_hidden("mnist_20k", ["mnist_20k", "mnist_8k"], ROOT)
