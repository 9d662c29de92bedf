"""A run ends where a student's own loop would: held to such loops, over numbers of all kinds."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grader.errors import GraderError
from grader.program.recipe import Patience, Recipe
from grader.training.engine.stopping import Stopping
from grader.training.records import Ending, Epoch, Feedback
from tests.training.engine.test_loop import collect, program, tiny, trained

BASE = program().recipe


class EarlyStopping:
    """As students copy it: `delta` is what counts as better."""

    def __init__(self, patience: int, delta: float, *, falls: bool) -> None:
        self.patience, self.delta, self.falls = patience, delta, falls
        self.best = math.inf if falls else -math.inf
        self.counter = 0

    def __call__(self, value: float) -> bool:
        better = value < self.best - self.delta if self.falls else value > self.best + self.delta
        if better:
            self.best = value
            self.counter = 0
        else:
            self.counter += 1
        return self.counter >= self.patience


def epoch(number: int, loss: float = 1.0, accuracy: float = 0.5) -> Epoch:
    nothing = torch.zeros(0, 10)
    return Epoch(number, 40, loss, accuracy, 0.1, None, 0.0, 0.0, nothing)


def length(recipe: Recipe, monitor: str, values: list[float]) -> int:
    """How many epochs it trains, where what is watched takes these values."""
    stopping = Stopping(recipe, lambda metric: None)
    for number, value in enumerate(values, 1):
        told = {"loss": 1.0, "accuracy": 0.5, "train_loss": 1.0, "train_accuracy": 0.5}
        told[monitor] = value
        seen = epoch(number, told["train_loss"], told["train_accuracy"])
        if ending := stopping.after(seen, Feedback(told["accuracy"], told["loss"])):
            assert ending.finished
            return number
    return len(values)


VALUES = st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.3, 0.5, 0.9, 1.0]), min_size=1)


@pytest.mark.parametrize("monitor", ["loss", "accuracy", "train_loss", "train_accuracy"])
@given(values=VALUES, patience=st.integers(1, 4), threshold=st.sampled_from([0.0, 0.05, 0.1, 0.3]))
def test_patience_ends_where_a_students_own_class_ends(monitor, values, patience, threshold):
    student = EarlyStopping(patience, threshold, falls=monitor.endswith("loss"))
    expected = next((place for place, value in enumerate(values, 1) if student(value)), len(values))
    rule = Patience(monitor=monitor, epochs=patience, threshold=threshold)
    assert length(BASE.model_copy(update={"patience": rule}), monitor, values) == expected


@pytest.mark.parametrize("monitor", ["accuracy", "train_accuracy"])
@given(values=VALUES, wanted=st.integers(1, 4), target=st.sampled_from([0.1, 0.25, 0.9]))
def test_an_accuracy_must_be_reached_so_often_in_a_row(monitor, values, wanted, target):
    good = [value >= target for value in values]
    windows = (place for place in range(wanted, len(good) + 1) if all(good[place - wanted : place]))
    changes = {"stop_at_accuracy": target, "stop_after": wanted, "stop_monitor": monitor}
    found = length(BASE.model_copy(update=changes), monitor, values)
    assert found == next(windows, len(good))


def test_a_loss_that_is_no_number_is_no_improvement():
    rule = Patience(monitor="loss", epochs=2)
    recipe = BASE.model_copy(update={"patience": rule})
    assert length(recipe, "loss", [math.nan, math.nan, 1.0]) == 2
    assert length(recipe, "loss", [math.inf, 0.5, math.nan, 0.5, 0.4]) == 4


WORDS: list[tuple[dict[str, Any], int, str]] = [
    (
        {"patience": {"monitor": "loss", "epochs": 1}},
        2,
        "after epoch 2 the loss had not improved for 1 epoch",
    ),
    (
        {"patience": {"monitor": "train_accuracy", "epochs": 2, "threshold": 1.0}},
        3,
        "after epoch 3 the training accuracy had not improved for 2 epochs",
    ),
    (
        {"stop_at_accuracy": 0.2, "stop_after": 2},
        3,
        "epochs 2 to 3 reached the accuracy at which the recipe stops",
    ),
    (
        {"stop_at_accuracy": 0.01, "stop_monitor": "train_accuracy"},
        1,
        "epoch 1 reached the training accuracy at which the recipe stops",
    ),
]


@pytest.mark.parametrize(("rules", "epochs", "words"), WORDS)
def test_a_run_that_its_recipe_stops_is_finished_and_says_why(rules, epochs, words):
    done = trained(program(**rules), lambda epoch: Feedback(epoch.epoch / 10, 1.0))
    assert len(done.epochs) == epochs
    assert done.ending == Ending(True, words)


def test_the_weights_are_those_after_the_last_epoch_that_was_trained():
    rule = {"monitor": "train_loss", "epochs": 1, "threshold": 1e9}
    epochs, net = collect(program(patience=rule))
    two = program(epochs=2, schedule={"learning_rate": [[{"value": 0.1, "steps": 6}]]})
    expected = collect(two)[1]
    assert len(epochs) == 2
    for name, _ in tiny().named_parameters():
        assert torch.equal(net.weights[name], expected.weights[name])


@pytest.mark.parametrize(
    "rule", [{"patience": {"monitor": "loss", "epochs": 1}}, {"stop_at_accuracy": 0.5}]
)
def test_missing_feedback_is_the_graders_fault(rule):
    with pytest.raises(GraderError, match="follows a metric"):
        collect(program(**rule))
