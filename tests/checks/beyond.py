"""The checks beyond accuracy on invented runs: what they say of these numbers."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from grader.assignment import Check
from grader.checks import plugin
from grader.judging import starting
from grader.judging.qualities import calibration
from grader.options import Options
from grader.report import (
    CheckResult,
    Counted,
    EpochRow,
    Inference,
    LayerUpdate,
    Pace,
    ReluRow,
    RunQualities,
    RunRow,
    Training,
)
from tests.static_grading import every_check, plain

ONE_RUN = {"seconds": 1.0, "images_per_second": 1.0, "finished": True}


def run(correct: int = 9_940, total: int = 10_000, seed: int = 0, **qualities: Any) -> RunRow:
    """A finished run of one epoch with these qualities."""
    epoch = EpochRow(
        epoch=1, train_loss=0.1, correct=correct, total=total, learning_rate=0.1, seconds=1.0
    )
    return RunRow(seed=seed, epochs=(epoch,), qualities=RunQualities(**qualities), **ONE_RUN)


def counted(correct: int, total: int = 10_000) -> Counted:
    return Counted(correct=correct, total=total)


def updates(*shares: float) -> tuple[LayerUpdate, ...]:
    """Layers of these shares of the update."""
    return tuple(
        LayerUpdate(layer=f"layer{number}", moved=share, share=share)
        for number, share in enumerate(shares, start=1)
    )


def relus(channels: int, dead: int) -> tuple[ReluRow, ...]:
    return (ReluRow(layer="relu", channels=channels, dead=dead),)


def alike(confidence: float, answers: int, right: int):
    """The calibration of so many answers of one confidence."""
    return calibration.measure(np.full(answers, confidence), np.arange(answers) < right)


def pace(microseconds: float, yardstick: float, *, off: float = 0.02) -> Inference:
    """Timed in batches of 256, the quartiles of the ratio so far off."""
    ratio = microseconds / yardstick
    one = Pace(
        batch=256,
        microseconds=microseconds,
        yardstick=yardstick,
        ratio=ratio,
        low=ratio * (1 - off),
        high=ratio * (1 + off),
    )
    return Inference(multiply_adds=1_000_000, pace=(one,))


def check(
    name: str,
    runs: Sequence[RunRow] = (),
    *,
    inference: Inference | None = None,
    skipped: str = "",
    **limits: Any,
) -> CheckResult:
    """What the check of that name says, with these limits where they are not the usual ones."""
    every = every_check()
    own = getattr(every.limits, name).model_copy(update=limits)
    asked = every.model_copy(
        update={
            "checks": {name: Check(required=True, points=5)},
            "limits": every.limits.model_copy(update={name: own}),
        }
    )
    training = Training(
        dataset="mnist",
        practice=False,
        train_images=60_000,
        test_images=10_000,
        protocol="last",
        threshold=0.994,
        runs=tuple(runs),
        best=None,
        last=None,
        last_3=None,
        score=None,
    )
    done = SimpleNamespace(training=training, skipped=skipped)
    known = plugin.Known(
        assignment=asked,
        options=Options(train_anyway=True),
        analysis=mock.MagicMock(),
        behaviour=mock.MagicMock(),
        training=starting.Training(lambda: done),
        inference=inference,
    )
    (result,) = plain(plugin.run_checks(known))
    return result


def of_page(name: str, numbers: Sequence[float]) -> CheckResult:
    """What the check says of the numbers of an example on its page, in their order."""
    return EXAMPLES[name](*numbers)


def _robust_noise(correct: float, total: float) -> CheckResult:
    return check("robust_noise", [run(noise=counted(int(correct), int(total)))])


def _robust_shift(moved: float, total: float, turned: float) -> CheckResult:
    shift, rotation = counted(int(moved), int(total)), counted(int(turned), int(total))
    return check("robust_shift", [run(shift=shift, rotation=rotation)])


def _per_class(total: float, worst: float) -> CheckResult:
    others = [counted(996, int(total))] * 9
    return check("per_class", [run(classes=(*others, counted(int(worst), int(total))))])


def _calibrated(answers: float, confidence: float, right: float) -> CheckResult:
    found = alike(confidence / 100, int(answers), int(right))
    return check("calibrated", [run(calibration=found)])


def _fast_inference(adds: float, microseconds: float, batch: float, yardstick: float):
    found = pace(microseconds, yardstick).model_copy(update={"multiply_adds": int(adds)})
    assert batch == found.pace[0].batch
    return check("fast_inference", inference=found)


def _gradients_flow(first: float, second: float, third: float, channels: float, dead: float):
    shares = updates(first / 100, second / 100, third / 100)
    return check("gradients_flow", [run(updates=shares, relus=relus(int(channels), int(dead)))])


def _stable(seeds: float, *numbers: float) -> CheckResult:
    *scores, total = map(int, numbers)
    assert len(scores) == seeds
    return check("stable", [run(score, total, seed=number) for number, score in enumerate(scores)])


def _no_overfit(trained: float, of_train: float, tested: float, of_test: float) -> CheckResult:
    train = counted(int(trained), int(of_train))
    return check("no_overfit", [run(int(tested), int(of_test), train=train)])


EXAMPLES = {
    "robust_noise": _robust_noise,
    "robust_shift": _robust_shift,
    "per_class": _per_class,
    "calibrated": _calibrated,
    "fast_inference": _fast_inference,
    "gradients_flow": _gradients_flow,
    "stable": _stable,
    "no_overfit": _no_overfit,
}
