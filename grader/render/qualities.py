"""What the network is like beyond its accuracy, in words. In: a Training. Out: names and strings.

A line for each thing that was measured, the mean of the runs; nothing where no check asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from grader.printable import printable
from grader.render import words
from grader.report import Counted, RunQualities, Training

MOST_LAYERS = 3


def lines(training: Training) -> list[tuple[str, str]]:
    """Name and text of each line."""
    found = [run.qualities for run in training.runs if run.qualities]
    if not found:
        return []
    named = [
        ("robust", _changed(found)),
        ("classes", _classes(found)),
        ("confidence", _confidence(found)),
        ("by heart", _train([one.train for one in found if one.train])),
        ("gradients", _gradients(found)),
    ]
    return [(name, text) for name, text in named if text]


def _share(counted: Sequence[Counted]) -> str:
    return words.percent(fmean(one.correct / one.total for one in counted))


def _changed(found: Sequence[RunQualities]) -> str:
    kinds = {
        "noisy": [one.noise for one in found if one.noise],
        "moved": [one.shift for one in found if one.shift],
        "turned": [one.rotation for one in found if one.rotation],
    }
    return " · ".join(f"{_share(counted)} {name}" for name, counted in kinds.items() if counted)


def _classes(found: Sequence[RunQualities]) -> str:
    """The worst ones, and the best."""
    shares = {}
    for number, one in enumerate(found[0].classes):
        if one.total:
            shares[number] = fmean(
                run.classes[number].correct / run.classes[number].total for run in found
            )
    ordered = sorted(shares, key=shares.__getitem__)
    if not ordered:
        return ""
    shown = [f"{number}: {words.percent(shares[number])}" for number in ordered[:MOST_LAYERS]]
    best = ordered[-1]
    return f"worst {' · '.join(shown)} · best {best}: {words.percent(shares[best])}"


def _confidence(found: Sequence[RunQualities]) -> str:
    measured = [one.calibration for one in found if one.calibration]
    if not measured:
        return ""
    error = words.percent(fmean(one.error for one in measured))
    chance = words.percent(fmean(one.chance for one in measured))
    text = f"off by {error} (chance alone: {chance})"
    sure = [one.wrong_confidence for one in measured if one.wrong_confidence is not None]
    return f"{text} · {words.percent(fmean(sure))} sure when wrong" if sure else text


def _train(counted: Sequence[Counted]) -> str:
    if not counted:
        return ""
    return f"{_share(counted)} of {counted[0].total:,} training images, not augmented"


def _gradients(found: Sequence[RunQualities]) -> str:
    """The layers that moved least in the first epoch, of the first run, and dead channels."""
    updates = sorted(found[0].updates, key=lambda one: one.share)
    if not updates:
        return ""
    least = [
        f"{printable(one.layer, 30)} {words.percent(one.share)}" for one in updates[:MOST_LAYERS]
    ]
    text = f"least of the first update: {', '.join(least)}"
    channels = sum(row.channels for row in found[0].relus)
    if not channels:
        return text
    dead = sum(row.dead for row in found[0].relus)
    return f"{text} · {dead} of {channels:,} ReLU channels dead"
