"""What is to be trained: the same for every seed, and whoever trains it.

`run.run(task, values)` trains here, `remote.Worker` in another process, `crew.Crew` in several.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from grader.program import Program
from grader.training.data import TrainingData
from grader.training.records import Epoch, Feedback, Step

AfterEpoch = Callable[[int, Epoch], Feedback | None]
"""Called with the seed and its epoch."""
OnStep = Callable[[int, Step], None]
"""Called with the seed and its step."""
Values = Mapping[int, bytes]
"""Initial weights (safetensors) by seed: one run each."""


@dataclass(frozen=True, slots=True)
class Task:
    """Train `program` on `data`, on `device`.

    `epochs` cuts the recipe short for a quick look; each seed may train for `budget_seconds`. `after_epoch` must return
    Feedback where the recipe follows a metric.
    """

    program: Program
    data: TrainingData
    device: torch.device | str = "cpu"
    epochs: int | None = None
    budget_seconds: float = math.inf
    after_epoch: AfterEpoch = lambda seed, epoch: None
    on_step: OnStep = lambda seed, step: None
