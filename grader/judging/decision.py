"""How sure are we? What a handful of training runs says about a network's accuracy.

In: accuracies (0 to 1), one per training run. Out: a decision, an interval, a tolerance. Arithmetic
only: no torch.

The test images are fixed by the assignment; what varies from run to run is training itself (the
seed). So the random unit is the training run. docs/fairness.md states the rule and its error rates
in words.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

POOLED_SIGMA = 0.00055
"""Standard deviation of one run's accuracy over seeds: 0.053 points for the last epoch and 0.050
for the mean of the last three, measured on 24 seeds of a 6,198-parameter network on MNIST (2 CPU
cores, torch 2.15); rounded up."""

CLAIM_SLACK = 0.0002
"""What a claim may differ by beyond chance, for another version or machine: 2 images in 10,000."""

_Z = statistics.NormalDist().inv_cdf(0.975)


class Decision(StrEnum):
    """What the runs so far allow to say."""

    PASSED = "passed"
    FAILED = "failed"
    BORDERLINE = "borderline"
    """As many runs as allowed, and still too close to the threshold to call."""
    ANOTHER_SEED = "another seed"
    """Not settled yet; more runs may settle it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Wald's sequential probability ratio test around a threshold, `half_width` on either side.

    Accuracies are 0 to 1. `false_pass` is the chance to pass a network that is truly at the lower
    end, `false_fail` to fail one at the upper end. Source: A. Wald, Sequential Tests of Statistical
    Hypotheses, Ann. Math. Statist. 16 (1945), the test of the mean of a normal variable with known
    standard deviation `sigma`.
    """

    half_width: float = 0.0005
    sigma: float = POOLED_SIGMA
    false_pass: float = 0.05
    false_fail: float = 0.05

    def evidence(self, scores: Sequence[Fraction], threshold: Fraction) -> float:
        """Log of the likelihood ratio: positive speaks for the upper end."""
        excess = float(sum(scores, Fraction()) - len(scores) * threshold)
        return excess * 2 * self.half_width / self.sigma**2

    @property
    def enough_to_pass(self) -> float:
        """The evidence from which on the network passes."""
        return math.log((1 - self.false_fail) / self.false_pass)

    @property
    def enough_to_fail(self) -> float:
        """The (negative) evidence from which on it fails."""
        return math.log(self.false_fail / (1 - self.false_pass))


DEFAULT_RULE = Rule()


def decide(
    scores: Sequence[Fraction], threshold: Fraction, *, most_runs: int, rule: Rule = DEFAULT_RULE
) -> Decision:
    """What the `scores` of one or more runs say about `threshold`; there may be `most_runs`.

    Raises ValueError without a score.
    """
    if not scores:
        raise ValueError("a decision needs the score of at least one run")
    evidence = rule.evidence(scores, threshold)
    if evidence >= rule.enough_to_pass:
        return Decision.PASSED
    if evidence <= rule.enough_to_fail:
        return Decision.FAILED
    return Decision.ANOTHER_SEED if len(scores) < most_runs else Decision.BORDERLINE


def interval(scores: Sequence[Fraction], *, sigma: float = POOLED_SIGMA) -> tuple[float, float]:
    """95 % interval for the mean accuracy over all seeds, from the `scores` of one or more runs.

    mean ± 1.96 s / sqrt(n), cut at 0 and 1. Two or three runs cannot show their own spread, so `s`
    is the pooled `sigma`, or the standard deviation of these runs where that is larger. Raises
    ValueError without a score.
    """
    if not scores:
        raise ValueError("an interval needs the score of at least one run")
    mean = float(sum(scores, Fraction()) / len(scores))
    margin = _Z * max(sigma, spread(scores)) / math.sqrt(len(scores))
    return max(0.0, mean - margin), min(1.0, mean + margin)


def spread(scores: Sequence[Fraction]) -> float:
    """Sample standard deviation of the scores; 0 for fewer than two."""
    return statistics.stdev(float(score) for score in scores) if len(scores) > 1 else 0.0


def claim_tolerance(runs: int, *, sigma: float = POOLED_SIGMA) -> float:
    """How far a claim may lie from our mean of `runs` runs and still count as reproduced (0 to 1).

    The claim and our mean are both random: 1.96 sigma sqrt(1 + 1/runs), and `CLAIM_SLACK`.
    """
    if runs < 1:
        raise ValueError("a claim is compared with at least one run")
    return _Z * sigma * math.sqrt(1 + 1 / runs) + CLAIM_SLACK
