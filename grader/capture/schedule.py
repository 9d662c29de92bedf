"""Step a student's scheduler through all of training, and write down what each step would use.

In: a `Plan`. Out: a `Schedule`, and a `Plateau` where the schedule depends on how training goes.
Runs in the child.

The schedule is not interpreted: OneCycleLR's momentum, warm-ups and lambdas are what they really
are.
"""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from grader.capture import explain
from grader.capture.plan import Plan
from grader.capture.settings import short
from grader.errors import SubmissionError
from grader.program.recipe import Plateau, Run, Schedule

Curves = tuple[tuple[Run, ...], ...]


def record_schedule(
    plan: Plan, *, epochs: int, steps: int, line: int | None
) -> tuple[Schedule, Plateau | None]:
    """What `plan` sets in every one of `epochs` times `steps` steps.

    Raises SubmissionError with `line`.
    """
    if plan.has_plateau_rule:
        return _record(plan, None, epochs, steps, line), _plateau(plan)
    return _record(plan, plan.scheduler, epochs, steps, line), None


def _record(plan: Plan, scheduler: Any, epochs: int, steps: int, line: int | None) -> Schedule:
    """Step `scheduler` through all of training and write down what each step would use."""
    optimizer = plan.optimizer
    curves: dict[str, list[list[float]]] = {}
    for name in _RECORDED:
        curves[name] = [[] for _ in optimizer.param_groups]
    others = _others(optimizer)
    with warnings.catch_warnings():
        # No step of the optimizer is taken here, which schedulers warn about.
        warnings.simplefilter("ignore")
        for epoch in range(epochs):
            for step in range(steps):
                for name, read in _RECORDED.items():
                    for group, curve in zip(optimizer.param_groups, curves[name], strict=True):
                        curve.append(read(group))
                last = epoch == epochs - 1 and step == steps - 1
                if scheduler is not None and not last and _is_due(plan, epoch, step, steps):
                    _advance(scheduler, epoch * steps + step + 1, line)
                    _refuse_movement(others, _others(optimizer), epoch * steps + step + 1, line)
    if not {"momentum", "betas"} & optimizer.defaults.keys():
        curves["momentum (or beta1)"] = []
    if not any(_moves(curve) for curve in curves["weight decay"]):
        curves["weight decay"] = []  # the groups' own settings have it
    for name, values in curves.items():
        _check_curves(name, values, line)
    rates, momenta, decays = map(_runs, curves.values())
    return Schedule(
        scheduler=type(plan.scheduler).__name__ if plan.scheduler is not None else None,
        learning_rate=rates,
        momentum=momenta,
        weight_decay=decays,
    )


def _moves(curve: list[float]) -> bool:
    return any(value != curve[0] for value in curve)


def _is_due(plan: Plan, epoch: int, step: int, steps: int) -> bool:
    """As Lightning counts: steps within their epoch."""
    if plan.interval == "step":
        return (step + 1) % plan.frequency == 0
    return step == steps - 1 and (epoch + 1) % plan.frequency == 0


def _others(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """What each parameter group holds besides what is recorded."""
    found = []
    for group in optimizer.param_groups:
        settings = {key: group[key] for key in group if key not in _KEPT_ELSEWHERE}
        if "betas" in group:
            settings["the second of betas"] = group["betas"][1]
        parameters = group["params"]
        # Asked a hundred thousand times in a training; whoever listens to torch need not hear it.
        with torch._C.DisableTorchFunction():
            trained = [*map(_TRAINED, parameters)]
        settings["parameters"] = [*map(id, parameters), *trained]
        found.append(settings)
    return found


_TRAINED = operator.attrgetter("requires_grad")


def _momentum(group: Mapping[str, Any]) -> float:
    if "betas" in group:
        return float(group["betas"][0])
    return float(group.get("momentum", math.nan))


_RECORDED: dict[str, Callable[[Mapping[str, Any]], float]] = {
    "learning rate": lambda group: float(group["lr"]),
    "momentum (or beta1)": _momentum,
    "weight decay": lambda group: float(group.get("weight_decay", 0.0)),
}
"""What is written down of a parameter group before each step; the fields of a Schedule."""
_KEPT_ELSEWHERE = {
    *("params", "lr", "momentum", "betas", "weight_decay"),
    *("initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum", "swa_lr"),
}
"""What a schedule holds, and the schedulers' own notes."""


def _refuse_movement(
    before: list[dict[str, Any]], now: list[dict[str, Any]], step: int, line: int | None
) -> None:
    if before == now:
        return
    if len(before) != len(now):
        raise SubmissionError(
            f"The scheduler adds a parameter group after step {step}; the grader trains with the "
            "groups that configure_optimizers returns. Give the group its place from the start.",
            line=line,
        )
    for old, new in zip(before, now, strict=True):
        for key in old | new:
            if old.get(key) == new.get(key):
                continue
            values = f" from {short(old.get(key))} to {short(new.get(key))}"
            what = "which parameters are trained" if key == "parameters" else key + values
            raise SubmissionError(
                f"The scheduler changes {what} after step {step}. The grader records how the "
                "learning rate, momentum, beta1 and weight decay move, and nothing else: its first "
                "value would stay. Leave that out.",
                line=line,
            )


def _check_curves(what: str, curves: list[list[float]], line: int | None) -> None:
    for curve in curves:
        for step, value in enumerate(curve):
            if not (math.isfinite(value) and value >= 0):
                raise SubmissionError(
                    f"The {what} is {value} in step {step + 1} of training; it must be a number "
                    "of at least 0.",
                    line=line,
                )


def _advance(scheduler: Any, step: int, line: int | None) -> None:
    try:
        scheduler.step()
    except Exception as error:
        raise SubmissionError(
            f"The scheduler fails after step {step}: "
            f"{explain.first_line(error) or type(error).__name__}. If it is too short, make it as "
            "long as the training: steps_per_epoch * epochs steps, or set its interval.",
            line=line,
        ) from error


def _runs(curves: Iterable[list[float]]) -> Curves:
    return tuple(tuple(_encode(curve)) for curve in curves)


def _encode(curve: list[float]) -> Iterable[Run]:
    start = 0
    for index in range(1, len(curve) + 1):
        if index == len(curve) or curve[index] != curve[start]:
            yield Run(value=curve[start], steps=index - start)
            start = index


def _plateau(plan: Plan) -> Plateau:
    scheduler = plan.scheduler
    return Plateau(
        monitor=plan.monitor,
        mode=scheduler.mode,
        factor=scheduler.factor,
        patience=scheduler.patience,
        threshold=scheduler.threshold,
        threshold_mode=scheduler.threshold_mode,
        cooldown=scheduler.cooldown,
        min_lr=tuple(float(rate) for rate in scheduler.min_lrs),
        eps=scheduler.eps,
    )
