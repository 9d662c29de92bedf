"""A recipe that was read from a training, written in the convention and read again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from grader.assignment import Assignment
from grader.capture import recipe as reader
from grader.capture.load import read_definitions
from grader.judging import whose_recipe
from grader.program.recipe import Recipe
from grader.program.rehearsed import Rehearsed
from grader.render import convention

LEFT_OUT = "moves at every step, by a rule of your own"

BESIDE = "moves beside the rule"
"""What the convention has no words for: momentum or weight decay that moves beside a rule."""

MISTAKEN = "# This waits for the"


class Weights(nn.Module):
    """Nothing but weights with these names."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self._named = {name: nn.Parameter(torch.zeros(1)) for name in names}

    def named_parameters(self, *_: Any, **__: Any) -> Iterator[tuple[str, nn.Parameter]]:
        return iter(self._named.items())

    def parameters(self, *_: Any) -> Iterator[nn.Parameter]:
        return iter(self._named.values())


def lost(rehearsed: Rehearsed, assignment: Assignment, *, train_images: int) -> list[str]:
    """What of the recipe is another one when it is read in the convention, in words."""
    recipe, training = rehearsed.recipe, rehearsed.training
    assert recipe is not None
    assert training is not None
    trains_all = whose_recipe.trains_all(rehearsed)
    scheduler = whose_recipe.scheduler(recipe, rehearsed, assignment)
    source = convention.written(recipe, scheduler, trains_all=trains_all)
    if MISTAKEN in source:  # the convention refuses it, and the comment says so
        return []
    names = [name for group in recipe.optimizer.groups for name in group.parameters]
    found = reader.read(
        read_definitions(source, "written.py"),
        Weights(names if trains_all else [*names, "another.weight"]),
        default=assignment.recipe.model_dump(mode="json"),
        train_images=train_images,
        validation_images=assignment.validation_images(train_images),
        most_steps=assignment.limits.steps,
        natural_loss="nll" if recipe.loss.name == "cross_entropy" else "cross_entropy",
    )
    one, two = _plain(recipe), _plain(found)
    words = [
        f"{name}: {one[name]} is read as {two[name]}" for name in one if one[name] != two[name]
    ]
    return [*words, *([] if LEFT_OUT in source or BESIDE in source else _moved(recipe, found))]


def _plain(recipe: Recipe) -> dict[str, Any]:
    aside = {"lines", "defaults", "origin", "remarks", "schedule"}
    return recipe.model_dump(exclude=aside)


def _moved(one: Recipe, two: Recipe) -> Iterator[str]:
    """Curves that differ by more than rounding."""
    for name in ("learning_rate", "momentum", "weight_decay"):
        left, right = _values(one, name), _values(two, name)
        if len(left) != len(right) or not all(map(_close, left, right)):
            yield f"the {name} moves otherwise"


def _values(recipe: Recipe, name: str) -> list[float]:
    found = []
    for runs in getattr(recipe.schedule, name):
        for run in runs:
            found += [run.value] * run.steps
    return found


def _close(one: float, two: float) -> bool:
    return math.isclose(one, two, rel_tol=1e-12, abs_tol=1e-15)
