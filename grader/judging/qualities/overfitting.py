"""Whether the network knows its training images better than others. Loads no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from grader.checks.limits import OverfitLimit
from grader.judging.qualities.answer import (
    NOT_DECIDED,
    Answer,
    binomial,
    compare,
    normal,
    of_runs,
    percent,
    points,
)
from grader.report import RunRow, Verdict


def gap(runs: Sequence[RunRow], limit: OverfitLimit) -> Answer | None:
    """Accuracy on training images without augmentation, less that on test images, at the end."""
    trained, tested, gaps, deviations = [], [], [], []
    for run in runs:
        train = run.qualities.train if run.qualities else None
        if train is None or not train.total or not run.epochs:
            continue
        last = run.epochs[-1]
        trained.append(train.correct / train.total)
        tested.append(last.correct / last.total)
        gaps.append(trained[-1] - tested[-1])
        deviations.append(
            math.hypot(binomial(trained[-1], train.total), binomial(tested[-1], last.total))
        )
    if not gaps:
        return None
    deviation = max(fmean(deviations), stdev(gaps) if len(gaps) > 1 else 0.0)
    margin = normal() * deviation / math.sqrt(len(gaps))
    verdict = compare(fmean(gaps), "<=", limit.gap, margin)
    asked = points(limit.gap)
    said = f"more than chance above {asked}. {_ADVICE}"
    if verdict is Verdict.BORDERLINE:
        said = f"too close to {asked} to call. {NOT_DECIDED}"
    return Answer(
        measured=f"{100 * fmean(gaps):.2f} points",
        asked=f"<= {asked}",
        verdict=verdict,
        value=fmean(gaps),
        relation="<=",
        limit=limit.gap,
        unit="fraction",
        explanation=f"{percent(fmean(trained))} of the training images (not augmented) and "
        f"{percent(fmean(tested))} of the test images are recognised{of_runs(len(gaps))}, "
        f"{100 * fmean(gaps):.2f} points apart: {said}",
    )


_ADVICE = (
    "Augment the training images, add a little dropout or weight decay, or make the network "
    "smaller."
)
