"""Compare logits with labels: the only code that holds the labels of the test images.

In: logits (or log-probabilities), one row per test image. Out: counts, scores as exact fractions,
and a judgement. Trusts nobody's arithmetic but its own: an image counts as correct only when its
label has the one highest value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grader.judging import decision
from grader.judging.decision import Decision
from grader.judging.protocols import PROTOCOLS, mean
from grader.judging.qualities import calibration
from grader.report import Calibration, Counted, Verdict


@dataclass(frozen=True, slots=True)
class Seen:
    """A test image that was taken for another class: `sure` and `of_label` are shares, 0 to 1."""

    position: int
    label: int
    taken: int
    sure: float
    of_label: float


class Judge:
    """Holds the labels of the test images, and answers only with numbers about all of them.

    `labels`: (N,) integers from 0 to `classes` - 1. Every method takes logits (N, classes) as a
    NumPy array or a torch tensor on the CPU, and raises ValueError for another shape.
    """

    def __init__(self, labels: ArrayLike, *, classes: int = 10) -> None:
        self._labels = np.asarray(labels).astype(np.int64)
        self._classes = classes

    @property
    def total(self) -> int:
        """Number of test images."""
        return len(self._labels)

    def correct(self, logits: ArrayLike) -> int:
        """Number of images whose label has the one highest logit. Ties and NaN are wrong."""
        return int(self._right(self._read(logits)).sum())

    def wrong(self, logits: ArrayLike) -> tuple[int, ...]:
        """Positions of the test images that are not correct, ascending."""
        return tuple(np.flatnonzero(~self._right(self._read(logits))).tolist())

    def loss(
        self, logits: ArrayLike, name: Literal["cross_entropy", "nll"] = "cross_entropy"
    ) -> float:
        """Mean loss per image, as the function of that name in torch.nn.functional counts it."""
        scores = self._read(logits)
        with np.errstate(invalid="ignore"):
            if name == "cross_entropy":
                scores = scores - _logarithm_of_summed_exponentials(scores)
            return -float(scores[np.arange(self.total), self._labels].mean())

    def confusion(self, logits: ArrayLike) -> tuple[tuple[int, ...], ...]:
        """Images by label (row) and prediction (column).

        A tie with the label counts for the other class; an image whose row has a NaN has no
        prediction and no place.
        """
        scores = self._read(logits)
        table = np.zeros((self._classes, self._classes), dtype=np.int64)
        proper = ~np.isnan(scores).any(axis=1)
        predicted = np.where(self._right(scores), self._labels, self._strongest_other(scores))
        np.add.at(table, (self._labels[proper], predicted[proper]), 1)
        return tuple(tuple(row) for row in table.tolist())

    def by_class(self, logits: ArrayLike) -> tuple[Counted, ...]:
        """How many images of each class are correct; a class without images has 0 of 0."""
        right = self._right(self._read(logits))
        correct = np.bincount(self._labels[right], minlength=self._classes)
        total = np.bincount(self._labels, minlength=self._classes)
        pairs = zip(correct.tolist(), total.tolist(), strict=True)
        return tuple(Counted(correct=ours, total=all_) for ours, all_ in pairs)

    def calibration(self, logits: ArrayLike) -> Calibration:
        """How honest the confidence in the answers is."""
        scores = self._read(logits)
        return calibration.measure(calibration.confidences(scores), self._right(scores))

    def surest_mistakes(self, logits: ArrayLike, most: int) -> list[Seen]:
        """At most so many images that are not correct, those first that the network is sure of.

        An image whose row has a NaN or an infinity has no shares and is not among them.
        """
        scores = self._read(logits)
        rows = np.flatnonzero(~self._right(scores) & np.isfinite(scores).all(axis=1))
        shares = np.exp(
            scores[rows] - _logarithm_of_summed_exponentials(scores[rows])  # a softmax
        )
        taken = self._strongest_other(scores)[rows]
        sure = shares[np.arange(len(rows)), taken]
        found = []
        for place in np.argsort(-sure, kind="stable")[:most].tolist():
            label = int(self._labels[rows[place]])
            found.append(
                Seen(
                    int(rows[place]),
                    label,
                    int(taken[place]),
                    float(sure[place]),
                    float(shares[place, label]),
                )
            )
        return found

    def _read(self, logits: ArrayLike) -> NDArray[np.float64]:
        scores = np.asarray(logits, dtype=np.float64)
        if scores.shape != (self.total, self._classes):
            raise ValueError(f"logits have shape {scores.shape}, not {(self.total, self._classes)}")
        return scores

    def _right(self, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        # NaN where any is NaN: then the comparison is False.
        others = self._without_label(scores).max(axis=1)
        return np.asarray(scores[np.arange(self.total), self._labels] > others)

    def _strongest_other(self, scores: NDArray[np.float64]) -> NDArray[np.int64]:
        strongest: NDArray[np.int64] = self._without_label(scores).argmax(axis=1)
        return strongest

    def _without_label(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        others = scores.copy()
        others[np.arange(self.total), self._labels] = -np.inf
        return others


def _logarithm_of_summed_exponentials(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    highest = scores.max(axis=1, keepdims=True)
    sums = np.exp(scores - highest).sum(axis=1, keepdims=True)
    result: NDArray[np.float64] = highest + np.log(sums)
    return result


def exact(accuracy: float) -> Fraction:
    """The decimal fraction that was written: 0.994 is 497/500, not the nearest binary number."""
    return Fraction(repr(accuracy))


def score(correct: Sequence[int], total: int, protocol: str) -> Fraction:
    """One run's score under the protocol of that name, from the images correct after each epoch.

    `total` is the number of test images. Raises ValueError without an epoch.
    """
    if not correct:
        raise ValueError("a run without a finished epoch has no score")
    return PROTOCOLS[protocol].score(correct, total)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What all runs come to. Accuracies are 0 to 1; `words` says it to a student."""

    verdict: Verdict
    score: Fraction | None
    interval: tuple[float, float] | None
    words: str


def rounds(seeds: Sequence[int]) -> list[Sequence[int]]:
    """The seeds in the lots that train together: one, then two at a time while it is too close.

    The same on every machine, whatever it could train at once: how often one looks is part of the
    decision rule.
    """
    return [seeds[:1], *(seeds[begin : begin + 2] for begin in range(1, len(seeds), 2))]


def another_seed(
    scores: Sequence[Fraction], threshold: Fraction, *, images: int, most_runs: int
) -> bool:
    """Whether more runs may still settle the question, after the `scores` of the runs so far.

    `images` is the number of test images.
    """
    if not scores:
        return True
    found = decision.decide(scores, threshold, images=images, most_runs=most_runs)
    return found is Decision.ANOTHER_SEED


def verdict(
    scores: Sequence[Fraction],
    threshold: Fraction,
    *,
    images: int,
    practice: bool = False,
    graded_on: str = "MNIST",
) -> Judgement:
    """The judgement on `scores` (one per run) on `images` test images, if no more runs come.

    Practice images prove nothing about the data set that is `graded_on`: the verdict is then
    "skipped", as it is without a score.
    """
    if not scores:
        return Judgement(Verdict.SKIPPED, None, None, "No training run got as far as a score.")
    interval = decision.interval(scores, images=images)
    if practice:
        words = (
            f"{_percent(mean(scores))} on the practice images: not graded on {graded_on}, "
            "so neither passed nor failed."
        )
        return Judgement(Verdict.SKIPPED, mean(scores), interval, words)
    found = decision.decide(scores, threshold, images=images, most_runs=len(scores))
    meaning = _MEANING[found].format(threshold=_percent(threshold))
    words = f"{_measured(scores, interval)}: {meaning}"
    return Judgement(Verdict(found.value), mean(scores), interval, words)


_MEANING = {
    Decision.PASSED: "more than chance above {threshold}.",
    Decision.FAILED: "more than chance below {threshold}.",
    Decision.BORDERLINE: "too close to {threshold} to call. "
    "Another seed of the same training may land on either side.",
}


def _measured(scores: Sequence[Fraction], interval: tuple[float, float] | None) -> str:
    runs = "one run" if len(scores) == 1 else f"mean of {len(scores)} runs"
    if interval is None:
        return f"{_percent(mean(scores))} ({runs})"
    low, high = (_percent(end) for end in interval)
    return f"{_percent(mean(scores))} ({runs}; 95 % interval {low} to {high})"


def _percent(accuracy: Any) -> str:
    return f"{100 * float(accuracy):.2f} %"
