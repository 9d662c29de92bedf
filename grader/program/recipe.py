"""How a student wants the network trained. Pure data."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from grader.program.values import Data, Name
from grader.training.choices import OPTIMIZERS

MOST_STEPS = 1_000_000


def _optimizer(name: str) -> str:
    if name not in OPTIMIZERS:
        known = ", ".join(OPTIMIZERS)
        raise ValueError(f"{name[:50]!r} is not an optimizer that the grader has ({known})")
    return name


class OptimizerGroup(Data):
    """One parameter group: the weights' names, and every setting that the schedule leaves alone."""

    parameters: tuple[Name, ...]
    settings: dict[Name, bool | int | float | tuple[float, float] | None]


class Optimizer(Data):
    """A torch.optim class by name, and its parameter groups."""

    name: Annotated[str, AfterValidator(_optimizer)]
    groups: tuple[OptimizerGroup, ...] = Field(min_length=1, max_length=100)


class Run(Data):
    """`value`, for `steps` steps in a row."""

    value: float
    steps: int = Field(ge=1, le=MOST_STEPS)


class Schedule(Data):
    """What the student's own scheduler really set: a list of runs for each parameter group.

    `learning_rate[g]` and `momentum[g]` (SGD's momentum or Adam's beta1; empty where the optimizer
    has neither) are run-length coded and add up to epochs x steps per epoch. `scheduler` is the
    class name, for people.
    """

    scheduler: str | None = Field(default=None, max_length=200)
    learning_rate: tuple[tuple[Run, ...], ...]
    momentum: tuple[tuple[Run, ...], ...] = ()


class Plateau(Data):
    """torch.optim.lr_scheduler.ReduceLROnPlateau: the one scheduler that asks how training goes."""

    monitor: Literal["loss", "accuracy", "train_loss"]
    mode: Literal["min", "max"]
    factor: float = Field(gt=0, lt=1)
    patience: int = Field(ge=0, le=10_000)
    threshold: float
    threshold_mode: Literal["rel", "abs"]
    cooldown: int = Field(ge=0, le=10_000)
    min_lr: tuple[float, ...]
    eps: float = Field(ge=0)


class Loss(Data):
    """`nll` expects log-probabilities, `cross_entropy` logits. `weight` has one entry per class."""

    name: Literal["cross_entropy", "nll"]
    label_smoothing: float = Field(default=0.0, ge=0, le=1)
    reduction: Literal["mean", "sum"] = "mean"
    weight: tuple[float, ...] | None = None


class Augmentation(Data):
    """One named torchvision operation with its settings, in torchvision's own words.

    `inner` are the operations of a container (RandomApply, RandomChoice, RandomOrder), applied in
    order.
    """

    name: Name
    settings: dict[Name, Any] = Field(default_factory=dict)
    inner: tuple[Augmentation, ...] = ()


class Recipe(Data):
    """How the student wants the network trained.

    `defaults` names what came from the assignment because the file does not say; `lines` has the
    line of each setting that the file says. `stop_at_accuracy` is 0 to 1.
    """

    epochs: int = Field(ge=1, le=100_000)
    batch_size: int = Field(ge=1, le=1_000_000)
    steps_per_epoch: int = Field(ge=1, le=MOST_STEPS)
    optimizer: Optimizer
    schedule: Schedule
    plateau: Plateau | None = None
    loss: Loss
    augmentations: tuple[Augmentation, ...] = ()
    clip_norm: float | None = Field(default=None, gt=0)
    clip_value: float | None = Field(default=None, gt=0)
    stop_at_accuracy: float | None = Field(default=None, gt=0, le=1)
    defaults: tuple[str, ...] = ()
    lines: dict[Name, int] = Field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Optimizer steps in the whole training."""
        return self.epochs * self.steps_per_epoch

    @property
    def follows_metric(self) -> bool:
        """Whether it asks how the network does on images that it does not train on.

        That is a plateau rule, unless it watches the training loss, or a stop at an accuracy.
        """
        asks = self.plateau is not None and self.plateau.monitor != "train_loss"
        return asks or self.stop_at_accuracy is not None
