"""Searches for a learning rate before the training: whether the network gets its weights back.

In: the trace. Out: patched `state_dict` and `load_state_dict`, and a stand-in for torch_lr_finder.
No step changes a weight here, so what a network is given back is known by when it was copied: where
all copies were made before its first step, loading one begins another training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from grader.capture.rehearsal import packages
from grader.capture.rehearsal.absorbed import Absorbed, AbsorbedModule
from grader.capture.rehearsal.trace import Trace, TrainingRecord

LEAST_STEPS = 10
LEAST_GROWTH = 10.0
"""From the first to the last rate of a search."""
_CLOSE = 1e-3
CARRIED = (
    "it has changed the weights with which the training begins, and the grader begins with new "
    "ones: make a new network after it, or load a copy of state_dict() that was made before it "
    "(copy.deepcopy(model.state_dict()))"
)


def steps(records: Sequence[TrainingRecord]) -> int:
    """How many steps at the beginning of a training have rates that rise by one factor; 0: none."""
    rates: list[float] = []
    for record in records:
        for (values, _, _), often in record.curve:
            if often > 1 or not values:
                return _length(rates)
            rates.append(values[0])
    return _length(rates)


def _length(rates: Sequence[float]) -> int:
    if len(rates) < LEAST_STEPS or rates[0] <= 0:
        return 0
    factor, found = rates[1] / rates[0], 1
    while found < len(rates):
        now = rates[found] / rates[found - 1] if rates[found - 1] > 0 else 0.0
        if abs(now - factor) > _CLOSE * factor:
            break
        found += 1
    grows = rates[found - 1] >= LEAST_GROWTH * rates[0]
    return found if grows and found >= LEAST_STEPS else 0


def install(trace: Trace, begin_again: Callable[[TrainingRecord], object]) -> None:
    """Watch copies of weights; `begin_again` is told of each training that ends by a restoration.

    Call it when optimizers are patched.
    """
    kind: Any = nn.Module
    real_copy, real_load = kind.state_dict, kind.load_state_dict
    copied: dict[int, list[int]] = {}
    kept: list[Any] = []

    def copy(self: Any, *args: Any, **keywords: Any) -> Any:
        if trace.depth or trace.where() is None:
            return real_copy(self, *args, **keywords)
        if id(self) not in copied:
            kept.append(self)  # and so its id
        copied.setdefault(id(self), []).append(_steps_of(trace, self))
        trace.depth += 1
        try:
            return real_copy(self, *args, **keywords)
        finally:
            trace.depth -= 1

    def load(self: Any, state: Any, *args: Any, **keywords: Any) -> Any:
        is_first = copied.get(id(self)) and not any(copied[id(self)])
        if is_first and not trace.depth and not _is_live(self, state):
            trace.searched.pop(id(self), None)
            for record in [item for item in trace.trainings if id(self) in item.networks]:
                if not record.restored:
                    record.restored = True
                    begin_again(record)
        return real_load(self, state, *args, **keywords)

    kind.state_dict, kind.load_state_dict = copy, load
    packages.add(("torch_lr_finder",), lambda name: _module(trace, name))


def _steps_of(trace: Trace, network: Any) -> int:
    return sum(record.networks[id(network)] for record in trace.trainings)


def _is_live(network: nn.Module, state: Any) -> bool:
    """Whether these are its own weights, and no copy: they have changed with it."""
    own = {item.data_ptr() for item in network.parameters() if item.numel()}
    values = state.values() if isinstance(state, dict) else ()
    return any(isinstance(item, Tensor) and item.data_ptr() in own for item in values)


def _module(trace: Trace, name: str) -> AbsorbedModule:
    class LRFinder:
        """Tries rates on a network, and gives its weights back with `reset()`."""

        def __init__(self, model: Any, *_: Any, **__: Any) -> None:
            self._model = model

        def range_test(self, *_: Any, **__: Any) -> None:
            """Train with rising rates."""
            trace.searched[id(self._model)] = trace.where()

        def reset(self) -> None:
            """Give the weights back."""
            trace.searched.pop(id(self._model), None)

        def __getattr__(self, item: str) -> Any:
            if item.startswith("__"):
                raise AttributeError(item)
            return Absorbed(f"torch_lr_finder.LRFinder.{item}")

    found = AbsorbedModule(name)
    vars(found)["LRFinder"] = LRFinder
    return found
