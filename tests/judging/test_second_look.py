"""Images a shade different are counted for a finished run, and the loss is judged by a bound."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grader.judging import second_look, shuffle, trial
from grader.judging.judge import Judge
from grader.judging.second_look import Steadiness, may_lose
from grader.report import EpochRow, RunRow
from grader.training.run import train_seeds as train_here
from tests.judging.test_trial import ASSIGNMENT, CAPTURED, IMAGES, Here, Silent

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
