"""A Recipe's optimizer and schedule, rebuilt from data and followed step by step.

In: `Recipe.optimizer`, `Recipe.schedule`, `Recipe.plateau` and the network's parameters. Out: a
`Driver` that sets what the student's own scheduler set before each step. Only the optimizers and
settings of `OPTIMIZERS` are ever built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from grader.errors import SubmissionError
from grader.program.recipe import OptimizerGroup, Plateau, Recipe, Run
from grader.training.choices import OPTIMIZERS

WITHOUT_EFFECT = {
    *("foreach", "fused", "capturable", "differentiable"),  # how torch computes a step, not what
    *(
        "lr",
        "initial_lr",
        "max_lr",
        "min_lr",
        "base_momentum",
        "max_momentum",
        "swa_lr",
    ),  # the schedule's own notes
    "decoupled_weight_decay",  # fixed for AdamW, where it names the class; a setting of the others
}
"""What changes nothing in a parameter group whose rates come from the schedule."""


def expand(runs: Sequence[Run]) -> Iterator[float]:
    """The value of every step, from run-length coded `runs`."""
    return chain.from_iterable(repeat(run.value, run.steps) for run in runs)


def itself(optimizer: Optimizer) -> None:
    """One step as torch takes it."""
    optimizer.step()


class Driver:
    """An optimizer that follows a Recipe.

    Its order: `begin_step()`, backward, `step()`; after an epoch `tell(metric)`. `together` may put
    other tensors in the place of some parameters, in which these lie side by side: torch steps over
    each tensor by itself, and some optimizers take longer to begin with one than to compute it.

    Raises SubmissionError for a setting that torch refuses or that is not in `OPTIMIZERS`.
    """

    def __init__(
        self,
        recipe: Recipe,
        weights: Mapping[str, Tensor],
        together: Callable[[list[Tensor]], list[Tensor]] = list,
    ) -> None:
        self._recipe = recipe
        self._rates = [expand(runs) for runs in recipe.schedule.learning_rate]
        self._momenta = [expand(runs) for runs in recipe.schedule.momentum]
        self._decays = [expand(runs) for runs in recipe.schedule.weight_decay]
        learning = [weight for weight in _distinct(weights.values()) if weight.requires_grad]
        self._clipped = together(learning)
        self.optimizer = build(recipe, weights, together)
        self._plateau = reduce_on_plateau(recipe.plateau, self.optimizer)

    @property
    def learning_rate(self) -> float:
        """Of the first parameter group, now."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def momentum(self) -> float | None:
        """Momentum or beta1 of the first parameter group, now; None if there is neither."""
        group = self.optimizer.param_groups[0]
        value = group["betas"][0] if "betas" in group else group.get("momentum")
        return None if value is None else float(value)

    def begin_step(self) -> None:
        """Set rates, momenta and weight decay of the next step; forget the last one's gradients."""
        for group, rates in zip(self.optimizer.param_groups, self._rates, strict=True):
            rate = next(rates)
            if (
                self._plateau is None
            ):  # otherwise the plateau alone moves it, from where `build` started
                group["lr"] = rate
        for group, momenta in zip(self.optimizer.param_groups, self._momenta, strict=False):
            _set_momentum(group, next(momenta))
        for group, decays in zip(self.optimizer.param_groups, self._decays, strict=False):
            group["weight_decay"] = next(decays)
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def step(self, take: Callable[[Optimizer], None] = itself) -> None:
        """Clip the gradients of the network as the Recipe says, then take one optimizer step."""
        if self._recipe.clip_value is not None:
            torch.nn.utils.clip_grad_value_(self._clipped, self._recipe.clip_value)
        if self._recipe.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._clipped, self._recipe.clip_norm)
        take(self.optimizer)

    def tell(self, metric: float) -> None:
        """Hand the epoch's metric to the plateau rule, where the Recipe has one."""
        if self._plateau is not None:
            self._plateau.step(metric)


def build(
    recipe: Recipe,
    weights: Mapping[str, Tensor],
    together: Callable[[list[Tensor]], list[Tensor]] = list,
) -> Optimizer:
    """The optimizer as it stands before the first step.

    Whether torch computes a step for all parameters together or one by one is left to torch, as in
    the student's own file. Raises SubmissionError.
    """
    optimizer, schedule = recipe.optimizer, recipe.schedule
    if len(schedule.learning_rate) != len(optimizer.groups):
        raise SubmissionError(
            "The recipe has no learning rate for some parameter group of its optimizer."
        )
    if optimizer.name == "RMSprop" and any(_rises_from_zero(runs) for runs in schedule.momentum):
        raise SubmissionError(
            "torch.optim.RMSprop fails where the momentum is 0 at the first step and more later: "
            "it then has no place to keep it. Begin with a momentum above 0."
        )
    groups: list[dict[str, Any]] = []
    for number, group in enumerate(optimizer.groups):
        settings = _settings(optimizer.name, group)
        settings["lr"] = schedule.learning_rate[number][0].value
        if schedule.momentum:
            _set_momentum(settings, schedule.momentum[number][0].value)
        if schedule.weight_decay:
            settings["weight_decay"] = schedule.weight_decay[number][0].value
        parameters = together(_distinct(weights[name] for name in group.parameters))
        groups.append({"params": parameters, **settings})
    # The first group's settings double as the defaults: only the defaults are validated by torch.
    defaults = {name: value for name, value in groups[0].items() if name != "params"}
    try:
        built: Optimizer = getattr(torch.optim, optimizer.name)(groups, **defaults)
    except (ValueError, TypeError) as error:
        raise SubmissionError(
            f"torch.optim.{optimizer.name} refuses the recipe's settings: {error}."
        ) from error
    return built


def _rises_from_zero(momentum: Sequence[Run]) -> bool:
    return momentum[0].value == 0 and any(run.value for run in momentum)


def _settings(name: str, group: OptimizerGroup) -> dict[str, Any]:
    unknown = sorted(group.settings.keys() - OPTIMIZERS[name] - WITHOUT_EFFECT)
    if unknown:
        raise SubmissionError(
            f"The grader does not know the setting {unknown[0]} = {group.settings[unknown[0]]} of "
            f"torch.optim.{name}. It knows {', '.join(sorted(OPTIMIZERS[name]))}, and the "
            "learning rate."
        )
    defaults = (
        {"betas": (0.9, 0.999)} if "betas" in OPTIMIZERS[name] else {}
    )  # the schedule replaces the first of them
    return {
        **defaults,
        **{key: value for key, value in group.settings.items() if key in OPTIMIZERS[name]},
    }


def _set_momentum(group: dict[str, Any], value: float) -> None:
    if "betas" in group:
        group["betas"] = (value, group["betas"][1])
    else:
        group["momentum"] = value


def _distinct(tensors: Any) -> list[Tensor]:
    return list({id(tensor): tensor for tensor in tensors}.values())


def reduce_on_plateau(plateau: Plateau | None, optimizer: Optimizer) -> ReduceLROnPlateau | None:
    """PyTorch's own plateau rule over the optimizer's learning rates. Raises SubmissionError."""
    if plateau is None:
        return None
    return ReduceLROnPlateau(
        optimizer,
        mode=plateau.mode,
        factor=plateau.factor,
        patience=plateau.patience,
        threshold=plateau.threshold,
        threshold_mode=plateau.threshold_mode,
        cooldown=plateau.cooldown,
        min_lr=_per_group(plateau.min_lr, len(optimizer.param_groups)),
        eps=plateau.eps,
    )


def _per_group(values: tuple[float, ...], groups: int) -> list[float]:
    if len(values) not in (1, groups):
        raise SubmissionError(
            f"ReduceLROnPlateau has {len(values)} values of min_lr for {groups} parameter groups."
        )
    return list(values) * (groups // len(values))
