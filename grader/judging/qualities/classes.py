"""How well the worst class is recognised. In: images of each class in each run. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from grader.checks.limits import ClassLimit
from grader.judging.qualities.answer import (
    NOT_DECIDED,
    Answer,
    binomial,
    compare,
    limit_in_percent,
    margin,
    normal,
    of_runs,
    percent,
    worst,
)
from grader.report import RunRow, Verdict


def per_class(runs: Sequence[RunRow], limit: ClassLimit) -> Answer | None:
    """The accuracy of the worst class, and how far the best is above it.

    Each class has a tenth of the images, and the worst of ten is worst by chance as well: the
    margin is one that all of them keep at once in 95 of 100 gradings.
    """
    found = [run.qualities.classes for run in runs if run.qualities and run.qualities.classes]
    if not found:
        return None
    images = {number: one.total for number, one in enumerate(found[0]) if one.total}
    shares: dict[int, list[float]] = {}
    for number, total in images.items():
        shares[number] = [run[number].correct / total for run in found]
    means = {number: fmean(each) for number, each in shares.items()}
    low, high = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
    verdicts = []
    for number, each in shares.items():
        off = margin(each, limit.accuracy, images[number], questions=len(images))
        verdicts.append(compare(means[number], ">=", limit.accuracy, off))
    spread = means[high] - means[low]
    asked = f">= {limit_in_percent(limit.accuracy)}"
    if limit.spread is not None:
        deviation = binomial(means[low], images[low]) + binomial(means[high], images[high])
        off = normal(questions=len(images)) * deviation / len(found) ** 0.5
        verdicts.append(compare(spread, "<=", limit.spread, off))
        asked += f", spread <= {limit_in_percent(limit.spread)}"
    verdict = worst(verdicts)
    end = NOT_DECIDED if verdict is Verdict.BORDERLINE else _ADVICE
    said = "too close to call" if verdict is Verdict.BORDERLINE else "more than chance beyond it"
    return Answer(
        measured=f"{percent(means[low])} (class {low})",
        asked=asked,
        verdict=verdict,
        value=means[low],
        relation=">=",
        limit=limit.accuracy,
        unit="fraction",
        explanation=f"class {low} is recognised in {percent(means[low])} of {images[low]:,} test "
        f"images, class {high} in {percent(means[high])} ({100 * spread:.2f} points apart"
        f"{of_runs(len(found))}); asked is {asked}: {said}. {end}",
    )


_ADVICE = (
    "The confusion matrix shows what it is taken for; look at some of these images in the report."
)
