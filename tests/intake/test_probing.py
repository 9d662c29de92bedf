"""Probing against trainings whose rules are known: plain Python loops that stop by a rule."""

from __future__ import annotations

import itertools
import math
import re

import pytest

from grader.intake import improvement, probing
from grader.program.recipe import (
    Loss,
    Optimizer,
    OptimizerGroup,
    Recipe,
    Run,
    Schedule,
)
from grader.program.rehearsed import Rehearsal, Training

EPOCHS = 12
LOOP = "for epoch in range(12):\n    if stop:\n        break\n"


def recipe(epochs: int, rate: float = 0.1, batch_size: int = 64) -> Recipe:
    """Any recipe of so many epochs of ten steps."""
    return Recipe(
        epochs=epochs,
        batch_size=batch_size,
        steps_per_epoch=10,
        optimizer=Optimizer(
            name="SGD", groups=(OptimizerGroup(parameters=("weight",), settings={}),)
        ),
        schedule=Schedule(learning_rate=((Run(value=rate, steps=10 * epochs),),)),
        loss=Loss(name="cross_entropy"),
    )


def training(epochs: int, **changes) -> Training:
    return Training(recipe=recipe(epochs, **changes), epochs=epochs, steps=10 * epochs, line=7)


def shares(role: str, epoch: int) -> tuple[float, float, float]:
    """Training accuracy, test accuracy and test loss of an epoch (from 0) under a role."""
    words = role.split()
    if words[0] == "jump":
        return jumped(words, epoch)
    first, second = words[0], words[1] if len(words) > 1 else words[0]
    known = {
        "improving": 0.2 + 0.004 * epoch,
        "leaping": 0.2 + 0.02 * epoch,
        "flat": 0.298 if epoch else 0.3,
        "sagging": 0.2 + 0.004 * epoch if epoch else 0.5,
        "perfect": 1.0,
    }

    def share(word: str) -> float:
        return known[word] if word in known else float(word)

    scale = 0.97**epoch if "duller" in words else 1.0
    return share(first), share(second), scale * (1 - share(second)) * 3


def jumped(words: list[str], epoch: int) -> tuple[float, float, float]:
    """One epoch is better than the first by an amount; the others are a hair worse."""
    _, what, better, amount, base = words
    gain = float(amount) if epoch + 1 == int(better) else -0.002 * (epoch > 0)
    if what == "accuracy":
        return float(base) + gain, float(base) + gain, 2.0
    return 0.3, 0.3, float(base) - gain


def asked(rule, full: int = EPOCHS):
    """`ask` for a training that ends after the first epoch for which `rule(history)` holds."""

    def ask(role: str, *, cuda: bool = True, most_epochs: int | None = None) -> Rehearsal:
        history = []
        for epoch in range(min(full, most_epochs or full)):
            history.append(shares(role, epoch))
            if rule(history):
                break
        return Rehearsal(trainings=(training(len(history)),))

    return ask


def without_improvement(column: int, patience: int, sign: float, least: float = 0.0):
    """The usual early stop: that many epochs in a row not better than the best by so much."""

    def rule(history) -> bool:
        best, bad = None, 0
        for row in history:
            value = sign * row[column]
            if best is None or value > best + least:
                best, bad = value, 0
            else:
                bad += 1
        return bad >= patience

    return rule


@pytest.mark.parametrize("patience", [1, 2, 5])
@pytest.mark.parametrize(
    ("column", "sign", "monitor"),
    [(1, 1, "accuracy"), (2, -1, "loss"), (0, 1, "train_accuracy")],
)
def test_patience_is_found_with_what_it_watches(patience, column, sign, monitor):
    ask = asked(without_improvement(column, patience, sign))
    found = probing.probe(probing.Asks(ask), LOOP, training(EPOCHS))
    assert found.obstacles == ()
    assert found.changes["patience"].epochs == patience
    assert found.changes["patience"].monitor == monitor


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("threshold", [0.994, 0.99, 0.9])
def test_a_stop_at_an_accuracy_is_found_exactly(times, threshold):
    def rule(history) -> bool:
        return all(row[1] >= threshold for row in history[-times:]) and len(history) >= times

    source = LOOP + "targets = [99.4, 0.99, 90]\n"
    found = probing.probe(probing.Asks(asked(rule)), source, training(EPOCHS))
    assert found.changes["stop_at_accuracy"] == threshold
    assert found.changes["stop_after"] == times
    assert found.changes["stop_monitor"] == "accuracy"


def test_a_stop_at_the_training_accuracy_is_told_apart():
    found = probing.probe(
        probing.Asks(asked(lambda rows: rows[-1][0] >= 0.995)), LOOP + "0.995", training(12)
    )
    assert found.changes["stop_monitor"] == "train_accuracy"


def test_a_threshold_that_does_not_stand_in_the_file_is_refused():
    found = probing.probe(
        probing.Asks(asked(lambda rows: rows[-1][1] >= 0.985)), LOOP + "0.9", training(12)
    )
    assert "does not stand in the file" in found.obstacles[0].text


def test_a_training_that_follows_no_result_has_no_changes():
    found = probing.probe(probing.Asks(asked(lambda rows: False)), LOOP, training(EPOCHS))
    assert found == probing.Depends()


def test_a_rate_that_is_set_by_results_is_refused():
    def ask(role: str, *, cuda: bool = True, most_epochs: int | None = None) -> Rehearsal:
        return Rehearsal(trainings=(training(EPOCHS, rate=0.1 if role == "improving" else 0.01),))

    found = probing.probe(probing.Asks(ask), "for g in opt.param_groups: pass", training(EPOCHS))
    assert "learning rate is set by how well" in found.obstacles[0].text


def test_other_epochs_without_a_gpu_are_refused_and_other_batches_named():
    source = "epochs = 20 if torch.cuda.is_available() else 5"

    def ask(role: str, *, cuda: bool = True, most_epochs: int | None = None) -> Rehearsal:
        return Rehearsal(trainings=(training(EPOCHS if cuda else 5),))

    assert (
        "other epochs"
        in probing.probe(probing.Asks(ask), source, training(EPOCHS)).obstacles[0].text
    )

    def batches(role: str, *, cuda: bool = True, most_epochs: int | None = None) -> Rehearsal:
        return Rehearsal(trainings=(training(EPOCHS, batch_size=64 if cuda else 32),))

    found = probing.probe(probing.Asks(batches), source, training(EPOCHS))
    assert found.obstacles == ()
    assert "64 images with a GPU and 32 without" in found.notes[0].text


@pytest.mark.parametrize(
    ("source", "needed"),
    [
        ("for e in range(3):\n    step()\n", False),
        ("device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')\n", False),
        ("bs = 128 if torch.cuda.is_available() else 64\n", True),
        ("while True:\n    step()\n", True),
        ("for e in range(3):\n    if good:\n        break\n", True),
        ("for e in range(3):\n    for g in optimizer.param_groups:\n        g['lr'] = 1\n", True),
        ("not python (", False),
        ("for e in range(3) break (", True),
    ],
)
def test_it_probes_only_where_something_could_depend_on_results(source, needed):
    assert probing.is_needed(source) is needed


def test_numbers_that_may_be_an_accuracy():
    assert probing.accuracies("99.4 0.98 x95 5 100 0.5 89") == [0.89, 0.98, 0.994]
    assert re.search("0.994", str(probing.accuracies("best = 0.994")))


@pytest.mark.parametrize("images", [250, 600, 6_000, 10_000])
@pytest.mark.parametrize("threshold", [0.993, 0.98])
def test_a_threshold_is_found_on_few_held_back_images_too(images, threshold):
    """A share of few images is a coarse number: 99.32 % of 600 are 595, and 595 are 99.17 %."""

    def rule(rows) -> bool:
        return int(rows[-1][1] * images) / images > threshold

    found = probing.probe(probing.Asks(asked(rule)), LOOP + f"{threshold} 0.96", training(EPOCHS))
    assert found.changes["stop_at_accuracy"] == threshold


@pytest.mark.parametrize("patience", [1, 3])
@pytest.mark.parametrize(
    ("column", "sign", "least"),
    [(1, 1, 0.001), (1, 1, 0.0005), (2, -1, 0.01), (2, -1, 0.0001), (0, 1, 0.002), (2, -1, 0.0)],
)
def test_the_least_improvement_is_found_exactly(patience, column, sign, least):
    ask = asked(without_improvement(column, patience, sign, least))
    source = LOOP + f"optimizer = SGD(lr=0.05, weight_decay=5e-5)\nmin_delta = {least}\n"
    found = probing.probe(probing.Asks(ask), source, training(EPOCHS))
    assert found.obstacles == ()
    assert found.notes == ()
    assert (found.changes["patience"].epochs, found.changes["patience"].threshold) == (
        patience,
        least,
    )


def test_one_in_percent_is_found_as_a_share():
    ask = asked(without_improvement(1, 3, 1, 0.002))
    found = probing.probe(
        probing.Asks(ask), LOOP + "if 100 * acc > best + 0.2: pass\n", training(EPOCHS)
    )
    assert found.changes["patience"].threshold == 0.002
    assert found.notes == ()


def test_one_that_does_not_stand_in_the_file_is_measured_and_said():
    ask = asked(without_improvement(2, 4, -1, 0.0123))
    found = probing.probe(probing.Asks(ask), LOOP + "0.5 2.0\n", training(EPOCHS))
    assert found.changes["patience"].threshold == pytest.approx(0.0123, rel=0.03)
    assert "is measured, as 0.012" in found.notes[0].text


def test_one_that_depends_on_the_best_is_named():
    def rule(history) -> bool:
        best, bad = math.inf, 0
        for row in history:
            if row[2] < 0.99 * best:
                best, bad = row[2], 0
            else:
                bad += 1
        return bad >= 3

    found = probing.probe(probing.Asks(asked(rule)), LOOP + "0.99\n", training(EPOCHS))
    assert found.changes["patience"].threshold == 0
    assert "depends on the best so far" in found.notes[0].text


def test_a_stop_that_looks_at_the_last_epoch_only_is_refused():
    def rule(history) -> bool:
        worse = [now[2] >= before[2] for before, now in itertools.pairwise(history)]
        return len(worse) >= 2 and all(worse[-2:])

    found = probing.probe(probing.Asks(asked(rule)), LOOP, training(EPOCHS))
    assert "does not compare each epoch with the best" in found.obstacles[0].text


def test_a_stop_that_never_forgets_is_refused():
    def rule(history) -> bool:
        best, bad = -1.0, 0
        for row in history:
            bad += row[1] <= best
            best = max(best, row[1])
        return bad >= 3

    found = probing.probe(probing.Asks(asked(rule)), LOOP, training(EPOCHS))
    assert "does not count epochs in a row" in found.obstacles[0].text


def test_a_stop_that_takes_equal_results_for_an_improvement_is_found():
    def rule(history) -> bool:
        best, bad = math.inf, 0
        for row in history:
            best, bad = (row[2], 0) if row[2] <= best else (best, bad + 1)
        return bad >= 3

    found = probing.probe(probing.Asks(asked(rule)), LOOP, training(EPOCHS))
    assert found.changes["patience"].epochs == 3


def test_one_that_ends_even_the_first_rehearsal_is_refused():
    rule = without_improvement(1, 3, 1, 0.015)
    found = probing.probe(probing.Asks(asked(rule)), LOOP + "0.015", training(4))
    assert "asks for more than the grader can measure" in found.obstacles[0].text


def test_numbers_that_may_be_a_least_improvement():
    assert improvement.amounts("1e-3 x2 .5 'a3'") == [1e-05, 0.001, 0.005, 0.5]
