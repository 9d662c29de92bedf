"""Optimizer steps that read everything from tensors, so that a CUDA graph can replay them.

In: a Recipe and a network's weights. Out: an `Update`, which does what the recipe's torch.optim
class does, up to rounding. torch.optim itself cannot be recorded: it takes momentum, and for some
classes the learning rate and the number of the step, from Python. All parameters of a group lie
side by side in one vector, so that a step is a few operations, not a few for each parameter.

A worked example: weights of 3 and of 2 numbers become one vector of 128, the first at 0 to 2, the
second at 64 and 65, zeros between. Both stay views of it, so that the network sees what a step
changes. SGD with momentum 0.9 and learning rate 0.1, under a gradient of 1 throughout: the velocity
is 1, then 0.9 * 1 + 1 = 1.9, so that the weights move by -0.1, then by -0.19. Where the rates are
[0.1, 0.05] instead, the second step takes 0.05 from that vector at its own number: by -0.095.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from grader.program.recipe import Recipe
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.optimizer import build, expand, reduce_on_plateau
from grader.training.engine.rules import RULES, Step

ALIGNED = 64
"""Parameters begin at multiples of so many numbers: kernels read aligned memory faster."""


class NotRecordableError(CannotTrainError):
    """Something in a step cannot be recorded; the text says what."""


@dataclass(slots=True)
class _Group:
    """One parameter group: its vectors; what it uses at every step of the schedule.

    `decays` are None where the weight decay never moves, which saves a kernel.
    """

    step: Callable[[Step], None]
    settings: Mapping[str, Any]
    members: list[int]
    weights: Tensor
    rates: Tensor
    momenta: Tensor
    decays: Tensor | None
    initial: dict[str, float]
    state: dict[str, Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.state = {
            name: torch.full_like(self.weights, value) for name, value in self.initial.items()
        }

    def reset(self) -> None:
        for name, value in self.initial.items():
            self.state[name].fill_(value)


class Update:
    """The optimizer of a Recipe, over the `learned` parameters: those that the loss depends on.

    Moves their values into one vector for each parameter group. Raises SubmissionError as
    `optimizer.build` does, and NotRecordableError, with all parameters where they were, for a
    recipe that only torch's own optimizer can follow.
    """

    def __init__(
        self, recipe: Recipe, weights: Mapping[str, Tensor], learned: Sequence[Tensor]
    ) -> None:
        self._recipe = recipe
        self._learned = learned
        self._optimizer = build(recipe, weights)  # never steps: it checks and holds the settings
        _check(recipe, learned)
        self._plateau = reduce_on_plateau(recipe.plateau, self._optimizer)
        self._place = {id(parameter): number for number, parameter in enumerate(learned)}
        device = learned[0].device
        self._taken = torch.zeros((), dtype=torch.float64, device=device)
        self._gap = torch.zeros(ALIGNED, device=device)
        groups = enumerate(self._optimizer.param_groups)
        self._groups = [self._group(number, group, learned, device) for number, group in groups]
        self._moving = [group for group in self._groups if group.members]

    def learning_rate(self, step: int) -> float:
        """Of the first parameter group at that step of the schedule, counted from 0."""
        return float(self._groups[0].rates[step])

    def momentum(self, step: int) -> float | None:
        """Momentum or beta1 of the first parameter group at that step; None if there is neither."""
        settings = self._groups[0].settings
        return (
            float(self._groups[0].momenta[step])
            if "betas" in settings or "momentum" in settings
            else None
        )

    def step(self, gradients: Sequence[Tensor], number: Tensor) -> None:
        """Clip, then take step `number` of the schedule along `gradients` of `learned`.

        `number` is a tensor, counted from 0.
        """
        self._taken += 1
        for group, gradient in zip(self._moving, self._clipped(gradients), strict=True):
            # `take`, because indexing with a tensor without dimension reads it on the host.
            rate, momentum = group.rates.take(number), group.momenta.take(number)
            decay = group.settings.get("weight_decay", 0.0)
            if group.decays is not None:
                decay = group.decays.take(number)
            signed = -gradient if group.settings.get("maximize") else gradient
            group.step(
                Step(
                    group.weights,
                    signed,
                    rate,
                    momentum,
                    decay,
                    self._taken,
                    group.settings,
                    group.state,
                )
            )

    def tell(self, metric: float) -> None:
        """Hand the epoch's metric to the plateau rule, where the Recipe has one."""
        if self._plateau is not None:
            self._plateau.step(metric)
            for group, settings in zip(self._groups, self._optimizer.param_groups, strict=True):
                group.rates.fill_(settings["lr"])

    def reset(self) -> None:
        """Forget all steps taken; the weights stay as they are."""
        self._taken.zero_()
        for group in self._groups:
            group.reset()

    def _group(
        self, number: int, group: dict[str, Any], learned: Sequence[Tensor], device: torch.device
    ) -> _Group:
        schedule, rule = self._recipe.schedule, RULES[self._recipe.optimizer.name]
        members = [self._place[id(item)] for item in group["params"] if id(item) in self._place]
        settings = {key: value for key, value in group.items() if key != "params"}
        filled = "initial_accumulator_value"
        if filled in settings:  # torch.optim fills all groups alike
            settings[filled] = self._optimizer.defaults[filled]
        rates = list(expand(schedule.learning_rate[number]))
        if self._plateau is not None:
            rates = [group["lr"]] * len(rates)
        fixed = settings["betas"][0] if "betas" in settings else settings.get("momentum", 0.0)
        momenta = (
            list(expand(schedule.momentum[number])) if schedule.momentum else [fixed] * len(rates)
        )
        decays = None
        if schedule.weight_decay:
            values = list(expand(schedule.weight_decay[number]))
            decays = torch.tensor(values, dtype=torch.float64, device=device)
        return _Group(
            step=rule.step,
            settings=settings,
            members=members,
            weights=_side_by_side([learned[member] for member in members], device),
            rates=torch.tensor(rates, dtype=torch.float64, device=device),
            momenta=torch.tensor(momenta, dtype=torch.float64, device=device),
            decays=decays,
            initial=rule.state(settings, any(momenta)),
        )

    def _clipped(self, gradients: Sequence[Tensor]) -> Iterable[Tensor]:
        """The gradient vector of every group, clipped as the Recipe says."""
        vectors: list[Tensor] = []
        for group in self._moving:
            vectors.append(self._vector(gradients, group.members))
        if self._recipe.clip_value is not None:
            vectors = [
                vector.clamp(-self._recipe.clip_value, self._recipe.clip_value)
                for vector in vectors
            ]
            gradients = [
                gradient.clamp(-self._recipe.clip_value, self._recipe.clip_value)
                for gradient in gradients
            ]
        if self._recipe.clip_norm is not None:
            norm = torch.nn.utils.get_total_norm(gradients)
            share = (self._recipe.clip_norm / (norm + 1e-6)).clamp(max=1)
            vectors = [vector * share for vector in vectors]
        return vectors

    def _vector(self, gradients: Sequence[Tensor], members: Sequence[int]) -> Tensor:
        """Those gradients (at least one), laid out as `_side_by_side` lays out their parameters."""
        pieces = []
        for member in members:
            item = gradients[member]
            flat = _in_order_of(self._learned[member], item).reshape(-1)
            pieces += [flat, self._gap[: _padded(item.numel()) - item.numel()]]
        return torch.cat(pieces)


def _check(recipe: Recipe, learned: Sequence[Tensor]) -> None:
    name = recipe.optimizer.name
    if name not in RULES:
        raise NotRecordableError(f"there is no rule for torch.optim.{name}")
    odd = {parameter.dtype for parameter in learned} - {torch.float32}
    if odd:
        names = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in odd))
        raise NotRecordableError(f"some parameters are {names}, not float32")
    if "velocity" in RULES[name].state({}, True):
        for runs in recipe.schedule.momentum:
            moves = [run.value != 0 for run in runs]
            # Without momentum torch.optim takes a step that neither uses nor changes the velocity.
            if any(moves) and not all(moves):
                raise NotRecordableError("the momentum is zero at some steps only")


def _padded(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED


def _side_by_side(parameters: Sequence[Tensor], device: torch.device) -> Tensor:
    """Move the parameters' values into one vector, of which they become views.

    Filters with channels last stay so.
    """
    vector = torch.zeros(sum(_padded(item.numel()) for item in parameters), device=device)
    begin = 0
    for item in parameters:
        flat = vector[begin : begin + item.numel()]
        if _has_channels_last(item):
            piece = flat.as_strided(item.shape, item.stride(), begin)
        else:
            piece = flat.view(item.shape)
        piece.copy_(item.detach())
        item.data = piece
        begin += _padded(item.numel())
    return vector


def _in_order_of(parameter: Tensor, gradient: Tensor) -> Tensor:
    """The gradient, its axes in the order in which the parameter's numbers lie."""
    return gradient.permute(0, 2, 3, 1) if _has_channels_last(parameter) else gradient


def _has_channels_last(tensor: Tensor) -> bool:
    return (
        tensor.ndim == 4
        and tensor.is_contiguous(memory_format=torch.channels_last)
        and not tensor.is_contiguous()
    )
