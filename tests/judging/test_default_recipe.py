"""An instructor's mistake in the default recipe is found before any student pays for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from grader import assignment
from grader.errors import AssignmentError
from grader.judging import building, default_recipe

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "assignments" / "mnist_8k" / "assignment.toml").read_text(encoding="utf-8")


def tried(folder: Path, *changes: tuple[str, str]) -> None:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "mnist_8k").mkdir()
    (folder / "mnist_8k" / "assignment.toml").write_text(text, encoding="utf-8")
    default_recipe.try_recipe(assignment.load(folder / "mnist_8k"), cache=folder / "cache")


@pytest.mark.parametrize("name", ["mnist_8k", "mnist_20k"])
def test_the_shipped_recipes_work(tmp_path, name):
    default_recipe.try_recipe(assignment.load(ROOT / "assignments" / name), cache=tmp_path)


def test_what_worked_is_remembered_and_another_recipe_is_tried(tmp_path, monkeypatch):
    shipped = assignment.load(ROOT / "assignments" / "mnist_8k")
    default_recipe.try_recipe(shipped, cache=tmp_path)
    calls = []
    monkeypatch.setattr(building, "_transform", calls.append)
    default_recipe.try_recipe(shipped, cache=tmp_path)
    assert calls == []
    default_recipe.try_recipe(shipped.model_copy(update={"title": "another"}), cache=tmp_path)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{ degrees = 7 }", "{ degree = 7 }", "settings.degree is not a setting of RandomRotation"),
        ("{ degrees = 7 }", "{ degree = 7 }", 'Did you mean "degrees"?'),
        ("settings = { degrees = 7 }", "", "settings.degrees is missing: RandomRotation needs it"),
        ("{ degrees = 7 }", "{ degrees = -7 }", "recipe.train_transform.0 (RandomRotation) cannot"),
        ("{ degrees = 7 }", '{ degrees = "a" }', "recipe.train_transform.0 (RandomRotation)"),
        ("max_lr = 0.05", "maximum = 0.05", "recipe.scheduler.settings.maximum is not a setting"),
        ("max_lr = 0.05, ", "", "recipe.scheduler.settings.max_lr is missing"),
        ("pct_start = 0.2", "pct_start = 2", "recipe.scheduler (OneCycleLR) cannot be used"),
        ("pct_start = 0.2", "total_steps = 0", "recipe.scheduler (OneCycleLR) cannot be used"),
        ("lr = 0.05, momentum", "lr = -0.05, momentum", "recipe.optimizer (SGD) cannot be used"),
        (
            "momentum = 0.9",
            'momentum = "0.9"',
            'recipe.optimizer.settings.momentum = "0.9"; it must be a number.',
        ),
        (
            "momentum = 0.9",
            "momentum = 0.9, nesterov = 1",
            "recipe.optimizer.settings.nesterov = 1; it must be true or false.",
        ),
        ("pct_start = 0.2", "pct_start = true", "settings.pct_start = true; it must be a number."),
        ("pct_start = 0.2", "pct_stat = 0.2", 'Did you mean "pct_start"?'),
        ("momentum = 0.9", "nesterov = true", "recipe.optimizer (SGD) cannot be used"),
        (
            '"RandomRotation"\nsettings = { degrees = 7 }',
            '"Resize"\nsettings = { size = 32 }',
            "makes torch.float32 of shape [1, 32, 32] of an image; it must make a float tensor of "
            "shape [1, 28, 28]",
        ),
        ('"ToTensor"', '"PILToTensor"', "recipe.train_transform"),
    ],
)
def test_a_recipe_that_torch_refuses_is_named_by_its_key(tmp_path, old, new, said):
    with pytest.raises(AssignmentError) as caught:
        tried(tmp_path, (old, new))
    assert str(caught.value).startswith("assignments/mnist_8k/assignment.toml: recipe.")
    assert said in str(caught.value)
    assert not (tmp_path / "cache").exists()


IN_A_NEW_PROCESS = """
import sys
from pathlib import Path
from grader import assignment
from grader.errors import AssignmentError
from grader.judging import default_recipe
folder, cache = map(Path, sys.argv[1:])
try:
    default_recipe.try_recipe(assignment.load(folder), folder=folder, cache=cache)
except AssignmentError as error:
    print(error)
print("torch" in sys.modules)
"""


@pytest.mark.parametrize("setting", ["degrees", "degree"])
def test_a_child_tries_it_where_torch_is_not_loaded(tmp_path, setting):
    folder, cache = tmp_path / "mnist_8k", tmp_path / "cache"
    folder.mkdir()
    text = TEXT.replace("{ degrees = 7 }", f"{{ {setting} = 7 }}")
    (folder / "assignment.toml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-c", IN_A_NEW_PROCESS, folder, cache]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    *wrong, loaded = done.stdout.splitlines()
    assert loaded == "False"
    if setting == "degrees":
        assert (wrong, len(list(cache.rglob("*")))) == ([], 2)
    else:
        assert 'Did you mean "degrees"?' in wrong[0]
        assert not cache.exists()


def test_a_question_ends_as_a_question(tmp_path):
    with pytest.raises(AssignmentError) as caught:
        tried(tmp_path, ("{ degrees = 7 }", "{ degree = 7 }"))
    assert str(caught.value).endswith('Did you mean "degrees"?')
