"""A check is one function and its page; the assignment, the run and the help take it from there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grader.report import Report, Verdict

ROOT = Path(__file__).parents[2]
FUNCTION = '''
def test_small_batches(recipe, show):
    """The batches are small."""
    show(measured=f"{recipe.batch_size} images", asked="<= 16")
    assert recipe.batch_size <= 16, f"a batch of {recipe.batch_size} images is not small"
'''
PAGE = """# The batches are small.

A batch holds at most 16 images.

## Why it matters

Small batches make noisy steps.

## Passes

```text
16 images
```

## Fails

```text
128 images
```

> 128 images
> a batch of 128 images is not small
"""
ASKED = """
[checks.small_batches]
required = true
points = 5
"""


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A copy of the grader with one more check, and an assignment that asks for it."""
    folder = tmp_path_factory.mktemp("room")
    for name in ("grader", "assignments"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "grader" / "checks" / "test_batches.py").write_text(FUNCTION)
    (folder / "grader" / "checks" / "small_batches.md").write_text(PAGE)
    with (folder / "assignments" / "mnist_8k" / "assignment.toml").open("a") as file:
        file.write(ASKED)
    return folder


def run(room, *arguments):
    command = [sys.executable, "-m", "grader", *map(str, arguments)]
    return subprocess.run(command, cwd=room, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def graded(room):
    file = "assignments/mnist_8k/submissions/example.py"
    return run(room, "grade", file, "--static", "--dataset", "practice", "--json", "--quiet")


def test_one_more_check_is_accepted_in_an_assignment_and_run(graded):
    report = Report.model_validate_json(graded.stdout)
    found = {check.name: check for check in report.checks}["small_batches"]
    assert (found.title, found.verdict) == ("The batches are small.", Verdict.FAILED)
    assert (found.points, found.max_points, found.asked) == (0, 5, "<= 16")
    assert found.detail == f"a batch of {found.measured} is not small"
    assert graded.returncode == 1


def test_one_more_check_is_rendered(graded, room):
    (room / "report.json").write_text(graded.stdout)
    done = run(room, "export", "report.json")
    assert "| ✗ | The batches are small |" in done.stdout


def test_one_more_check_is_explained(room):
    shown = run(room, "explain", "small_batches").stdout
    assert "small_batches: The batches are small" in shown
    assert "a batch of 128 images is not small" in shown
    assert "small_batches" in run(room, "explain").stdout
