"""Is one network better than another, or was it luck? Two sets of training runs, side by side.

In: scores of each (0 to 1, one for each run), and how many test images. Out: the difference with a
95 % interval, what it means, and how many seeds it would take to know. Arithmetic only: no torch.

Worked example: 99.30 % in one run and 99.42 % in another, of 10,000 images. Near 99.4 % a run is
taken to scatter by a binomial deviation (see `decision`): 0.083 and 0.076 points, 0.113 for the
difference. So it is 0.12 ± 0.22 points: within noise. To see 0.12 points in four of five attempts
takes 2.80² × 0.113² / 0.12² = 7 seeds of each. Two runs of 99.30 and 99.60 % differ by
0.30 ± 0.20: beyond noise.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from grader.judging import decision, judge
from grader.judging.decision import CLAIM_SLACK
from grader.report import RunRow

MOST_SEEDS = 1_000
"""More are not asked for: so small a difference is none."""

WIDE = 3.0
"""Binomial deviations that a run is taken to scatter by where that is not known: below 99 %, with
fewer than three runs. Networks were seen that scatter by as much; see docs/fairness.md."""

_POWER = statistics.NormalDist().inv_cdf(0.8)
_Z = statistics.NormalDist().inv_cdf(0.975)


class Answer(StrEnum):
    """What two sets of runs say of the second."""

    BETTER = "better"
    WORSE = "worse"
    NOISE = "within noise"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second against the first: accuracies are 0 to 1.

    `margin` is what the `difference` may be off by (95 %). `seeds` of each are needed to find a
    difference of this size in four of five attempts; None where not even `MOST_SEEDS` do.
    """

    difference: float
    margin: float
    seeds: int | None

    @property
    def answer(self) -> Answer:
        """Beyond noise is what the interval does not hold 0 for."""
        if abs(self.difference) <= self.margin:
            return Answer.NOISE
        return Answer.BETTER if self.difference > 0 else Answer.WORSE


@dataclass(frozen=True, slots=True)
class _Side:
    """The mean of some runs, how far one scatters, and how freely that was estimated."""

    mean: Fraction
    sigma: float
    runs: int
    freedom: float

    @property
    def variance(self) -> float:
        """Of the mean."""
        return self.sigma**2 / self.runs


def compare(
    before: Sequence[Fraction], after: Sequence[Fraction], *, images: int
) -> Comparison | None:
    """How much better the runs `after` are than those `before`; None where one has no run."""
    if not before or not after:
        return None
    one, other = _side(before, images), _side(after, images)
    difference = float(other.mean - one.mean)
    variance = one.variance + other.variance
    margin = _quantile(_freedom(one, other)) * math.sqrt(variance)
    return Comparison(difference, margin, _seeds(difference, one.sigma**2 + other.sigma**2))


def claim_margin(found: Sequence[Fraction], *, images: int) -> float:
    """How far the result of one more run may lie from the mean of these (95 %), and the slack.

    See `decision.claim_tolerance`; here runs scatter as they were seen to, at any accuracy.
    """
    side = _side(found, images)
    return _quantile(side.freedom) * side.sigma * math.sqrt(1 + 1 / side.runs) + CLAIM_SLACK


def scores(runs: Iterable[RunRow], protocol: str) -> list[Fraction]:
    """The score of each run by the protocol of that name; a run without an epoch has none."""
    found = []
    for run in runs:
        if run.epochs:
            correct = [epoch.correct for epoch in run.epochs]
            found.append(judge.score(correct, run.epochs[0].total, protocol))
    return found


def _side(found: Sequence[Fraction], images: int) -> _Side:
    mean = sum(found, Fraction()) / len(found)
    deviation = decision.binomial_deviation(mean, images)
    known = mean >= decision.KNOWN_FROM and (1 - mean) * images >= decision.LEAST_WRONG_IMAGES
    if known:
        return _Side(mean, decision.reckoned(found, deviation), len(found), math.inf)
    if len(found) < 3:
        return _Side(mean, WIDE * deviation, len(found), math.inf)
    sigma = max(decision.spread(found), deviation / 2)
    return _Side(mean, sigma, len(found), len(found) - 1)


def _freedom(one: _Side, other: _Side) -> float:
    """Degrees of freedom of the difference. Source: B. L. Welch, Biometrika 34 (1947)."""
    uncertain = sum(side.variance**2 / side.freedom for side in (one, other))
    total = (one.variance + other.variance) ** 2
    return total / uncertain if uncertain else math.inf


def _quantile(freedom: float) -> float:
    return _Z if math.isinf(freedom) else decision.student(freedom)


def _seeds(difference: float, variance: float) -> int | None:
    if not difference:
        return None
    needed = (_Z + _POWER) ** 2 * variance / difference**2
    return max(2, math.ceil(needed)) if needed <= MOST_SEEDS else None
