"""A training that an engine does, an epoch at a time, so that contenders can take turns.

In: an engine, a reference, images. Out: `Turn`s, with seconds by the clock and of the processor.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from bench.references import Reference
from grader import network
from grader.training.data import TrainingData
from grader.training.engine import in_place
from grader.training.engine.engine import Began, Engine
from grader.training.records import Epoch, Feedback

ANY = Feedback(accuracy=0.0, loss=1.0)
"""What a rule is told that follows a metric: it never stops training."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One epoch of some seeds, with the look at the test images.

    `images` are those of all seeds. `seconds` and `look_seconds` are by the clock, of all seeds
    together where they train together; `elapsed` is from the call to the answer, and holds what
    the engine prepares before its first epoch; `processor` is of all threads.
    """

    images: int
    seconds: float
    look_seconds: float
    elapsed: float
    processor: float

    @property
    def rate(self) -> float:
        """Images a second by the clock, the look at the test images counted in."""
        return self.images / (self.seconds + self.look_seconds)

    @property
    def preparation(self) -> float:
        """Seconds of a first epoch that were neither training nor looking."""
        return max(0.0, self.elapsed - self.seconds - self.look_seconds)


class Training:
    """Networks of these seeds in training; `engine` says in words who trains them."""

    def __init__(
        self,
        by: Engine,
        reference: Reference,
        data: TrainingData,
        *,
        seeds: Sequence[int] = (0,),
        device: str = "cpu",
    ) -> None:
        program, values = reference.captured.program, reference.captured.values
        networks = {
            seed: in_place.apply(network.build(program, values[seed], torch.device(device)))
            for seed in seeds
        }
        self._seeds = tuple(seeds)
        self._training = by.train(
            networks,
            program,
            data,
            epochs=None,
            budget_seconds=math.inf,
            on_step=lambda seed, step: None,
        )
        began = next(self._training)[self._seeds[0]]
        assert isinstance(began, Began)
        self.engine = began.engine
        self.epochs: dict[int, Epoch] = {}
        """The last epoch of each seed."""

    def turn(self) -> Turn:
        """One epoch. Raises CannotTrainError before the first one."""
        answers = dict.fromkeys(self.epochs, ANY)
        began, used = time.perf_counter(), time.process_time()
        news = self._training.send(answers or None)
        elapsed, processor = time.perf_counter() - began, time.process_time() - used
        for seed, item in news.items():
            assert isinstance(item, Epoch), item
            self.epochs[seed] = item
        last = self.epochs[self._seeds[0]]
        images = last.images * len(self._seeds)
        return Turn(images, last.seconds, last.evaluation_seconds, elapsed, processor)

    def close(self) -> None:
        """End it, and let go of its memory and threads."""
        self._training.close()
