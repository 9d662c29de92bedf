"""What training hands out: steps, epochs, a whole run; and the two numbers that it may be told.

Frozen data. Logits leave training here; labels of the images that it is to be judged by never
enter.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a judge tells training after an epoch, of the metric's images.

    Accuracy (0 to 1) and mean loss.
    """

    accuracy: float
    loss: float


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """Where training is, for a progress display; epochs and steps count from 1.

    `learning_rate` is this step's, of the first parameter group. `loss` is the batch's. As a tensor
    it may still be on the device: asking for its value waits for the device, so a display should
    not ask at every step.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    learning_rate: float
    loss: Tensor | float


@dataclass(frozen=True, slots=True, eq=False)
class Epoch:
    """One epoch, counted from 1.

    `train_loss` and `train_accuracy` (0 to 1) are means over the `images` of the epoch, augmented,
    while the network learns from them; the loss is without the recipe's penalties. `learning_rate`
    and `momentum` (or beta1) are those of the first parameter group at the last step. `seconds` is
    training alone, `evaluation_seconds` the images looked at; the device had finished when the
    clock was read. `logits` float32 (images looked at, classes), on the CPU: the test images, and
    those of a metric behind them.
    """

    epoch: int
    images: int
    train_loss: float
    train_accuracy: float
    learning_rate: float
    momentum: float | None
    seconds: float
    evaluation_seconds: float
    logits: Tensor


@dataclass(frozen=True, slots=True)
class Moved:
    """How far a layer's weights went in the first epoch, divided by their size."""

    layer: str
    far: float


@dataclass(frozen=True, slots=True)
class Silent:
    """A ReLU of a finished network: of its `channels`, `dead` are zero on every image tried."""

    layer: str
    channels: int
    dead: int


@dataclass(frozen=True, slots=True)
class Flow:
    """What the gradients did to the layers, in the order in which they run."""

    moved: tuple[Moved, ...] = ()
    silent: tuple[Silent, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """How training ended: `finished`, or why not.

    A finished one may name the recipe's own early stop as its reason.

    `out_of_time`: it was stopped at its limit of seconds. `second_look` are the logits, float32 on
    the CPU, of the images that are looked at when a run is finished. `flow` is there where a `Task`
    asks for it.
    """

    finished: bool
    stopped_because: str = ""
    out_of_time: bool = False
    second_look: Tensor | None = field(default=None, compare=False, repr=False)
    flow: Flow | None = None


INTERRUPTED = Ending(finished=False, stopped_because="interrupted")


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRun:
    """One seed's training, as far as it came.

    `parameters_moved`: some trainable parameter is no longer what it was before the first step.
    `peak_memory_bytes` is the GPU's, or on a CPU that of this whole process since its start; None
    where it cannot be measured. `engine` names how it was computed ("eager, channels last"),
    `side_by_side` how many runs shared the device while it was. `preparation_seconds` passed before
    its first step: placing the images, recording a CUDA graph.
    """

    seed: int
    device: str
    epochs: tuple[Epoch, ...]
    ending: Ending
    parameters_moved: bool
    peak_memory_bytes: int | None
    engine: str = "eager"
    side_by_side: int = 1
    preparation_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """Training and evaluation of all epochs, without loading and preparing."""
        return sum(epoch.seconds + epoch.evaluation_seconds for epoch in self.epochs)

    @property
    def images_per_second(self) -> float:
        """Training images per second of training; 0 without an epoch."""
        seconds = sum(epoch.seconds for epoch in self.epochs)
        return sum(epoch.images for epoch in self.epochs) / seconds if seconds else 0.0
