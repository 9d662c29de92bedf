"""The optimizer that stepped, its parameter groups and settings, and who moved them.

In: the records of optimizers in a row on one network. Out: an `Optimizer` with its `Schedule`, and
findings. Runs in the child.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from grader.capture.graph import plain_name
from grader.capture.rehearsal import schedules
from grader.capture.rehearsal.findings import Findings, count, short
from grader.capture.rehearsal.trace import SchedulerRecord, TrainingRecord
from grader.program.recipe import Optimizer, OptimizerGroup, Plateau, Schedule
from grader.training.choices import OPTIMIZERS

_REPLACE = {"OneCycleLR", "CyclicLR"}
"""Schedulers that do not use the optimizer's own learning rate at all."""
_USUAL = {"foreach", "fused", "capturable", "differentiable", "maximize"}
"""What a sentence about an optimizer leaves out."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The optimizer and what moved; each None where findings say why."""

    optimizer: Optimizer | None
    schedule: Schedule | None
    plateau: Plateau | None


def read(
    records: Sequence[TrainingRecord], network: nn.Module | None, findings: Findings, *, epochs: int
) -> Settings:
    """The optimizer of a training, whose records are given in order."""
    first = records[0]
    findings.at("optimizer", first.line)
    _one_kind(records, findings)
    groups = _groups(first, network, findings)
    steps = sum(record.steps for record in records)
    stretches = [(now, taken) for record in records for now, taken in record.curve]
    schedule = _schedule(stretches, len(first.groups), first, findings)
    schedulers = _schedulers(records)
    rates_of_all = [now[0] for now, _ in stretches]
    plateau = schedules.plateau(
        schedulers, rates_of_all, findings, epochs=epochs, groups=len(first.groups)
    )
    name = schedulers[0].name if schedulers else None
    if schedulers:
        findings.at("scheduler", schedulers[0].line)
    if schedule is not None:
        rates = schedule.learning_rate[0]
        findings.fact("optimizer", in_words(first, rates[0].value, name), first.line)
        said = schedules.sentence(schedulers, rates, epochs=epochs, steps=steps)
        line = schedulers[0].line if schedulers else first.line
        findings.fact("schedule", said, line)
        if plateau is None:
            schedules.remark_on(schedulers, rates, findings, epochs=epochs, steps=steps)
        else:
            schedule = schedules.flat(schedule)
        schedule = schedule.model_copy(update={"scheduler": name})
    optimizer = None
    if groups is not None and first.name in OPTIMIZERS:
        optimizer = Optimizer(name=first.name, groups=groups)
    return Settings(optimizer, schedule, plateau)


_TORCHS = {name: kind for name, kind in vars(torch.optim).items() if isinstance(kind, type)}
"""As they are before a file runs, which may put others in their place."""


def _schedulers(records: Sequence[TrainingRecord]) -> list[SchedulerRecord]:
    """Those that were stepped; where none was, one that was only made."""
    made = [item for record in records for item in record.schedulers]
    return [item for item in made if item.steps] or made[:1]


def _one_kind(records: Sequence[TrainingRecord], findings: Findings) -> None:
    first = records[0]
    for record in records:
        if type(record.optimizer) is _TORCHS.get(record.name):
            if record.name in OPTIMIZERS:
                continue
            text = f"{record.name} is not an optimizer that the grader has"
        else:
            text = f"{record.name} is an optimizer of your own, whose code the grader does not run"
        findings.obstacle(f"{text}: use one of torch.optim's {', '.join(OPTIMIZERS)}", record.line)
    names = list(dict.fromkeys(record.name for record in records))
    if len(names) > 1:
        findings.obstacle(
            f"The optimizer changes while it trains ({', then '.join(names)}); the grader trains "
            "with one from start to end",
            records[1].line,
        )
    elif any(_other(record, first) for record in records):
        findings.obstacle(
            f"{first.name} is made again while it trains, with other settings than before; the "
            "grader trains with one from start to end",
            records[1].line,
        )
    elif len(records) > 1 and _remembers(first):
        findings.obstacle(
            f"{first.name} is made again {_times(len(records) - 1)} while it trains, which "
            "forgets its averages; the grader trains with one optimizer from start to end: make it "
            "once, before the first epoch",
            records[1].line,
        )


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def _remembers(record: TrainingRecord) -> bool:
    """Whether the optimizer keeps anything from step to step: SGD without momentum does not."""
    return record.name != "SGD" or any(group["momentum"] for group in record.groups)


def _other(record: TrainingRecord, first: TrainingRecord) -> bool:
    if [len(group["params"]) for group in record.groups] != [
        len(group["params"]) for group in first.groups
    ]:
        return True
    known = OPTIMIZERS.get(first.name, frozenset()) - {"momentum", "betas", "weight_decay"}
    for one, two in zip(record.groups, first.groups, strict=True):
        if any(one.get(key) != two.get(key) for key in known):
            return True
    return False


def _groups(
    record: TrainingRecord, network: nn.Module | None, findings: Findings
) -> tuple[OptimizerGroup, ...] | None:
    if network is None:
        return None
    names = {id(item): plain_name(name) for name, item in network.named_parameters()}
    found, trained = [], set()
    for group in record.groups:
        strangers = [item for item in group["params"] if id(item) not in names]
        if strangers:
            findings.obstacle(
                f"The optimizer trains {count(len(strangers), 'tensor')} that the network does not "
                f"have (the first has shape {tuple(strangers[0].shape)}): train the network's own "
                "parameters",
                record.line,
            )
            return None
        settings = _settings(record.name, group, findings, record.line)
        if settings is None:
            return None
        parameters = tuple(names[id(item)] for item in group["params"])
        trained |= set(parameters)
        found.append(OptimizerGroup(parameters=parameters, settings=settings))
    left = [name for name in names.values() if name not in trained]
    many = f"{len(trained)} of {count(len(names), 'weight')} are trained"
    findings.fact("weights", many if left else f"all {len(names)} are trained", record.line)
    if left and record.frozen:
        findings.note(
            f"{len(left)} of {count(len(names), 'weight')} are frozen and stay as they start, such "
            f"as {left[0]}",
            record.line,
        )
    elif left:
        findings.note(
            f"{len(left)} of {count(len(names), 'weight')} are not given to the optimizer and stay "
            f"as they start, such as {left[0]}",
            record.line,
        )
    return tuple(found)


def _settings(
    name: str, group: Mapping[str, Any], findings: Findings, line: int | None
) -> dict[str, Any] | None:
    """In the order of the class's signature."""
    known = OPTIMIZERS.get(name, frozenset())
    kind = getattr(torch.optim, name, None)
    if kind is None:
        return None
    found: dict[str, Any] = {}
    for key in inspect.signature(kind).parameters:
        if key in known and key in group:
            value = plain(group[key])
            if isinstance(value, float) and not math.isfinite(value):
                findings.obstacle(
                    f"The optimizer's {key} is {value}; it must be a finite number", line
                )
                return None
            found[key] = value
    return found


def plain(value: Any) -> Any:
    """Tensors as numbers, lists as tuples of numbers."""
    if isinstance(value, torch.Tensor):
        value = value.item()
    if isinstance(value, tuple | list):
        return tuple(float(item) for item in value)
    return value


def _schedule(
    stretches: Sequence[tuple[Any, int]], groups: int, record: TrainingRecord, findings: Findings
) -> Schedule | None:
    """What every step used; None where that is no schedule at all."""
    if any(len(now[0]) != groups for now, _ in stretches):
        findings.obstacle(
            "The optimizer gets another parameter group while it trains; the grader trains with "
            "those of the first step",
            record.line,
        )
        return None
    rates = [(now[0], taken) for now, taken in stretches]
    momenta = [(now[1], taken) for now, taken in stretches]
    decays = [(now[2], taken) for now, taken in stretches]
    has_momentum = all(value is not None for now, _ in momenta for value in now)
    curves = {"learning rate": rates, "weight decay": decays}
    if has_momentum:
        curves["momentum (or beta1)"] = momenta
    for what, values in curves.items():
        bad = schedules.bad_value(values)
        if bad is not None:
            findings.obstacle(
                f"The {what} is {bad} in a step of training; it must be a number of at least 0",
                record.line,
            )
            return None
    return Schedule(
        learning_rate=schedules.runs(rates, groups),
        momentum=schedules.runs(momenta, groups) if has_momentum else (),
        weight_decay=schedules.runs(decays, groups) if schedules.moves(decays) else (),
    )


def in_words(record: TrainingRecord, rate: float, scheduler: str | None) -> str:
    """Such as "SGD, lr 0.01, momentum 0.9"; with what becomes of the rate that the file gives it.

    A scheduler sets the rate as soon as it is made.
    """
    known = inspect.signature(type(record.optimizer)).parameters
    said = [f"lr {short(rate)}"]
    given = record.made_with
    if scheduler and given is not None and abs(given - rate) > 0.005 * max(given, rate):
        becomes = "scales" if scheduler not in _REPLACE else "replaces"
        said = [f"lr {short(rate)} at the first step ({short(given)} in the file, which "
                f"{scheduler} {becomes})"]  # fmt: skip
    for key, value in record.groups[0].items():
        usual = known[key].default if key in known else value
        if key in ("params", "lr") or key in _USUAL or key not in known:
            continue
        if plain(value) != plain(usual):
            said.append(f"{key} {plain(value)}")
    if len(record.groups) > 1:
        said.append(f"{len(record.groups)} parameter groups, of which this is the first")
    return f"{record.name}, {', '.join(said)}"
