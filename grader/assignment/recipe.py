"""The `[recipe]` table: how a network is trained where the student's file does not say.

In: values as TOML has them. Out: frozen tables; pydantic's errors where a value cannot be meant.
"""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from grader.assignment.tables import among
from grader.assignment.words import did_you_mean
from grader.checks.limits import Table
from grader.training.choices import OPTIMIZERS, SCHEDULERS, TRANSFORMS

OptimizerName = Annotated[str, among(OPTIMIZERS.keys)]
SchedulerName = Annotated[str, among(SCHEDULERS.keys)]
TransformName = Annotated[str, among(TRANSFORMS.keys)]


def _setting(value: object) -> object:
    items = value if isinstance(value, list) else [value]
    if isinstance(value, str) or all(
        isinstance(item, int | float) and isfinite(item) for item in items
    ):
        return tuple(value) if isinstance(value, list) else value
    raise ValueError("a setting is a number, true, false, a string or a list of numbers")


Setting = Annotated[bool | int | float | str | tuple[int | float, ...], BeforeValidator(_setting)]


_OFTEN_SAID = {"learning_rate": "lr", "eta": "lr", "beta": "betas", "l2": "weight_decay"}
"""Other people's names for a setting of torch.optim."""


class OptimizerChoice(Table):
    """A class of torch.optim, and its arguments but the parameters."""

    name: OptimizerName
    settings: dict[str, Setting] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known_settings(self) -> Self:
        known = ["lr", *sorted(OPTIMIZERS[self.name])]
        for setting in self.settings:
            if setting not in known:
                meant = did_you_mean(_OFTEN_SAID.get(setting, setting), known)
                listed = ", ".join(known)
                raise ValueError(
                    f"{setting!r} is not a setting of {self.name}; known: {listed}.{meant}"
                )
        return self


class SchedulerChoice(Table):
    """A class of torch.optim.lr_scheduler, its arguments, and how often it steps.

    OneCycleLR's `total_steps` and CosineAnnealingLR's `T_max`, where they are not given, are the
    number of times that it steps in the whole training.
    """

    name: SchedulerName
    settings: dict[str, Setting] = Field(default_factory=dict)
    interval: Literal["step", "epoch"] = "epoch"


class TransformChoice(Table):
    """A class of torchvision.transforms, and its arguments.

    A Normalize without arguments gets the data set's own mean and deviation.
    """

    name: TransformName
    settings: dict[str, Setting] = Field(default_factory=dict)


class DefaultRecipe(Table):
    """How a network is trained where the student's file does not say.

    `criterion` "auto" is negative log-likelihood for a network that ends in log_softmax, else cross
    entropy.
    """

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    optimizer: OptimizerChoice
    scheduler: SchedulerChoice | None = None
    train_transform: tuple[TransformChoice, ...] = ()
    criterion: Literal["auto", "cross_entropy", "nll"] = "auto"
