"""Lightning's callbacks: early stopping stops, the others watch.

Part of the stand-in for Lightning; see `lightning`.
"""

from __future__ import annotations

from typing import Any

from grader.capture.rehearsal.absorbed import Absorbed, AbsorbedModule


class Callback:
    """What a callback of the student's derives from: every hook does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """Take everything."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("on_", "setup", "teardown")):
            return _nothing
        raise AttributeError(name)


def _nothing(*_: Any, **__: Any) -> None:
    return None


class EarlyStopping(Callback):
    """Stops when `monitor` has not improved for `patience` checks, as Lightning's does."""

    def __init__(
        self,
        monitor: str,
        min_delta: float = 0.0,
        patience: int = 3,
        verbose: bool = False,
        mode: str = "min",
        strict: bool = True,
        stopping_threshold: float | None = None,
        divergence_threshold: float | None = None,
        check_on_train_epoch_end: bool | None = None,
        **_: Any,
    ) -> None:
        self.monitor, self.patience, self.mode, self.strict = monitor, patience, mode, strict
        self.min_delta = abs(min_delta) * (1 if mode == "max" else -1)
        self.stopping_threshold, self.divergence_threshold = (
            stopping_threshold,
            divergence_threshold,
        )
        self._on_train_end = check_on_train_epoch_end
        self.wait_count = self.stopped_epoch = 0
        self.best_score: Any = float("-inf") if mode == "max" else float("inf")

    def watches_each_epoch(self, validate_every: int) -> bool:
        """Whether it looks after each epoch; else only after those that are validated."""
        return validate_every == 1 if self._on_train_end is None else self._on_train_end

    def check(self, trainer: Any) -> None:
        """Look at the metric after an epoch. Raises RuntimeError where nobody logs it."""
        metrics = trainer.callback_metrics
        if self.monitor not in metrics:
            if self.strict:
                raise RuntimeError(
                    f"EarlyStopping watches {self.monitor!r}, which is not logged; there are: "
                    f"{', '.join(metrics) or 'none'}"
                )
            return
        now = metrics[self.monitor]
        if self._better(now - self.min_delta, self.best_score):
            self.best_score, self.wait_count = now, 0
        else:
            self.wait_count += 1
        reached = self.stopping_threshold is not None and self._better(now, self.stopping_threshold)
        lost = self.divergence_threshold is not None and self._better(
            -now, -self.divergence_threshold
        )
        if self.wait_count >= self.patience or reached or lost:
            trainer.should_stop, self.stopped_epoch = True, trainer.current_epoch

    def _better(self, now: Any, best: Any) -> Any:
        return now > best if self.mode == "max" else now < best


class ModelCheckpoint(Callback):
    """Keeps no file; the path of the best one is a name for the last weights."""

    def __init__(self, *_: Any, monitor: str | None = None, dirpath: Any = None, **__: Any) -> None:
        self.monitor, self.dirpath = monitor, dirpath
        self.best_model_path = self.last_model_path = "best.ckpt"
        self.best_model_score: Any = None

    def check(self, trainer: Any) -> None:
        """Remember the last score."""
        self.best_model_score = trainer.callback_metrics.get(self.monitor)


class GradientAccumulationScheduler(Callback):
    """How many batches make a step, from which epoch on."""

    def __init__(self, scheduling: dict[int, int]) -> None:
        self.scheduling = scheduling


CHANGE_TRAINING = {
    "StochasticWeightAveraging": "averages weights over epochs",
    "WeightAveraging": "averages weights over steps",
    "EMAWeightAveraging": "averages weights over steps",
    "BatchSizeFinder": "chooses the batch size by trying",
    "LearningRateFinder": "chooses the learning rate by trying",
    "Timer": "stops by the clock",
    "BaseFinetuning": "freezes layers for some epochs",
    "BackboneFinetuning": "freezes layers for some epochs",
    "ModelPruning": "removes weights",
    "LambdaCallback": "runs functions during training",
}
"""Callbacks that the grader cannot follow, and what they do."""


def _unfollowed(name: str) -> type[Callback]:
    return type(name, (Callback,), {"changes_training": CHANGE_TRAINING[name]})


def module(name: str) -> AbsorbedModule:
    """`lightning.pytorch.callbacks`, or a module in it."""
    found = AbsorbedModule(name)
    known: dict[str, Any] = {
        kind.__name__: kind
        for kind in (Callback, EarlyStopping, ModelCheckpoint, GradientAccumulationScheduler)
    }
    known |= {kind: _unfollowed(kind) for kind in CHANGE_TRAINING if kind != "LambdaCallback"}
    vars(found).update(known)
    return found


def is_absorbed(value: Any) -> bool:
    """Whether nobody knows its value here."""
    return isinstance(value, Absorbed)
