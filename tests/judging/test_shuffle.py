"""The test images come in an order and in batches that only the installation's secret knows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grader.judging import shuffle, trial
from grader.judging.judge import Judge
from grader.training.run import train_seeds as train_here
from tests.judging.test_trial import ASSIGNMENT, CAPTURED, IMAGES, Here, Silent
from tests.training.engine.test_loop import PLATEAU, program

keys = st.binary(min_size=32, max_size=32)
LABELS = np.arange(12) % 10


@given(keys, st.integers(0, 3_000))
def test_every_image_is_shown_once_and_the_batches_are_all_of_them(key, count):
    drawn = shuffle.draw(key, count)
    assert sorted(drawn.order) == list(range(count))
    assert sum(drawn.batch_sizes) == count
    assert all(size > 0 for size in drawn.batch_sizes)


@given(keys, st.integers(1, 300), st.integers(1, 3))
def test_what_comes_back_is_in_the_images_own_order_again(key, count, width):
    drawn = shuffle.draw(key, count)
    images = np.arange(count * width, dtype=np.int64).reshape(count, width) % 251
    assert torch.equal(drawn.undo(torch.from_numpy(drawn.apply(images))), torch.from_numpy(images))


@given(keys, st.integers(2_400, 12_000))
def test_no_batch_is_smaller_or_larger_than_a_few_hundred(key, count):
    sizes = shuffle.draw(key, count).batch_sizes
    assert shuffle.SMALLEST_BATCH <= min(sizes) <= max(sizes) <= shuffle.LARGEST_BATCH


@given(keys, st.integers(4, 700))
def test_few_images_are_never_shown_all_at_once(key, count):
    assert len(shuffle.draw(key, count).batch_sizes) >= 4


def test_nothing_but_secret_submission_and_data_set_decides():
    key = shuffle.key(b"secret", "a" * 64, "mnist")
    first, again = shuffle.draw(key, 10_000), shuffle.draw(key, 10_000)
    assert np.array_equal(first.order, again.order)
    assert first.batch_sizes == again.batch_sizes
    others = [
        shuffle.key(b"other", "a" * 64, "mnist"),
        shuffle.key(b"secret", "b" * 64, "mnist"),
        shuffle.key(b"secret", "a" * 64, "practice"),
    ]
    for other in others:
        drawn = shuffle.draw(other, 10_000)
        assert not np.array_equal(drawn.order, first.order)
        assert drawn.batch_sizes != first.batch_sizes
    assert not np.array_equal(shuffle.draw(key, 10_000, "something else").order, first.order)


def test_sizes_vary_so_that_none_can_be_counted_on():
    drawn = [shuffle.draw(bytes([number] * 32), 10_000).batch_sizes for number in range(20)]
    firsts = {sizes[0] for sizes in drawn}
    assert len(firsts) > 15
    assert sum(500 in sizes for sizes in drawn) < 10


def tried(run, captured=CAPTURED, **facts):
    return trial.conduct(
        captured,
        facts.pop("asked", ASSIGNMENT),
        IMAGES,
        Judge(LABELS),
        trainer=Here(run),
        device=torch.device("cpu"),
        seeds=1,
        progress=Silent(),
        **facts,
    )


def test_training_sees_another_order_and_the_judge_the_tests_own():
    seen = []

    def run(self, task, values):
        seen.append(task.data)
        return train_here(task, values)

    done = tried(run, key=b"k" * 32)
    (shown,) = seen
    drawn = shuffle.draw(b"k" * 32, 12)
    assert np.array_equal(shown.test_images, IMAGES.test_images[drawn.order])
    assert shown.batch_sizes == drawn.batch_sizes
    (plain,) = train_here(
        dataclasses.replace(_task(CAPTURED), data=IMAGES), {3: CAPTURED.values[3]}
    )
    for one, other in zip(done.runs[0].epochs, plain.epochs, strict=True):
        torch.testing.assert_close(one.logits, other.logits, rtol=1e-5, atol=1e-5)
    judge = Judge(LABELS)
    assert done.training.wrong == judge.wrong(plain.epochs[-1].logits)
    assert done.training.confusion == judge.confusion(plain.epochs[-1].logits)
    counts = [judge.correct(epoch.logits) for epoch in plain.epochs]
    assert [row.correct for row in done.training.runs[0].epochs] == counts


@pytest.mark.parametrize("images", ["validation", "test"])
def test_a_recipe_that_follows_a_metric_is_told_the_same_as_without_a_shuffle(images):
    told = []

    def run(self, task, values):
        def hear(seed, epoch):
            told.append(task.after_epoch(seed, epoch))
            return told[-1]

        return train_here(dataclasses.replace(task, after_epoch=hear), values)

    wanted = program(plateau=PLATEAU).model_copy(update={"seeds": (3,)})
    captured = dataclasses.replace(CAPTURED, program=wanted)
    asked = ASSIGNMENT.model_copy(update={"metric_images": images})
    for key in (b"k" * 32, b"l" * 32):
        tried(run, captured, key=key, asked=asked)
    half = len(told) // 2
    assert [one.accuracy for one in told[:half]] == [one.accuracy for one in told[half:]]
    losses = [[one.loss for one in part] for part in (told[:half], told[half:])]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def _task(captured):
    from grader.training.task import Task

    return Task(captured.program, IMAGES)
