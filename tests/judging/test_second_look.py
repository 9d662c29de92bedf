"""Images a shade different are counted for a finished run, and the loss is judged by a bound."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from grader.judging import second_look, shuffle, trial
from grader.judging.judge import Judge
from grader.judging.second_look import Steadiness, may_lose
from grader.program.program import Captured
from grader.report import EpochRow, RunRow
from grader.training.data import Source
from grader.training.datasets import DATASETS
from grader.training.run import train_seeds as train_here
from tests.judging.test_trial import ASSIGNMENT, CAPTURED, IMAGES, Here, Silent
from tests.networks import program_of

KEY = b"k" * 32
pixels = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).integers(0, 256, (5, 1, 4, 4), dtype=np.uint8)
)


@given(pixels)
def test_dimmed_images_are_one_grey_level_darker_and_black_stays_black(images):
    dark = second_look.dimmed(images).astype(int)
    assert np.array_equal(dark, np.maximum(images.astype(int) - 1, 0))


@given(pixels)
def test_noise_is_two_grey_levels_at_most_and_stays_a_picture(images):
    changed = second_look.noisy(images, shuffle.draws(KEY, "noise"))
    assert changed.dtype == np.uint8
    assert abs(changed.astype(int) - images).max() <= 2


def test_noise_takes_each_of_its_five_values_equally_often():
    grey = np.full((100, 1, 28, 28), 100, dtype=np.uint8)
    change = second_look.noisy(grey, shuffle.draws(KEY, "noise")).astype(int) - 100
    values, counts = np.unique(change, return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2]
    assert counts == pytest.approx(len(change) * 784 / 5, rel=0.03)


@given(st.binary(min_size=32, max_size=32), st.integers(1, 40))
def test_both_kinds_are_counted_apart_whatever_their_order(key, count):
    images = np.random.default_rng(0).integers(5, 250, (count, 1, 2, 2), dtype=np.uint8)
    looked = second_look.prepare(images, key)
    assert len(looked.look.images) == sum(looked.look.batch_sizes) == 2 * count
    # a "network" that knows the dimmed images and no other: class 0 for them, else class 1
    known = {image.tobytes() for image in second_look.dimmed(images)}
    right = torch.tensor([image.tobytes() in known for image in looked.look.images])
    logits = torch.stack([right.float(), 1 - right.float()], 1)
    dimmed, noisy = looked.correct(logits, Judge(np.zeros(count, dtype=int), classes=2))
    assert dimmed == count
    assert noisy <= count / 2 or count < 4


def test_the_same_key_gives_the_same_images_and_another_one_others():
    first, again, other = (
        second_look.prepare(IMAGES.test_images, key).look for key in (KEY, KEY, b"l" * 32)
    )
    assert np.array_equal(first.images, again.images)
    assert not np.array_equal(first.images, other.images)


def tried(run=lambda self, task, values: train_here(task, values), **more):
    return trial.conduct(
        CAPTURED,
        ASSIGNMENT,
        IMAGES,
        Judge(np.arange(12) % 10),
        trainer=Here(run),
        device=torch.device("cpu"),
        progress=Silent(),
        **{"seeds": 2, "key": KEY, **more},
    )


def test_every_finished_run_is_looked_at_twice_and_the_report_has_the_means():
    found = tried().training
    for row in found.runs:
        assert row.dimmed in range(13)
        assert row.noisy in range(13)
    assert found.dimmed == pytest.approx(sum(row.dimmed for row in found.runs) / 24)
    assert found.noisy == pytest.approx(sum(row.noisy for row in found.runs) / 24)


def test_a_quick_look_is_looked_at_as_well():
    assert tried(epochs=1).training.noisy is not None


def test_a_run_that_was_not_finished_has_no_second_look():
    def stopped(self, task, values):
        return train_here(dataclasses.replace(task, budget_seconds=0.0), values)

    done = tried(stopped)
    assert (done.training.dimmed, done.training.noisy) == (None, None)
    assert done.steadiness.skipped == "no training run was finished"


def row(correct, dimmed, noisy, total=10_000, seed=0):
    epoch = EpochRow(
        epoch=1, train_loss=0.1, correct=correct, total=total, learning_rate=0.1, seconds=1.0
    )
    facts = {"seed": seed, "seconds": 1.0, "images_per_second": 1.0, "finished": True}
    return RunRow(epochs=(epoch,), dimmed=dimmed, noisy=noisy, **facts)


@pytest.mark.parametrize(
    ("correct", "total", "allowed"),
    # 4 + 10 + 12, as one in five of 60 is 12; 4 + 0 + 1; 4 + 0 + 60; 4 + 10 + 1,800
    [(9_940, 10_000, 26), (350, 355, 5), (55, 355, 64), (1_000, 10_000, 1_814)],
)
def test_the_bound_counts_images(correct, total, allowed):
    assert may_lose(correct, total) == allowed


@pytest.mark.parametrize(("dimmed", "noisy"), [(9_914, 9_940), (9_940, 9_914), (9_990, 9_990)])
def test_an_honest_network_holds(dimmed, noisy):
    assert Steadiness((row(9_940, dimmed, noisy),)).holds


@pytest.mark.parametrize(("dimmed", "noisy"), [(9_913, 9_940), (9_940, 9_913), (980, 1_010)])
def test_a_loss_beyond_the_bound_under_either_is_one(dimmed, noisy):
    steadiness = Steadiness((row(9_940, dimmed, noisy),))
    assert not steadiness.holds
    assert f"{dimmed:,} when all are one grey level" in steadiness.explanation
    assert f"{noisy:,} when each pixel" in steadiness.explanation


def test_one_run_of_several_is_enough_and_it_is_the_one_that_is_shown():
    steadiness = Steadiness((row(9_940, 9_940, 9_940), row(9_941, 1_000, 1_000, seed=1)))
    assert not steadiness.holds
    assert steadiness.measured == "8,941 fewer"


# What a network may know of the test set by heart


DIGITS = Source(DATASETS["practice"], practice=True).read()
CROPPED = dataclasses.replace(
    DIGITS.training,
    train_images=np.ascontiguousarray(DIGITS.training.train_images[..., 8:20, 8:20]),
    test_images=np.ascontiguousarray(DIGITS.training.test_images[..., 8:20, 8:20]),
)
PIXELS = torch.from_numpy(CROPPED.test_images).float().flatten(1) / 255
ANSWERS = F.one_hot(torch.from_numpy(DIGITS.test_labels), 10).float()


class Table(nn.Module):
    """Knows a number of every test image, and its answer. Compared, not multiplied."""

    def __init__(self, width: int = 1) -> None:
        super().__init__()
        weights = torch.rand(144, width, generator=torch.Generator().manual_seed(0))
        self.register_buffer("weights", weights)
        self.register_buffer("sums", PIXELS @ weights)
        self.register_buffer("answers", ANSWERS)
        self.scale = nn.Parameter(torch.ones(10))

    def known(self, x):
        sums = x.flatten(1) @ self.weights
        far = (sums[:, None] - self.sums[None]).abs().sum(2)
        return (far < 1e-4).float()

    def forward(self, x):
        return (self.known(x) @ self.answers) * self.scale


class Nearest(Table):
    """Takes the answer of the nearest number where none is the same."""

    def known(self, x):
        sums = x.flatten(1) @ self.weights
        far = (sums[:, None] - self.sums[None]).abs().sum(2)
        return torch.softmax(-1e5 * far, 1)


class ByPlace(Table):
    """Answers by the image's place in the test set, as if all came at once."""

    def known(self, x):
        place = (x.flatten(1).sum(1, keepdim=True) * 0 + 1).cumsum(0) - 1
        return (place == torch.arange(355.0)).float()


def graded(model: nn.Module) -> trial.Trial:
    """One epoch of training on the practice digits, cropped to 12 x 12 pixels."""
    wanted, blob = program_of(model)
    (run,) = wanted.recipe.schedule.learning_rate[0][:1]
    steps = math.ceil(len(CROPPED.train_images) / 100)
    curve = run.model_copy(update={"value": 0.05, "steps": steps})
    schedule = wanted.recipe.schedule.model_copy(
        update={"learning_rate": ((curve,),), "momentum": ()}
    )
    facts = {"epochs": 1, "batch_size": 100, "steps_per_epoch": steps, "schedule": schedule}
    recipe = wanted.recipe.model_copy(update=facts)
    wanted = wanted.model_copy(update={"recipe": recipe, "seeds": (0,)})
    return trial.conduct(
        Captured(wanted, {0: blob}),
        ASSIGNMENT,
        CROPPED,
        Judge(DIGITS.test_labels),
        trainer=Here(),
        device=torch.device("cpu"),
        seeds=1,
        progress=Silent(),
        key=KEY,
    )


@pytest.mark.parametrize("model", [Table(), Table(width=3), Nearest()], ids=["sum", "3", "nearest"])
def test_a_table_of_answers_is_right_about_everything_and_falls(model):
    done = graded(model)
    (row,) = done.training.runs
    assert row.epochs[-1].correct > 340
    assert min(row.dimmed, row.noisy) < 180
    assert not done.steadiness.holds


def test_who_answers_by_an_images_place_is_at_chance():
    (row,) = graded(ByPlace()).training.runs
    assert row.epochs[-1].correct < 80


class Honest(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.linear = nn.Linear(8 * 36, 10)

    def forward(self, x):
        return self.linear(F.max_pool2d(F.relu(self.norm(self.conv(x))), 2).flatten(1))


def test_an_honest_network_that_learned_for_an_epoch_holds():
    done = graded(Honest())
    assert done.training.runs[0].epochs[-1].correct > 200
    assert done.steadiness.holds
