"""A recipe as lines for people, and its learning rate by epoch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.judging import whose_recipe
from grader.program.recipe import Remark, Run
from grader.program.rehearsed import Fact, Rehearsal, Rehearsed, Training
from tests.capture.test_recipe import configured, read


def curve(*stretches: tuple[float, int]):
    recipe = read("")
    runs = tuple(Run(value=value, steps=steps) for value, steps in stretches)
    schedule = recipe.schedule.model_copy(update={"learning_rate": (runs,)})
    return recipe.model_copy(update={"schedule": schedule})


@given(st.lists(st.floats(1e-6, 1.0), min_size=20, max_size=20))
def test_the_rate_by_epoch_is_that_of_its_last_step(values):
    merged: list[list] = []
    for value in values:
        if merged and merged[-1][0] == value:
            merged[-1][1] += 1
        else:
            merged.append([value, 1])
    found = list(whose_recipe.rates(curve(*map(tuple, merged))))
    assert found == values[4::5]


@pytest.mark.parametrize(
    ("stretches", "text"),
    [
        ([(0.1, 20)], "0.1"),
        ([(0.1, 10), (0.01, 10)], "0.1 → 0.01"),
        ([(0.01, 5), (0.1, 5), (0.001, 10)], "0.01 → 0.1 → 0.001"),
    ],
)
def test_a_rate_is_told_where_it_turns(stretches, text):
    (fact,) = [
        fact for fact in whose_recipe.facts(curve(*stretches)) if fact.name == "learning rate"
    ]
    assert fact.text.endswith(text)


def test_a_convention_is_told_with_its_lines():
    found = whose_recipe.describe(
        read(configured("return torch.optim.SGD(model.parameters(), 0.1)")), None
    )
    assert found.origin == "convention"
    assert [fact.line for fact in found.facts if fact.name == "optimizer"] == [10]


def test_what_stood_in_the_way_is_told_beside_the_assignments_recipe():
    seen = Training(steps=10, facts=(Fact(name="optimizer", text="Lion", line=3),))
    obstacle = Remark(text="Lion is not torch's", line=3)
    rehearsed = Rehearsed(Rehearsal(), seen, None, (obstacle,))
    recipe = read("").model_copy(update={"origin": "assignment"})
    found = whose_recipe.describe(recipe, rehearsed)
    assert found.origin == "assignment"
    assert [hint.text for hint in found.obstacles] == ["Lion is not torch's"]
