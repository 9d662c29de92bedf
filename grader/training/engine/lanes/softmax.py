"""Softmax and its logarithm along one dimension of a map, before the end of a network.

    y = exp(x - max) / sum of exp(x - max)      dx = y (dy - sum of dy y)
    z = x - max - log of that sum               dx = dz - exp(z) * sum of dz

Each is a loop over the dimension inside of loops over the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from grader.training.engine.lanes import polynomials
from grader.training.engine.lanes.calls import Calls
from grader.training.engine.lanes.forms import Loop
from grader.training.engine.lanes.ir import Function, Value
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import Map, Place

_RANGE = [("i64", "first"), ("i64", "end")]


@dataclass(eq=False, slots=True)
class Softmax:
    """Along the loop `of`, for all `others`; source and target are of one form."""

    source: Map
    target: Map
    of: Loop
    others: tuple[Loop, ...]
    logarithm: bool

    @property
    def sources(self) -> tuple[Map, ...]:
        """What it reads."""
        return (self.source,)

    @property
    def weights(self) -> tuple[str, ...]:
        """None."""
        return ()

    def forward(self, calls: Calls) -> None:
        """Call what computes it."""
        places = calls.values(self.source), calls.values(self.target)
        calls.call(_there(self, calls.target), *places, *calls.range)

    def backward(self, calls: Calls) -> None:
        """Call what computes the gradient of its source."""
        if self.source.needs_gradient:
            kernel = _back(self, calls.target, accumulates=calls.adds(self.source))
            places = calls.values(self.target), calls.gradient(self.target)
            calls.call(kernel, *places, calls.gradient(self.source), *calls.range)


@contextmanager
def _over(f: Function, others: Sequence[Loop], places: Sequence[Place]) -> Iterator[list[Value]]:
    """Loops over everything else: where the dimension begins in each place."""
    with ExitStack() as stack:
        group = stack.enter_context(f.loop(f["first"], f["end"]))
        here = [group * place.group + place.first for place in places]
        for count, step in others:
            index = stack.enter_context(f.loop(count))
            here = [
                number + index * place.step(step)
                for number, place in zip(here, places, strict=True)
            ]
        yield here


def _there(stage: Softmax, target: Target) -> Function:
    f = Function("softmax", [("ptr", "source"), ("ptr", "target"), *_RANGE], target.lanes)
    source, to = stage.source.values, stage.target.values
    count, step = stage.of
    along, there = source.step(step), to.step(step)
    with _over(f, stage.others, (source, to)) as (one, other):
        top = f.variable(f.vector, f.load(f["source"], one))
        with f.loop(count) as i:
            value = f.load(f["source"], one + i * along)
            top.set(f.larger(top.get(), value))
        total = f.variable(f.vector, 0.0)
        with f.loop(count) as i:
            value = f.load(f["source"], one + i * along)
            power = polynomials.exp(f, value - top.get())
            total.add(power)
            if not stage.logarithm:
                f.store(power, f["target"], other + i * there)
        if stage.logarithm:
            off = polynomials.log(f, total.get()) + top.get()
        else:
            share = 1.0 / total.get()
        with f.loop(count) as i:
            if stage.logarithm:
                result = f.load(f["source"], one + i * along) - off
            else:
                result = f.load(f["target"], other + i * there) * share
            f.store(result, f["target"], other + i * there)
    return f


def _back(stage: Softmax, target: Target, *, accumulates: bool) -> Function:
    """From the result and its gradient, which are here `target` and `given`."""
    pointers = [("ptr", name) for name in ("target", "given", "gradient")]
    f = Function("unsoftmax", [*pointers, *_RANGE], target.lanes)
    places = stage.target.values, stage.target.gradient, stage.source.gradient
    count, step = stage.of
    steps = [place.step(step) for place in places]
    with _over(f, stage.others, places) as here:

        def both(i: Value) -> tuple[Value, Value]:
            y = f.load(f["target"], here[0] + i * steps[0])
            return y, f.load(f["given"], here[1] + i * steps[1])

        total = f.variable(f.vector, 0.0)
        with f.loop(count) as i:
            y, dy = both(i)
            total.add(dy if stage.logarithm else dy * y)
        with f.loop(count) as i:
            y, dy = both(i)
            if stage.logarithm:
                result = dy - polynomials.exp(f, y) * total.get()
            else:
                result = y * (dy - total.get())
            place = here[2] + i * steps[2]
            if accumulates:
                result = result + f.load(f["gradient"], place)
            f.store(result, f["gradient"], place)
    return f
