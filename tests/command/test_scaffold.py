"""A new assignment works before anybody has edited it."""

import pytest

from grader import assignment
from grader.command import project, scaffold
from grader.submission.submission import UsageError


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("model", ["mnist_8k", "mnist_20k"])
def test_it_is_its_model_under_another_name_with_an_example(here, model):
    folder = scaffold.begin("my_course", model, project.find())
    assert folder == here / "assignments" / "my_course"
    brought = assignment.load(project.brought() / "assignments" / model)
    expected = brought.model_copy(update={"name": "my_course", "title": "My course"})
    assert assignment.load(folder) == expected
    assert (folder / "submissions" / "example.py").exists()
    for name in ("README.md", "starter.py"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "my_course" in text
        assert model not in text
        assert "nox" not in text, "where it stands there is no clone, so no nox"


def test_the_second_stands_beside_the_first_and_may_begin_with_it(here, monkeypatch):
    first = scaffold.begin("first", "mnist_8k", project.find())
    monkeypatch.chdir(first)
    second = scaffold.begin("second", "first", project.find())
    assert second.parent == first.parent


def test_a_name_that_is_taken_or_not_one_is_refused_with_another(here):
    scaffold.begin("first", "mnist_8k", project.find())
    with pytest.raises(UsageError, match="is there already"):
        scaffold.begin("first", "mnist_8k", project.find())
    with pytest.raises(UsageError, match="Write my_course, say"):
        scaffold.begin("My Course", "mnist_8k", project.find())
    with pytest.raises(UsageError, match='Did you mean "mnist_8k"'):
        scaffold.begin("other", "mnist_8", project.find())
    assert [path.name for path in (here / "assignments").iterdir()] == ["first"]
