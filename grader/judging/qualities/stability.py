"""How far the scores of several seeds lie apart. In: scores. Loads no torch."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from grader.checks.limits import StableLimit
from grader.judging.qualities.answer import Answer, nothing, points
from grader.report import Verdict


def stable(scores: Sequence[float], limit: StableLimit) -> Answer:
    """The standard deviation of the scores (0 to 1), one of each run.

    A few runs say little of it. So it fails only where 95 of 100 networks that scatter by the limit
    would have been measured lower; what is above the limit and below that is too close to call.
    """
    if len(scores) < limit.seeds:
        runs = "one run was made" if len(scores) == 1 else f"{len(scores)} runs were made"
        return nothing(f"{runs}, and the spread over seeds takes {limit.seeds}")
    spread = statistics.stdev(scores)
    verdict = Verdict.PASSED
    if spread > limit.deviation:
        surely = least_deviation(spread, len(scores)) > limit.deviation
        verdict = Verdict.FAILED if surely else Verdict.BORDERLINE
    asked = points(limit.deviation)
    end = "more than chance above it. " + _ADVICE
    if verdict is Verdict.BORDERLINE:
        end = "too close to call, with so few runs."
    ends = f"{100 * min(scores):.2f} % to {100 * max(scores):.2f} %"
    return Answer(
        measured=f"± {100 * spread:.2f} points",
        asked=f"<= {asked}",
        verdict=verdict,
        value=spread,
        relation="<=",
        limit=limit.deviation,
        unit="fraction",
        explanation=f"{len(scores)} seeds scored {ends}, a standard deviation of "
        f"{100 * spread:.2f} points; asked is at most {asked}: {end}",
    )


def least_deviation(spread: float, runs: int) -> float:
    """The least standard deviation that is likely, of what was measured in so many runs.

    One-sided, 95 %. The quantile of the chi-squared distribution is E. Wilson and M. Hilferty's
    (Proc. Natl. Acad. Sci. 17, 1931), within 1 % from two degrees of freedom on and within 3 % at
    one.
    """
    freedom = runs - 1
    part = 2 / (9 * freedom)
    z = statistics.NormalDist().inv_cdf(0.95)
    quantile = freedom * (1 - part + z * math.sqrt(part)) ** 3
    return spread * math.sqrt(freedom / quantile)


_ADVICE = (
    "A lower or a falling learning rate, batch normalisation and a longer training bring the seeds "
    "together."
)
