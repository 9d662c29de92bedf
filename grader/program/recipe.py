"""How a student wants the network trained. Pure data."""

from __future__ import annotations

import math
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
    has neither) are run-length coded and add up to epochs x steps per epoch; so is
    `weight_decay[g]`, which is empty where it never changes (the group's own setting holds then).
    `scheduler` is the class name, for people.
    """

    scheduler: str | None = Field(default=None, max_length=200)
    learning_rate: tuple[tuple[Run, ...], ...]
    momentum: tuple[tuple[Run, ...], ...] = ()
    weight_decay: tuple[tuple[Run, ...], ...] = ()


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


class Penalty(Data):
    """A term on weights that is added to the loss: `factor` times the sum over `parameters`.

    "l1" sums absolute values, "l2" squares, and "norm" the Euclidean norm of each weight.
    """

    kind: Literal["l1", "l2", "norm"]
    factor: float = Field(gt=0)
    parameters: tuple[Name, ...] = Field(min_length=1)


class Patience(Data):
    """Training that ends when `monitor` has not improved for `epochs` epochs in a row.

    "loss" and "accuracy" (0 to 1) are those of held-back images, the others of training images as
    the network saw them while it learned. An epoch improves when it is better than the best by more
    than `threshold`.
    """

    monitor: Literal["loss", "accuracy", "train_loss", "train_accuracy"]
    epochs: int = Field(ge=1, le=10_000)
    threshold: float = Field(default=0.0, ge=0)


class Remark(Data):
    """Something to say of the student's training, with the line in the listing."""

    text: Annotated[str, Field(max_length=2_000)]
    line: int | None = Field(default=None, ge=1)


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

    `origin` says where it was read: in the training that the student handed in, which was rehearsed
    (`rehearsed`), in the names of the convention (`convention`), or, wholly, in the assignment.
    `defaults` names what came from the assignment because the file does not say; `lines` has the
    line of each setting that the file says; `remarks` say where the grader trains otherwise than
    the student did.

    `images` are the first so many of the training images, in an order drawn under the seed, where
    the student kept some back; None: all. What the grader holds back for a metric is taken from the
    others, as far as these go. An epoch is `steps_per_epoch` batches: the last, smaller one is left
    out with `drop_last`. `penalties` are added to the loss that gradients are taken of; the loss
    that is reported, and that rules watch, is without them. `stop_at_accuracy` is 0 to 1, and stops
    after that many epochs in a row (`stop_after`) that reach it; `stop_monitor` says on which
    images.
    """

    epochs: int = Field(ge=1, le=100_000)
    batch_size: int = Field(ge=1, le=1_000_000)
    steps_per_epoch: int = Field(ge=1, le=MOST_STEPS)
    optimizer: Optimizer
    schedule: Schedule
    plateau: Plateau | None = None
    loss: Loss
    augmentations: tuple[Augmentation, ...] = ()
    images: int | None = Field(default=None, ge=1)
    drop_last: bool = False
    penalties: tuple[Penalty, ...] = Field(default=(), max_length=100)
    patience: Patience | None = None
    clip_norm: float | None = Field(default=None, gt=0)
    clip_value: float | None = Field(default=None, gt=0)
    stop_at_accuracy: float | None = Field(default=None, gt=0, le=1)
    stop_after: int = Field(default=1, ge=1, le=10_000)
    stop_monitor: Literal["accuracy", "train_accuracy"] = "accuracy"
    origin: Literal["rehearsed", "convention", "assignment"] = "convention"
    remarks: tuple[Remark, ...] = Field(default=(), max_length=50)
    defaults: tuple[str, ...] = ()
    lines: dict[Name, int] = Field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Optimizer steps in the whole training."""
        return self.epochs * self.steps_per_epoch

    def learned_from(self, images: int) -> int:
        """How many of `images` training images it trains on."""
        return min(self.images or images, images)

    def batches(self, images: int) -> int:
        """Steps of an epoch where there are `images` training images; 0 where they are too few."""
        count = self.learned_from(images)
        return count // self.batch_size if self.drop_last else math.ceil(count / self.batch_size)

    @property
    def follows_metric(self) -> bool:
        """Whether it asks how the network does on images that it does not train on.

        That is a plateau rule, patience, or a stop at an accuracy, unless it watches the images
        that are trained on.
        """
        plateau = self.plateau is not None and self.plateau.monitor != "train_loss"
        patience = self.patience is not None and not self.patience.monitor.startswith("train")
        stop = self.stop_at_accuracy is not None and self.stop_monitor == "accuracy"
        return plateau or patience or stop


def check_curves(recipe: Recipe) -> None:
    """Raises ValueError unless the schedule has a value for every group at every step."""
    schedule = recipe.schedule
    for curves in (schedule.learning_rate, schedule.momentum, schedule.weight_decay):
        if curves and len(curves) != len(recipe.optimizer.groups):
            raise ValueError(
                "the schedule has another number of parameter groups than the optimizer"
            )
        for curve in curves:
            if sum(run.steps for run in curve) != recipe.steps:
                raise ValueError("the schedule does not cover epochs x steps_per_epoch steps")
