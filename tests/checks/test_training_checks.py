"""The checks that ask for training: when they may, and what they say of runs cut short."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from unittest import mock

import pytest

from grader.checks import plugin
from grader.judging import judge, starting, trial
from grader.options import Options
from grader.report import CheckResult, Verdict
from grader.training.records import INTERRUPTED, Ending
from tests.static_grading import every_check, plain

TRAINED = ("accuracy", "time_budget")


def checks(
    share: str = "0.9950",
    *,
    order: tuple[str, ...] = TRAINED,
    ending: Ending = Ending(finished=True),  # noqa: B008 - frozen
    seconds: float = 60.0,
    epochs: int = 15,
    **more: object,
) -> dict[str, CheckResult]:
    """What the two checks say of one run; `more` are facts of the Trial or its record."""
    every = every_check()
    assignment = every.model_copy(update={"checks": {name: every.checks[name] for name in order}})
    practice = bool(more.pop("practice", False))
    run = SimpleNamespace(seconds=seconds, side_by_side=1, device="cpu", ending=ending)
    training = SimpleNamespace(
        protocol="best",
        threshold=assignment.limits.accuracy,
        practice=practice,
        graded_on="MNIST",
    )
    scores = [Fraction(share)] if epochs else []
    threshold = judge.exact(assignment.limits.accuracy)
    judgement = judge.verdict(scores, threshold, images=10_000, practice=practice)
    facts = {"interrupted": ending == INTERRUPTED, **more}
    done = trial.Trial((run,), ((9950,) * epochs,), judgement, training, **facts)
    training = starting.Training(lambda: done)
    known = plugin.Known(assignment, Options(), mock.Mock(), mock.Mock(), training)
    return {result.name: result for result in plain(plugin.run_checks(known))}


def test_an_accuracy_that_fails_does_not_hide_how_long_training_took():
    found = checks("0.9800")
    assert found["accuracy"].verdict is Verdict.FAILED
    assert (found["time_budget"].verdict, found["time_budget"].measured) == (Verdict.PASSED, "60 s")


@pytest.mark.parametrize("order", [TRAINED, TRAINED[::-1]])
def test_a_run_that_was_stopped_in_its_first_epoch_is_out_of_time(order):
    ending = Ending(False, "its 7,200 s were over in epoch 1", out_of_time=True)
    found = checks(order=order, ending=ending, seconds=0.0, epochs=0)
    assert (found["time_budget"].verdict, found["time_budget"].measured) == (
        Verdict.FAILED,
        "stopped",
    )
    assert found["time_budget"].detail == "a run was stopped, long after the budget of 3600 seconds"


@pytest.mark.parametrize(
    ("cut", "why"),
    [
        ({"quick_look": "1 of 15 epochs"}, "quick look, 1 of 15 epochs: not graded"),
        ({"ending": INTERRUPTED}, "training was interrupted"),
        ({"practice": True}, "practice images: graded on MNIST only"),
    ],
)
def test_training_that_was_cut_short_is_neither_accurate_nor_fast(cut, why):
    found = checks(**cut)
    assert {(result.verdict, result.detail) for result in found.values()} == {
        (Verdict.SKIPPED, why)
    }


@pytest.mark.parametrize("failed", ["untrained", "independent_samples", "steady"])
def test_an_accuracy_that_was_not_learned_earns_no_points(failed):
    results = [_line(failed, Verdict.FAILED, 0), _line("accuracy", Verdict.PASSED, 40)]
    _, accuracy = plugin.without_bought_points(results)
    assert (accuracy.points, accuracy.max_points) == (0, 40)
    assert failed in accuracy.detail


@pytest.mark.parametrize("name", ["robust_noise", "per_class", "no_overfit"])
def test_nor_does_what_is_measured_of_such_a_network(name):
    results = [_line("steady", Verdict.FAILED, 0), _line(name, Verdict.PASSED, 40)]
    assert plugin.without_bought_points(results)[1].points == 0
    results[1] = _line("fast_inference", Verdict.PASSED, 40)
    assert plugin.without_bought_points(results)[1].points == 40


def test_an_accuracy_that_was_learned_earns_its_points_whatever_else_fails():
    results = (_line("dropout", Verdict.FAILED, 0), _line("accuracy", Verdict.PASSED, 40))
    assert plugin.without_bought_points(results) == results


def _line(name, verdict, points):
    return CheckResult(
        name=name, title=f"{name}.", verdict=verdict, required=True, points=points, max_points=40
    )
