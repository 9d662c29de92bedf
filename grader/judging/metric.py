"""What a recipe that follows a metric is told after each epoch, and on which images.

In: a Recipe, an Assignment, `TrainingData`, and the judge of the test images. Out: a `Metric`: what
training gets to see, and `Feedback` for the logits that come back. Validation labels are training
labels; test labels stay in the judge.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grader.judging.judge import Judge
from grader.training.data import TrainingData, validation
from grader.training.records import Feedback

if TYPE_CHECKING:
    from torch import Tensor

    from grader.assignment import Assignment
    from grader.program.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Metric:
    """The metric of one trial.

    `data` is what training gets: the images to learn from, and those to look at after each epoch.
    Of the latter, the first `tests` are the test images, and the last are those of `judge`, which
    measures the metric. `words` says it to a student, and is empty where the recipe follows no
    metric.
    """

    recipe: Recipe
    data: TrainingData
    judge: Judge
    tests: int
    words: str = ""

    @property
    def learned_from(self) -> int:
        """How many training images a network learns from."""
        return self.recipe.learned_from(len(self.data.train_images))

    def of_test_images(self, logits: Tensor) -> Tensor:
        """The logits (test images, classes) out of those of all images looked at."""
        return logits[: self.tests]

    def feedback(self, logits: Tensor) -> Feedback | None:
        """What the recipe is told of an epoch; nothing unless it asks.

        `logits` are those of all images looked at: (images, classes).
        """
        if not self.recipe.follows_metric:
            return None
        rows = logits[-self.judge.total :]
        loss = self.judge.loss(rows, self.recipe.loss.name)
        return Feedback(accuracy=self.judge.correct(rows) / self.judge.total, loss=loss)


def choose(recipe: Recipe, assignment: Assignment, data: TrainingData, judge: Judge) -> Metric:
    """The metric that `recipe` is told under the rules of `assignment`.

    `judge` holds the labels of the test images.
    """
    if not recipe.follows_metric:
        return Metric(recipe, data, judge, judge.total)
    if assignment.metric_images == "test":
        words = (
            f"{_told(recipe)} on the {judge.total:,} test images, as this assignment says: "
            "they had a part in training."
        )
        return Metric(recipe, data, judge, judge.total, words=words)
    return _on_validation_images(recipe, assignment, data)


def _on_validation_images(recipe: Recipe, assignment: Assignment, data: TrainingData) -> Metric:
    held_back = validation(data.train_labels, assignment.validation_images(len(data.train_labels)))
    reduced = dataclasses.replace(
        data,
        train_images=data.train_images[~held_back],
        train_labels=data.train_labels[~held_back],
        # These are looked at, not learned from.
        test_images=np.concatenate([data.test_images, data.train_images[held_back]]),
    )
    judge = Judge(data.train_labels[held_back], classes=assignment.classes)
    words = (
        f"{_told(recipe)} on {judge.total:,} validation images: training images that the grader "
        f"held back. Training used {_others(recipe, len(reduced.train_images))}, and no test image "
        "had a part in it."
    )
    return Metric(recipe, reduced, judge, len(data.test_images), words=words)


def _others(recipe: Recipe, available: int) -> str:
    count = recipe.learned_from(available)
    return f"the other {available:,}" if count == available else f"{count:,} of the others"


def _told(recipe: Recipe) -> str:
    """Which rules read what of the metric's images; what they read of training images is left out.

    At least one does.
    """
    readers = []
    if recipe.plateau is not None and recipe.plateau.monitor != "train_loss":
        readers.append(f"the plateau rule read the {recipe.plateau.monitor}")
    stops: list[str] = [recipe.stop_monitor] if recipe.stop_at_accuracy is not None else []
    stops += [recipe.patience.monitor] if recipe.patience is not None else []
    read = dict.fromkeys(monitor for monitor in stops if not monitor.startswith("train"))
    if read:
        readers.append(f"the early stop read the {' and the '.join(read)}")
    return f"After each epoch {' and '.join(readers)}"
