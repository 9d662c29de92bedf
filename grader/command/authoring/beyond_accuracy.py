"""Whether the limits of the checks beyond accuracy can be met, and mean something.

In: an Assignment. Out: what cannot be, each with its key. What is finer than chance on so many test
images cannot be told from luck, and counts as a limit that nobody can meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from grader.assignment import Assignment
from grader.command.authoring.findings import Contradiction
from grader.judging import decision
from grader.training.datasets import DATASETS

TABLES = (
    "robust_noise",
    "robust_shift",
    "per_class",
    "calibrated",
    "fast_inference",
    "gradients_flow",
    "stable",
    "no_overfit",
)

LEAST_SPREAD = 0.5
"""Of the binomial deviation: no network scattered less over seeds, see docs/fairness.md."""


def contradictions(asked: Assignment) -> Iterator[Contradiction]:
    """All that is found."""
    yield from _not_asked(asked)
    yield from _accuracies(asked)
    yield from _finer_than_chance(asked)
    yield from _work(asked)


def _not_asked(asked: Assignment) -> Iterator[Contradiction]:
    for name in TABLES:
        if name in asked.limits.model_fields_set and name not in asked.checks:
            yield Contradiction(
                f"limits.{name}",
                f"limits for {name}, which is not in [checks]",
                "Nobody is measured against them.",
                f"Add {name} = {{ required = false, points = 5 }} to [checks], or leave them out.",
            )


def _accuracies(asked: Assignment) -> Iterator[Contradiction]:
    """None at chance, and none above what is asked of all test images as they are."""
    limits, chance = asked.limits, 1 / asked.classes
    for name, accuracy, words in (
        ("robust_noise", limits.robust_noise.accuracy, "on noisy images"),
        ("robust_shift", limits.robust_shift.accuracy, "on moved and turned images"),
        ("per_class", limits.per_class.accuracy, "in every class"),
    ):
        if name not in asked.checks:
            continue
        key = f"limits.{name}.accuracy"
        if accuracy <= chance:
            yield Contradiction(
                key,
                f"{accuracy:g}, and guessing one of {asked.classes} classes gets {chance:g}",
                "A network that has learned nothing earns the points.",
                f"Write more than {chance:g}.",
            )
        elif accuracy > limits.accuracy:
            yield Contradiction(
                key,
                f"{accuracy:g} {words}, and limits.accuracy = {limits.accuracy:g}",
                "Whoever has the accuracy that is asked for, and no more, cannot pass both.",
                f"Write at most {limits.accuracy:g}.",
            )


def _finer_than_chance(asked: Assignment) -> Iterator[Contradiction]:
    """Limits on small differences, beside what the number of test images allows to see."""
    limits, images = asked.limits, DATASETS[asked.dataset].test_images
    share = Fraction(repr(limits.accuracy))
    deviation = decision.binomial_deviation(share, images)
    for key, number, least, why in (
        (
            "calibrated.error",
            limits.calibrated.error,
            deviation,
            "the confidence of a network that is exactly right is off by as much",
        ),
        (
            "stable.deviation",
            limits.stable.deviation,
            LEAST_SPREAD * deviation,
            "no network that was measured scatters less over seeds",
        ),
        (
            "no_overfit.gap",
            limits.no_overfit.gap,
            deviation,
            "a network that knows no image by heart has such a gap by chance",
        ),
    ):
        if key.partition(".")[0] in asked.checks and number < least:
            yield Contradiction(
                f"limits.{key}",
                f"{number:g}, with {images:,} test images",
                f"At {100 * limits.accuracy:g} %, {why}: nobody can meet it but by luck.",
                f"Write at least {_rounded_up(least):g}.",
            )


def _rounded_up(number: float) -> float:
    """To one more digit than its first."""
    text = f"{number:.1e}"
    found = float(text)
    return found if found >= number else found + 10.0 ** (int(text.partition("e")[2]) - 1)


def _work(asked: Assignment) -> Iterator[Contradiction]:
    most = asked.limits.fast_inference.multiply_adds
    if "fast_inference" in asked.checks and most is not None and most > asked.limits.multiply_adds:
        yield Contradiction(
            "limits.fast_inference.multiply_adds",
            f"{most:,}, and limits.multiply_adds = {asked.limits.multiply_adds:,} refuses more",
            "What is beyond that is never graded, so the check cannot fail by it.",
            f"Write at most {asked.limits.multiply_adds:_}.",
        )
