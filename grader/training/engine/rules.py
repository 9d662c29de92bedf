"""How each optimizer steps, on vectors and on numbers that are tensors: one function each.

In: a `Step`, which holds weights, gradient, rates and what the optimizer keeps. Out: the weights,
changed in place. What moves from step to step comes in tensors, so that a recorded step can be
replayed with other values.

Source of the formulas: the pages of torch.optim.SGD, Adam, AdamW, RMSprop, NAdam, RAdam,
Adagrad and Adadelta.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(slots=True)
class Step:
    """What a step of one group works on: equally long vectors, and scalars as tensors.

    `weights` is changed in place, and so are the vectors of `state`; `number` counts the steps
    taken, this one too. The scalars are float64: 1 - beta2 ** number has few digits left in
    float32.
    """

    weights: Tensor
    gradient: Tensor
    rate: Tensor
    momentum: Tensor
    weight_decay: Tensor | float
    number: Tensor
    settings: Mapping[str, Any]
    state: Mapping[str, Tensor]

    def decay(self, *, decoupled: bool) -> None:
        """Weight decay: of the weights themselves, or by way of the gradient."""
        share = self.weight_decay
        moves = isinstance(share, Tensor)  # what is 0 at some steps is then taken at all
        if decoupled and (moves or share):
            self.weights.mul_(1 - self.rate * share)
        elif isinstance(share, Tensor):
            self.gradient = self.gradient.addcmul(self.weights, share)
        elif share:
            self.gradient = self.gradient.add(self.weights, alpha=share)


def sgd(step: Step) -> None:
    """torch.optim.SGD."""
    step.decay(decoupled=False)
    direction = step.gradient
    if "velocity" in step.state:
        velocity = step.state["velocity"].mul_(step.momentum)
        if dampening := step.settings.get("dampening"):
            velocity.add_(direction * torch.where(step.number == 1, 1.0, 1 - dampening))
        else:
            velocity.add_(direction)
        direction = (
            direction.addcmul(velocity, step.momentum)
            if step.settings.get("nesterov")
            else velocity
        )
    step.weights.addcmul_(direction, step.rate, value=-1)


def adam(step: Step) -> None:
    """torch.optim.Adam, and AdamW, whose weight decay is decoupled."""
    step.decay(decoupled=step.settings.get("decoupled_weight_decay", False))
    mean, square, second = _moments(step)
    if "largest" in step.state:
        square = step.state["largest"].copy_(torch.maximum(step.state["largest"], square))
    size = square.sqrt() / (1 - second**step.number).sqrt() + step.settings.get("eps", 1e-8)
    step.weights.sub_(step.rate / (1 - step.momentum**step.number) * mean / size)


def nadam(step: Step) -> None:
    """torch.optim.NAdam."""
    step.decay(decoupled=step.settings.get("decoupled_weight_decay", False))
    mean, square, second = _moments(step)
    slowing = step.settings.get("momentum_decay", 4e-3)
    now, following = (
        step.momentum * (1 - 0.5 * 0.96 ** (number * slowing))
        for number in (step.number, step.number + 1)
    )
    product = step.state["product"].mul_(now)
    size = (square / (1 - second**step.number)).sqrt() + step.settings.get("eps", 1e-8)
    step.weights.sub_(step.rate * (1 - now) / (1 - product) * step.gradient / size)
    step.weights.sub_(step.rate * following / (1 - product * following) * mean / size)


def radam(step: Step) -> None:
    """torch.optim.RAdam."""
    step.decay(decoupled=step.settings.get("decoupled_weight_decay", False))
    mean, square, second = _moments(step)
    corrected = mean / (1 - step.momentum**step.number)
    shrunk = 1 - second**step.number
    longest = 2 / (1 - second) - 1
    length = longest - 2 * step.number * second**step.number / shrunk
    certain = (length.clamp(min=5) - 4) * (length.clamp(min=5) - 2) * longest
    rectified = (certain / ((longest - 4) * (longest - 2) * length.clamp(min=5))).sqrt()
    adaptive = shrunk.sqrt() / (square.sqrt() + step.settings.get("eps", 1e-8)) * rectified
    step.weights.sub_(step.rate * corrected * torch.where(length > 5, adaptive, 1.0))


def rmsprop(step: Step) -> None:
    """torch.optim.RMSprop."""
    step.decay(decoupled=False)
    share = 1 - step.settings.get("alpha", 0.99)
    square = step.state["square"]
    square.mul_(1 - share).addcmul_(step.gradient, step.gradient, value=share)
    spread = square
    if "mean" in step.state:
        mean = step.state["mean"].lerp_(step.gradient, share)
        spread = square - mean.square()
    direction = step.gradient / (spread.sqrt() + step.settings.get("eps", 1e-8))
    if "velocity" in step.state:
        velocity = step.state["velocity"]
        direction = velocity.copy_(step.momentum * velocity + direction)
    step.weights.sub_(step.rate * direction)


def adagrad(step: Step) -> None:
    """torch.optim.Adagrad."""
    step.decay(decoupled=False)
    total = step.state["square"].addcmul_(step.gradient, step.gradient)
    rate = step.rate / (1 + (step.number - 1) * step.settings.get("lr_decay", 0))
    step.weights.sub_(rate * step.gradient / (total.sqrt() + step.settings.get("eps", 1e-10)))


def adadelta(step: Step) -> None:
    """torch.optim.Adadelta."""
    step.decay(decoupled=False)
    kept, eps = step.settings.get("rho", 0.9), step.settings.get("eps", 1e-6)
    square, travelled = step.state["square"], step.state["travelled"]
    square.mul_(kept).addcmul_(step.gradient, step.gradient, value=1 - kept)
    move = (travelled + eps).sqrt() / (square + eps).sqrt() * step.gradient
    travelled.mul_(kept).addcmul_(move, move, value=1 - kept)
    step.weights.sub_(step.rate * move)


def _moments(step: Step) -> tuple[Tensor, Tensor, float]:
    """Running mean and mean square of the gradient after this step, and beta2."""
    second: float = step.settings["betas"][1]
    mean, square = step.state["mean"], step.state["square"]
    mean.lerp_(step.gradient, (1 - step.momentum).to(mean.dtype))
    square.mul_(second).addcmul_(step.gradient, step.gradient, value=1 - second)
    return mean, square, second


def _velocity(settings: Mapping[str, Any], moving: bool) -> dict[str, float]:
    return {"velocity": 0.0} if moving else {}


def _mean_and_square(settings: Mapping[str, Any], moving: bool) -> dict[str, float]:
    kept = {"mean": 0.0, "square": 0.0}
    return kept | ({"largest": 0.0} if settings.get("amsgrad") else {})


def _mean_square_and_product(settings: Mapping[str, Any], moving: bool) -> dict[str, float]:
    return _mean_and_square(settings, moving) | {"product": 1.0}


def _square_and_velocity(settings: Mapping[str, Any], moving: bool) -> dict[str, float]:
    kept = {"square": 0.0} | ({"mean": 0.0} if settings.get("centered") else {})
    return kept | _velocity(settings, moving)


def _total(settings: Mapping[str, Any], moving: bool) -> dict[str, float]:
    return {"square": settings.get("initial_accumulator_value", 0.0)}


def _square_and_travelled(settings: Mapping[str, Any], moving: bool) -> dict[str, float]:
    return {"square": 0.0, "travelled": 0.0}


@dataclass(frozen=True, slots=True)
class Rule:
    """How an optimizer steps; the vectors that it keeps, with what fills each at first.

    `state` is told a group's settings, and whether its momentum ever differs from 0.
    """

    step: Callable[[Step], None]
    state: Callable[[Mapping[str, Any], bool], dict[str, float]]


RULES = {
    "SGD": Rule(sgd, _velocity),
    "Adam": Rule(adam, _mean_and_square),
    "AdamW": Rule(adam, _mean_and_square),
    "RMSprop": Rule(rmsprop, _square_and_velocity),
    "NAdam": Rule(nadam, _mean_square_and_product),
    "RAdam": Rule(radam, _mean_and_square),
    "Adagrad": Rule(adagrad, _total),
    "Adadelta": Rule(adadelta, _square_and_travelled),
}
"""The optimizers that can be recorded; with any other, training takes torch's own steps."""
