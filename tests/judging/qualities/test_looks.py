"""What a finished network is shown more, and what is counted of it: held to a count by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from grader import network
from grader.assignment import Check
from grader.judging import metric, second_look, shuffle, trial
from grader.judging.judge import Judge
from grader.judging.qualities import changed, looks
from grader.program.program import Captured
from grader.training import augment
from grader.training.engine import loop
from tests.judging.test_trial import ASSIGNMENT, IMAGES, SEEDS, Here, Silent
from tests.training.engine.test_loop import EPOCHS, STEPS, curve, program, values

KEY = b"k" * 32
LABELS = np.arange(12) % 10


def asking(*names: str, **limits):
    """The assignment with these checks and no others."""
    checks = {name: Check(required=False, points=0) for name in names}
    own = ASSIGNMENT.limits.model_copy(update=limits)
    return ASSIGNMENT.model_copy(update={"checks": checks, "limits": own})


STILL = program(schedule={"learning_rate": [curve([0.0] * EPOCHS * STEPS)]})
"""A network whose weights stay; its norms still learn what is usual."""


def conduct(asked, trainer=None, wanted=None, seeds=1, data=IMAGES, **more):
    seen = (wanted or STILL).model_copy(update={"seeds": SEEDS})
    return trial.conduct(
        Captured(seen, {seed: values() for seed in SEEDS}),
        asked,
        data,
        Judge(LABELS),
        trainer=trainer or Here(),
        device=torch.device("cpu"),
        progress=Silent(),
        key=KEY,
        seeds=seeds,
        **more,
    )


class Keeping(Here):
    """A trainer that keeps what it was shown, and the last network's scores of any images."""

    def run(self, task, values):
        built = network.build(task.program, values[SEEDS[0]])
        list(loop.train(built, task.program.recipe, task.data, seed=SEEDS[0]))
        prepare = augment.evaluation(task.program.recipe.augmentations)

        def scores(images):
            built.eval()
            with torch.no_grad():
                return built(prepare(torch.tensor(images))).numpy()

        self.scores, self.data = scores, task.data
        return super().run(task, values)


def right(scores, labels) -> int:
    return int((scores.argmax(1) == labels).sum())


def test_every_kind_is_counted_as_by_hand():
    asked = asking("robust_noise", "robust_shift", "per_class", "calibrated", "no_overfit")
    trainer = Keeping()
    (row,) = conduct(asked, trainer).training.runs
    found, scores = row.qualities, trainer.scores
    tests = IMAGES.test_images
    noise = changed.with_noise(tests, 0.2, shuffle.draws(KEY, "more noise"))
    assert found.noise.correct == right(scores(noise), LABELS)
    moved = changed.moved(tests, 2, shuffle.draws(KEY, "moved"))
    assert found.shift.correct == right(scores(moved), LABELS)
    turned = changed.turned(tests, 10, shuffle.draws(KEY, "turned"))
    assert found.rotation.correct == right(scores(turned), LABELS)
    assert found.noise.total == found.shift.total == found.rotation.total == 12
    assert sum(one.correct for one in found.classes) == row.epochs[-1].correct
    assert [one.total for one in found.classes] == [2, 2, *[1] * 8]
    assert found.calibration.right == pytest.approx(row.epochs[-1].correct / 12)
    shares = torch.softmax(torch.tensor(scores(tests)), 1).amax(1)
    assert found.calibration.confidence == pytest.approx(float(shares.mean()), abs=1e-5)
    drawn = shuffle.draws(KEY, "training images").permutation(40)[:12]
    expected = right(scores(IMAGES.train_images[drawn]), IMAGES.train_labels[drawn])
    assert (found.train.correct, found.train.total) == (expected, 12)
    assert found.updates == ()


def test_nothing_more_is_shown_or_said_where_no_check_asks():
    trainer = Keeping()
    (row,) = conduct(ASSIGNMENT, trainer).training.runs
    assert row.qualities is None
    plain = second_look.prepare(IMAGES.test_images, KEY)
    assert np.array_equal(trainer.data.second_look.images, plain.look.images)


def test_only_what_is_asked_for_is_shown():
    trainer = Keeping()
    (row,) = conduct(asking("robust_noise"), trainer).training.runs
    assert len(trainer.data.second_look.images) == 36
    assert row.qualities.noise is not None
    assert (row.qualities.shift, row.qualities.train, row.qualities.calibration) == (None,) * 3


def test_what_was_looked_at_before_is_the_same_whatever_is_asked_more():
    asked = asking("robust_noise", "robust_shift", "no_overfit")
    (more,) = conduct(asked).training.runs
    (plain,) = conduct(ASSIGNMENT).training.runs
    assert (more.dimmed, more.noisy) == (plain.dimmed, plain.noisy)
    assert more.epochs[-1].correct == plain.epochs[-1].correct


def test_limits_decide_how_images_are_changed():
    shift = ASSIGNMENT.limits.robust_shift.model_copy(update={"pixels": 5, "degrees": 40.0})
    asked = asking("robust_shift", robust_shift=shift)
    told = metric.choose(STILL.recipe, asked, IMAGES, Judge(LABELS))
    found = looks.choose(asked, told, KEY).images
    tests = IMAGES.test_images
    assert np.array_equal(found["shift"], changed.moved(tests, 5, shuffle.draws(KEY, "moved")))
    turned = changed.turned(tests, 40, shuffle.draws(KEY, "turned"))
    assert np.array_equal(found["rotation"], turned)


def test_only_images_that_a_seed_learned_from_are_its_training_images():
    schedule = {"learning_rate": [curve([0.1] * EPOCHS * 2)]}
    wanted = program(images=20, steps_per_epoch=2, schedule=schedule)
    told = metric.choose(wanted.recipe, ASSIGNMENT, IMAGES, Judge(LABELS))
    asked = looks.choose(asking("no_overfit"), told, KEY)
    batches = loop.epoch_batches(wanted.recipe, 40, seed=4, epoch=1)
    learned = np.unique(torch.cat(batches).numpy())
    assert len(learned) == 20
    own = np.isin(asked.learned, learned)
    logits = torch.nn.functional.one_hot(
        torch.tensor(IMAGES.train_labels[asked.learned]), 10
    ).float()
    found = asked._of_train(logits, seed=4)
    assert (found.correct, found.total) == (own.sum(), own.sum())
    assert 0 < found.total < 12


def test_training_images_of_a_metric_are_not_among_them():
    wanted = program(stop_at_accuracy=0.99, stop_monitor="accuracy")
    told = metric.choose(wanted.recipe, ASSIGNMENT, IMAGES, Judge(LABELS))
    assert len(told.data.train_images) < 40
    found = looks.choose(asking("no_overfit"), told, KEY)
    assert np.array_equal(found.images["train"], told.data.train_images[found.learned])


def test_layers_are_followed_where_the_check_asks():
    (row,) = conduct(asking("gradients_flow"), wanted=program()).training.runs
    assert [one.layer for one in row.qualities.updates] == ["conv", "linear"]
    assert sum(one.share for one in row.qualities.updates) == pytest.approx(1)
    assert [(one.layer, one.channels) for one in row.qualities.relus] == [("c", 4)]


def test_a_network_that_does_not_move_has_no_shares():
    (row,) = conduct(asking("gradients_flow")).training.runs
    assert [one.share for one in row.qualities.updates] == [0.0, 0.0]


def test_a_spread_over_seeds_takes_three_however_clear_the_accuracy():
    data = dataclasses.replace(IMAGES, practice=False)
    trainer = Here()
    done = conduct(asking("stable"), trainer, seeds=None, data=data)
    assert trainer.lots == [[3], [4, 5]]
    assert len(done.training.runs) == 3
    alone = Here()
    conduct(ASSIGNMENT, alone, seeds=None, data=data)
    assert alone.lots == [[3]]


def test_a_quick_look_makes_no_more_runs_for_it():
    trainer = Here()
    conduct(asking("stable"), trainer, seeds=None, epochs=1)
    assert trainer.lots == [[3]]
