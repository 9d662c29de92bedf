"""A trial trains in one process under all its seeds, judges what comes back, and survives what may happen there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from grader import assignment, findings, pipeline, trial
from grader.errors import SubmissionError
from grader.judge import Judge
from grader.report import Verdict
from grader.sandbox.capture import Captured
from grader.training.data import Source
from grader.training.records import TrainingRun
from grader.training.run import INTERRUPTED
from grader.training.run import run as train_here
from tests.test_loop import images, program, values

ASSIGNMENT = assignment.load(Path(__file__).parents[1] / "assignments" / "mnist_8k")
IMAGES = images()
SEEDS = (3, 4, 5)
PROGRAM = program().model_copy(update={"seeds": SEEDS})
CAPTURED = Captured(PROGRAM, {seed: values() for seed in SEEDS}, 0.0)


class Here:
    """Stands in for the training process: trains in this one and remembers who asked."""

    made: list[Here]

    def __init__(self):
        self.seeds = []
        self.gone = False
        Here.made.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gone = True

    def run(self, *arguments, seed, **more):
        self.seeds.append(seed)
        return train_here(*arguments, seed=seed, **more)


class Silent:
    """A display that shows nothing."""

    def start(self, *_): ...
    def step(self, *_): ...
    def epoch(self, *_): ...


@pytest.fixture(autouse=True)
def here(monkeypatch):
    Here.made = []
    monkeypatch.setattr(trial, "Worker", Here)


def tried(**more):
    judge = Judge(np.zeros(12, dtype=np.int64))
    facts = {"device": torch.device("cpu"), "seeds": 3, "progress": Silent(), **more}
    return trial.run(CAPTURED, ASSIGNMENT, IMAGES, judge, **facts)


def test_all_seeds_are_trained_in_one_process_which_is_gone_afterwards():
    done = tried()
    (worker,) = Here.made
    assert worker.seeds == [3, 4, 5]
    assert worker.gone
    assert [run.seed for run in done.training.runs] == [3, 4, 5]
    assert all(len(run.epochs) == 3 for run in done.training.runs)


def test_every_epoch_is_counted_by_the_judge():
    done = tried(seeds=1)
    predicted = [(epoch.logits.argmax(1) == 0).sum().item() for epoch in done.runs[0].epochs]
    assert [epoch.correct for epoch in done.training.runs[0].epochs] == predicted


def test_ctrl_c_before_the_first_epoch_is_a_report_without_a_score(monkeypatch):
    def interrupted(self, *_, seed, **__):
        return TrainingRun(seed, "cpu", (), INTERRUPTED, parameters_moved=True, peak_memory_bytes=None)

    monkeypatch.setattr(Here, "run", interrupted)
    done = tried()
    assert done.interrupted
    assert done.judgement.verdict is Verdict.SKIPPED
    (run,) = done.training.runs
    assert run.epochs == ()
    assert done.training.score is None


def test_a_process_that_dies_ends_the_trial_and_is_cleared_away(monkeypatch):
    def die(self, *_, seed, **__):
        if seed == 4:
            raise SubmissionError("The training process was ended by SIGKILL.")
        return train_here(*_, seed=seed, **__)

    monkeypatch.setattr(Here, "run", die)
    with pytest.raises(SubmissionError, match="SIGKILL"):
        tried()
    assert Here.made[0].gone


def test_a_training_that_failed_is_not_tried_again_for_the_next_check(monkeypatch):
    def fail(*_, **__):
        calls.append(1)
        raise SubmissionError("The training process was ended by SIGKILL.")

    calls: list[int] = []
    monkeypatch.setattr(findings, "run_trial", fail)
    source = Source("practice", practice=True, train_images=0)
    found = findings.Findings(CAPTURED, ASSIGNMENT, source, pipeline.Options(device="cpu"), _Progress())
    for _ in range(2):
        with pytest.raises(SubmissionError, match="SIGKILL"):
            found.train()
    assert calls == [1]


class _Progress(Silent):
    def stage(self, text): ...
