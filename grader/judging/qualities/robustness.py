"""How much accuracy is left where the images are noisy, moved or turned. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from grader.checks.limits import NoiseLimit, ShiftLimit
from grader.judging.qualities.answer import (
    NOT_DECIDED,
    Answer,
    compare,
    limit_in_percent,
    margin,
    of_runs,
    percent,
    worst,
)
from grader.report import Counted, RunRow, Verdict


def noise(runs: Sequence[RunRow], limit: NoiseLimit) -> Answer | None:
    """The accuracy under noise; None where it was not measured."""
    found = [run.qualities.noise for run in runs if run.qualities and run.qualities.noise]
    if not found:
        return None
    return _answer(
        [_Kind(f"noise of {limit.deviation:g}", f"under noise of {limit.deviation:g}", found)],
        limit.accuracy,
        "Train on images that are not clean either (RandomErasing(value='random'), ColorJitter), "
        "and see what it gives.",
    )


def shift(runs: Sequence[RunRow], limit: ShiftLimit) -> Answer | None:
    """The accuracy on moved images, and on turned ones; None where it was not measured."""
    measured = [run.qualities for run in runs if run.qualities]
    moved = [one.shift for one in measured if one.shift]
    turned = [one.rotation for one in measured if one.rotation]
    if not moved or not turned:
        return None
    pixels = "pixel" if limit.pixels == 1 else "pixels"
    kinds = [
        _Kind(f"moved by {limit.pixels} {pixels}", f"when moved by {limit.pixels} {pixels}", moved),
        _Kind(f"turned by {limit.degrees:g}°", f"when turned by {limit.degrees:g}°", turned),
    ]
    return _answer(
        kinds,
        limit.accuracy,
        "Move and turn the training images, with RandomAffine say, and let global average pooling "
        "end the network: it does not ask where something is.",
    )


class _Kind:
    """One way to change the images, and what every run recognises then."""

    def __init__(self, name: str, when: str, found: Sequence[Counted]) -> None:
        self.name, self.when = name, when
        self.images = found[0].total
        self.shares = [one.correct / one.total for one in found]
        self.accuracy = fmean(self.shares)

    def verdict(self, limit: float, questions: int) -> Verdict:
        """Against the accuracy that is asked for."""
        off = margin(self.shares, limit, self.images, questions=questions)
        return compare(self.accuracy, ">=", limit, off)


def _answer(kinds: Sequence[_Kind], limit: float, advice: str) -> Answer:
    lowest = min(kinds, key=lambda kind: kind.accuracy)
    verdict = worst([kind.verdict(limit, len(kinds)) for kind in kinds])
    asked = limit_in_percent(limit)
    runs = of_runs(len(lowest.shares))
    listed = " and ".join(f"{percent(kind.accuracy)} {kind.when}" for kind in kinds)
    explanation = f"of {lowest.images:,} test images it recognises {listed}{runs}: "
    if verdict is Verdict.BORDERLINE:
        explanation += f"too close to {asked} to call. {NOT_DECIDED}"
    else:
        explanation += f"more than chance below {asked}. {advice}"
    return Answer(
        measured=f"{percent(lowest.accuracy)} ({lowest.name})",
        asked=f">= {asked}",
        verdict=verdict,
        value=lowest.accuracy,
        relation=">=",
        limit=limit,
        unit="fraction",
        explanation=explanation,
    )
