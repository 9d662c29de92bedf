"""The default recipe of an assignment as Python that a student reads and edits.

In: an Assignment. Out: expressions of torch and torchvision, for `starter.jinja`. The grader reads
a file with these as the recipe that the assignment itself has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grader.assignment import Assignment, TransformChoice

WIDEST = 80
ONLY_IN_VERSION_2 = ("ToImage", "ToDtype")


def transforms(asked: Assignment) -> list[str]:
    """One expression for each step of the training transform."""
    return [_transform(choice) for choice in asked.recipe.train_transform]


def needs_version_2(asked: Assignment) -> bool:
    """Whether torchvision's `v2` has to be imported."""
    return any(choice.name in ONLY_IN_VERSION_2 for choice in asked.recipe.train_transform)


def _transform(choice: TransformChoice) -> str:
    module = "v2" if choice.name in ONLY_IN_VERSION_2 else "transforms"
    if choice.name == "Normalize":
        arguments = ", ".join(repr(choice.settings[key]) for key in ("mean", "std"))
    else:
        arguments = _arguments(choice.settings)
    return f"{module}.{choice.name}({arguments})"


def optimizer(asked: Assignment) -> str:
    """The call that makes the optimizer of `model`."""
    choice = asked.recipe.optimizer
    settings = _arguments(choice.settings)
    return f"torch.optim.{choice.name}({', '.join(filter(None, ['model.parameters()', settings]))})"


def scheduler(asked: Assignment) -> str:
    """The call that makes the scheduler of `optimizer`; "" where there is none."""
    choice = asked.recipe.scheduler
    if choice is None:
        return ""
    settings = _arguments({**choice.settings})
    length = _length(choice.name, choice.settings, by_step=choice.interval == "step")
    arguments = ", ".join(filter(None, ["optimizer", length, settings]))
    call = f"torch.optim.lr_scheduler.{choice.name}("
    if len(call) + len(arguments) > WIDEST:
        return f"{call}\n        {arguments}\n    )"
    return f"{call}{arguments})"


def _length(name: str, settings: Mapping[str, Any], *, by_step: bool) -> str:
    """How often it will step, where the assignment leaves that to the grader."""
    if name == "OneCycleLR" and not {"total_steps", "epochs", "steps_per_epoch"} & settings.keys():
        return "epochs=epochs, steps_per_epoch=steps_per_epoch" if by_step else "total_steps=epochs"
    if name == "CosineAnnealingLR" and "T_max" not in settings:
        return "T_max=epochs * steps_per_epoch" if by_step else "T_max=epochs"
    return ""


def _arguments(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_value(name, value)}" for name, value in settings.items())


def _value(name: str, value: Any) -> str:
    return f"torch.{value}" if name == "dtype" and isinstance(value, str) else repr(value)
