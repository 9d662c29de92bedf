"""The machine's time for one submission: shared by its runs, and nobody's fault."""

import dataclasses

import numpy as np
import pytest
import torch

from grader.errors import GraderError
from grader.judging import judge, trial
from grader.judging.judge import Judge
from grader.judging.time_limit import TimeLimit
from grader.program.program import Captured
from tests.judging.test_trial import ASSIGNMENT, IMAGES, Here, Silent, program, tried, values


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_runs_side_by_side_share_what_is_left():
    clock = Clock()
    limit = TimeLimit(60, clock)
    assert limit.share(1) == 60
    clock.now += 20
    assert limit.share(2) == 20  # (60 - 20) / 2
    clock.now += 100
    assert limit.share(2) == 0


def test_there_is_time_for_more_runs_only_if_they_would_end_like_those_before():
    clock = Clock()
    limit = TimeLimit(60, clock)
    limit.share(1)
    clock.now += 20
    limit.ended(1)
    assert limit.allows(2)  # 20 + 2 * 20
    assert not limit.allows(3)


def test_a_run_that_it_stops_is_not_graded_and_the_student_is_not_at_fault():
    with pytest.raises(GraderError, match=r"minutes that one submission may train here"):
        tried(seeds=1, most_seconds=1e-9)


def test_a_budget_of_the_assignments_own_is_still_judged():
    tight = ASSIGNMENT.model_copy(
        update={"limits": ASSIGNMENT.limits.model_copy(update={"seconds": 1e-9})}
    )
    captured = Captured(program().model_copy(update={"seeds": (3,)}), {3: values()})
    done = trial.conduct(
        captured,
        tight,
        IMAGES,
        Judge(np.zeros(12, dtype=np.int64)),
        trainer=Here(),
        device=torch.device("cpu"),
        seeds=1,
        most_seconds=3600,
        progress=Silent(),
    )
    assert done.out_of_time


def test_a_close_call_without_time_for_more_seeds_stays_one(monkeypatch):
    monkeypatch.setattr(judge, "another_seed", lambda *_, **__: True)
    monkeypatch.setattr(TimeLimit, "allows", lambda self, runs: False)
    captured = Captured(
        program().model_copy(update={"seeds": (0, 1, 2)}), {seed: values() for seed in range(3)}
    )
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
    assert crew.lots == [[0]]
    assert len(done.runs) == 1
