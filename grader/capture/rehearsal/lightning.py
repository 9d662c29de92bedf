"""A stand-in for Lightning whose `fit()` really trains, so that the trace sees a plain training.

LightningModule is a real nn.Module; `training_step`, `configure_optimizers` and the rest are the
student's own. What a Trainer can do that the grader cannot becomes an obstacle of the training.
Source: https://lightning.ai/docs/pytorch/stable/common/lightning_module.html
"""

from __future__ import annotations

import inspect
import sys
import types
from typing import Any

import torch
from torch import nn

from grader.capture.rehearsal import callbacks, metrics, packages, trainer, tuner
from grader.capture.rehearsal.absorbed import Absorbed, AbsorbedModule

TOPS = ("lightning", "pytorch_lightning", "lightning_fabric")
PYTORCH = ("lightning", "lightning.pytorch", "pytorch_lightning")


class Settings(dict[str, Any]):
    """`self.hparams`: a dictionary whose keys are attributes, too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


class _Settled:
    """What has `save_hyperparameters()`."""

    def save_hyperparameters(
        self, *names: Any, ignore: Any = (), frame: types.FrameType | None = None, **_: Any
    ) -> None:
        """Keep the arguments of `__init__`, which calls this, in `self.hparams`."""
        caller = frame or sys._getframe(1)
        given = inspect.getargvalues(caller)
        left_out = {ignore} if isinstance(ignore, str) else set(ignore or ())
        values = {name: given.locals[name] for name in given.args if name in given.locals}
        if given.keywords:
            values |= given.locals.get(given.keywords, {})
        values.pop(given.args[0] if given.args else "self", None)
        values.pop("__class__", None)
        texts = [name for name in names if isinstance(name, str)]
        for item in names:
            if isinstance(item, dict):
                self.hparams.update(item)
            elif not isinstance(item, str):
                self.hparams.update(vars(item))
        chosen = texts if texts else [] if names else values
        for name in chosen:
            if name not in left_out and name in values:
                self.hparams[name] = values[name]

    @property
    def hparams(self) -> Settings:
        """What was saved."""
        if "_hparams" not in self.__dict__:
            self.__dict__["_hparams"] = Settings()
        found: Settings = self.__dict__["_hparams"]
        return found


class LightningModule(_Settled, nn.Module):
    """A network that knows how it is trained."""

    trainer: Any = None
    automatic_optimization = True
    example_input_array: Any = None

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def log(self, name: str, value: Any, *_: Any, **options: Any) -> None:
        """Keep a number under a name: of the step, of the epoch or both."""
        if self.trainer is not None:
            self.trainer.logged.add(name, value, **options)

    def log_dict(self, values: Any, *_: Any, **options: Any) -> None:
        """As `log`, of several."""
        for name, value in values.items():
            self.log(name, value, **options)

    @property
    def device(self) -> torch.device:
        """Where it is: everything is here."""
        return torch.device("cpu")

    @property
    def current_epoch(self) -> int:
        """Epochs that have ended."""
        return self.trainer.current_epoch if self.trainer is not None else 0

    @property
    def global_step(self) -> int:
        """Steps that were taken."""
        return self.trainer.global_step if self.trainer is not None else 0

    @property
    def logger(self) -> Any:
        """Something that shows."""
        return Absorbed("lightning.logger")

    def optimizers(self, *_: Any, **__: Any) -> Any:
        """The optimizer, or a list of several, for those who step by hand."""
        found = self.trainer.optimizers
        return found[0] if len(found) == 1 else found

    def lr_schedulers(self) -> Any:
        """The scheduler, or a list of several; None where there is none."""
        found = [item.scheduler for item in self.trainer.schedulers]
        return found[0] if len(found) == 1 else found or None

    def manual_backward(self, loss: Any, *args: Any, **keywords: Any) -> None:
        """As `loss.backward()`."""
        loss.backward(*args, **keywords)

    def clip_gradients(
        self,
        _: Any,
        gradient_clip_val: Any = None,
        gradient_clip_algorithm: str | None = None,
        **__: Any,
    ) -> None:
        """Clip by norm or by value, by hand."""
        if gradient_clip_algorithm == "value":
            nn.utils.clip_grad_value_(self.parameters(), gradient_clip_val)
            return
        nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)

    def print(self, *args: Any, **keywords: Any) -> None:
        """As `print` does."""
        print(*args, **keywords)  # noqa: T201 - as Lightning does

    def freeze(self) -> None:
        """Learn no more."""
        self.requires_grad_(False)
        self.eval()

    def unfreeze(self) -> None:
        """Learn again."""
        self.requires_grad_(True)
        self.train()

    @classmethod
    def load_from_checkpoint(cls, *_: Any, **keywords: Any) -> Any:
        """A new one: there are no files here."""
        known = inspect.signature(cls).parameters
        return cls(**{name: value for name, value in keywords.items() if name in known})


class LightningDataModule(_Settled):
    """Data sets and their loaders."""

    trainer: Any = None

    def __init__(self, *_: Any, **__: Any) -> None:
        """Take everything."""

    def prepare_data(self) -> None:
        """Nothing to download."""

    def setup(self, stage: Any = None) -> None:
        """Nothing to do."""


def seed_everything(seed: Any = 0, *_: Any, **__: Any) -> Any:
    """Set torch's seed, which the trace writes down."""
    torch.manual_seed(int(seed or 0))
    return seed


def module(name: str) -> AbsorbedModule:
    """Lightning under each of its names, or a module in it; what it lacks is absorbed."""
    if name.rpartition(".")[2] == "callbacks" or ".callbacks." in name:
        return callbacks.module(name)
    if name.rpartition(".")[2] == "tuner" or ".tuner." in name:
        return tuner.module(name)
    found = AbsorbedModule(name)
    known: dict[str, Any] = {
        "LightningModule": LightningModule,
        "LightningDataModule": LightningDataModule,
        "Trainer": trainer.Trainer,
        "Callback": callbacks.Callback,
        "seed_everything": seed_everything,
        "__version__": "2.4.0",
    }
    if name in PYTORCH:
        known["callbacks"] = callbacks.module(f"{name}.callbacks")
    if name == "lightning":
        known["pytorch"] = module("lightning.pytorch")
    vars(found).update(known)
    return found


def stand_in(name: str) -> AbsorbedModule:
    """Lightning, torchmetrics, or a module in one of them."""
    return metrics.module(name) if name.startswith("torchmetrics") else module(name)


def install() -> None:
    """Let `packages` know these stand-ins."""
    packages.add((*TOPS, "torchmetrics"), stand_in)
