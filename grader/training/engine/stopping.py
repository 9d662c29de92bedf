"""When training ends: at its last epoch, or before, as the recipe's own rules say.

In: a Recipe, and after each epoch what training and the judge saw of it. Out: an `Ending`, or None.
Every run has rules of its own, as they count epochs. A run that its recipe stops is finished: the
epochs that count for its score are the last of those that it trained, as if it had been planned for
so many.

A worked example: patience of 2 epochs that watches the loss. Losses of 0.5, 0.3, 0.4, 0.3 improve
twice; then 0.4 and 0.3 are two epochs in a row that are no better than 0.3, and the fourth is the
last.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from grader.errors import GraderError
from grader.program.recipe import Patience, Recipe
from grader.training.records import Ending, Epoch, Feedback


class Stopping:
    """The rules of one run. `tell` hands its plateau rule the metric that this watches."""

    def __init__(self, recipe: Recipe, tell: Callable[[float], None]) -> None:
        self._recipe = recipe
        self._tell = tell
        self._reached = 0
        self._best: float | None = None
        self._waited = 0

    def after(self, epoch: Epoch, feedback: Feedback | None) -> Ending | None:
        """How training ends after this epoch, or None when it goes on. Call it after each.

        Raises GraderError where the recipe asks for feedback and there is none.
        """
        recipe = self._recipe
        if not math.isfinite(epoch.train_loss):
            return Ending(
                False, f"training diverged: the loss of epoch {epoch.epoch} is {epoch.train_loss}"
            )
        watches_training = recipe.plateau is not None and recipe.plateau.monitor == "train_loss"
        if watches_training:  # also where feedback that another rule needs is missing
            self._tell(epoch.train_loss)
        if feedback is None and recipe.follows_metric:
            raise GraderError(
                "The recipe follows a metric, but its value was not handed to training."
            )
        if recipe.plateau is not None and not watches_training:
            self._tell(_watched(recipe.plateau.monitor, epoch, feedback))
        accurate = self._is_accurate(epoch, feedback)
        waited = self._has_waited(epoch, feedback)
        reason = accurate or waited  # both count, whichever speaks
        return Ending(True, reason) if reason else None

    def _is_accurate(self, epoch: Epoch, feedback: Feedback | None) -> str:
        """That enough epochs in a row reached the recipe's accuracy, in words; else ""."""
        recipe = self._recipe
        if recipe.stop_at_accuracy is None:
            return ""
        reached = _watched(recipe.stop_monitor, epoch, feedback) >= recipe.stop_at_accuracy
        self._reached = self._reached + 1 if reached else 0
        if self._reached < recipe.stop_after:
            return ""
        epochs = f"epoch {epoch.epoch}"
        if recipe.stop_after > 1:
            epochs = f"epochs {epoch.epoch - recipe.stop_after + 1} to {epoch.epoch}"
        return f"{epochs} reached the {WORDS[recipe.stop_monitor]} at which the recipe stops"

    def _has_waited(self, epoch: Epoch, feedback: Feedback | None) -> str:
        """That the recipe's patience is over, in words; else ""."""
        patience = self._recipe.patience
        if patience is None:
            return ""
        value = _watched(patience.monitor, epoch, feedback)
        if _is_better(value, self._best, patience):
            self._best, self._waited = value, 0
            return ""
        self._waited += 1
        if self._waited < patience.epochs:
            return ""
        what = WORDS[patience.monitor]
        epochs = "1 epoch" if patience.epochs == 1 else f"{patience.epochs} epochs"
        return f"after epoch {epoch.epoch} the {what} had not improved for {epochs}"


WORDS = {
    "loss": "loss",
    "accuracy": "accuracy",
    "train_loss": "training loss",
    "train_accuracy": "training accuracy",
}


def _watched(monitor: str, epoch: Epoch, feedback: Feedback | None) -> float:
    """What a rule watches; NaN, which is never good, where nobody measured it."""
    if monitor.startswith("train"):
        return epoch.train_loss if monitor == "train_loss" else epoch.train_accuracy
    if feedback is None:
        return math.nan
    return feedback.loss if monitor == "loss" else feedback.accuracy


def _is_better(value: float, best: float | None, patience: Patience) -> bool:
    if best is None:
        return math.isfinite(value)
    if patience.monitor.endswith("loss"):
        return value < best - patience.threshold
    return value > best + patience.threshold
