"""What the rules of advice look at: a training's numbers, and what it was asked to do.

In: a Program, the report's Training, the assignment's limits. Out: `Known`, with the questions that
several rules ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grader.program.program import Program
from grader.program.recipe import Recipe
from grader.report import EpochRow, RunRow, Training


@dataclass(frozen=True, slots=True)
class Known:
    """What the rules look at: the first run that finished an epoch, and what it was asked to do.

    `most_epochs` is the assignment's limit, `nan_images` the number of test images with a score
    that is no number after the last epoch, `quick_look` whether training was cut short.
    """

    program: Program
    training: Training
    most_epochs: int
    nan_images: int = 0
    quick_look: bool = False

    @property
    def recipe(self) -> Recipe:
        """How it was trained."""
        return self.program.recipe

    @property
    def run(self) -> RunRow | None:
        """The first run with an epoch."""
        return next((run for run in self.training.runs if run.epochs), None)

    @property
    def epochs(self) -> Sequence[EpochRow]:
        """The epochs of that run."""
        return self.run.epochs if self.run else ()

    @property
    def accuracy(self) -> float:
        """Of the last epoch, 0 to 1."""
        return self.epochs[-1].correct / self.epochs[-1].total

    @property
    def train_accuracy(self) -> float | None:
        """Of the last epoch's training images, as the network saw them."""
        return self.epochs[-1].train_accuracy

    @property
    def chance(self) -> float:
        """The accuracy of guessing."""
        return 1 / self.program.classes

    @property
    def learned_nothing(self) -> bool:
        """Whether the last epoch is no better than twice chance, or gave NaN."""
        return self.diverged or self.nan_images > 0 or self.accuracy <= 2 * self.chance

    @property
    def diverged(self) -> bool:
        """Whether the loss of the last epoch is no number."""
        return self.epochs[-1].train_loss is None

    @property
    def planned_rate(self) -> float:
        """The highest learning rate of the recipe, also of epochs that a quick look leaves out."""
        return planned_rate(self.recipe)

    @property
    def highest_rate(self) -> float:
        """The highest learning rate of the run."""
        curve = self.run.learning_rate if self.run else None
        return curve.highest if curve else max(row.learning_rate for row in self.epochs)

    @property
    def last_rate(self) -> float:
        """The learning rate of the last step."""
        return self.epochs[-1].learning_rate

    @property
    def usual_rate(self) -> float:
        """A rate that such an optimizer usually learns with."""
        return usual_rate(self.recipe)

    @property
    def falls_short(self) -> bool:
        """Whether the score is below the threshold."""
        score = self.training.score
        return score is not None and score < self.training.threshold

    @property
    def stopped_by_recipe(self) -> str:
        """Why the recipe's own rule ended training before its last epoch, in words, or ""."""
        run = self.run
        if run is None or not run.finished or len(run.epochs) >= self.recipe.epochs:
            return ""
        return run.stopped_because

    @property
    def rehearsed(self) -> bool:
        """Whether the recipe is a training that was handed in, without the convention's names."""
        return self.recipe.origin == "rehearsed"

    def line(self, *names: str) -> int | None:
        """The line of the first of these settings that the file has."""
        lines = getattr(self.recipe, "lines", {})
        return next((lines[name] for name in names if name in lines), None)

    @property
    def optimizer_line(self) -> int | None:
        """Where the optimizer is written."""
        return self.line("configure_optimizers", "optimizer")

    @property
    def seen(self) -> str:
        """What the first and the last epoch came to, in words."""
        first, last = self.epochs[0], self.epochs[-1]
        if len(self.epochs) == 1:
            loss = f"loss {_loss(last)} after one epoch"
        else:
            loss = f"loss {_loss(first)} after the first epoch, {_loss(last)} after the last"
        return f"{loss}; {last.correct:,} of {last.total:,} test images right"


def planned_rate(recipe: Recipe) -> float:
    """The highest learning rate of the whole schedule."""
    return max(run.value for curve in recipe.schedule.learning_rate for run in curve)


def usual_rate(recipe: Recipe) -> float:
    """A rate that the optimizer usually learns with."""
    if recipe.optimizer.name == "Adadelta":  # whose rate is a factor, usually 1
        return 1.0
    # The others scale their steps themselves, and want a rate that is smaller.
    return 0.05 if recipe.optimizer.name in ("SGD", "Adagrad") else 0.001


def _loss(row: EpochRow) -> str:
    return "NaN" if row.train_loss is None else f"{row.train_loss:.3g}"
