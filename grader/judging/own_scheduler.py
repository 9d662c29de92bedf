"""Whether a scheduler, made anew and stepped in time, sets rates and momenta of a recipe.

In: a Recipe and the scheduler that the student's training made. Out: yes or no. A scheduler may
have been stepped before the first epoch, or beside rates that were set by hand: written into a file
it would then make another curve than the one that was rehearsed.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch.optim import lr_scheduler

from grader.program.recipe import Recipe, Run
from grader.program.rehearsed import SchedulerUse

CLOSE = 1e-6
"""Relative: torch's closed and recursive forms of a curve differ by less."""


def makes(recipe: Recipe, use: SchedulerUse) -> bool:
    """Whether it makes the recipe's learning rates, stepped as the grader would step it."""
    kind = getattr(lr_scheduler, use.name, None)
    if not (isinstance(kind, type) and issubclass(kind, lr_scheduler.LRScheduler)):
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the optimizer has not stepped
        try:
            optimizer = _optimizer(recipe, use)
            settings: dict[str, Any] = dict(use.settings)
            scheduler = kind(optimizer, **settings)
            return _agrees(recipe, use, optimizer, scheduler)
        except (ArithmeticError, LookupError, TypeError, ValueError):  # what a child said of it
            return False


def _optimizer(recipe: Recipe, use: SchedulerUse) -> torch.optim.Optimizer:
    kind = getattr(torch.optim, recipe.optimizer.name)
    groups = []
    for group, rate in zip(recipe.optimizer.groups, use.rates, strict=True):
        groups.append({"params": [torch.zeros(1)], "lr": rate, **group.settings})
    return kind(groups)  # type: ignore[no-any-return]


def _agrees(
    recipe: Recipe, use: SchedulerUse, optimizer: torch.optim.Optimizer, scheduler: object
) -> bool:
    wide = recipe.steps_per_epoch if use.interval == "epoch" else 1
    curves = [_every(curve, wide) for curve in recipe.schedule.learning_rate]
    momenta = [_every(curve, wide) for curve in recipe.schedule.momentum]
    for at in range(recipe.steps // wide):
        if at:
            optimizer.step()
            scheduler.step()  # type: ignore[attr-defined]
        for group, curve in zip(optimizer.param_groups, curves, strict=True):
            if not _is_close(group["lr"], next(curve)):
                return False
        for group, curve in zip(optimizer.param_groups, momenta, strict=False):
            betas = group.get("betas")
            if not _is_close(betas[0] if betas else group.get("momentum", 0.0), next(curve)):
                return False
    return True


def _is_close(made: float, value: float | None) -> bool:
    return value is not None and math.isclose(made, value, rel_tol=CLOSE, abs_tol=1e-12)


def _every(curve: tuple[Run, ...], wide: int) -> Iterator[float | None]:
    """The rate of each stretch of `wide` steps; None where it moves within one."""
    for run in curve:
        yield from [run.value] * (run.steps // wide)
        if run.steps % wide:
            yield None
