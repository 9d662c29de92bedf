"""Optimizers that write down what they would do, and do nothing.

In: the trace. Out: patched torch.optim, and stand-ins for mixed precision. Groups, defaults and
`state_dict` are torch's own; `step` notes the rates of every group, and whatever else makes one
step differ from the last.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn

from grader.capture.rehearsal import building, data, modes, searches
from grader.capture.rehearsal.gradients import AllGradients, fingerprint
from grader.capture.rehearsal.trace import (
    MOST_KINDS,
    MOST_OPTIMIZERS,
    Clip,
    Trace,
    TrainingRecord,
)

FOLLOWED = frozenset({"params", "lr", "momentum", "weight_decay", "betas"})
"""What of a group the curve has."""
OF_SCHEDULERS = frozenset(
    {"initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum", "swa_lr"}
)
"""What schedulers keep in a group for themselves."""


KEEPS = (
    "The optimizer is that of an earlier training and keeps what it gathered there (momentum, "
    "averages of gradients), though the network has its first weights again; the grader begins "
    "with a new one: make it after load_state_dict()"
)


class Optimizers:
    """The records of all optimizers."""

    def __init__(self, trace: Trace, gradients: AllGradients) -> None:
        self._trace, self._gradients = trace, gradients
        self._records: dict[int, TrainingRecord] = {}
        self._watched: dict[int, _Watched] = {}
        self._last: tuple[int, TrainingRecord] | None = None
        self._layers: dict[int, modes.Layers] = {}

    def record(self, optimizer: Any) -> TrainingRecord:
        """The record of an optimizer; the first time, a new one."""
        trace = self._trace
        record = self._records.get(id(optimizer))
        if record is None:
            if len(trace.trainings) >= MOST_OPTIMIZERS:
                raise RuntimeError(f"more than {MOST_OPTIMIZERS} optimizers")
            record = TrainingRecord(
                optimizer, type(optimizer).__name__, trace.where_made(optimizer)
            )
            self._records[id(optimizer)] = record
            trace.trainings.append(record)
        return record

    def begin_again(self, record: TrainingRecord) -> None:
        """Its network has its first weights again: further steps are those of another training."""
        optimizer, line = record.optimizer, record.line
        if self._records.get(id(optimizer)) is not record:
            return
        again = TrainingRecord(optimizer, record.name, line)
        if any(group.get("momentum") or "betas" in group for group in optimizer.param_groups):
            again.notes[KEEPS] = line
        self._records[id(optimizer)] = again
        self._watched.pop(id(optimizer), None)
        self._trace.trainings.append(again)

    def loaded(self, optimizer: Any) -> None:
        """It got back what it had gathered before."""
        self.record(optimizer).notes.pop(KEEPS, None)

    def step(self, optimizer: Any) -> None:
        """An optimizer steps: with what rates, after which losses, on which walk."""
        trace, record = self._trace, self.record(optimizer)
        network = trace.networks.get(trace.network or 0)
        watched = self._watched.get(id(optimizer))
        new_walk = not record.walks or record.walks[-1][0] is not trace.feeding
        if watched is None:
            watched = self._watched[id(optimizer)] = _Watched(optimizer, record, trace)
            if network is not None:
                building.compare(trace, network)
            if (key := trace.network) in trace.searched and key is not None:
                text = f"A search for the learning rate trains the same network: {searches.CARRIED}"
                record.obstacles.setdefault(text, trace.searched[key])
        if network is not None and trace.objectives:
            self._look_at_gradients(network)
        watched.look(new_walk=new_walk)
        if network is not None:
            self._look_at_modes(record, network, new_walk=new_walk)
        self._look_at_turns(record)
        self._add(record, optimizer)

    def _look_at_gradients(self, network: nn.Module) -> None:
        """What the file itself did to them between backward() and this step."""
        trace, gradients = self._trace, self._gradients.of(network)
        change = gradients.change()
        if change == "set to zero":
            trace.zero()
        elif change and (clipping := gradients.clipping()):
            kind, limit = clipping
            line, weights = trace.where(), len(gradients)
            trace.clips.append(Clip(kind, limit, 2.0, weights, trace.scaled, line))
        else:
            trace.gradients = change

    def _look_at_modes(self, record: TrainingRecord, network: nn.Module, *, new_walk: bool) -> None:
        """Whether the network itself is as it was."""
        line = self._trace.where()
        if not self._trace.learns:
            record.obstacles.setdefault(modes.RESTING, line)
        if "forward" in vars(network):
            record.obstacles.setdefault(modes.REPLACED, line)
        if not new_walk:
            return
        layers = self._layers.get(id(network))
        if layers is None:
            layers = self._layers[id(network)] = modes.Layers(network)
        for text in layers.problems():
            record.obstacles.setdefault(text, line)

    def _look_at_turns(self, record: TrainingRecord) -> None:
        """Say that another optimizer has just used the same gradients."""
        trace, last = self._trace, self._last
        self._last = (trace.backwards, record)
        if last is None or trace.objectives or last[0] != trace.backwards or last[1] is record:
            return
        for item in (last[1], record):
            item.obstacles.setdefault(
                "Several optimizers step after one backward(); the grader trains with one: give "
                "it all weights, in parameter groups where their settings differ",
                trace.where(),
            )

    def _add(self, record: TrainingRecord, optimizer: Any) -> None:
        trace = self._trace
        rates = _rates(optimizer)
        if record.curve and record.curve[-1][0] == rates:
            record.curve[-1][1] += 1
        else:
            record.curve.append([rates, 1])
        walk = trace.feeding
        if record.walks and record.walks[-1][0] is walk:
            record.walks[-1][1] += 1
        else:
            record.walks.append([walk, 1])
        if walk is not None:
            if not walk.steps:
                trace.epochs_trained += 1
                given = data.given_by(walk.loader)
                trace.trained_on[id(given)] = given
            walk.steps += 1
        if trace.network is not None:
            record.networks[trace.network] += 1
        if not record.steps:
            record.shown = trace.shown
        record.steps += 1
        kind = trace.kind()
        before = record.kinds.get(kind)
        if before is not None:
            record.kinds[kind] = before + 1
        elif len(record.kinds) < MOST_KINDS:
            record.lines[kind] = trace.where()
            record.kinds[kind] = 1
        trace.zeroed = False
        trace.begin_step()


def _rates(optimizer: Any) -> tuple[Any, Any, Any]:
    rates, momenta, decays = [], [], []
    for group in optimizer.param_groups:
        rates.append(float(group["lr"]) if "lr" in group else 0.0)
        betas = group.get("betas")
        momenta.append(betas[0] if betas else group.get("momentum"))
        decays.append(group.get("weight_decay", 0))
    return tuple(rates), tuple(momenta), tuple(decays)


class _Watched:
    """What of an optimizer must stay as it was at its first step."""

    def __init__(self, optimizer: Any, record: TrainingRecord, trace: Trace) -> None:
        self._optimizer, self._record, self._trace = optimizer, record, trace
        self._weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        self._frozen = self._which_are_frozen()
        self._versions = self._all_versions()
        self._prints = self._all_prints()
        self._others = self._other_settings()
        record.frozen = sum(self._frozen)
        record.groups = [_copy(group) for group in optimizer.param_groups]

    def look(self, *, new_walk: bool) -> None:
        """Say what is another than at the first step."""
        if new_walk:
            self._look_at_weights()
        versions = self._all_versions()
        if versions != self._versions:
            # a file that goes back to its best weights does so between two epochs
            if not new_walk or self._all_prints() != self._prints:
                self._obstacle(
                    "The weights are changed by hand while they are trained: the grader changes "
                    "them by the optimizer's steps alone"
                )
            self._versions = versions
        if self._other_settings() != self._others:
            self._say_which_setting()

    def _look_at_weights(self) -> None:
        weights = [weight for group in self._optimizer.param_groups for weight in group["params"]]
        same = len(weights) == len(self._weights) and all(
            one is two for one, two in zip(weights, self._weights, strict=True)
        )
        if not same or self._which_are_frozen() != self._frozen:
            self._obstacle(
                "Other weights are trained than at the beginning (some are frozen, released or "
                "added to the optimizer later): the grader trains the same ones all the time"
            )
            self._weights = weights
            self._frozen = self._which_are_frozen()
            self._versions = self._all_versions()
            self._prints = self._all_prints()
        if self._trace.hooked is not None:
            self._obstacle(
                "A hook looks at the gradients and may change them, which the grader does not do",
                self._trace.hooked,
            )
        if any(weight.dtype != torch.float32 for weight in self._weights):
            self._obstacle(
                "The weights are not float32 (half() or double()): the grader trains in float32"
            )

    def _which_are_frozen(self) -> list[bool]:
        return [not weight.requires_grad for weight in self._weights]

    def _all_versions(self) -> int:
        return sum([weight._version for weight in self._weights])

    def _all_prints(self) -> Any:
        return fingerprint(nn.ParameterList(self._weights)) if self._weights else None

    def _other_settings(self) -> list[Any]:
        return [
            value
            for group in self._optimizer.param_groups
            for name, value in group.items()
            if name not in FOLLOWED and name not in OF_SCHEDULERS
        ] + [group["betas"][1] for group in self._optimizer.param_groups if "betas" in group]

    def _say_which_setting(self) -> None:
        for group, before in zip(self._optimizer.param_groups, self._record.groups, strict=False):
            for name, value in group.items():
                if name in before and name != "params" and before[name] != value:
                    if name in OF_SCHEDULERS or name in FOLLOWED - {"betas"}:
                        continue
                    self._obstacle(
                        f"The optimizer's setting {name} changes during training; the grader "
                        "changes only lr, momentum (or the first of betas) and weight_decay"
                    )
        self._others = self._other_settings()

    def _obstacle(self, text: str, line: int | None = None) -> None:
        if text not in self._record.obstacles:
            self._record.obstacles[text] = line or self._trace.where()


def _copy(group: dict[str, Any]) -> dict[str, Any]:
    trained = [weight for weight in group["params"] if weight.requires_grad]
    return {**group, "params": trained}


def install(trace: Trace, gradients: AllGradients) -> None:
    """Put the optimizers in place of torch's."""
    kind: Any = torch.optim.Optimizer
    optimizers = Optimizers(trace, gradients)
    real_init = kind.__init__
    replaced: set[type] = set()

    def init(self: Any, *args: Any, **keywords: Any) -> None:
        own = type(self)
        if not getattr(own.step, "rehearsed", False):
            if own in _TORCHS and not _is_torchs(own.step):
                replaced.add(own)
            own.step = _step(optimizers)
        real_init(self, *args, **keywords)
        for group in self.param_groups:
            building.make_all_generic(group["params"])
        record = optimizers.record(self)
        if own in replaced:
            text = f"The step() of {own.__name__} is replaced; the grader takes torch's own steps"
            record.obstacles.setdefault(text, record.line)

    def zero(self: Any, *_: Any, **__: Any) -> None:
        trace.zero()

    real_load = kind.load_state_dict

    def load(self: Any, *args: Any, **keywords: Any) -> None:
        real_load(self, *args, **keywords)
        optimizers.loaded(self)

    kind.__init__ = init
    kind.load_state_dict = load
    kind.zero_grad = zero
    nn.Module.zero_grad = zero  # type: ignore[method-assign] # for this run
    searches.install(trace, optimizers.begin_again)


_TORCHS = frozenset(kind for kind in vars(torch.optim).values() if isinstance(kind, type))


def _is_torchs(step: Any) -> bool:
    """Whether a function is one of torch's, beneath what torch itself puts around it."""
    names = getattr(inspect.unwrap(step), "__globals__", {})
    return str(names.get("__name__", "")).startswith("torch.")


def _step(optimizers: Optimizers) -> Any:
    def step(self: Any, closure: Any = None, *_: Any, **__: Any) -> Any:
        result = None
        if closure is not None:
            with torch.enable_grad():
                result = closure()
        optimizers.step(self)
        return result

    vars(step).update(hooked=True, rehearsed=True)  # torch then leaves it as it is
    return step
