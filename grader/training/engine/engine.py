"""What every engine is: networks of some seeds go in, and what becomes of each comes out.

`loop.train` trains one network in the plainest way and is the measure of all engines. Each of them
takes the same arguments as the others and hands out the same stream of news, so that
`grader.training.run` can try one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch

from grader.network import Network
from grader.program.program import Program
from grader.training.data import TrainingData
from grader.training.records import Ending, Epoch, Feedback, Step


class CannotTrainError(Exception):
    """This engine cannot train these networks, which it leaves as they came; the text says why."""


@dataclass(frozen=True, slots=True)
class Began:
    """A seed begins to train: by which engine, in words, and with how many seeds side by side."""

    engine: str
    side_by_side: int = 1


News = Mapping[int, Began | Epoch | Ending]
"""By seed: that it began, which epoch it finished, or how it ended."""

Answers = Mapping[int, Feedback | None]
"""Feedback by seed, for every seed whose epoch is in the news."""

Training = Generator[News, Answers | None, None]
"""Every seed once begins, then finishes epochs, then ends; several seeds may do so together.

Epochs are answered with `send`, where there is an answer.
"""


def told(seed: int, training: Generator[Epoch, Feedback | None, Ending]) -> Training:
    """The training of one seed by `loop.train` as news, answers handed on to it."""
    ending: Ending | None = None
    feedback: Feedback | None = None
    while ending is None:
        news: Epoch | Ending
        try:
            news = training.send(feedback)
        except StopIteration as stop:
            news = ending = stop.value
        answers = yield {seed: news}
        feedback = answers.get(seed) if answers else None


class Engine(Protocol):
    """A way to train. It has no state between two trainings."""

    def runs_on(self, device: torch.device) -> bool:
        """Whether it is worth a try there."""
        ...

    def train(
        self,
        networks: Mapping[int, Network],
        program: Program,
        data: TrainingData,
        *,
        epochs: int | None,
        budget_seconds: float,
        on_step: Callable[[int, Step], None],
    ) -> Training:
        """Train the network of every seed in place, by the recipe of `program`, on their device.

        `epochs` cuts the recipe short, and each seed may train for `budget_seconds`. `on_step` is
        called with the seed, by engines that can tell one step from the next. Raises
        CannotTrainError before the first epoch; SubmissionError and GraderError as `loop.train`.
        """
        ...
