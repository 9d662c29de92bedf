"""Which further images a finished network is shown, and what is counted of them.

In: an assignment's checks and limits, the images, a key. Out: the images for the second look, and
`report.RunQualities` of what comes back. Labels stay with the judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from grader import report
from grader.assignment import Assignment
from grader.judging import shuffle
from grader.judging.judge import Judge
from grader.judging.metric import Metric
from grader.judging.qualities import changed
from grader.report import Counted
from grader.training.engine import loop
from grader.training.records import Flow, TrainingRun

CHECKS = (
    "robust_noise",
    "robust_shift",
    "per_class",
    "calibrated",
    "gradients_flow",
    "no_overfit",
)
"""Those that something is measured for when a run is finished."""


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What is `asked` of a finished network: its images by kind, and which training images.

    `learned` are positions among the training images; all are shown that some seed may learn from.
    """

    asked: frozenset[str]
    told: Metric
    images: dict[str, NDArray[np.uint8]]
    learned: NDArray[np.int64]

    def qualities(
        self, run: TrainingRun, logits: Sequence[Tensor], test_logits: Tensor, judge: Judge
    ) -> report.RunQualities | None:
        """What is known of a finished run; None where no check asks.

        `logits` are those of `images`, kind by kind, `test_logits` those of the last epoch.
        """
        if not self.asked:
            return None
        rows = dict(zip(self.images, logits, strict=True))
        train = rows.pop("train", None)
        counted = {
            kind: Counted(correct=judge.correct(found), total=judge.total)
            for kind, found in rows.items()
        }
        flow = run.ending.flow or Flow()
        return report.RunQualities(
            **counted,
            train=None if train is None else self._of_train(train, run.seed),
            classes=judge.by_class(test_logits) if "per_class" in self.asked else (),
            calibration=judge.calibration(test_logits) if "calibrated" in self.asked else None,
            updates=_updates(flow),
            relus=tuple(
                report.ReluRow(layer=one.layer, channels=one.channels, dead=one.dead)
                for one in flow.silent
            ),
        )

    def _of_train(self, logits: Tensor, seed: int) -> Counted:
        """Of those images alone that this seed has learned from: a recipe may leave some out."""
        data, recipe = self.told.data, self.told.recipe
        chosen = loop.learned(recipe, len(data.train_images), seed).numpy()
        own = np.isin(self.learned, chosen)
        judge = Judge(data.train_labels[self.learned[own]], classes=logits.shape[1])
        return Counted(correct=judge.correct(logits.numpy()[own]), total=judge.total)


def choose(assignment: Assignment, told: Metric, key: bytes) -> Looks:
    """What the checks of `assignment` ask for, drawn by `key`."""
    asked = frozenset(assignment.checks).intersection(CHECKS)
    limits = assignment.limits
    tests = told.data.test_images[: told.tests]
    images: dict[str, NDArray[np.uint8]] = {}
    learned = np.empty(0, dtype=np.int64)
    if "robust_noise" in asked:
        random = shuffle.draws(key, "more noise")
        images["noise"] = changed.with_noise(tests, limits.robust_noise.deviation, random)
    if "robust_shift" in asked:
        shift = limits.robust_shift
        images["shift"] = changed.moved(tests, shift.pixels, shuffle.draws(key, "moved"))
        images["rotation"] = changed.turned(tests, shift.degrees, shuffle.draws(key, "turned"))
    if "no_overfit" in asked:
        available = len(told.data.train_images)
        order = shuffle.draws(key, "training images").permutation(available)
        learned = np.sort(order[: told.tests])
        images["train"] = told.data.train_images[learned]
    return Looks(asked, told, images, learned)


def _updates(flow: Flow) -> tuple[report.LayerUpdate, ...]:
    whole = sum(one.far for one in flow.moved)
    rows = []
    for one in flow.moved:
        share = one.far / whole if whole else 0.0
        rows.append(report.LayerUpdate(layer=one.layer, moved=one.far, share=share))
    return tuple(rows)
