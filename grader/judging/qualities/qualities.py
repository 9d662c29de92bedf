"""All answers about a trained network beyond its accuracy, as the checks ask for them.

In: a Trial and the limits of its assignment. Loads no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from grader import report
from grader.assignment import Limits
from grader.judging.protocols import PROTOCOLS
from grader.judging.qualities import (
    classes,
    confidence,
    gradients,
    overfitting,
    robustness,
    stability,
)
from grader.judging.qualities.answer import Answer, nothing
from grader.report import RunRow

Limit = TypeVar("Limit")


class Tried(Protocol):
    """What is read of a `grader.judging.trial.Trial`."""

    @property
    def training(self) -> report.Training:
        """All runs."""
        ...

    @property
    def skipped(self) -> str:
        """Why nothing is graded on these runs, or ""."""
        ...


@dataclass(frozen=True)
class Qualities:
    """The answer to each question."""

    trial: Tried
    limits: Limits
    lines: Mapping[str, int | None] = field(default_factory=dict)
    """Of layers, in the student's file."""

    @property
    def noise(self) -> Answer:
        """`robust_noise`."""
        return self._answer(robustness.noise, self.limits.robust_noise)

    @property
    def shift(self) -> Answer:
        """`robust_shift`."""
        return self._answer(robustness.shift, self.limits.robust_shift)

    @property
    def classes(self) -> Answer:
        """`per_class`."""
        return self._answer(classes.per_class, self.limits.per_class)

    @property
    def calibration(self) -> Answer:
        """`calibrated`."""
        return self._answer(confidence.calibrated, self.limits.calibrated)

    @property
    def gradients(self) -> Answer:
        """`gradients_flow`."""
        return self._answer(partial(gradients.flow, lines=self.lines), self.limits.gradients_flow)

    @property
    def overfitting(self) -> Answer:
        """`no_overfit`."""
        return self._answer(overfitting.gap, self.limits.no_overfit)

    @property
    def stability(self) -> Answer:
        """`stable`."""
        training = self.trial.training
        protocol = PROTOCOLS[training.protocol]
        scores = []
        for run in training.runs:
            if run.finished and run.epochs:
                correct = [row.correct for row in run.epochs]
                scores.append(float(protocol.score(correct, run.epochs[-1].total)))
        return self._graded(stability.stable(scores, self.limits.stable))

    def _answer(
        self, question: Callable[[Sequence[RunRow], Limit], Answer | None], limit: Limit
    ) -> Answer:
        found = question(self.trial.training.runs, limit)
        return self._graded(found or nothing("no training run was finished"))

    def _graded(self, found: Answer) -> Answer:
        reason = "" if found.skipped else self.trial.skipped
        return found.but_skipped(reason) if reason else found
