"""What moved while the optimizer stepped, as a Schedule, and what schedulers did, in a sentence.

In: the steps of a training, run-length coded, and the schedulers that hung on its optimizers. Out:
a `Schedule`, perhaps a `Plateau`, and findings. Runs in the child.

A schedule is not interpreted: it is what every step really used. OneCycleLR that is stepped once
per epoch stays where it stays.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import ValidationError
from torch.optim import lr_scheduler

from grader.capture.rehearsal.findings import Findings, count, short
from grader.capture.rehearsal.trace import SchedulerRecord
from grader.program.recipe import Plateau, Run, Schedule
from grader.program.rehearsed import SchedulerUse

Moving = Sequence[tuple[Sequence[Any], int]]
"""For each stretch of equal steps: the values of all parameter groups, and how many steps."""


def runs(stretches: Moving, groups: int) -> tuple[tuple[Run, ...], ...]:
    """The values of each parameter group, run-length coded."""
    return tuple(_runs(_of_group(stretches, index)) for index in range(groups))


def _of_group(stretches: Moving, index: int) -> list[tuple[float, int]]:
    return [(values[index], steps) for values, steps in stretches]


def _runs(stretches: Sequence[tuple[float, int]]) -> tuple[Run, ...]:
    merged: list[list[Any]] = []
    for value, steps in stretches:
        if merged and merged[-1][0] == value:
            merged[-1][1] += steps
        else:
            merged.append([value, steps])
    return tuple(Run(value=float(value), steps=steps) for value, steps in merged)


def bad_value(stretches: Moving) -> float | None:
    """The first value that is no finite number of at least 0."""
    for values, _ in stretches:
        for value in values:
            if value is None or not (math.isfinite(value) and value >= 0):
                return math.nan if value is None else float(value)
    return None


def moves(stretches: Moving) -> bool:
    """Whether any value changes."""
    return len({tuple(values) for values, _ in stretches}) > 1


def flat(schedule: Schedule) -> Schedule:
    """Its first rates for all steps: what a plateau rule starts from. It moves nothing else."""
    rates = tuple(_first(curve) for curve in schedule.learning_rate)
    return schedule.model_copy(update={"learning_rate": rates})


def _first(curve: tuple[Run, ...]) -> tuple[Run, ...]:
    return (Run(value=curve[0].value, steps=sum(run.steps for run in curve)),)


def sentence(
    schedulers: Sequence[SchedulerRecord], rates: Sequence[Run], *, epochs: int, steps: int
) -> str:
    """The schedule for people: who steps it how often, and what that does to the rate."""
    course = course_of(rates)
    said = [_stepped(item, epochs=epochs, steps=steps) for item in schedulers]
    if said:
        return f"{', '.join(said)}: {course}"
    if len({run.value for run in rates}) > 1:
        return f"no scheduler, the rate is set by hand: {course}"
    return f"none: {course}"


def course_of(rates: Sequence[Run]) -> str:
    """Such as "the rate falls from 0.01 to 0.0001"."""
    values = [run.value for run in rates]
    first, last, most = values[0], values[-1], max(values)
    if max(values) - min(values) <= 0.005 * max(abs(most), 1e-12):
        return f"the rate stays at {short(first)}"
    if most > 1.005 * max(first, last):
        return f"the rate goes from {short(first)} up to {short(most)} and down to {short(last)}"
    if min(values) < 0.995 * min(first, last):
        return f"the rate moves between {short(min(values))} and {short(most)}"
    return f"the rate {'falls' if last < first else 'rises'} from {short(first)} to {short(last)}"


def _stepped(record: SchedulerRecord, *, epochs: int, steps: int) -> str:
    name, taken = record.name, record.steps
    if not taken:
        return f"{name}, which is never stepped"
    planned = planned_steps(record.scheduler)
    how = _how_often(taken, epochs=epochs, steps=steps)
    if planned and abs(planned - taken) > 1:
        return f"{name} stepped {how}, {taken:,} times of {planned:,} planned"
    return f"{name} stepped {how}"


def _how_often(taken: int, *, epochs: int, steps: int) -> str:
    if epochs and taken in (epochs, epochs - 1):
        return "once per epoch"
    if taken in (steps, steps - 1):
        return "after every batch"
    return f"{taken:,} times"


def planned_steps(scheduler: Any) -> int:
    """For how many of its own steps a scheduler is made; 0 where it does not say."""
    for name in ("total_steps", "T_max"):
        length = getattr(scheduler, name, None)
        if isinstance(length, int | float) and math.isfinite(length) and length > 0:
            return int(length)
    return 0


def use(
    schedulers: Sequence[SchedulerRecord], rates: Sequence[float], *, epochs: int, steps: int
) -> SchedulerUse | None:
    """The one scheduler that sets the rates, where it is torch's and made of plain arguments.

    `rates` are those of the parameter groups before any scheduler set them.
    """
    stepped = [item for item in schedulers if item.steps]
    if len(stepped) != 1 or type(stepped[0].scheduler).__module__ != lr_scheduler.__name__:
        return None
    (record,) = stepped
    intervals = {epochs: "epoch", epochs - 1: "epoch", steps: "step", steps - 1: "step"}
    interval = intervals.get(record.steps)
    if interval is None or record.with_epoch:
        return None
    settings = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in record.settings.items()
    }
    try:
        return SchedulerUse.model_validate(
            {"name": record.name, "settings": settings, "interval": interval, "rates": rates}
        )
    except ValidationError:  # made of functions, or of other schedulers
        return None


def remark_on(
    schedulers: Sequence[SchedulerRecord],
    rates: Sequence[Run],
    findings: Findings,
    *,
    epochs: int,
    steps: int,
) -> None:
    """Say which scheduler does less than it looks."""
    for record in schedulers:
        planned = planned_steps(record.scheduler)
        if not record.steps:
            findings.note(
                f"{record.name} is made but never stepped, so the rate does not move: call its "
                "step() after each epoch or batch, as it is meant",
                record.line,
            )
        elif planned >= 2 * record.steps and planned > epochs + 1:
            findings.note(
                f"{record.name} is planned for {count(planned, 'step')} and stepped only "
                f"{count(record.steps, 'time')}, so {course_of(rates)}: it was trained so here, "
                "too",
                record.line,
            )


def plateau(
    schedulers: Sequence[SchedulerRecord],
    rates: Sequence[tuple[float, ...]],
    findings: Findings,
    *,
    epochs: int,
    groups: int,
) -> Plateau | None:
    """The ReduceLROnPlateau that is stepped, if there is one that the grader can follow.

    `rates` are those of all groups, in the order in which they came up.
    """
    stepped = [item for item in schedulers if item.steps]
    rules = [item for item in stepped if isinstance(item.scheduler, lr_scheduler.ReduceLROnPlateau)]
    if not rules:
        return None
    record, rule = rules[0], rules[0].scheduler
    if len(stepped) > 1:
        findings.obstacle(
            "ReduceLROnPlateau is used together with another scheduler; the grader can follow it "
            "alone",
            record.line,
        )
    if type(rule) is not lr_scheduler.ReduceLROnPlateau:
        findings.obstacle(
            f"{type(rule).__name__} changes ReduceLROnPlateau, and the grader can follow PyTorch's "
            "own rule alone: use that",
            record.line,
        )
    if epochs and record.steps not in (epochs, epochs - 1):
        findings.obstacle(
            f"ReduceLROnPlateau is stepped {count(record.steps, 'time')} in "
            f"{count(epochs, 'epoch')}; the grader steps it once after each epoch",
            record.line,
        )
    moved = [now for before, now in itertools.pairwise(rates) if now != before]
    if any(now not in record.made for now in moved):
        findings.obstacle(
            "The learning rate is set by hand beside ReduceLROnPlateau; the grader lets the rule "
            "alone move it: leave one of them out",
            record.line,
        )
    monitor = _monitor(record, findings)
    minimum = tuple(float(rate) for rate in rule.min_lrs)
    return Plateau(
        monitor=monitor,
        mode=rule.mode,
        factor=rule.factor,
        patience=rule.patience,
        threshold=rule.threshold,
        threshold_mode=rule.threshold_mode,
        cooldown=rule.cooldown,
        min_lr=minimum if len(minimum) == groups else minimum[:1] * groups,
        eps=rule.eps,
    )


def _monitor(
    record: SchedulerRecord, findings: Findings
) -> Literal["loss", "accuracy", "train_loss"]:
    """What the rule was fed: the trace knows it by the number."""
    what, which = record.metrics.most_common(1)[0][0] if record.metrics else ("", "")
    mode, line = record.scheduler.mode, record.line
    if what not in ("loss", "accuracy"):
        watched = {"error": "the share of wrong answers"}.get(what, "a number of your own")
        findings.obstacle(
            f"ReduceLROnPlateau watches {watched}; the grader can watch the loss or the accuracy: "
            "give it one of these",
            line,
        )
        return "loss"
    if mode != ("max" if what == "accuracy" else "min"):
        findings.note(
            f"ReduceLROnPlateau waits for the {mode}imum of the {what}: an accuracy gets better "
            'upwards (mode="max"), a loss downwards (mode="min")',
            line,
        )
    if which == "training" and what == "accuracy":
        findings.obstacle(
            "ReduceLROnPlateau watches the accuracy on training images; the grader can watch their "
            "loss, or loss and accuracy on images that are held back",
            line,
        )
    if which == "test":
        findings.note(
            f"ReduceLROnPlateau watches the {what} on test images; the grader's watches training "
            "images that are held back",
            line,
        )
    if which == "training" and what == "loss":
        return "train_loss"
    return "accuracy" if what == "accuracy" else "loss"
