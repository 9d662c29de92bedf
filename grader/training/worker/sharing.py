"""Whoever trains beside others: a share of the processor's cores, or the one GPU in turns.

In: a Trainer, and how many train at once. Out: a Trainer. Small networks do not fill a processor
together: several trainings of one thread each take less time than the same ones after another. A
GPU is another matter: the engine fills it with the seeds of one submission.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from grader.training.records import TrainingRun
from grader.training.task import Task, Trainer, Values

try:
    import fcntl
except ImportError:  # Windows: there, several trainings share the GPU
    fcntl = None  # type: ignore[assignment]


class Share:
    """A Trainer beside others: each of its runs takes about `number` times as long by the clock.

    So it may, and its runs say that they were not alone: the time budget is a training's own.
    """

    def __init__(self, trainer: Trainer, number: int) -> None:
        self._trainer = trainer
        self._number = number

    def __enter__(self) -> Self:
        self._trainer.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._trainer.__exit__(kind, error, trace)

    def run(self, task: Task, values: Values) -> tuple[TrainingRun, ...]:
        """As the trainer's own."""
        longer = dataclasses.replace(task, budget_seconds=task.budget_seconds * self._number)
        runs = self._trainer.run(longer, values)
        return tuple(
            dataclasses.replace(run, side_by_side=run.side_by_side * self._number) for run in runs
        )


class Turns:
    """A Trainer that has the device to itself: of those with the same `ticket`, one trains.

    `ticket` is a file that may be made. The kernel gives the turn to the next one when this process
    ends, however that comes about.
    """

    def __init__(self, trainer: Trainer, ticket: Path) -> None:
        self._trainer = trainer
        self._ticket = ticket
        self._held: int | None = None

    def __enter__(self) -> Self:
        descriptor = os.open(self._ticket, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._trainer.__enter__()
        except BaseException:  # Ctrl-C too, while others train
            os.close(descriptor)
            raise
        self._held = descriptor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._trainer.__exit__(kind, error, trace)
        finally:
            if self._held is not None:
                os.close(self._held)
                self._held = None

    def run(self, task: Task, values: Values) -> tuple[TrainingRun, ...]:
        """As the trainer's own."""
        return self._trainer.run(task, values)
