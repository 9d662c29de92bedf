"""Schedulers are torch's own and really step; how often, and what they are told, is written down.

In: the trace. Out: patched torch.optim.lr_scheduler. A number that ReduceLROnPlateau is told is
recognised: every walk over a loader pretends results of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import torch

from grader.capture.rehearsal import data
from grader.capture.rehearsal.trace import SchedulerRecord, Trace, TrainingRecord, Walk

MOST_TOLD = 5
LATEST = 8
"""Walks that a number may be of."""
_CLOSE = 2e-4


class Schedulers:
    """The records of all schedulers."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._records: dict[int, SchedulerRecord] = {}
        self.inside = 0

    def record(self, scheduler: Any) -> SchedulerRecord:
        """The record of a scheduler; the first time, a new one."""
        record = self._records.get(id(scheduler))
        if record is None:
            name, line = type(scheduler).__name__, self._trace.where()
            record = self._records[id(scheduler)] = SchedulerRecord(scheduler, name, line)
            training = self._training(getattr(scheduler, "optimizer", None))
            if training is not None:
                _leave_out_parts(training.schedulers, scheduler)
                training.schedulers.append(record)
        return record

    def _training(self, optimizer: Any) -> TrainingRecord | None:
        trainings = reversed(self._trace.trainings)
        return next((item for item in trainings if item.optimizer is optimizer), None)

    def told(self, scheduler: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        """The file steps a scheduler."""
        record = self.record(scheduler)
        record.steps += 1
        given = [*args, *keywords.values()]
        if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            if given:
                metric = _number(keywords.get("metrics", given[0]))
                record.metrics[which(self._trace, metric)] += 1
                if len(record.told) < MOST_TOLD:
                    record.told.append(metric)
        elif any(value is not None for value in given):
            record.with_epoch += 1


def _leave_out_parts(records: list[SchedulerRecord], scheduler: Any) -> None:
    """What SequentialLR and ChainedScheduler are made of is stepped by them alone."""
    parts = {id(part) for part in getattr(scheduler, "_schedulers", ())}
    records[:] = [item for item in records if id(item.scheduler) not in parts]


def _number(metric: Any) -> float:
    return float(metric.detach() if isinstance(metric, torch.Tensor) else metric)


def install(trace: Trace) -> None:
    """Put the schedulers in place of torch's."""
    module = torch.optim.lr_scheduler
    schedulers = Schedulers(trace)
    kinds = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, module.LRScheduler)
    ]
    for kind in kinds:
        if "step" in vars(kind):
            vars_of: Any = kind
            vars_of.step = _step(schedulers, vars_of.step)
    for kind in kinds:
        if "__init__" in vars(kind):
            vars_of = kind
            vars_of.__init__ = _init(trace, schedulers, vars_of.__init__)
    _own_steps(module.LRScheduler, schedulers)
    _averages(trace)


def _own_steps(kind: Any, schedulers: Schedulers) -> None:
    """A class of the file's own may have a `step` that never asks torch's."""

    def begin(cls: Any, /, **keywords: Any) -> None:
        super(kind, cls).__init_subclass__(**keywords)
        if "step" in vars(cls):
            cls.step = _step(schedulers, vars(cls)["step"])

    kind.__init_subclass__ = classmethod(begin)


def _step(schedulers: Schedulers, real: Any) -> Any:
    def step(self: Any, *args: Any, **keywords: Any) -> Any:
        if not schedulers.inside:
            schedulers.told(self, args, keywords)
        is_rule = isinstance(self, torch.optim.lr_scheduler.ReduceLROnPlateau)
        before = _rates(self.optimizer) if is_rule else ()
        schedulers.inside += 1
        try:
            return real(self, *args, **keywords)
        finally:
            schedulers.inside -= 1
            if is_rule and _rates(self.optimizer) != before:
                schedulers.record(self).made.add(_rates(self.optimizer))

    return step


def _rates(optimizer: Any) -> tuple[float, ...]:
    return tuple(float(group["lr"]) for group in optimizer.param_groups)


def _init(trace: Trace, schedulers: Schedulers, real: Any) -> Any:
    """`verbose` is gone from newer versions of torch, and students still write it."""
    places = list(inspect.signature(real).parameters)

    def init(self: Any, *args: Any, **keywords: Any) -> None:
        if "verbose" in keywords and "verbose" not in places:
            keywords.pop("verbose")
            trace.note(
                "`verbose` of a scheduler is left out: it only prints, and torch has no more"
            )
        schedulers.inside += 1
        try:
            real(self, *args[: len(places) - 1], **keywords)
        finally:
            schedulers.inside -= 1
        if not schedulers.inside:
            given = dict(zip(places[2:], args[1 : len(places) - 1], strict=False)) | keywords
            given.pop("optimizer", None)
            schedulers.record(self).settings = given

    return init


def _averages(trace: Trace) -> None:
    """torch.optim.swa_utils: averages of weights, which the grader does not make."""
    kind: Any = torch.optim.swa_utils.AveragedModel
    real = kind.__init__

    def init(self: Any, *args: Any, **keywords: Any) -> None:
        trace.note(
            "AveragedModel keeps an average of the weights, which the grader does not follow: it "
            "trains and tests the network itself"
        )
        real(self, *args, **keywords)

    kind.__init__ = init


def which(trace: Trace, metric: float) -> tuple[str, str]:
    """What a number is, "loss", "accuracy" or "error", and of which images; "" where unknown."""
    found: dict[tuple[str, str], bool] = {}
    latest = trace.epochs_trained - 1
    for walk in trace.walks[-LATEST:]:
        if walk.training_before < latest:
            continue
        whose = data.whose(trace, walk.loader)
        for what, value in _candidates(walk):
            if abs(metric - value) <= _CLOSE * abs(value):
                found[what, whose] = True
    return next(iter(found)) if len(found) == 1 else _only_kind(found)


def _only_kind(found: dict[tuple[str, str], bool]) -> tuple[str, str]:
    kinds = {what for what, _ in found}
    owners = {whose for _, whose in found}
    return (
        kinds.pop() if len(kinds) == 1 else "",
        owners.pop() if len(owners) == 1 else "",
    )


def _candidates(walk: Walk) -> Iterator[tuple[str, float]]:
    """The numbers that a file computes from a walk, in the ways that files do."""
    if walk.images:
        share = walk.right / walk.images
        counted = (share, 100 * share, float(walk.right))
        yield from (("accuracy", value) for value in counted)
        yield from (("error", value) for value in (1 - share, 100 * (1 - share)))
    if walk.told:
        count = walk.images or walk.batches
        ways = (
            walk.losses,
            walk.losses / walk.told,
            walk.losses / count,
            walk.weighted,
            walk.weighted / count,
        )
        yield from (("loss", value) for value in ways)
