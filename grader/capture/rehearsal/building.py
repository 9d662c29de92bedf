"""Networks as they are built: class, arguments, and whether their weights change after.

In: the trace. Out: numbers for constant weights, and a note on every network of the student's own
classes, which a copy of it has too. Patched through `nn.Module.__init_subclass__`: only classes of
the file that is rehearsed.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from grader.capture.rehearsal.gradients import fingerprint
from grader.capture.rehearsal.trace import Trace
from grader.program.rehearsed import TrainedNetwork

BUILT = "rehearsal_built"
"""Attribute of a network: a Built."""
MOST_WEIGHTS = 20_000_000
"""Numbers of a network that are looked at to see whether they changed."""


@dataclass(slots=True)
class Built:
    """How a network was built, and what its weights looked like then."""

    network: TrainedNetwork
    weights: tuple[Any, ...] | None = field(default=None)


def install(trace: Trace, direct: Callable[[Any], Any]) -> None:
    """Watch the student's classes; `direct` wraps their `forward`."""
    module: Any = nn.Module

    def begin(cls: Any, /, **keywords: Any) -> None:
        super(nn.Module, cls).__init_subclass__(**keywords)
        for name, wrap in (("__init__", functools.partial(_watched, trace)), ("forward", direct)):
            own = vars(cls).get(name)
            if isinstance(own, FunctionType) and own.__code__.co_filename == trace.filename:
                setattr(cls, name, wrap(own))

    module.__init_subclass__ = classmethod(begin)


def _watched(trace: Trace, real: Any) -> Any:
    """An `__init__` that writes down what it was given."""

    @functools.wraps(real)
    def init(self: Any, *args: Any, **keywords: Any) -> None:
        if BUILT in vars(self):
            real(self, *args, **keywords)
            return
        built = vars(self)[BUILT] = Built(_network(trace, type(self), args, keywords))
        trace.building += 1
        try:
            real(self, *args, **keywords)
        finally:
            trace.building -= 1
        if not trace.building:
            make_all_generic(self.parameters())
        built.weights = _weights(self)

    return init


def make_all_generic(weights: Iterable[Any]) -> None:
    """Give numbers to weights that are the same everywhere (0 or 1): terms on them then tell."""
    for weight in weights:
        if isinstance(weight, Tensor) and _is_made(weight):
            _make_generic(weight)


def _make_generic(weight: Tensor) -> None:
    with contextlib.suppress(RuntimeError, ValueError), torch.no_grad():
        values = weight.data
        if (
            values.numel()
            and values.is_floating_point()
            and bool((values == values.flatten()[0]).all())
        ):
            fresh = torch.rand(values.shape, generator=torch.Generator().manual_seed(1))
            values.copy_(fresh * 0.5 + 0.25)


def _network(trace: Trace, kind: type, args: Any, keywords: Any) -> TrainedNetwork:
    plain = [_plain(item) for item in args]
    named = {name: _plain(item) for name, item in keywords.items()}
    whole = ... not in plain and ... not in named.values()
    return TrainedNetwork(
        file=_file(trace, kind),
        name=kind.__qualname__[:200],
        arguments=tuple(plain) if whole else (),
        keywords=named if whole else {},
        whole=whole,
        line=trace.where(),
    )


def _file(trace: Trace, kind: type) -> str:
    """The part of the listing that the class stands in."""
    for name in ("forward", "__init__"):
        function = vars(kind).get(name)
        code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
        part = trace.request.listing.part(code.co_firstlineno) if code else None
        if part is not None:
            return part.file
    return trace.request.listing.main


def _plain(value: Any) -> Any:
    """Plain data as it is (a list as a tuple); Ellipsis for everything else."""
    if value is None or type(value) in (bool, int, float):
        return value
    if type(value) is str and len(value) <= 1_000:
        return value
    if type(value) in (tuple, list):
        items = tuple(_plain(item) for item in value)
        flat = all(item is not ... and not isinstance(item, tuple) for item in items)
        return items if flat else ...
    return ...


def built(network: Any) -> TrainedNetwork | None:
    """How a network was built, where it is of a class of the student's."""
    found = vars(network).get(BUILT)
    return found.network if found is not None else None


def line(network: Any) -> int | None:
    """Where it was built."""
    found = built(network)
    return found.line if found else None


def remember(network: nn.Module) -> None:
    """Take the weights as they are now for those that it was built with."""
    found = vars(network).get(BUILT)
    if found is not None:
        found.weights = _weights(network)


def compare(trace: Trace, network: nn.Module) -> None:
    """Say that the weights are not those that its class gave it, if it is so."""
    found = vars(network).get(BUILT)
    if found is None or found.weights is None:
        return
    now = _weights(network)
    if now is not None and now != found.weights:
        found.weights = now
        trace.note(
            "The weights are set anew after the network was built, outside of its class: the "
            "grader starts from those that the class itself gives. Do it in __init__",
            trace.initialised or found.network.line,
        )


def _weights(network: nn.Module) -> tuple[Any, ...] | None:
    total = sum(weight.numel() for weight in network.parameters() if _is_made(weight))
    return fingerprint(network) if total <= MOST_WEIGHTS else None


def _is_made(weight: Any) -> bool:
    return not isinstance(weight, nn.parameter.UninitializedParameter)
