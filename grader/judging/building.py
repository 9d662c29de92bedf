"""Build the optimizer, the scheduler and the transform of an assignment's default recipe.

In: an Assignment. Out: nothing, or an AssignmentError that names the key, what torch or torchvision
says, and what would be accepted. Loads torch: `default_recipe.py` remembers what was right.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from grader.assignment import (
    FILE,
    Assignment,
    SchedulerChoice,
    TransformChoice,
    did_you_mean,
    sentence,
)
from grader.errors import AssignmentError
from grader.training.choices import SCHEDULERS
from grader.training.datasets import DATASETS


def build_and_use(assignment: Assignment) -> None:
    """Build each of the three, and use it. Raises AssignmentError."""
    optimizer = _optimizer(assignment)
    _used(assignment, "recipe.optimizer", assignment.recipe.optimizer.name, optimizer.step)
    if assignment.recipe.scheduler is not None:
        _scheduler(assignment, assignment.recipe.scheduler, optimizer)
    _transform(assignment)


def _optimizer(assignment: Assignment) -> torch.optim.Optimizer:
    choice = assignment.recipe.optimizer
    kind = getattr(torch.optim, choice.name)
    layer = nn.Linear(2, 2)
    key = "recipe.optimizer"
    make = partial(kind, layer.parameters(), **choice.settings)
    made: torch.optim.Optimizer = _made(assignment, key, kind, choice.settings, make)
    layer(torch.ones(1, 2)).sum().backward()
    return made


def _scheduler(
    assignment: Assignment, choice: SchedulerChoice, optimizer: torch.optim.Optimizer
) -> None:
    recipe = assignment.recipe
    times = recipe.epochs
    if choice.interval == "step":
        times *= -(-DATASETS[assignment.dataset].train_images // recipe.batch_size)
    settings = dict(choice.settings)
    length = SCHEDULERS[choice.name]
    # OneCycleLR may be told its length as epochs and steps instead.
    if length and length not in settings and not {"epochs", "steps_per_epoch"} & settings.keys():
        settings[length] = times
    kind = getattr(torch.optim.lr_scheduler, choice.name)
    key = "recipe.scheduler"
    made = _made(assignment, key, kind, settings, partial(kind, optimizer, **settings))
    optimizer.step()  # torch looks whether the scheduler comes after it
    _used(assignment, key, choice.name, made.step)


def _transform(assignment: Assignment) -> None:
    if not assignment.recipe.train_transform:
        return
    from PIL import Image

    channels, rows, columns = assignment.input_shape
    image: Any = Image.new("L" if channels == 1 else "RGB", (columns, rows))
    for place, choice in enumerate(assignment.recipe.train_transform):
        key = f"recipe.train_transform.{place}"
        kind, settings = _class_and_settings(choice)
        made = _made(assignment, key, kind, settings, partial(kind, **settings))
        image = _used(assignment, key, choice.name, partial(made, image))
    shape = tuple(image.shape) if isinstance(image, torch.Tensor) else None
    if shape != assignment.input_shape or not image.is_floating_point():
        found = f"{image.dtype} of shape {list(shape)}" if shape else type(image).__name__
        wanted = f"a float tensor of shape {list(assignment.input_shape)}"
        raise _mistake(
            assignment, f"recipe.train_transform makes {found} of an image; it must make {wanted}"
        )


def _class_and_settings(choice: TransformChoice) -> tuple[Any, dict[str, Any]]:
    from torchvision import transforms
    from torchvision.transforms import v2

    settings: dict[str, Any] = dict(choice.settings)
    if isinstance(settings.get("dtype"), str):
        settings["dtype"] = getattr(torch, settings["dtype"], settings["dtype"])
    return getattr(transforms, choice.name, None) or getattr(v2, choice.name), settings


def _made(
    assignment: Assignment,
    key: str,
    kind: Any,
    settings: Mapping[str, Any],
    make: Callable[[], Any],
) -> Any:
    """The object, or the mistake: the setting that is unknown, or the one that is missing."""
    needed = inspect.signature(kind).parameters
    known = [name for name in needed if name not in _OURS]
    name = kind.__name__
    for setting in settings:
        if setting not in known:
            listed = ", ".join(known) or "none"
            raise _mistake(
                assignment,
                f"{key}.settings.{setting} is not a setting of {name}; known: {listed}."
                f"{did_you_mean(setting, known)}",
            )
        if words := _wrong_type(needed[setting].default, settings[setting]):
            found = json.dumps(settings[setting], default=str)
            raise _mistake(assignment, f"{key}.settings.{setting} = {found}; {words}")
    for setting in known:
        if needed[setting].default is inspect.Parameter.empty and setting not in settings:
            raise _mistake(assignment, f"{key}.settings.{setting} is missing: {name} needs it")
    try:
        return make()
    except Exception as error:  # whatever torch says about a number
        raise _refused(assignment, key, name, error) from error


def _wrong_type(default: Any, given: Any) -> str:
    """What a setting must be that is of another type than torch's default for it, or ""."""
    if isinstance(default, bool):
        return "" if isinstance(given, bool) else "it must be true or false"
    if isinstance(default, int | float) and isinstance(given, str | bool):
        return "it must be a number"
    return ""


def _used(assignment: Assignment, key: str, name: str, use: Callable[[], Any]) -> Any:
    try:
        return use()
    except Exception as error:  # as above
        raise _refused(assignment, key, name, error) from error


_OURS = {"self", "params", "optimizer", "args", "kwargs", "last_epoch", "verbose"}
"""Arguments that the grader gives itself."""


def _refused(assignment: Assignment, key: str, name: str, error: Exception) -> AssignmentError:
    first = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    return _mistake(assignment, f"{key} ({name}) cannot be used: {first}")


def _mistake(assignment: Assignment, text: str) -> AssignmentError:
    return AssignmentError(f"assignments/{assignment.name}/{FILE}: {sentence(text)}")
