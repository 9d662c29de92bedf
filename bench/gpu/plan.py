"""What is measured on a GPU, in which order, and which share of the time each part may take.

A part that is done early leaves its time to those after it. The goals are those that were set
before anybody had a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SECONDS = 335
"""Of all parts together: with starting, ending and writing it stays under six minutes."""
GRACE = 4.0
"""Seconds after its time at which a part is ended that does not end by itself."""

SECONDS_OF_15_EPOCHS = 2.0
EIGHT_SEEDS_OVER_ONE = 2.5
RECORDED_OVER_PLAIN = 2.0
"""Below that the recorded engine is not worth its code."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part, its heading, and its share of the time."""

    name: str
    title: str
    share: float


PARTS = (
    Part("tests", "The tests that need a GPU", 0.21),
    Part("training", "15 epochs of sub_8k", 0.31),
    Part("references", "Every reference once", 0.18),
    Part("student", "The student's loop", 0.14),
    Part("profile", "Where the time goes", 0.08),
    Part("layouts", "Channels last, and kernels that are not repeatable", 0.08),
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: images of an epoch and of a look, epochs, rounds, seeds together.

    `few` images are those of the student's loop and of the profile.
    """

    images: int = 60_000
    tests: int = 10_000
    few: int = 12_800
    epochs: int = 15
    rounds: int = 3
    seeds: int = 8


TINY = Sizes(images=160, tests=20, few=128, epochs=2, rounds=1, seeds=2)
"""For a rehearsal, which shows that every part runs."""


def deadlines(parts: Sequence[Part], begin: float, seconds: float) -> dict[str, float]:
    """When each part must be over, on the clock that says `begin`."""
    found, share = {}, 0.0
    for part in parts:
        share += part.share
        found[part.name] = begin + seconds * share
    return found
