"""Lightning's Trainer, as far as it decides how a network is trained.

Part of the stand-in for Lightning; see `lightning`. Steps are taken in Lightning's order: the
student's step, gradients to zero, backward, clipping, optimizer, schedulers of steps; after the
epoch its validation, then schedulers of epochs, then callbacks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from grader.capture.rehearsal import callbacks
from grader.capture.rehearsal.logged import Logged, Scheduled, configured
from grader.capture.rehearsal.packages import Absorbed

Told = Callable[[str, str], object]
_told: list[Told] = []
"""Who hears ("obstacle", "note" or "left", and a sentence) of a training: one, in the child."""
_DEFAULT_EPOCHS = 1000


def install(tell: Told) -> None:
    """Let `tell` hear what the grader cannot do as this Trainer does."""
    _told[:] = [tell]


def _say(kind: str, text: str) -> None:
    for tell in _told:
        tell(kind, text)


class Trainer:
    """Trains a LightningModule on loaders."""

    def __init__(
        self,
        *,
        max_epochs: int | None = None,
        max_steps: int = -1,
        min_epochs: int | None = None,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
        accumulate_grad_batches: int | dict[int, int] = 1,
        limit_train_batches: float | None = None,
        limit_val_batches: float | None = None,
        check_val_every_n_epoch: int | None = 1,
        fast_dev_run: bool | int = False,
        callbacks: Any = None,
        **others: Any,
    ) -> None:
        endless = max_epochs is None and max_steps == -1
        self.max_epochs = _DEFAULT_EPOCHS if endless else max_epochs
        self.max_steps, self.min_epochs = max_steps, min_epochs or 0
        self._clip, self._clip_by = gradient_clip_val, gradient_clip_algorithm or "norm"
        self._accumulate = accumulate_grad_batches
        self._limits = {"train": limit_train_batches, "val": limit_val_batches}
        self._validate_every = check_val_every_n_epoch or 1
        if fast_dev_run:
            self.max_epochs = 1
            self._limits = dict.fromkeys(self._limits, int(fast_dev_run))
        given = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
        self.callbacks = [item for item in given if item is not None]
        self._others = others
        self.logged = Logged()
        self.current_epoch = self.global_step = 0
        self.should_stop = False
        self.optimizers: list[Any] = []
        self.schedulers: list[Scheduled] = []
        self.model: Any = None
        self.datamodule: Any = None
        self.train_dataloader: Any = None
        self.val_dataloaders: Any = None
        self.is_global_zero, self.world_size, self.num_devices = True, 1, 1
        self.sanity_checking = False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absorbed(f"lightning.Trainer.{name}")

    @property
    def callback_metrics(self) -> dict[str, Any]:
        """All that was logged last, by name."""
        return self.logged.metrics

    logged_metrics = progress_bar_metrics = callback_metrics

    @property
    def num_training_batches(self) -> int:
        """Batches of an epoch."""
        return _limited(len(self.train_dataloader), self._limits["train"])

    @property
    def estimated_stepping_batches(self) -> int | float:
        """Steps of the whole training: what OneCycleLR is told."""
        if self.max_epochs in (None, -1):
            return self.max_steps if self.max_steps > 0 else math.inf
        each = math.ceil(self.num_training_batches / self._batches_a_step())
        planned = int(self.max_epochs or 0) * each
        return min(planned, self.max_steps) if self.max_steps > 0 else planned

    @property
    def checkpoint_callback(self) -> Any:
        """The ModelCheckpoint; there is always one."""
        found = [item for item in self.callbacks if isinstance(item, callbacks.ModelCheckpoint)]
        return found[0] if found else callbacks.ModelCheckpoint()

    def fit(
        self,
        model: Any,
        train_dataloaders: Any = None,
        val_dataloaders: Any = None,
        datamodule: Any = None,
        **others: Any,
    ) -> None:
        """Train."""
        self._attach(model, datamodule, train_dataloaders)
        train = None if train_dataloaders is self.datamodule else train_dataloaders
        self.train_dataloader = self._loader("train", train or others.get("train_dataloader"))
        self.val_dataloaders = self._loader("val", val_dataloaders)
        if self.train_dataloader is None:
            raise RuntimeError("fit() has no train_dataloaders, and train_dataloader() is missing")
        self.optimizers, self.schedulers = configured(model.configure_optimizers())
        if len(self.optimizers) > 1 and model.automatic_optimization:
            raise RuntimeError(
                "several optimizers need automatic_optimization = False, and steps by hand"
            )
        self._say_what_differs()
        try:
            self._train(model)
        except BaseException as error:
            _say("left", f"{type(error).__name__}: {error}")
            raise

    def _attach(self, model: Any, datamodule: Any, first: Any) -> None:
        if datamodule is None and hasattr(first, "train_dataloader"):
            datamodule = first
        self.model, self.datamodule = model, datamodule
        model.trainer = self
        for item in (datamodule, model):
            if item is not None:
                item.trainer = self
                _call(item, "prepare_data")
                _setup(item)

    def _loader(self, kind: str, given: Any) -> Any:
        if given is not None:
            return given
        for item in (self.datamodule, self.model):
            make = getattr(item, f"{kind}_dataloader", None)
            if make is not None:
                return make()
        return None

    def _say_what_differs(self) -> None:
        """What this Trainer does and the grader does not."""
        precision = str(self._others.get("precision", "32"))
        if not precision.startswith("32"):
            _say("note", f"It trains in mixed precision ({precision}), the grader does not")
        devices = self._others.get("devices", self._others.get("gpus"))
        if isinstance(devices, int) and devices > 1:
            _say("obstacle", f"It trains on {devices} devices, and their batches make one step")
        if self._others.get("max_time") is not None:
            _say("obstacle", "It stops by the clock (max_time): say max_epochs instead")
        if self._others.get("overfit_batches"):
            _say("obstacle", "It trains on a part of the data only (overfit_batches)")
        for item in self.callbacks:
            if what := getattr(type(item), "changes_training", ""):
                _say("obstacle", f"Its callback {type(item).__name__} {what}")
            elif callbacks.is_absorbed(item) and (what := _unfollowed(item)):
                _say("obstacle", f"A callback {what}")

    def _train(self, model: Any) -> None:
        _call(model, "on_fit_start")
        self._hook("on_fit_start")
        self._hook("on_train_start")
        _call(model, "on_train_start")
        epochs = math.inf if self.max_epochs in (None, -1) else int(self.max_epochs or 0)
        while self.current_epoch < epochs and not self._is_over():
            self._epoch(model)
            self.current_epoch += 1
        _call(model, "on_train_end")
        self._hook("on_train_end")
        _call(model, "on_fit_end")

    def _is_over(self) -> bool:
        if 0 < self.max_steps <= self.global_step:
            return True
        return self.should_stop and self.current_epoch >= self.min_epochs

    def _epoch(self, model: Any) -> None:
        model.train()
        self.logged.training = True
        self._hook("on_train_epoch_start")
        _call(model, "on_train_epoch_start")
        outputs = []
        for index, batch in self._batches(self.train_dataloader, "train"):
            outputs.append(self._batch(model, batch, index))
            if 0 < self.max_steps <= self.global_step:
                break
        if (self.current_epoch + 1) % self._validate_every == 0:
            self._evaluate(model, self.val_dataloaders, "validation", "val")
        self.logged.training = True
        _call(model, "training_epoch_end", outputs)
        _call(model, "on_train_epoch_end")
        self.logged.end_epoch()
        for item in self.schedulers:
            if item.interval == "epoch" and (self.current_epoch + 1) % item.frequency == 0:
                self._step_scheduler(item)
        self._hook("on_train_epoch_end")
        for callback in self.callbacks:
            if isinstance(callback, callbacks.EarlyStopping | callbacks.ModelCheckpoint):
                callback.check(self)

    def _batch(self, model: Any, batch: Any, index: int) -> Any:
        self._hook("on_train_batch_start", batch, index)
        _call(model, "on_train_batch_start", batch, index)
        output = _step(model.training_step, batch, index)
        if model.automatic_optimization:
            self._optimize(model, output, index)
        else:
            self.global_step += 1
        _call(model, "on_train_batch_end", output, batch, index)
        self._hook("on_train_batch_end", output, batch, index)
        return output

    def _optimize(self, model: Any, output: Any, index: int) -> None:
        loss = output.get("loss") if isinstance(output, dict) else output
        if loss is None or not self.optimizers:
            return
        each = self._batches_a_step()
        optimizer = self.optimizers[0]
        if index % each == 0:
            optimizer.zero_grad()
        (loss if each == 1 else loss / each).backward()
        _call(model, "on_after_backward")
        if (index + 1) % each and index + 1 < self.num_training_batches:
            return
        _call(model, "on_before_optimizer_step", optimizer)
        if self._clip:
            self._clip_gradients(model, self._clip)
        optimizer.step()
        self.global_step += 1
        for item in self.schedulers:
            if item.interval == "step" and self.global_step % item.frequency == 0:
                self._step_scheduler(item)

    def _clip_gradients(self, model: Any, most: float) -> None:
        if self._clip_by == "value":
            nn.utils.clip_grad_value_(model.parameters(), most)
        else:
            nn.utils.clip_grad_norm_(model.parameters(), most)

    def _batches_a_step(self) -> int:
        plan = self._accumulate
        for item in self.callbacks:
            if isinstance(item, callbacks.GradientAccumulationScheduler):
                plan = item.scheduling
        if not isinstance(plan, dict):
            return int(plan or 1)
        begun = [epoch for epoch in plan if epoch <= self.current_epoch]
        return int(plan[max(begun)]) if begun else 1

    def _step_scheduler(self, item: Scheduled) -> None:
        if not item.is_plateau:
            item.scheduler.step()
            return
        metrics = self.callback_metrics
        if item.monitor not in metrics:
            raise RuntimeError(
                f"ReduceLROnPlateau watches {item.monitor!r}, which is not logged; there are: "
                f"{', '.join(metrics) or 'none'}"
            )
        item.scheduler.step(metrics[item.monitor])

    def _batches(self, loader: Any, kind: str) -> Iterator[tuple[int, Any]]:
        most = _limited(len(loader), self._limits.get(kind))
        for index, batch in enumerate(loader):
            self.logged.batch_size = _size(batch)
            yield index, batch
            if index + 1 == most < len(loader):
                return

    def _evaluate(self, model: Any, loaders: Any, name: str, kind: str) -> None:
        step = getattr(model, f"{name}_step", None)
        if loaders is None or step is None:
            return
        was_training, before = model.training, self.logged.training
        model.eval()
        self.logged.training = False
        _call(model, f"on_{name}_epoch_start")
        outputs = []
        with torch.no_grad():
            for loader in loaders if isinstance(loaders, list | tuple) else [loaders]:
                for index, batch in self._batches(loader, kind):
                    outputs.append(_step(step, batch, index))
            _call(model, f"{name}_epoch_end", outputs)
            _call(model, f"on_{name}_epoch_end")
        self._hook(f"on_{name}_epoch_end")
        self.logged.end_epoch()
        self.logged.training = before
        model.train(was_training)
        self._hook(f"on_{name}_end")

    def _hook(self, name: str, *args: Any) -> None:
        for item in self.callbacks:
            if isinstance(item, callbacks.Callback):
                getattr(item, name)(self, self.model, *args)

    def test(
        self, model: Any = None, dataloaders: Any = None, datamodule: Any = None, **_: Any
    ) -> list[dict[str, Any]]:
        """Measure on test images."""
        return self._measure(model, dataloaders, datamodule, "test", "test")

    def validate(
        self, model: Any = None, dataloaders: Any = None, datamodule: Any = None, **_: Any
    ) -> list[dict[str, Any]]:
        """Measure on images that are held back."""
        return self._measure(model, dataloaders, datamodule, "validation", "val")

    def _measure(
        self, model: Any, loaders: Any, datamodule: Any, name: str, kind: str
    ) -> list[dict[str, Any]]:
        model = model if isinstance(model, nn.Module) else self.model
        self._attach(model, datamodule or self.datamodule, loaders)
        loaders = None if loaders is self.datamodule else loaders
        self._evaluate(model, self._loader(kind, loaders), name, kind)
        metrics = self.callback_metrics.items()
        return [{name: _plain(value) for name, value in metrics}]

    def predict(self, *_: Any, **__: Any) -> list[Any]:
        """Nobody trains by this."""
        return []

    def save_checkpoint(self, *_: Any, **__: Any) -> None:
        """There are no files here."""


def _limited(length: int, limit: float | None) -> int:
    if limit is None:
        return length
    return int(length * limit) if isinstance(limit, float) else min(length, limit)


def _size(batch: Any) -> int:
    for part in batch if isinstance(batch, list | tuple) else [batch]:
        if isinstance(part, Tensor) and part.dim():
            return int(part.shape[0])
    return 1


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Tensor) else value


def _step(step: Any, batch: Any, index: int) -> Any:
    """Call `training_step(batch, batch_idx)`, which some write without the second."""
    code = getattr(step, "__code__", None)
    if code is not None and code.co_argcount < 3 and not code.co_flags & 0x04:
        return step(batch)
    return step(batch, index)


def _setup(item: Any) -> None:
    if not hasattr(item, "setup"):
        return
    code = getattr(item.setup, "__code__", None)
    if code is not None and code.co_argcount < 2 and not code.co_flags & 0x04:
        item.setup()
    else:
        item.setup("fit")


def _call(thing: Any, name: str, *args: Any) -> None:
    hook = getattr(thing, name, None)
    if hook is not None:
        hook(*args)


def _unfollowed(item: Any) -> str:
    names = [what for name, what in callbacks.CHANGE_TRAINING.items() if name in str(item)]
    return names[0] if names else ""
