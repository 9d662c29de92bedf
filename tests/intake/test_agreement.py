"""What a recipe is held against is the same, whoever has torch."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from grader import assignment
from grader.intake import agreement, planning
from grader.sandbox.isolation import Fresh

ROOT = Path(__file__).parents[2]


class Planned:
    """The two numbers of a recipe that its plan depends on."""

    steps, steps_per_epoch = 60, 20


@pytest.mark.parametrize("name", ["mnist_8k", "mnist_20k"])
def test_a_child_plans_the_assignments_recipe_as_this_process_does(name, monkeypatch):
    asked = assignment.load(ROOT / "assignments" / name)
    here = planning.planned(asked.recipe.model_dump_json(), 60, 20)
    monkeypatch.delitem(sys.modules, "torch")
    assert agreement._planned(Planned, asked, Fresh()) == here
