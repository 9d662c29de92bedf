"""A curve with a value for every training step, short enough to be read.

In: runs of equal values. Out: `[[value, steps], ...]`, whose steps add up to the whole training:
the runs themselves where they are few, else the first value of each of equally long stretches.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise

from grader.program.recipe import Run, Schedule

MOST_POINTS = 200
"""Of a curve, over all parameter groups together; each keeps at least two."""

Points = list[tuple[float, int]]


def short(schedule: Schedule) -> dict[str, object]:
    """The schedule as JSON; `exact` where its curves are the very runs that training follows."""
    found: dict[str, object] = {"scheduler": schedule.scheduler, "exact": True}
    for name in ("learning_rate", "momentum", "weight_decay"):
        groups: tuple[tuple[Run, ...], ...] = getattr(schedule, name)
        most = max(2, MOST_POINTS // max(1, len(groups)))
        found[name] = [shortened(_pairs(runs), most) for runs in groups]
        if any(len(runs) > most for runs in groups):
            found["exact"] = False
    return found


def _pairs(runs: Sequence[Run]) -> Points:
    return [(run.value, run.steps) for run in runs]


def shortened(runs: Sequence[tuple[float, int]], most: int = MOST_POINTS) -> Points:
    """`runs` as they are, or `most` stretches of them; the last holds the last step alone.

    The values of stretches have six digits.
    """
    if len(runs) <= most:
        return list(runs)
    ends = list(accumulate(steps for _, steps in runs))
    last = ends[-1] - 1
    starts = [stretch * last // (most - 1) for stretch in range(most)]
    return [
        (_rounded(runs[bisect_right(ends, start)][0]), end - start)
        for start, end in pairwise([*starts, ends[-1]])
    ]


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def thinned(values: Sequence[float], most: int = MOST_POINTS) -> tuple[float, ...]:
    """At most so many of `values`, equally far apart, the first and the last among them."""
    points = shortened([(value, 1) for value in values], most)
    return tuple(value for value, _ in points)
