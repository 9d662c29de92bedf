"""What a LightningModule logs, and which optimizers and schedulers it configures.

Part of the stand-in for Lightning; see `lightning`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from grader.capture.rehearsal.absorbed import Absorbed


class Logged:
    """What was logged: `metrics` by name, means over the epoch where those were asked for."""

    def __init__(self) -> None:
        self.metrics: dict[str, Any] = {}
        self.training = True
        self.batch_size = 1
        self._sums: dict[str, tuple[Any, int]] = {}
        self._objects: dict[str, Any] = {}

    def add(
        self,
        name: str,
        value: Any,
        on_step: bool | None = None,
        on_epoch: bool | None = None,
        batch_size: int | None = None,
        **_: Any,
    ) -> None:
        """As `LightningModule.log`: by default, training logs steps and validation epochs."""
        on_step = self.training if on_step is None else on_step
        on_epoch = not self.training if on_epoch is None else on_epoch
        if hasattr(value, "compute"):
            self._objects[name] = value
            return
        if not isinstance(value, Absorbed):
            value = torch.as_tensor(value, dtype=torch.float32).detach().mean()
        if on_step:
            self.metrics[f"{name}_step" if on_epoch else name] = value
        if on_epoch:
            size = batch_size or self.batch_size
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + value * size, count + size)

    def end_epoch(self) -> None:
        """The means become metrics."""
        for name, (total, count) in self._sums.items():
            self.metrics[name] = self.metrics[f"{name}_epoch"] = total / count
        for name, item in self._objects.items():
            self.metrics[name] = item.compute()
            item.reset()
        self._sums.clear()
        self._objects.clear()


@dataclass(slots=True)
class Scheduled:
    """A scheduler, and when it is stepped."""

    scheduler: Any
    interval: str = "epoch"
    frequency: int = 1
    monitor: str = "val_loss"

    @property
    def is_plateau(self) -> bool:
        """Whether it asks how training goes."""
        return isinstance(self.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)


def configured(answer: Any) -> tuple[list[Any], list[Scheduled]]:
    """Optimizers and schedulers in every form in which `configure_optimizers` may return them."""
    if answer is None:
        return [], []
    if isinstance(answer, dict):
        found = [_scheduled(answer["lr_scheduler"], answer)] if answer.get("lr_scheduler") else []
        return [answer["optimizer"]], found
    if not isinstance(answer, tuple | list):
        return [answer], []
    if len(answer) == 2 and all(isinstance(item, list) for item in answer):
        return list(answer[0]), [_scheduled(item, {}) for item in answer[1]]
    optimizers: list[Any] = []
    schedulers: list[Scheduled] = []
    for item in answer:
        more_optimizers, more_schedulers = configured(item)
        optimizers += more_optimizers
        schedulers += more_schedulers
    return optimizers, schedulers


def _scheduled(item: Any, beside: dict[str, Any]) -> Scheduled:
    if not isinstance(item, dict):
        return Scheduled(item, monitor=beside.get("monitor") or "val_loss")
    return Scheduled(
        item["scheduler"],
        item.get("interval", "epoch"),
        int(item.get("frequency", 1)),
        item.get("monitor") or beside.get("monitor") or "val_loss",
    )
