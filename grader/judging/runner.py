"""Train one round of seeds after the other, and judge every epoch as it comes.

In: a captured Program, images, a Judge. Out: runs, and how many test images each got right after
each epoch. Who trains sees the test images in an order that nobody else knows.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import torch

from grader.assignment import Assignment
from grader.judging import judge, second_look, shuffle
from grader.judging.judge import Judge
from grader.judging.metric import Metric
from grader.judging.qualities import looks
from grader.judging.qualities.looks import Looks
from grader.judging.second_look import SecondLook
from grader.judging.shuffle import Shuffle
from grader.program.program import Captured
from grader.training.data import TrainingData
from grader.training.records import Epoch, Feedback, Step, TrainingRun
from grader.training.task import Task, Trainer

PATIENCE = 2
"""A run is stopped at this multiple of the time budget. Exceeding the budget itself is judged by a
check."""


class Progress(Protocol):
    """What a trial tells a display: see `grader.render.progress.TrainingProgress`."""

    def start(self, seeds: int, epochs: int, steps_per_epoch: int) -> None:
        """Training begins."""

    def more_seeds(self, seeds: int) -> None:
        """A close call is given so many seeds in all."""

    def step(
        self, seed: int, epoch: int, step: int, loss: float | None, learning_rate: float
    ) -> None:
        """A batch is done."""

    def epoch(
        self,
        seed: int,
        epoch: int,
        correct: int,
        total: int,
        loss: float | None,
        learning_rate: float,
        seconds: float,
    ) -> None:
        """An epoch is done and judged."""


@dataclass
class Runner:
    """The state of one trial while it goes on."""

    captured: Captured
    assignment: Assignment
    told: Metric
    test_judge: Judge
    device: torch.device
    epochs: int | None
    progress: Progress
    trainer: Trainer
    key: bytes
    engine: str
    runs: list[TrainingRun] = field(default_factory=list)
    judged: dict[int, list[int]] = field(default_factory=dict)
    shuffle: Shuffle = field(init=False)
    looks: Looks = field(init=False)
    second_look: SecondLook = field(init=False)
    shown: TrainingData = field(init=False)

    def __post_init__(self) -> None:
        images = self.told.data.test_images
        self.shuffle = shuffle.draw(self.key, len(images))
        self.looks = looks.choose(self.assignment, self.told, self.key)
        self.second_look = second_look.prepare(
            images[: self.told.tests], self.key, list(self.looks.images.values())
        )
        self.shown = dataclasses.replace(
            self.told.data,
            test_images=self.shuffle.apply(images),
            batch_sizes=self.shuffle.batch_sizes,
            second_look=self.second_look.look,
        )

    @property
    def correct(self) -> list[list[int]]:
        """Correct test images after each epoch of each run."""
        return [self.judged.get(run.seed, []) for run in self.runs]

    @property
    def finished(self) -> bool:
        """Whether no run was cut short."""
        return all(run.ending.finished for run in self.runs)

    @property
    def out_of_time(self) -> bool:
        """Whether a run was stopped for its time."""
        return any(run.ending.out_of_time for run in self.runs)

    @property
    def budget(self) -> float:
        """Seconds after which a run is stopped by the assignment's rules."""
        return PATIENCE * self.assignment.limits.seconds

    def train(self, seeds: Sequence[int], most_seconds: float = math.inf) -> None:
        """Train from the initial weights of these seeds, each for at most so many seconds."""
        task = Task(
            self.captured.program,
            self.shown,
            self.device,
            self.epochs,
            budget_seconds=min(self.budget, most_seconds),
            after_epoch=self.after_epoch,
            on_step=self.on_step,
            engine=self.engine,
            flow="gradients_flow" in self.looks.asked,
        )
        done = self.trainer.run(task, {seed: self.captured.values[seed] for seed in seeds})
        self.runs += map(self._in_order, done)

    def _in_order(self, run: TrainingRun) -> TrainingRun:
        """The same run, with the logits of every epoch in the images' own order."""
        epochs = tuple(
            dataclasses.replace(epoch, logits=self.shuffle.undo(epoch.logits))
            for epoch in run.epochs
        )
        return dataclasses.replace(run, epochs=epochs)

    def after_epoch(self, seed: int, epoch: Epoch) -> Feedback | None:
        """Judge the epoch, show it, and tell the recipe where it follows a metric."""
        logits = self.shuffle.undo(epoch.logits)
        correct = self.test_judge.correct(self.told.of_test_images(logits))
        self.judged.setdefault(seed, []).append(correct)
        seconds = epoch.seconds + epoch.evaluation_seconds
        self.progress.epoch(
            seed,
            epoch.epoch,
            correct,
            self.test_judge.total,
            number(epoch.train_loss),
            epoch.learning_rate,
            seconds,
        )
        return self.told.feedback(logits)

    def on_step(self, seed: int, step: Step) -> None:
        """Show a step; the worker sends one in so many."""
        self.progress.step(seed, step.epoch, step.step, float(step.loss), step.learning_rate)

    def scores(self) -> list[Fraction]:
        """The score of every run that finished an epoch."""
        return [
            judge.score(correct, self.test_judge.total, self.assignment.protocol)
            for correct in self.correct
            if correct
        ]


def number(value: float) -> float | None:
    """JSON has no NaN and no infinity: a diverged loss is None."""
    return value if abs(value) < float("inf") else None
