"""A step of SGD, Adam or AdamW over one vector of weights, in one pass over its numbers.

For weights w with gradient g, learning rate r and weight decay d:

    SGD    g = g + d w;  v = m v + g;  w = w - r v       (nesterov: w - r (g + m v))
    Adam   g = g + d w, or decoupled (AdamW) w = (1 - r d) w
           a = a + (1 - b1) (g - a);  s = b2 s + (1 - b2) g^2
           w = w - r / (1 - b1^t) a / (sqrt(s) / sqrt(1 - b2^t) + e)

Rounding is torch's own, number by number, where it is known. What other optimizers and rarer
settings need is left to torch, and so are clipping and the schedule, which change the gradients and
the settings before. Source: the pages of torch.optim.SGD, Adam and AdamW.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grader.program.recipe import Recipe
from grader.training.engine.lanes.ir import Function
from grader.training.engine.lanes.machine import Target

POINTERS = [("ptr", name) for name in ("weights", "gradients", "first_state", "second_state")]


@dataclass(frozen=True, slots=True)
class Rule:
    """How a class of torch.optim steps: the function, and the numbers that it is called with.

    `numbers` are those of `parameters`, from a group's settings and the number of the step from 1.
    """

    parameters: Sequence[str]
    write: Callable[[Function], None]
    numbers: Callable[[Mapping[str, Any], int], Sequence[float]]


def rule(recipe: Recipe) -> Rule | None:
    """How the recipe's optimizer steps; None where torch takes its steps."""
    settings = [group.settings for group in recipe.optimizer.groups]
    odd = any(each.get(name) for each in settings for name in ("maximize", "amsgrad", "dampening"))
    # Penalties may teach weights that have no part in the scores, which lie elsewhere.
    return None if odd or recipe.penalties else RULES.get(recipe.optimizer.name)


def parameters(of: Rule) -> list[tuple[str, str]]:
    """Of the function: four vectors, how many of the lanes' vectors they hold, and the numbers."""
    return [*POINTERS, ("i64", "count"), *(("float", name) for name in of.parameters)]


def write(of: Rule, target: Target) -> str:
    """The function "update"."""
    f = Function("update", parameters(of), target.lanes)
    of.write(f)
    return f.text()


def _sgd(f: Function) -> None:
    keep, take, straight, along, rate, decay = (f.broadcast(f[name]) for name in SGD)
    with f.loop(f["count"]) as i:
        weight, velocity = f.load(f["weights"], i), f.load(f["first_state"], i)
        gradient = f.fma(decay, weight, f.load(f["gradients"], i))
        velocity = velocity * keep + gradient * take
        f.store(velocity, f["first_state"], i)
        direction = f.fma(velocity, along, gradient * straight)
        f.store(f.fma(direction, rate, weight), f["weights"], i)


SGD = ("keep", "take", "straight", "along", "rate", "decay")


def _sgd_numbers(settings: Mapping[str, Any], number: int) -> Sequence[float]:
    """A step without momentum neither uses nor changes the velocity."""
    momentum = settings["momentum"]
    rate, decay = -settings["lr"], settings["weight_decay"]
    if not momentum:
        return 1.0, 0.0, 1.0, 0.0, rate, decay
    if settings["nesterov"]:
        return momentum, 1.0, 1.0, momentum, rate, decay
    return momentum, 1.0, 0.0, 1.0, rate, decay


def _adam(f: Function) -> None:
    shrink, decay, fresh, kept, square, root, epsilon, rate = (f.broadcast(f[n]) for n in ADAM)
    with f.loop(f["count"]) as i:
        weight = f.load(f["weights"], i) * shrink
        gradient = f.fma(decay, weight, f.load(f["gradients"], i))
        mean, second = f.load(f["first_state"], i), f.load(f["second_state"], i)
        mean = f.fma(fresh, gradient - mean, mean)
        second = f.fma(square * gradient, gradient, second * kept)
        f.store(mean, f["first_state"], i)
        f.store(second, f["second_state"], i)
        size = f.unary("sqrt", second) / root + epsilon
        f.store(weight + rate * mean / size, f["weights"], i)


ADAM = ("shrink", "decay", "fresh", "kept", "square", "root", "epsilon", "rate")


def _adam_numbers(settings: Mapping[str, Any], number: int) -> Sequence[float]:
    first, second = settings["betas"]
    rate, decay = settings["lr"], settings["weight_decay"]
    shrink = 1.0
    if settings["decoupled_weight_decay"]:
        shrink, decay = 1 - rate * decay, 0.0
    root = math.sqrt(1 - second**number)
    rate = -rate / (1 - first**number)
    return shrink, decay, 1 - first, second, 1 - second, root, settings["eps"], rate


RULES = {
    "SGD": Rule(SGD, _sgd, _sgd_numbers),
    "Adam": Rule(ADAM, _adam, _adam_numbers),
    "AdamW": Rule(ADAM, _adam, _adam_numbers),
}
