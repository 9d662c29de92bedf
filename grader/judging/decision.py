"""How sure are we? What a handful of training runs says about a network's accuracy.

In: accuracies (0 to 1), one per training run. Out: a decision, an interval, a tolerance.
Arithmetic only: no torch.

The test images are fixed by the assignment; what varies from run to run is training itself (the
seed). So the random unit is the training run. How far runs scatter is measured in binomial
deviations, sqrt(p (1 - p) / images): 0.077 points at 99.4 % of 10,000 images. That is how far the
count would scatter if each image were a coin of its own with the same bias. Most images are no
such coin, being always right or always wrong, which makes the spread smaller; a seed that is good
or bad on the whole makes it larger. Measured on small networks above 99 %: 0.5 to 1.05 of it.

Worked example, threshold 99.40 %: runs of 99.45, 99.52 and 99.47 % are 0.05, 0.12 and 0.07 points
above it, 0.24 in all. The first one is less than 0.19 points above, so two more were made. Their
squared distances from the mean of 0.08 sum to 0.0026, so that a run is taken to scatter by
sqrt((0.0772^2 + 0.0026) / 3) = 0.054 points. The bound is ln(1 / 0.015 - 1) * 0.054^2 / 0.1004 =
0.12 points: passed. docs/fairness.md states the rule and its error rates in words.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

POOLED_SIGMA = 0.00055
"""Standard deviation of one run's accuracy over seeds, for claims about networks near 99.4 %: 0.053
points for the last epoch and 0.050 for the mean of the last three, measured on 24 seeds of a
6,198-parameter network on MNIST (2 CPU cores, torch 2.15); rounded up. `decide` does not rely on
it: 12 seeds of another small network gave 0.078."""

CLAIM_SLACK = 0.0002
"""What a claim may differ by beyond chance: two images in 10,000, for another version or another
machine."""

KNOWN_FROM = Fraction(99, 100)
"""Accuracy from which on it is known how far runs scatter: measured on eight networks of 6,000 to
26,000 parameters."""

LEAST_WRONG_IMAGES = 20
"""Wrong images below which their number says little of how far runs scatter."""

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
    """Wald's sequential test of threshold - `half_width` against threshold + `half_width`.

    All lengths are in binomial deviations of the threshold. The spread of one run is not known, so
    it is estimated as the runs come in, and kept between `narrowest` and `widest`. The widest one
    is what the error rates are promised up to; it also sees to it that a network cannot scatter
    its way out of a verdict.

    The first run alone shows no spread: it settles from `first_margin` on, where even the widest
    spread errs in 1.4 of 100 gradings. Then the runs' summed excess settles from Wald's bound on.
    `error` is less than the 5 % that are promised, because the spread is estimated, and
    `late_error`, after more than `usual_runs`, because each look at the runs is a chance to err.
    Source: A. Wald, Sequential Tests of Statistical Hypotheses, Ann. Math. Statist. 16 (1945).
    """

    half_width: float = 0.65
    first_margin: float = 2.5
    narrowest: float = 0.5
    widest: float = math.sqrt(2)
    error: float = 0.015
    late_error: float = 0.001
    usual_runs: int = 5

    def bound(self, scores: Sequence[Fraction], deviation: float) -> float:
        """The excess over the threshold, summed over `scores`, from which on they settle it.

        `deviation` is the binomial one; both are accuracies (0 to 1).
        """
        if len(scores) == 1:
            return self.first_margin * deviation
        narrowest, widest = self.narrowest * deviation, self.widest * deviation
        sigma = min(max(reckoned(scores, deviation), narrowest), widest)
        error = self.error if len(scores) <= self.usual_runs else self.late_error
        return math.log(1 / error - 1) * sigma**2 / (2 * self.half_width * deviation)


DEFAULT_RULE = Rule()


def decide(
    scores: Sequence[Fraction],
    threshold: Fraction,
    *,
    images: int,
    most_runs: int,
    rule: Rule = DEFAULT_RULE,
) -> Decision:
    """What the `scores` of one or more runs on `images` test images say about `threshold`.

    At most `most_runs` may be made. Raises ValueError without a score.
    """
    if not scores:
        raise ValueError("a decision needs the score of at least one run")
    excess = float(sum(scores, Fraction()) - len(scores) * threshold)
    bound = rule.bound(scores, binomial_deviation(threshold, images))
    if excess >= bound:
        return Decision.PASSED
    if excess <= -bound:
        return Decision.FAILED
    return Decision.ANOTHER_SEED if len(scores) < most_runs else Decision.BORDERLINE


def interval(scores: Sequence[Fraction], *, images: int) -> tuple[float, float] | None:
    """95 % interval for the mean accuracy over all seeds, from runs on `images` test images.

    Near 99.4 % (from 99 % on, with at least 20 wrong images) it is known how networks scatter:
    mean ± 1.96 s / sqrt(n), with the s of `decide`, even for one run. Elsewhere runs may scatter
    by half a binomial deviation or by three, and only they can tell: Student's interval from three
    runs on, with a standard deviation of at least half the binomial one, and None for fewer.
    Cut at 0 and 1. Raises ValueError without a score.
    """
    if not scores:
        raise ValueError("an interval needs the score of at least one run")
    runs, mean = len(scores), sum(scores, Fraction()) / len(scores)
    deviation = binomial_deviation(mean, images)
    if mean >= KNOWN_FROM and (1 - mean) * images >= LEAST_WRONG_IMAGES:
        margin = _Z * reckoned(scores, deviation)
    elif runs >= 3:
        margin = student(runs - 1) * max(spread(scores), deviation / 2)
    else:
        return None
    margin /= math.sqrt(runs)
    return max(0.0, float(mean) - margin), min(1.0, float(mean) + margin)


def binomial_deviation(accuracy: Fraction, images: int) -> float:
    """Standard deviation of the accuracy on `images` coins that come up right that often.

    At 0 and 1, where it would vanish, that of one wrong (or right) image.
    """
    share = min(max(accuracy, Fraction(1, images)), Fraction(images - 1, images))
    return math.sqrt(share * (1 - share) / images)


def spread(scores: Sequence[Fraction]) -> float:
    """Sample standard deviation of the scores; 0 for fewer than two."""
    return statistics.stdev(float(score) for score in scores) if len(scores) > 1 else 0.0


def claim_tolerance(runs: int, *, sigma: float = POOLED_SIGMA) -> float:
    """How far a claim may lie from our mean of `runs` runs and still count as reproduced (0 to 1).

    A claim comes from one run, and our mean is random too: 1.96 sigma sqrt(1 + 1/runs), and
    `CLAIM_SLACK`. Raises ValueError without a run.
    """
    if runs < 1:
        raise ValueError("a claim is compared with at least one run")
    return _Z * sigma * math.sqrt(1 + 1 / runs) + CLAIM_SLACK


def reckoned(scores: Sequence[Fraction], deviation: float) -> float:
    """The spread of one run: the binomial deviation, as if one observation, and the runs' own.

    A posterior scale: a scaled inverse chi-square prior of one degree of freedom, to which n runs
    add n - 1. Source: A. Gelman et al., Bayesian Data Analysis, 3rd ed. (2013), section 3.3.
    """
    squares = (len(scores) - 1) * spread(scores) ** 2
    return math.sqrt((deviation**2 + squares) / len(scores))


def student(freedom: float) -> float:
    """The 97.5 % point of Student's distribution, at two degrees of freedom 1 % too small.

    Source: M. Abramowitz, I. A. Stegun, Handbook of Mathematical Functions (1964), 26.7.5.
    """
    z = _Z
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return sum(term / math.pow(freedom, power) for power, term in enumerate(terms))
