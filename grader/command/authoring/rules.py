"""Whether the rules of an assignment can be met, and mean something.

In: an Assignment. Out: what contradicts itself, each with its key. Only what can be proven from the
file is called a mistake: whether 99.4 % can be had with 8,000 parameters is for training to say.
"""

from __future__ import annotations

from collections.abc import Iterator

from grader.assignment import Assignment
from grader.command.authoring import beyond_accuracy
from grader.command.authoring.findings import Contradiction
from grader.judging.protocols import PROTOCOLS
from grader.training.datasets import DATASETS


def contradictions(asked: Assignment) -> Iterator[Contradiction]:
    """All that is found."""
    yield from _limits(asked)
    yield from _epochs(asked)
    yield from _checks(asked)
    yield from beyond_accuracy.contradictions(asked)


def _limits(asked: Assignment) -> Iterator[Contradiction]:
    limits = asked.limits
    if not limits.parameters.allows(1):
        yield Contradiction(
            "limits.parameters",
            f'"{limits.parameters}" allows no parameter at all',
            "A network without parameters learns nothing: no submission can be trained.",
            "Raise the limit.",
        )
    chance = 1 / asked.classes
    if limits.accuracy <= chance and "accuracy" in asked.checks:
        yield Contradiction(
            "limits.accuracy",
            f"{limits.accuracy:g}, and guessing one of {asked.classes} classes gets {chance:g}",
            "A network that has learned nothing earns the points.",
            f"Write more than {chance:g}.",
        )


def _epochs(asked: Assignment) -> Iterator[Contradiction]:
    limits, recipe = asked.limits, asked.recipe
    counted = len(PROTOCOLS[asked.protocol].places(range(limits.epochs + 100)))
    for key, epochs in (("limits.epochs", limits.epochs), ("recipe.epochs", recipe.epochs)):
        if epochs < counted:
            yield Contradiction(
                key,
                f"{epochs}, and protocol = {asked.protocol!r} looks at {counted} epochs",
                "A training that is shorter than what counts is judged by fewer epochs than the "
                "brief says.",
                f"Write at least {counted}, or another protocol.",
            )
    images = DATASETS[asked.dataset]
    steps = limits.epochs * -(-images.train_images // recipe.batch_size)
    if steps > limits.steps:
        yield Contradiction(
            "limits.steps",
            f"{limits.steps:,}; the {limits.epochs} epochs that limits.epochs allows are "
            f"{steps:,} steps with recipe.batch_size = {recipe.batch_size}",
            "Who trains as long as the brief allows is refused.",
            f"Write at least {steps:_}, or lower limits.epochs.",
        )


MEANT_FOR_LEARNED = ("independent_samples", "same_network", "untrained")


def _checks(asked: Assignment) -> Iterator[Contradiction]:
    if not any(check.required for check in asked.checks.values()):
        yield Contradiction(
            "checks",
            "no check is required",
            "Every submission passes, whatever it is.",
            "Set required = true where a submission must pass.",
        )
    if not asked.points:
        yield Contradiction(
            "checks",
            "no check earns points",
            "Every submission gets 0 of 0 points, and a gradebook has nothing to say.",
            "Give points to the checks that should earn some.",
        )
    if {"gap", "gap_or_fc"} <= asked.checks.keys():
        yield Contradiction(
            "checks.gap_or_fc",
            "asked beside gap, which asks for more",
            "Whoever passes gap passes both, so one answer is told twice.",
            "Leave out one of the two.",
            advice=True,
        )
    missing = [name for name in MEANT_FOR_LEARNED if name not in asked.checks]
    if missing and "accuracy" in asked.checks:
        yield Contradiction(
            "checks.accuracy",
            f"asked without {', '.join(missing)}",
            "Weights that were trained elsewhere, or images that are read together, can buy an "
            "accuracy that was not learned.",
            f"Add {missing[0]} = {{ required = true, points = 0 }}"
            + (", and the others alike." if len(missing) > 1 else "."),
            advice=True,
        )
