"""Matrix products of two maps of the same image, such as those of attention.

    z[b][i][j] = factor * sum over k of x[b][i][k] y[b][k][j]
    dx[b][i][k] = factor * sum over j of dz[b][i][j] y[b][k][j],  dy likewise

All three are one kernel: loops over what is written, and in them a loop over what is summed.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from grader.training.engine.lanes.calls import Calls
from grader.training.engine.lanes.forms import Vector
from grader.training.engine.lanes.ir import Function, Value
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import Map, Place

Index = tuple[int, Vector, Vector, Vector]
"""Count, and the step in x, y and z."""


@dataclass(eq=False, slots=True)
class Contraction:
    """`batch`, `rows` (of x), `columns` (of y) and what is summed, `inner`."""

    first: Map
    second: Map
    target: Map
    batch: tuple[Index, ...]
    rows: Index
    columns: Index
    inner: Index
    factor: float = 1.0

    @property
    def sources(self) -> tuple[Map, ...]:
        """What it reads."""
        return (self.first, self.second)

    @property
    def weights(self) -> tuple[str, ...]:
        """None."""
        return ()

    def forward(self, calls: Calls) -> None:
        """Call what computes it."""
        places = (self.first.values, self.second.values, self.target.values)
        outer = (*self.batch, self.rows, self.columns)
        kernel = _sum(self, calls.target, places, (0, 1, 2), outer, self.inner, adds=False)
        maps = [calls.values(each) for each in (self.first, self.second, self.target)]
        calls.call(kernel, *maps, *calls.range)

    def backward(self, calls: Calls) -> None:
        """Call what computes the gradients of both."""
        given, of = calls.gradient(self.target), self.target.gradient
        if self.first.needs_gradient:
            places = (of, self.second.values, self.first.gradient)
            outer = (*self.batch, self.rows, self.inner)
            adds = calls.adds(self.first)
            kernel = _sum(self, calls.target, places, (2, 1, 0), outer, self.columns, adds=adds)
            to = calls.gradient(self.first)
            calls.call(kernel, given, calls.values(self.second), to, *calls.range)
        if self.second.needs_gradient:
            places = (self.first.values, of, self.second.gradient)
            outer = (*self.batch, self.inner, self.columns)
            adds = calls.adds(self.second)
            kernel = _sum(self, calls.target, places, (0, 2, 1), outer, self.rows, adds=adds)
            to = calls.gradient(self.second)
            calls.call(kernel, calls.values(self.first), given, to, *calls.range)


def _sum(
    stage: Contraction,
    target: Target,
    places: tuple[Place, Place, Place],
    which: tuple[int, int, int],
    outer: tuple[Index, ...],
    inner: Index,
    *,
    adds: bool,
) -> Function:
    """The third place from the other two; `which` of x, y and z lie in each of them."""
    pointers = [("ptr", name) for name in ("one", "other", "target")]
    parameters = [*pointers, ("i64", "first"), ("i64", "end")]
    f = Function("contract", parameters, target.lanes, shared=True)  # x and y may be one map

    def steps(index: Index) -> list[int]:
        vectors = index[1:]
        return [place.step(vectors[number]) for place, number in zip(places, which, strict=True)]

    with ExitStack() as stack:
        group = stack.enter_context(f.loop(f["first"], f["end"]))
        here = [group * place.group + place.first for place in places]
        for index in outer:
            number = stack.enter_context(f.loop(index[0]))
            here = _further(here, number, steps(index))
        total = f.variable(f.vector, 0.0)
        with f.loop(inner[0]) as k:
            one, other, _ = _further(here, k, steps(inner))
            value = f.load(f["one"], one)
            total.set(f.fma(value, f.load(f["other"], other), total.get()))
        result = total.get() if stage.factor == 1 else total.get() * stage.factor
        if adds:
            result = result + f.load(f["target"], here[2])
        f.store(result, f["target"], here[2])
    return f


def _further(here: list[Value], number: Value, steps: list[int]) -> list[Value]:
    return [place + number * step for place, step in zip(here, steps, strict=True)]
