"""The schedules of transformers' optimization module: each is a LambdaLR, and nothing else.

In: an optimizer and numbers of steps. Out: torch's own LambdaLR with the factor that transformers
documents. Schedules that are not here are absorbed, and refused as soon as they get an optimizer.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

from torch.optim import lr_scheduler

from grader.capture.rehearsal import packages
from grader.capture.rehearsal.absorbed import AbsorbedModule

Factor = Callable[[int], float]


def install() -> None:
    """Put them in place of transformers'."""
    packages.add(("transformers",), _module)


def _module(name: str) -> types.ModuleType:
    module = AbsorbedModule(name)
    if name in ("transformers", "transformers.optimization"):
        vars(module).update(
            get_constant_schedule=_constant,
            get_constant_schedule_with_warmup=_constant,
            get_linear_schedule_with_warmup=_linear,
            get_cosine_schedule_with_warmup=_cosine,
            get_scheduler=_named,
        )
    return module


def _scheduled(optimizer: Any, factor: Factor, last_epoch: int = -1) -> Any:
    return lr_scheduler.LambdaLR(optimizer, factor, last_epoch)


def _warmed(step: int, warm_up: int) -> float:
    return step / max(1, warm_up)


def _constant(optimizer: Any, num_warmup_steps: int = 0, last_epoch: int = -1) -> Any:
    def factor(step: int) -> float:
        return _warmed(step, num_warmup_steps) if step < num_warmup_steps else 1.0

    return _scheduled(optimizer, factor, last_epoch)


def _linear(
    optimizer: Any, num_warmup_steps: int, num_training_steps: int, last_epoch: int = -1
) -> Any:
    def factor(step: int) -> float:
        if step < num_warmup_steps:
            return _warmed(step, num_warmup_steps)
        left = num_training_steps - step
        return max(0.0, left / max(1, num_training_steps - num_warmup_steps))

    return _scheduled(optimizer, factor, last_epoch)


def _cosine(
    optimizer: Any,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    last_epoch: int = -1,
) -> Any:
    def factor(step: int) -> float:
        if step < num_warmup_steps:
            return _warmed(step, num_warmup_steps)
        progress = (step - num_warmup_steps) / max(1, num_training_steps - num_warmup_steps)
        return max(0.0, 0.5 * (1 + math.cos(math.pi * num_cycles * 2 * progress)))

    return _scheduled(optimizer, factor, last_epoch)


def _named(
    name: Any,
    optimizer: Any,
    num_warmup_steps: int | None = None,
    num_training_steps: int | None = None,
    **_: Any,
) -> Any:
    """`get_scheduler("linear", optimizer, ...)`."""
    warm_up, steps = num_warmup_steps or 0, num_training_steps or 0
    known: dict[str, Callable[[], Any]] = {
        "linear": lambda: _linear(optimizer, warm_up, steps),
        "cosine": lambda: _cosine(optimizer, warm_up, steps),
        "constant": lambda: _constant(optimizer),
        "constant_with_warmup": lambda: _constant(optimizer, warm_up),
    }
    made = known.get(str(name))
    if made is not None:
        return made()
    other = getattr(AbsorbedModule("transformers"), "get_scheduler")  # noqa: B009 - to be absorbed
    return other(optimizer)
