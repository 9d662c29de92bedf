"""The rules of an assignment in words, for its brief: one line for each check.

In: an Assignment. Out: words and numbers. `briefing` finds the same lines in a brief that somebody
wrote, by the same table, and compares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from grader.assignment import Assignment, Bound
from grader.checks.limits import (
    CalibrationLimit,
    ClassLimit,
    GradientLimit,
    InferenceLimit,
    NoiseLimit,
    OverfitLimit,
    ShiftLimit,
    StableLimit,
)
from grader.judging.protocols import PROTOCOLS
from grader.judging.qualities.answer import points


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of the brief's table: its `name`, and the limit in words."""

    name: str
    limit: Callable[[Assignment], str]


def bound(limit: Bound) -> str:
    """As people say it: "at most 8,000", "fewer than 20,000"."""
    return f"{'at most' if limit.inclusive else 'fewer than'} {limit.number:,}"


def percent(fraction: float) -> str:
    """With as many decimals as it has, at least one: "99.4 %"."""
    shown = f"{100 * fraction:.4f}".rstrip("0")
    return f"{shown}0 %" if shown.endswith(".") else f"{shown} %"


PROTOCOL_WORDS = {
    "best": "in the best epoch",
    "last": "after the last epoch",
    "mean_last_3": "as the mean of the last three epochs",
}


def protocol(name: str) -> str:
    """Which accuracy counts, as it follows "at least 99.4 %"."""
    return PROTOCOL_WORDS.get(name, f"as the {PROTOCOLS[name].words}")


def duration(seconds: float) -> str:
    """A time budget in whole units: "3 hours", "90 minutes", "45 seconds"."""
    for size, unit in ((3600, "hour"), (60, "minute")):
        if seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds:g} seconds"


def _noise(limit: NoiseLimit) -> str:
    return (
        f"at least {percent(limit.accuracy)} of the test images where noise of a standard "
        f"deviation of {limit.deviation:g} is added (black is 0, white 1)"
    )


def _shift(limit: ShiftLimit) -> str:
    pixels = "pixel" if limit.pixels == 1 else "pixels"
    return (
        f"at least {percent(limit.accuracy)} of the test images moved by {limit.pixels} {pixels}, "
        f"and of those turned by {limit.degrees:g}°"
    )


def _classes(limit: ClassLimit) -> str:
    words = f"at least {percent(limit.accuracy)} of the test images of each class"
    if limit.spread is None:
        return words
    return f"{words}, and the best class at most {points(limit.spread)} above the worst"


def _confidence(limit: CalibrationLimit) -> str:
    words = f"an expected calibration error of at most {percent(limit.error)}"
    if limit.wrong_confidence is None:
        return words
    return f"{words}, wrong answers given with {percent(limit.wrong_confidence)} at most"


def _speed(limit: InferenceLimit) -> str:
    words = f"at most {limit.ratio:g} times as long for an image as the yardstick takes"
    if limit.multiply_adds is None:
        return words
    return f"{words}, and at most {limit.multiply_adds:,} multiply-adds"


def _gradients(limit: GradientLimit) -> str:
    return (
        f"each layer has at least {limit.share:g} of an equal share of the first epoch's update, "
        f"and at most {percent(limit.dead)} of the ReLU channels are dead"
    )


def _seeds(limit: StableLimit) -> str:
    return f"a standard deviation of at most {points(limit.deviation)} over {limit.seeds} seeds"


def _overfitting(limit: OverfitLimit) -> str:
    return f"at most {points(limit.gap)} more on training images than on test images"


RULES: dict[str, Rule] = {
    "parameter_limit": Rule(
        "Parameters",
        lambda asked: (
            f"{bound(asked.limits.parameters)}; frozen ones and fixed weights count too, running "
            "statistics do not"
        ),
    ),
    "batch_norm": Rule(
        "Batch normalisation", lambda asked: "at least one layer that affects the output"
    ),
    "gap": Rule(
        "Head",
        lambda asked: (
            "ends in global average pooling (a 1×1 convolution or small fully connected layer may "
            "follow)"
        ),
    ),
    "gap_or_fc": Rule(
        "Head", lambda asked: "ends in global average pooling or a fully connected layer"
    ),
    "receptive_field": Rule(
        "Receptive field",
        lambda asked: f"{asked.limits.receptive_field} pixels or more at the last feature map",
    ),
    "dropout": Rule(
        "Dropout",
        lambda asked: "at least one layer with p > 0, on in training and off in evaluation",
    ),
    "epochs": Rule("Epochs", lambda asked: f"at most {asked.limits.epochs}"),
    "accuracy": Rule(
        "Test accuracy",
        lambda asked: f"at least {percent(asked.limits.accuracy)} {protocol(asked.protocol)}",
    ),
    "write_up": Rule("Write-up", lambda asked: "the work states its target, result and analysis"),
    "stated_result": Rule(
        "Stated result", lambda asked: "no more than chance above what is measured"
    ),
    "time_budget": Rule(
        "Training time",
        lambda asked: (
            f"{duration(asked.limits.seconds)} on a CPU (after twice that, a run is stopped and "
            "judged by its epochs so far)"
        ),
    ),
    "output": Rule("Output", lambda asked: f"{asked.classes} finite scores for each image"),
    "independent_samples": Rule(
        "Independent images", lambda asked: "no score depends on the other images of its batch"
    ),
    "same_network": Rule(
        "Same network", lambda asked: "the same layers in evaluation as in training"
    ),
    "untrained": Rule("Untrained", lambda asked: "no training before the grading starts"),
    "steady": Rule(
        "Steadiness", lambda asked: "an accuracy that holds when the images are a shade different"
    ),
    "robust_noise": Rule("Noise", lambda asked: _noise(asked.limits.robust_noise)),
    "robust_shift": Rule(
        "Moved and turned images", lambda asked: _shift(asked.limits.robust_shift)
    ),
    "per_class": Rule("Every class", lambda asked: _classes(asked.limits.per_class)),
    "calibrated": Rule("Confidence", lambda asked: _confidence(asked.limits.calibrated)),
    "fast_inference": Rule("Speed", lambda asked: _speed(asked.limits.fast_inference)),
    "gradients_flow": Rule("Gradients", lambda asked: _gradients(asked.limits.gradients_flow)),
    "stable": Rule("Seeds", lambda asked: _seeds(asked.limits.stable)),
    "no_overfit": Rule("Overfitting", lambda asked: _overfitting(asked.limits.no_overfit)),
}
"""How each check of the grader's is named and said in a brief."""

HONEST = ("output", "independent_samples", "same_network", "untrained", "steady")
"""Said in one paragraph below the table, where they earn nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table of rules."""

    check: str
    rule: str
    limit: str
    required: bool
    points: float


def rows(asked: Assignment) -> list[Row]:
    """The table of rules: what must pass, then advice; each in the order of the scorecard."""
    own = {check.name: check for check in asked.own_checks.checks}
    found = []
    for name, check in asked.checks.items():
        if name in HONEST and not check.points:
            continue
        if name in own:
            title = own[name].title.rstrip(".") or name.replace("_", " ")
            rule, limit = title, f"see `grader explain {name}`"
        elif name in RULES:
            rule, limit = RULES[name].name, RULES[name].limit(asked)
        else:
            rule, limit = name.replace("_", " "), f"see `grader explain {name}`"
        found.append(Row(name, rule, limit, check.required, check.points))
    return sorted(found, key=lambda row: not row.required)


def honest(asked: Assignment) -> list[str]:
    """The rules that earn nothing and make a grade an honest one, in words."""
    return [RULES[name].limit(asked) for name in HONEST if name in asked.checks]


def listed(words: Sequence[str]) -> str:
    """With commas, and "and" before the last."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
