"""Compare what a scheduler is planned for with the steps that it takes.

In: a Plan that was followed to its end, and what it set. Out: a note where they do not fit. Runs in
the child.

A student's schedule is trained as it is; that it was meant for steps and is taken per epoch, or the
other way round, is the most common slip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch.optim import lr_scheduler

from grader.capture.plan import Plan
from grader.program.recipe import Schedule

PER_STEP = '"interval": "step" takes one after every batch'
HORIZONS = {
    "StepLR": "step_size",
    "ConstantLR": "total_iters",
    "LinearLR": "total_iters",
    "PolynomialLR": "total_iters",
    "CosineAnnealingLR": "T_max",
    "CosineAnnealingWarmRestarts": "T_0",
    "OneCycleLR": "total_steps",
    "CyclicLR": "total_size",
}
"""The attribute that says how many of its own steps a scheduler is planned for."""

VANISHED = 1e-4
"""Of the highest learning rate: nothing is learned below it."""


def note(plan: Plan, schedule: Schedule, *, epochs: int, steps: int) -> str | None:
    """What a student should know of the schedule's length, in `epochs` epochs of `steps` steps."""
    scheduler = plan.scheduler
    if scheduler is None or plan.has_plateau_rule:
        return None
    name = type(scheduler).__name__
    if plan.interval == "step":
        return _over_too_soon(name, schedule, steps) if epochs > 1 else None
    taken = epochs // plan.frequency
    if name == "OneCycleLR" and _still_up(schedule):
        return (
            f"OneCycleLR has not come down when training ends: it is planned for more steps than "
            f"it takes; {PER_STEP}"
        )
    for part, horizon, what in _parts(scheduler):
        if horizon > taken:
            return (
                f"{part} is planned for more steps than it takes: {what} = {horizon:,}, and it is "
                f"stepped once an epoch, {taken} times in all. If {horizon:,} counts batches, "
                f"{PER_STEP}"
            )
    if _hardly_moves(schedule):
        return f"{name} hardly moves the learning rate: if it is planned for steps, {PER_STEP}"
    if any(_stays_low(rule, taken, epochs * steps) for rule in _rules(scheduler)):
        return (
            f"{name} hardly moves the learning rate as its function is planned: it is stepped once "
            f"an epoch, {taken} times in all; if it is planned for steps, {PER_STEP}"
        )
    return None


def _parts(scheduler: Any) -> Iterator[tuple[str, int, str]]:
    """Each scheduler that it is made of, what it is planned for, and the name of that number."""
    for inner in getattr(scheduler, "_schedulers", ()):
        yield from _parts(inner)
    if isinstance(scheduler, lr_scheduler.SequentialLR):
        yield type(scheduler).__name__, int(max(scheduler._milestones, default=0)), "milestones"
    if isinstance(scheduler, lr_scheduler.MultiStepLR):
        yield type(scheduler).__name__, int(min(scheduler.milestones, default=0)), "milestones"
    for kind in type(scheduler).__mro__:
        horizon = getattr(scheduler, HORIZONS.get(kind.__name__, ""), None)
        if isinstance(horizon, int | float):
            yield type(scheduler).__name__, int(horizon), HORIZONS[kind.__name__]


def _rules(scheduler: Any) -> Iterator[Callable[[int], float]]:
    for inner in getattr(scheduler, "_schedulers", ()):
        yield from _rules(inner)
    if isinstance(scheduler, lr_scheduler.LambdaLR):
        yield from scheduler.lr_lambdas


def _stays_low(rule: Callable[[int], float], taken: int, steps: int) -> bool:
    """Whether a rule does in `taken` steps next to nothing of what it does in `steps`."""
    try:
        seen = [float(rule(step)) for step in range(min(taken, 1000))]
        planned = [float(rule(step)) for step in range(0, steps, max(1, steps // 200))]
    except Exception:  # it is made for as many steps as it takes
        return False
    low, high = min(seen), max(seen)
    lowest, highest = min(*seen, *planned), max(*seen, *planned)
    if not highest > lowest:
        return False
    return (high - low) < 0.1 * (highest - lowest) or high < 0.5 * highest


def _still_up(schedule: Schedule) -> bool:
    """OneCycleLR ends far below where it began, if it is let end."""
    return any(curve[-1].value > curve[0].value for curve in schedule.learning_rate)


def _hardly_moves(schedule: Schedule) -> bool:
    """A scheduler is there for changing something: by 5 % at least."""
    for curve in (*schedule.learning_rate, *schedule.momentum, *schedule.weight_decay):
        values = [run.value for run in curve]
        if max(values) * 0.95 >= min(values):
            return False
    return True


def _over_too_soon(name: str, schedule: Schedule, steps: int) -> str | None:
    """A note where nothing is left of the learning rate after the first epoch."""
    after = 0.0
    for curve in schedule.learning_rate:
        highest, place = max(run.value for run in curve), 0
        for run in curve:
            place += run.steps
            if place > steps and highest > 0:
                after = max(after, run.value / highest)
    if after >= VANISHED:
        return None
    return (
        f"{name} leaves less than 1/10,000 of the learning rate after the first epoch: it is "
        'stepped after every batch; if it is planned for epochs, "interval": "epoch" takes one '
        "after each"
    )
