"""Read when a file stops training early: patience, and a stop at an accuracy.

In: the file's definitions. Out: the settings of a Recipe. Runs in the child.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from grader.capture.settings import Asker, at_least_zero, fraction, short, watched, whole_or_none
from grader.errors import SubmissionError
from grader.program.recipe import Patience

MOST_EPOCHS = 10_000


@dataclass(frozen=True)
class Stops:
    """When training ends early; the fields of a Recipe."""

    patience: Patience | None
    stop_at_accuracy: float | None
    stop_after: int
    stop_monitor: Any

    @property
    def follow_metric(self) -> bool:
        """Whether they ask about images that are not trained on."""
        stop = self.stop_at_accuracy is not None and self.stop_monitor == "accuracy"
        return stop or (self.patience is not None and not self.patience.monitor.startswith("train"))


def read(ask: Asker) -> Stops:
    """What the file says; notes of what has no effect. Raises SubmissionError."""
    patience = whole_or_none(ask, "PATIENCE", "patience", most=MOST_EPOCHS)
    threshold = at_least_zero(ask, "MIN_DELTA", "min_delta")
    monitor = _monitor(ask, "PATIENCE_MONITOR", "val_loss", "val_accuracy")
    accuracy = fraction(ask, "STOP_AT_ACCURACY", "stop_at_accuracy")
    after = whole_or_none(ask, "EPOCHS_AT_ACCURACY", "stop_after", most=MOST_EPOCHS)
    stop_monitor = _monitor(ask, "STOP_MONITOR", "val_accuracy")
    if patience is None:
        _without_effect(ask, "PATIENCE", "MIN_DELTA", "PATIENCE_MONITOR")
    if accuracy is None:
        _without_effect(ask, "STOP_AT_ACCURACY", "EPOCHS_AT_ACCURACY", "STOP_MONITOR")
    return Stops(
        patience=None
        if patience is None
        else Patience.model_validate(
            {"monitor": monitor, "epochs": patience, "threshold": threshold or 0.0}
        ),
        stop_at_accuracy=accuracy,
        stop_after=1 if accuracy is None else after or 1,
        stop_monitor="accuracy" if accuracy is None else stop_monitor,
    )


def _monitor(ask: Asker, name: str, *natural: str) -> str:
    """What a rule watches, in a Recipe's words; the first of the `natural` if nobody says."""
    value = ask(name, name.lower())
    choices = [*natural, *(word.replace("val", "train") for word in natural)]
    found = watched(natural[0] if value is None else value)
    if found is None or found not in [watched(choice) for choice in choices]:
        known = ", ".join(f'"{choice}"' for choice in choices)
        raise SubmissionError(
            f"{name} is {short(value)}; write one of {known}. What begins with val is measured on "
            "training images that are held back.",
            line=ask.line(name),
        )
    return found


def _without_effect(ask: Asker, needed: str, *names: str) -> None:
    for name in names:
        line = None if ask.default_only else ask.line(name)
        if line is not None:
            ask.definitions.notes.append(
                f"{name} (line {line}) has no effect without {needed}, which the file does not say"
            )
