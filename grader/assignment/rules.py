"""All rules of one assignment, and how they go together. In: its tables. Out: an `Assignment`."""

from __future__ import annotations

from typing import Self

from pydantic import Field, PrivateAttr, model_validator

from grader.assignment.recipe import DefaultRecipe
from grader.assignment.steps import Step
from grader.assignment.tables import (
    Check,
    CheckName,
    DatasetName,
    Limits,
    MetricImages,
    Protocol,
)
from grader.checks import own
from grader.checks.limits import Table
from grader.training.datasets import DATASETS

HELD_BACK = 12
"""One training image in this many is a validation image: 5,000 of MNIST's 60,000."""
_MAKE_TENSORS = ("ToTensor", "PILToTensor", "ToImage")


class Assignment(Table):
    """One assignment. `checks` keeps the file's order, which is the scorecard's.

    `dataset` decides the images; `input_shape` is (channels, rows, columns) of one of them.
    `borderline_earns_points`: an accuracy that is too close to the limit to call earns its points.
    `most_seeds`: the most training runs, each under another seed, that a grading takes to be sure.

    `metric_images`: what a recipe that follows a metric (a plateau rule, a stop at an accuracy) is
    told about after each epoch. "validation": training images that the grader holds back, so that
    such a recipe trains on fewer. "test": the test images, which then have a part in training; the
    report says so.

    `training`: the file of a folder that trains, where the brief names it: "train.py".

    `steps`: the networks that a work consists of, in order, each an assignment of its own: see
    `of_step`. Empty for an assignment of one network.
    """

    name: str = Field(pattern="^[a-z][a-z0-9_]{0,39}$")
    title: str = Field(min_length=1, max_length=100)
    dataset: DatasetName
    input_shape: tuple[int, int, int]
    classes: int = Field(ge=2)
    protocol: Protocol
    borderline_earns_points: bool = True
    most_seeds: int = Field(default=5, ge=1, le=100)
    metric_images: MetricImages = "validation"
    training: str | None = Field(default=None, min_length=1, max_length=200)
    limits: Limits
    checks: dict[CheckName, Check] = Field(min_length=1)
    recipe: DefaultRecipe
    steps: tuple[Step, ...] = Field(default=(), max_length=9)
    _own_checks: own.OwnChecks = PrivateAttr(own.NONE)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._agree()
        names = [step.name for step in self.steps]
        if len(names) == 1:
            raise ValueError("steps has one step: write at least two, or none")
        for place, name in enumerate(names):
            clash = next((one for one in names[:place] if f"{name}_".startswith(f"{one}_")), None)
            if clash or any(f"{one}_".startswith(f"{name}_") for one in names[:place]):
                raise ValueError(
                    f"steps.{place}.name is {name!r}, too much like another step's: a file could "
                    "be of either"
                )
            try:
                self.of_step(name)._agree()
            except ValueError as error:
                raise ValueError(f"steps.{place}: {error}") from error
        return self

    def _agree(self) -> None:
        """Raises ValueError where what is asked contradicts itself or the images."""
        images, recipe = DATASETS[self.dataset], self.recipe
        if (self.input_shape, self.classes) != (images.input_shape, images.classes):
            raise ValueError(
                f"dataset {self.dataset!r} has input_shape = {list(images.input_shape)} "
                f"and classes = {images.classes}"
            )
        if recipe.epochs > self.limits.epochs:
            raise ValueError(
                f"recipe.epochs is {recipe.epochs}, "
                f"more than limits.epochs = {self.limits.epochs} allows"
            )
        most = max(self.input_shape[1:])
        if self.limits.receptive_field > most:
            raise ValueError(
                f"limits.receptive_field is {self.limits.receptive_field}, but an image of "
                f"{images.title} has only {most} pixels across: write at most {most}"
            )
        shift = self.limits.robust_shift.pixels
        if 2 * shift > most:
            raise ValueError(
                f"limits.robust_shift.pixels is {shift}, but an image of {images.title} has {most} "
                f"pixels across, of which little would be left: write at most {most // 2}"
            )
        if self.limits.weights < self.limits.parameters.number:
            raise ValueError(
                f"limits.weights is {self.limits.weights:,}, fewer than limits.parameters allows "
                f"({self.limits.parameters})"
            )
        steps = recipe.epochs * -(-images.train_images // recipe.batch_size)
        if steps > self.limits.steps:
            raise ValueError(
                f"recipe.epochs = {recipe.epochs} with recipe.batch_size = {recipe.batch_size} are "
                f"{steps:,} steps of training, more than limits.steps = {self.limits.steps:,} allow"
            )
        if recipe.batch_size > images.train_images:
            raise ValueError(
                f"recipe.batch_size is {recipe.batch_size:,}, but {images.title} has only "
                f"{images.train_images:,} training images"
            )

    @model_validator(mode="after")
    def _enough_seeds(self) -> Self:
        """A spread over seeds takes as many as are allowed."""
        if "stable" in self.checks and self.limits.stable.seeds > self.most_seeds:
            raise ValueError(
                f"limits.stable.seeds is {self.limits.stable.seeds}, more training runs than "
                f"most_seeds = {self.most_seeds} allows"
            )
        return self

    @model_validator(mode="after")
    def _made_for_the_images(self) -> Self:
        """The default transform makes one tensor of an image, and normalises its channels."""
        names = [choice.name for choice in self.recipe.train_transform]
        tensors = [place for place, name in enumerate(names) if name in _MAKE_TENSORS]
        if names and not tensors:
            raise ValueError(
                "recipe.train_transform makes no tensor of an image: add ToTensor, before Normalize"
            )
        if names.count("ToTensor") > 1:
            raise ValueError("recipe.train_transform has ToTensor twice: once is enough")
        channels = self.input_shape[0]
        for place, choice in enumerate(self.recipe.train_transform):
            if choice.name != "Normalize":
                continue
            key = f"recipe.train_transform.{place}"
            if place < tensors[0]:
                raise ValueError(f"{key} is Normalize, before ToTensor: write it after")
            for setting in ("mean", "std"):
                numbers = choice.settings.get(setting, ())
                count = len(numbers) if isinstance(numbers, tuple) else 1
                if count not in (0, 1, channels):
                    raise ValueError(
                        f"{key}.settings.{setting} has {count} numbers, but an image has "
                        f"{channels} channel{'s' if channels > 1 else ''}: write {channels}, or "
                        "leave the settings out for the data set's own"
                    )
        return self

    @model_validator(mode="after")
    def _normalised(self) -> Self:
        """With the data set's own mean and deviation where the file gives none."""
        transforms = []
        for choice in self.recipe.train_transform:
            if choice.name == "Normalize" and not choice.settings:
                images = DATASETS[self.dataset]
                settings = {"mean": (images.mean,), "std": (images.deviation,)}
                choice = choice.model_copy(update={"settings": settings})
            transforms.append(choice)
        recipe = self.recipe.model_copy(update={"train_transform": tuple(transforms)})
        return self.model_copy(update={"recipe": recipe})

    @property
    def own_checks(self) -> own.OwnChecks:
        """The checks that lie in its folder."""
        return self._own_checks

    @property
    def points(self) -> float:
        """The most that a submission can earn, in all steps together."""
        if self.steps:
            return sum(self.of_step(step.name).points for step in self.steps)
        return sum(check.points for check in self.checks.values())

    def of_step(self, name: str) -> Assignment:
        """The assignment that the step of that name is; itself for "". Raises KeyError."""
        if not name:
            return self
        step = {one.name: one for one in self.steps}[name]
        # Before the others, among which training starts: what fails before it saves the training.
        more = {key: one for key, one in step.checks.items() if key not in self.checks}
        known = {key: step.checks.get(key, check) for key, check in self.checks.items()}
        alone = {
            "title": f"{self.title}: {step.title}",
            "protocol": step.protocol or self.protocol,
            "limits": self.limits.model_copy(update=step.limits.said),
            "checks": {**more, **known},
            "steps": (),
        }
        return self.model_copy(update=alone)

    def validation_images(self, train_images: int) -> int:
        """How many of the training images are held back from a recipe that follows a metric."""
        return train_images // HELD_BACK if self.metric_images == "validation" else 0
