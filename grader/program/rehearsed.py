"""What a rehearsal of the student's training saw: data that the child hands over, validated.

A rehearsal runs the whole training against stand-ins that cost nothing. A forged one is only
another recipe: the grader trains with what it is shown, so a forgery gains nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from grader.program.listing import Listing
from grader.program.recipe import Recipe, Remark, check_curves
from grader.program.values import Data

Plain = bool | int | float | Annotated[str, Field(max_length=1_000)] | None
PlainArgument = Plain | tuple[Plain, ...]


class RehearsalRequest(Data):
    """What a child is asked: rehearse the training of `listing.main`.

    `role` is how well the network pretends to do: "improving" (a little in each epoch, never
    good), "leaping" (a lot), "flat", "perfect" or "sagging" (worse after the first epoch, then
    slowly better); or two of these or of shares, for training and for test images: "0.9 0.994",
    "flat improving"; a third word, "duller", lets the loss fall while the accuracy stays.
    "jump loss 3 0.01 4" makes the third epoch better by 0.01 than all others, whose answers have
    the scale 4; "jump accuracy 3 0.01 0.3" likewise, from the share 0.3.
    `cuda` is what `torch.cuda.is_available()` says; `yes` is what a condition that asks something
    of a stand-in is answered with; `luck` which clock and which random numbers there are.
    `seconds` of processor time may be used. The data set that stands in has `train_images` and
    `test_images`. A training of more than `most_epochs` is not seen to its end.
    """

    listing: Listing
    role: str = "improving"
    cuda: bool = True
    yes: bool = False
    luck: int = Field(default=0, ge=0, le=1)
    seconds: float = Field(gt=0)
    dataset: str
    train_images: int = Field(ge=1)
    test_images: int = Field(ge=1)
    input_shape: tuple[int, ...]
    classes: int
    most_steps: int
    most_epochs: int | None = None


class TrainedNetwork(Data):
    """The class whose network was trained, in which file, and the arguments that it was built with.

    `whole` is False where an argument was more than plain data, and `arguments` do not hold it.
    `line` is where it was built.
    """

    file: str = Field(max_length=500)
    name: str = Field(max_length=200)
    arguments: tuple[PlainArgument, ...] = ()
    keywords: dict[str, PlainArgument] = Field(default_factory=dict)
    whole: bool = True
    line: int | None = None


class Fact(Data):
    """A line of the recipe for people: `name` ("optimizer"), what it is, and where it is said."""

    name: str = Field(max_length=50)
    text: str = Field(max_length=1_000)
    line: int | None = None


class SchedulerUse(Data):
    """The scheduler that a training made: its class in torch.optim.lr_scheduler, and its arguments.

    `interval` is how often the training stepped it; `rates` are the learning rates of the parameter
    groups before it set them.
    """

    name: str = Field(max_length=100)
    settings: dict[str, PlainArgument] = Field(default_factory=dict)
    interval: Literal["step", "epoch"] = "epoch"
    rates: tuple[float, ...] = ()


class Training(Data):
    """One training: optimizers in a row on one network, all of whose steps were seen.

    `recipe` is None where `obstacles` say why the grader cannot train so; `facts` are what was
    understood either way. `scheduler` is there where one alone, made of plain arguments, set the
    learning rate.
    """

    network: TrainedNetwork | None = None
    recipe: Recipe | None = None
    scheduler: SchedulerUse | None = None
    epochs: int | None = None
    steps: int = 0
    line: int | None = None
    facts: tuple[Fact, ...] = Field(default=(), max_length=50)
    obstacles: tuple[Remark, ...] = Field(default=(), max_length=50)
    notes: tuple[Remark, ...] = Field(default=(), max_length=50)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.recipe is not None:
            if self.epochs != self.recipe.epochs:
                raise ValueError("the recipe has another number of epochs than the training")
            if not self.recipe.schedule.learning_rate:
                raise ValueError("the schedule has no learning rate")
            check_curves(self.recipe)
        return self


class Rehearsal(Data):
    """All trainings of a file, in order, and what was seen beside them.

    `guesses` are values that a stand-in made up and the file then used; `troubles` what failed;
    `stand_ins` the packages that were stood in for; `printed` the end of what was printed.
    `backwards` counts calls of backward().
    `out_of_time`: the training was not seen to its end; `slowest` is the line that took most of it.
    """

    trainings: tuple[Training, ...] = Field(default=(), max_length=200)
    notes: tuple[Remark, ...] = Field(default=(), max_length=100)
    guesses: tuple[Remark, ...] = Field(default=(), max_length=100)
    troubles: tuple[Remark, ...] = Field(default=(), max_length=100)
    stand_ins: tuple[str, ...] = Field(default=(), max_length=200)
    printed: str = Field(default="", max_length=2_000)
    out_of_time: bool = False
    slowest: int | None = None
    optimizers_without_steps: int = 0
    backwards: int = 0
    cpu_seconds: float = Field(default=0.0, ge=0)

    @property
    def counting(self) -> Training | None:
        """The training that counts: the last. An earlier, complete one never stands in for it."""
        stepped = [training for training in self.trainings if training.steps > 1]
        return stepped[-1] if stepped else None


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What came of rehearsing a submission; `training` is the one that counts.

    Either `recipe` is there, or `obstacles` say why the student's own cannot be used. `notes` are
    small differences between what the student did and what the grader does.
    """

    rehearsal: Rehearsal
    training: Training | None = None
    recipe: Recipe | None = None
    obstacles: tuple[Remark, ...] = ()
    notes: tuple[Remark, ...] = ()
    rehearsals: int = 1

    @property
    def trained(self) -> TrainedNetwork | None:
        """The network that was trained, where the rehearsal saw which."""
        return self.training.network if self.training else None
