"""A trial trains under all its seeds, judges what comes back, and survives what may happen."""

from __future__ import annotations

import dataclasses
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from grader import assignment, pipeline
from grader.errors import SubmissionError
from grader.judging import judge, recording, starting, trial
from grader.judging.judge import Judge
from grader.options import STATIC, Options
from grader.program.listing import Listing
from grader.program.program import Captured
from grader.report import Curve, EpochRow, Verdict
from grader.sandbox import isolation
from grader.submission.submission import Submission
from grader.training.data import Data, Source
from grader.training.datasets import DATASETS
from grader.training.lab_note import Clock
from grader.training.records import INTERRUPTED, TrainingRun
from grader.training.run import train_seeds as train_here
from tests.training.engine.test_loop import EPOCHS, PLATEAU, STEPS, curve, images, program, values

ASSIGNMENT = assignment.load(Path(__file__).parents[2] / "assignments" / "mnist_8k")
IMAGES = images()
SEEDS = (3, 4, 5)
PROGRAM = program().model_copy(update={"seeds": SEEDS})
CAPTURED = Captured(PROGRAM, {seed: values() for seed in SEEDS})


class Here:
    """A trainer without processes: trains in this one, and remembers who asked."""

    def __init__(self, run=lambda self, task, values: train_here(task, values)):
        self.lots = []
        self.gone = False
        self._run = run

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gone = True

    def run(self, task, values):
        self.lots.append(list(values))
        return self._run(self, task, values)


class Silent:
    """A display that shows nothing."""

    def start(self, *_): ...
    def more_seeds(self, *_): ...
    def step(self, *_): ...
    def epoch(self, *_): ...


def tried(captured=CAPTURED, trainer=None, **more):
    zeros = Judge(np.zeros(12, dtype=np.int64))
    facts = {"device": torch.device("cpu"), "seeds": 3, "progress": Silent(), **more}
    facts["trainer"] = trainer or Here()
    return trial.conduct(captured, ASSIGNMENT, IMAGES, zeros, **facts)


def one_run(**recipe):
    captured = Captured(program(**recipe).model_copy(update={"seeds": SEEDS}), {SEEDS[0]: values()})
    (run,) = tried(captured, seeds=1).training.runs
    return run


def test_all_seeds_that_were_asked_for_train_together_and_the_processes_are_gone_afterwards():
    crew = Here()
    done = tried(trainer=crew)
    assert crew.lots == [[3, 4, 5]]
    assert crew.gone
    assert [run.seed for run in done.training.runs] == [3, 4, 5]
    assert all(len(run.epochs) == 3 for run in done.training.runs)


def test_a_close_call_gets_two_more_seeds_at_a_time(monkeypatch):
    monkeypatch.setattr(judge, "another_seed", lambda scores, *_, **__: len(scores) < 3)
    wanted = program().model_copy(update={"seeds": (0, 1, 2, 3, 4)})
    captured = Captured(wanted, {seed: values() for seed in range(5)})
    crew = Here()
    done = trial.conduct(
        captured,
        ASSIGNMENT,
        dataclasses.replace(IMAGES, practice=False),
        Judge(np.zeros(12, dtype=np.int64)),
        trainer=crew,
        device=torch.device("cpu"),
        seeds=None,
        progress=Silent(),
    )
    assert crew.lots == [[0], [1, 2]]
    assert [run.seed for run in done.runs] == [0, 1, 2]


def test_every_epoch_is_counted_by_the_judge():
    done = tried(seeds=1)
    predicted = [(epoch.logits.argmax(1) == 0).sum().item() for epoch in done.runs[0].epochs]
    assert [epoch.correct for epoch in done.training.runs[0].epochs] == predicted


def test_a_peak_inside_an_epoch_is_in_the_learning_rate_curve():
    rates = [0.01] * EPOCHS * STEPS
    rates[STEPS] = 0.3  # the first step of the second epoch
    rates[-1] = 0.001
    run = one_run(schedule={"learning_rate": [curve(rates)]})
    assert run.learning_rate == Curve(first=0.01, lowest=0.001, highest=0.3, last=0.001)
    assert [row.learning_rate for row in run.epochs] == [0.01, 0.01, 0.001]


def test_the_momentum_curve_is_the_one_of_the_schedule():
    momenta = [0.95, 0.85] + [0.9] * (EPOCHS * STEPS - 2)
    rates = curve([0.01] * EPOCHS * STEPS)
    run = one_run(schedule={"learning_rate": [rates], "momentum": [curve(momenta)]})
    assert run.momentum == Curve(first=0.95, lowest=0.85, highest=0.95, last=0.9)


def test_steps_that_were_never_taken_are_not_in_the_curve():
    rates = [0.1] * STEPS + [0.5] * (EPOCHS - 1) * STEPS
    captured = Captured(
        program(schedule={"learning_rate": [curve(rates)]}).model_copy(update={"seeds": SEEDS}),
        {SEEDS[0]: values()},
    )
    (run,) = tried(captured, seeds=1, epochs=1).training.runs
    assert run.learning_rate == Curve(first=0.1, lowest=0.1, highest=0.1, last=0.1)


def test_what_a_plateau_rule_did_is_in_the_curve(monkeypatch):
    monkeypatch.setattr(Judge, "correct", lambda self, logits: 3)  # no progress, ever
    rule = {**PLATEAU, "monitor": "accuracy", "mode": "max", "factor": 0.5, "patience": 0}
    assert one_run(plateau=rule).learning_rate == Curve(
        first=0.1, lowest=0.05, highest=0.1, last=0.05
    )


def test_time_to_99_ends_with_the_first_epoch_of_99_percent():
    facts = {"train_loss": 1.0, "total": 10_000, "learning_rate": 0.1, "seconds": 10.0}
    rows = [
        EpochRow(epoch=number, correct=correct, **facts)
        for number, correct in enumerate([9000, 9899, 9900, 9950], 1)
    ]
    assert recording.seconds_to(Fraction(99, 100), rows) == 30.0
    assert recording.seconds_to(Fraction(99, 100), rows[:2]) is None


def test_the_report_says_when_a_run_reached_99_percent(monkeypatch):
    monkeypatch.setattr(Judge, "correct", lambda self, logits: next(counts))
    counts = iter([3, 12, 12, 12, 12])  # and the second look, twice
    run = one_run()
    assert run.seconds_to_99 == run.epochs[0].seconds + run.epochs[1].seconds


def test_ctrl_c_before_the_first_epoch_is_a_report_without_a_score():
    def interrupted(self, _task, values):
        return (
            TrainingRun(
                min(values), "cpu", (), INTERRUPTED, parameters_moved=True, peak_memory_bytes=None
            ),
        )

    done = tried(trainer=Here(interrupted))
    assert done.interrupted
    assert done.judgement.verdict is Verdict.SKIPPED
    (run,) = done.training.runs
    assert run.epochs == ()
    assert done.training.score is None


def test_runs_that_were_interrupted_before_their_first_epoch_count_neither_as_runs_nor_as_seconds():
    def only_the_first_begins(self, task, values):
        (first,) = train_here(task, {SEEDS[0]: values[SEEDS[0]]})
        others = (
            TrainingRun(seed, "cpu", (), INTERRUPTED, True, None, side_by_side=2)
            for seed in SEEDS[1:]
        )
        return first, *others

    done = tried(trainer=Here(only_the_first_begins))
    assert len(done.runs) == 3
    assert "(mean of last 3)" in done.accuracy.measured
    assert done.seconds == done.runs[0].seconds > 0
    assert done.interrupted


def test_the_stage_training_is_the_time_of_all_rounds_not_of_one_run():
    def slow(self, task, values):
        time.sleep(0.02)
        return train_here(task, values)

    clock = Clock()
    practice = Source(DATASETS["practice"], practice=True)
    workshop = pipeline.Workshop(Options(device="cpu", seeds=3), practice, None, Here(slow))
    known = Data(IMAGES, np.zeros(12, dtype=np.int64))
    pipeline.train(CAPTURED, ASSIGNMENT, known, workshop, clock, Silent())
    assert clock.seconds["training"] >= 0.02


def test_a_process_that_dies_ends_the_trial_and_is_cleared_away():
    def die(self, *_, **__):
        raise SubmissionError("The training process was ended by SIGKILL.")

    crew = Here(die)
    with pytest.raises(SubmissionError, match="SIGKILL"):
        tried(trainer=crew)
    assert crew.gone


def test_a_training_that_failed_is_not_tried_again_for_the_next_check():
    def fail():
        calls.append(1)
        raise SubmissionError("The training process was ended by SIGKILL.")

    calls: list[int] = []
    training = starting.Training(fail)
    for _ in range(2):
        with pytest.raises(SubmissionError, match="SIGKILL"):
            training.trial()
    assert calls == [1]
    assert training.done is None


class _Progress(Silent):
    def stage(self, text): ...


@pytest.mark.parametrize(
    ("options", "why"), [({}, ""), ({"static": True}, STATIC), ({"epochs": 2}, "--epochs 2")]
)
def test_what_could_not_be_captured_in_a_quick_look_is_one_too(tmp_path, options, why):
    problem = SubmissionError("net.py is empty.")
    listing = Listing.of_file("net.py", "")
    unread = Submission(tmp_path / "net.py", "net", "net.py", ASSIGNMENT.name, listing, "", problem)
    source = Source(DATASETS["practice"], practice=True)
    with isolation.Fresh() as sandbox:
        workshop = pipeline.Workshop(Options(**options), source, sandbox, Here())
        found = pipeline.grade(unread, ASSIGNMENT, workshop, _Progress())
    assert (found.problem.message, found.quick_look) == (problem.message, why)
