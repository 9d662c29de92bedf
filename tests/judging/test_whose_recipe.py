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


def told(recipe, *known: Fact):
    """The lines of a recipe that was rehearsed."""
    rehearsed = recipe.model_copy(update={"origin": "rehearsed"})
    rate = recipe.schedule.learning_rate[0][0].value
    transform = ", ".join(step.name for step in recipe.augmentations)
    loss = "cross entropy" if recipe.loss.name == "cross_entropy" else "negative log-likelihood"
    always = {
        "epochs": f"{recipe.epochs} epochs of {recipe.steps_per_epoch:,} steps",
        "batches": f"{recipe.batch_size:,} images a batch",
        "images": "all",
        "optimizer": f"{recipe.optimizer.name}, lr {rate:g}",
        "loss": loss,
        "transform": transform,
    }
    facts = [*known, *(Fact(name=name, text=text) for name, text in always.items())]
    training = Training(
        recipe=rehearsed, epochs=recipe.epochs, steps=recipe.steps, facts=tuple(facts)
    )
    found = whose_recipe.describe(rehearsed, Rehearsed(Rehearsal(), training, rehearsed))
    return {fact.name: fact for fact in found.facts}


SCHEDULE = Fact(name="schedule", text="none: the rate stays at 0.1", line=3)


def test_a_weight_decay_and_a_momentum_that_move_have_lines_of_their_own():
    recipe = curve((0.1, 20))
    runs = {
        "weight_decay": ((Run(value=1e-3, steps=5), Run(value=1e-4, steps=15)),),
        "momentum": ((Run(value=0.95, steps=5), Run(value=0.85, steps=15)),),
    }
    moving = recipe.model_copy(update={"schedule": recipe.schedule.model_copy(update=runs)})
    found = told(moving, SCHEDULE)
    assert (found["weight decay"].text, found["weight decay"].line) == ("0.001 → 0.0001", 3)
    assert found["momentum"].text == "0.95 → 0.85"
    assert [fact.text for fact in whose_recipe.facts(moving) if fact.name == "momentum"]
    assert "momentum" not in told(recipe, SCHEDULE)


def test_a_plateau_rule_is_told_with_what_it_does():
    body = (
        "o = torch.optim.SGD(model.parameters(), 0.1)\n"
        "return o, torch.optim.lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=2)"
    )
    stays = Fact(name="schedule", text="ReduceLROnPlateau: the rate stays at 0.1", line=3)
    text = told(read(configured(body)), stays)["schedule"].text
    assert "begins at 0.1, and is multiplied by 0.5 after 3 epochs without" in text
    assert "loss on held-back images" in text
