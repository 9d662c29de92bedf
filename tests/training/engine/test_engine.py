"""Engines are interchangeable: a new one takes an entry in `run.FAST_ENGINES`, and nobody else
knows of it.
"""

from __future__ import annotations

import pytest
import torch

from grader.training import run
from grader.training.engine.eager import Eager
from grader.training.engine.engine import Began, CannotTrainError
from grader.training.records import INTERRUPTED, Ending, Epoch, Feedback
from grader.training.task import Task
from tests.training.engine.test_loop import EPOCHS, PLATEAU, images, program, values

BLOBS = {3: values(), 4: values()}


class Third:
    """A third engine, which trains as the plain loop does, two seeds at a time."""

    def runs_on(self, device):
        return device.type == "cpu"

    def train(self, networks, program, data, **options):
        yield dict.fromkeys(networks, Began("third", 2))
        each = [
            Eager().train({seed: net}, program, data, **options) for seed, net in networks.items()
        ]
        for training in each:
            next(training)  # it, too, says that it began
        answers = {}
        for _ in range(EPOCHS + 1):
            news = {}
            for training in each:
                news |= training.send(answers)
            answers = yield news


class Unable(Third):
    def train(self, networks, program, data, **options):
        yield dict.fromkeys(networks, Began("unable"))
        raise CannotTrainError("it knows no convolution\nand nothing else")


class Exhausted(Third):
    def train(self, networks, program, data, **options):
        yield dict.fromkeys(networks, Began("exhausted"))
        raise torch.OutOfMemoryError("out of memory\nby far")


class Elsewhere(Unable):
    def runs_on(self, device):
        return device.type == "cuda"


def trained(monkeypatch, *engines, **options):
    monkeypatch.setattr(run, "FAST_ENGINES", engines)
    wanted = program(plateau=PLATEAU)
    return run.train_seeds(Task(wanted, images(), after_epoch=feedback, **options), BLOBS)


def feedback(seed, epoch):
    return Feedback(accuracy=0.1, loss=float(seed))


def assert_same_numbers(ours, theirs):
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.seed == other.seed
        assert mine.ending == other.ending
        for a, b in zip(mine.epochs, other.epochs, strict=True):
            assert a.learning_rate == b.learning_rate
            assert torch.equal(a.logits, b.logits)


def test_a_third_engine_takes_one_entry_and_is_named(monkeypatch):
    plain = trained(monkeypatch)
    third = trained(monkeypatch, Third())
    assert [(done.engine, done.side_by_side) for done in third] == [("third", 2)] * 2
    assert_same_numbers(third, plain)


@pytest.mark.parametrize(
    ("engines", "reason"),
    [
        ((Unable(),), " (it knows no convolution)"),
        ((Exhausted(),), " (out of memory)"),
        ((Unable(), Exhausted()), " (it knows no convolution; out of memory)"),
        ((Elsewhere(),), ""),
    ],
)
def test_an_engine_that_cannot_leaves_it_to_the_next_and_each_run_says_why(
    monkeypatch, engines, reason
):
    plain = trained(monkeypatch)
    done = trained(monkeypatch, *engines)
    assert [run.engine for run in done] == [f"{run.engine}{reason}" for run in plain]
    assert [run.side_by_side for run in done] == [1, 1]
    assert_same_numbers(done, plain)


def test_an_engine_that_fails_after_an_epoch_is_not_replaced(monkeypatch):
    class Late(Third):
        def train(self, networks, program, data, **options):
            training = Eager().train(networks, program, data, **options)
            yield next(training)
            yield training.send({})
            raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        trained(monkeypatch, Late())


def test_a_seed_that_ended_before_ctrl_c_has_ended_and_one_that_had_not_begun_has_no_run(
    monkeypatch,
):
    def interrupt(seed, epoch):
        if (seed, epoch.epoch) == (4, 2):
            raise KeyboardInterrupt

    task = Task(program(), images(), after_epoch=interrupt)
    first, second = run.train_seeds(task, {**BLOBS, 5: values()})
    assert (first.seed, first.ending, len(first.epochs)) == (3, Ending(True), EPOCHS)
    assert (second.seed, second.ending, len(second.epochs)) == (4, INTERRUPTED, 2)


def test_the_plain_engine_says_when_each_seed_begins_ends_and_what_comes_between():
    wanted = program()
    nets = {seed: run.network.build(wanted, blob) for seed, blob in BLOBS.items()}
    told = []
    training = Eager().train(
        nets,
        wanted,
        images(),
        epochs=1,
        budget_seconds=60.0,
        on_step=lambda seed, step: told.append((seed, step.step)),
    )
    kinds = [(seed, type(item)) for news in training for seed, item in news.items()]
    assert kinds == [(seed, kind) for seed in (3, 4) for kind in (Began, Epoch, Ending)]
    assert told == [(seed, step) for seed in (3, 4) for step in (1, 2, 3)]
