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
from torch import nn

from grader.capture.rehearsal import callbacks, hooks, trainer_arguments, tuner
from grader.capture.rehearsal.absorbed import Absorbed
from grader.capture.rehearsal.logged import Logged, Scheduled, configured

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
        min_steps: int | None = None,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
        accumulate_grad_batches: int | dict[int, int] = 1,
        limit_train_batches: float | None = None,
        limit_val_batches: float | None = None,
        check_val_every_n_epoch: int | None = 1,
        reload_dataloaders_every_n_epochs: int = 0,
        fast_dev_run: bool | int = False,
        callbacks: Any = None,
        **others: Any,
    ) -> None:
        endless = max_epochs is None and max_steps == -1
        self.max_epochs = _DEFAULT_EPOCHS if endless else max_epochs
        self.max_steps, self.min_epochs = max_steps, min_epochs or 0
        self._min_steps, self._reload_every = min_steps or 0, reload_dataloaders_every_n_epochs
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
        self.tuned: list[str] = []
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
        return hooks.limited(len(self.train_dataloader), self._limits["train"])

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
        if hasattr(model, "configure_callbacks"):
            more = model.configure_callbacks()
            self.callbacks += more if isinstance(more, list | tuple) else [more]
        self._say_what_differs(others)
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
                hooks.call(item, "prepare_data")
                hooks.setup(item)

    def _loader(self, kind: str, given: Any) -> Any:
        if given is not None:
            return given
        for item in (self.datamodule, self.model):
            make = getattr(item, f"{kind}_dataloader", None)
            if make is not None:
                return make()
        return None

    def _say_what_differs(self, others: dict[str, Any]) -> None:
        """What this Trainer does and the grader does not."""
        for text in self.tuned:
            _say("obstacle", text)
        if others.get("ckpt_path"):
            _say("obstacle", "It goes on from a checkpoint; the grader trains from the start")
        if self._validate_every > 1 and any(item.is_plateau for item in self.schedulers):
            _say(
                "obstacle",
                "ReduceLROnPlateau watches a number that is measured every "
                f"{self._validate_every} epochs (check_val_every_n_epoch); the grader's is "
                "measured after each: leave check_val_every_n_epoch out",
            )
        stops = any(isinstance(item, callbacks.EarlyStopping) for item in self.callbacks)
        parts = [item for item in (self.model, self.datamodule) if item is not None]
        said = trainer_arguments.differences(self._others, parts, self.callbacks, stops=stops)
        for kind, text in said:
            _say(kind, text)

    def _train(self, model: Any) -> None:
        self._hook("setup", "fit")
        hooks.call(model, "on_fit_start")
        self._hook("on_fit_start")
        self._hook("on_train_start")
        hooks.call(model, "on_train_start")
        epochs = math.inf if self.max_epochs in (None, -1) else int(self.max_epochs or 0)
        while self.current_epoch < epochs and not self._is_over():
            self._epoch(model)
            self.current_epoch += 1
        hooks.call(model, "on_train_end")
        self._hook("on_train_end")
        hooks.call(model, "on_fit_end")

    def _is_over(self) -> bool:
        if 0 < self.max_steps <= self.global_step:
            return True
        is_late = self.current_epoch >= self.min_epochs and self.global_step >= self._min_steps
        return self.should_stop and is_late

    def _epoch(self, model: Any) -> None:
        self._reload_data()
        model.train()
        self.logged.training = True
        self._hook("on_train_epoch_start")
        hooks.call(model, "on_train_epoch_start")
        outputs = []
        for index, batch in self._batches(self.train_dataloader, "train"):
            outputs.append(self._batch(model, batch, index))
            if 0 < self.max_steps <= self.global_step:
                break
        validates = (self.current_epoch + 1) % self._validate_every == 0
        if validates:
            self._evaluate(model, self.val_dataloaders, "validation", "val")
        self.logged.training = True
        hooks.call(model, "training_epoch_end", outputs)
        hooks.call(model, "on_train_epoch_end")
        self.logged.end_epoch()
        for item in self.schedulers:
            if item.interval == "epoch" and (self.current_epoch + 1) % item.frequency == 0:
                self._step_scheduler(item)
        self._hook("on_train_epoch_end")
        self._check(validates=validates)

    def _reload_data(self) -> None:
        is_due = self._reload_every and self.current_epoch % self._reload_every == 0
        if is_due and self.current_epoch:
            self.train_dataloader = self._loader("train", None) or self.train_dataloader

    def _check(self, *, validates: bool) -> None:
        """Let callbacks look at the epoch that has ended."""
        for callback in self.callbacks:
            is_stop = isinstance(callback, callbacks.EarlyStopping)
            if is_stop and not validates and not callback.watches_each_epoch(self._validate_every):
                continue
            if is_stop or isinstance(callback, callbacks.ModelCheckpoint):
                callback.check(self)

    def _batch(self, model: Any, batch: Any, index: int) -> Any:
        self._hook("on_train_batch_start", batch, index)
        hooks.call(model, "on_train_batch_start", batch, index)
        output = hooks.step(model.training_step, batch, index)
        if model.automatic_optimization:
            self._optimize(model, output, index)
        else:
            self.global_step += 1
        hooks.call(model, "on_train_batch_end", output, batch, index)
        self._hook("on_train_batch_end", output, batch, index)
        return output

    def _optimize(self, model: Any, output: Any, index: int) -> None:
        loss = output.get("loss") if isinstance(output, dict) else output
        if loss is None or not self.optimizers:
            return
        each = self._batches_a_step()
        optimizer = self.optimizers[0]
        if index % each == 0:
            self._both("on_before_zero_grad", optimizer)
            optimizer.zero_grad()
        self._both("on_before_backward", loss)
        (loss if each == 1 else loss / each).backward()
        self._both("on_after_backward")
        if (index + 1) % each and index + 1 < self.num_training_batches:
            return
        self._both("on_before_optimizer_step", optimizer)
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
        most = hooks.limited(len(loader), self._limits.get(kind))
        if most <= 0:
            return
        for index, batch in enumerate(loader):
            self.logged.batch_size = hooks.size(batch)
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
        hooks.call(model, f"on_{name}_epoch_start")
        outputs = []
        with torch.no_grad():
            for loader in loaders if isinstance(loaders, list | tuple) else [loaders]:
                for index, batch in self._batches(loader, kind):
                    outputs.append(hooks.step(step, batch, index))
            hooks.call(model, f"{name}_epoch_end", outputs)
            hooks.call(model, f"on_{name}_epoch_end")
        self._hook(f"on_{name}_epoch_end")
        self.logged.end_epoch()
        self.logged.training = before
        model.train(was_training)
        self._hook(f"on_{name}_end")

    def _both(self, name: str, *args: Any) -> None:
        """Callbacks first, then the module, as Lightning has it."""
        self._hook(name, *args)
        hooks.call(self.model, name, *args)

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
        return [{name: hooks.plain(value) for name, value in metrics}]

    @property
    def tuner(self) -> tuner.Tuner:
        """Lightning 1's: it sets nothing unless it is told to."""
        return tuner.Tuner(self, sets=False)

    def tune(self, *_: Any, **__: Any) -> Any:
        """Find what is to be found by trying."""
        return tuner.tune(self, self._others)

    def predict(self, *_: Any, **__: Any) -> list[Any]:
        """Nobody trains by this."""
        return []

    def save_checkpoint(self, *_: Any, **__: Any) -> None:
        """There are no files here."""
