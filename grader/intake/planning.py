"""What an assignment's own recipe comes to, step by step: trusted code on trusted data.

In: the default recipe, and the steps of a training. Out: settings of the optimizer, and learning
rates and momenta. A locked child does this where the grader itself has not loaded torch.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch

from grader.assignment import DefaultRecipe
from grader.training.choices import SCHEDULERS

Planned = tuple[dict[str, Any], list[float], list[float]]


def answer(request: Mapping[str, Any]) -> bytes:
    """The same as JSON."""
    default = json.dumps(request["default"])
    curves = planned(default, request["steps"], request["each"])
    return json.dumps(curves, default=str).encode()


@cache
def planned(default: str, steps: int, steps_per_epoch: int) -> Planned:
    """Settings, and learning rates and momenta of all steps, of the assignment's recipe (JSON)."""
    recipe = DefaultRecipe.model_validate_json(default)
    optimizer = getattr(torch.optim, recipe.optimizer.name)(
        [torch.zeros(1, requires_grad=True)], **recipe.optimizer.settings
    )
    (group,) = optimizer.param_groups
    scheduler = _scheduler(recipe, optimizer, steps)
    # With what the scheduler has set.
    settings = {name: value for name, value in group.items() if name != "params"}
    rates, momenta = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no step of the optimizer is taken
        for step in range(1, steps + 1):
            rates.append(float(group["lr"]))
            momenta.append(
                float(group["betas"][0] if "betas" in group else group.get("momentum", 0))
            )
            if recipe.scheduler is None or step == steps:
                continue
            if recipe.scheduler.interval == "step" or step % steps_per_epoch == 0:
                scheduler.step()
    return settings, rates, momenta


def _scheduler(recipe: DefaultRecipe, optimizer: torch.optim.Optimizer, steps: int) -> Any:
    choice = recipe.scheduler
    if choice is None:
        return None
    settings = dict(choice.settings)
    length = SCHEDULERS[choice.name]
    if length and length not in settings:
        settings[length] = steps if choice.interval == "step" else recipe.epochs
    return getattr(torch.optim.lr_scheduler, choice.name)(optimizer, **settings)
