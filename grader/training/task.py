"""What is to be trained: the same for every seed, and whoever trains it.

`run.train_seeds(task, values)` trains here, `remote.Worker` in another process, `crew.Crew` in
several: each is a `Trainer`, or as good as one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import torch

from grader.program.program import Program
from grader.training.data import TrainingData
from grader.training.records import Epoch, Feedback, Step, TrainingRun

AfterEpoch = Callable[[int, Epoch], Feedback | None]
"""Called with the seed and its epoch."""
OnStep = Callable[[int, Step], None]
"""Called with the seed and its step."""
Values = Mapping[int, bytes]
"""Initial weights (safetensors) by seed: one run each."""


@dataclass(frozen=True, slots=True)
class Task:
    """Train `program` on `data`, on `device`.

    `epochs` cuts the recipe short for a quick look; each seed may train for `budget_seconds`.
    `after_epoch` must return Feedback where the recipe follows a metric. `engine`: "auto" for the
    fastest that can, "torch" for PyTorch step by step, "lanes" for code of the network's own or
    nothing. `flow`: what the gradients did to each layer is measured too.
    """

    program: Program
    data: TrainingData
    device: torch.device | str = "cpu"
    epochs: int | None = None
    budget_seconds: float = math.inf
    after_epoch: AfterEpoch = lambda seed, epoch: None
    on_step: OnStep = lambda seed, step: None
    engine: str = "auto"
    flow: bool = False


class Trainer(Protocol):
    """Whoever trains: processes of this machine, or a cluster.

    What it holds for a submission is let go at the end of the `with`; it can be entered again.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...

    def run(self, task: Task, values: Values) -> tuple[TrainingRun, ...]:
        """One run for each seed of `values`, in that order; after Ctrl-C those that had begun.

        Raises SubmissionError when training cannot run, GraderError when the trainer fails.
        """
        ...
