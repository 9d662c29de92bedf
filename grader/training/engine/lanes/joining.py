"""Stages that join maps: of two numbers each, and maps side by side.

pointwise  z = a ? b    da, db = by `operations`, summed over what shares a number of a or b
side       z = [a, b]   da = the first channels of dz, ...
"""

from __future__ import annotations

from dataclasses import dataclass

from grader.training.engine.lanes.calls import Calls
from grader.training.engine.lanes.forms import Vector, along
from grader.training.engine.lanes.ir import Function, Operand, Value
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import At, Map, Place, pixels
from grader.training.engine.lanes.operations import Operation

_RANGE = [("i64", "first"), ("i64", "end")]


@dataclass(eq=False, slots=True)
class Pointwise:
    """Two maps, number by number; a map of one channel, row or column has it for all of them."""

    first: Map
    second: Map
    target: Map
    operation: Operation

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
        places = [calls.values(each) for each in (self.first, self.second, self.target)]
        calls.call(_together(self, calls.target), *places, *calls.range)

    def backward(self, calls: Calls) -> None:
        """Call what computes the gradients of both."""
        given = calls.gradient(self.target)
        values = calls.values(self.first), calls.values(self.second)
        for number, part in enumerate((self.first, self.second)):
            if part.needs_gradient:
                kernel = _apart(self, calls.target, number, accumulates=calls.adds(part))
                calls.call(kernel, *values, given, calls.gradient(part), *calls.range)


def _together(stage: Pointwise, target: Target) -> Function:
    parameters = [("ptr", "one"), ("ptr", "other"), ("ptr", "target"), *_RANGE]
    f = Function("pointwise", parameters, target.lanes, shared=True)  # both may be one map
    with pixels(f, stage.target) as at:
        a, b = _both(f, stage, at)
        f.store(stage.operation.result(f, a, b), f["target"], stage.target.values.at(*at))
    return f


def _both(f: Function, stage: Pointwise, at: At) -> tuple[Value, Value]:
    one = f.load(f["one"], stage.first.values.at(*_shared(stage.first, at)))
    return one, f.load(f["other"], stage.second.values.at(*_shared(stage.second, at)))


def _shared(of: Map, at: At) -> At:
    """Where that map has its number for a pixel."""
    group, channel, y, x = at
    zero = group.function.lift(0, "i64")
    return (
        group,
        zero if of.channels == 1 else channel,
        zero if of.height == 1 else y,
        zero if of.width == 1 else x,
    )


def _apart(stage: Pointwise, target: Target, number: int, *, accumulates: bool) -> Function:
    """The kernel of the gradient of one of them, or what adds to it.

    `target` is here the gradient of the stage's target.
    """
    pointers = [("ptr", name) for name in ("one", "other", "target", "gradient")]
    f = Function("unpointwise", [*pointers, *_RANGE], target.lanes, shared=True)
    wanted = (stage.first, stage.second)[number]
    slope = (stage.operation.of_first, stage.operation.of_second)[number]
    whole = stage.target
    with pixels(f, wanted) as (group, channel, y, x):
        total = f.variable(f.vector, 0.0)
        channels = _range(channel, wanted.channels, whole.channels)
        rows = _range(y, wanted.height, whole.height)
        columns = _range(x, wanted.width, whole.width)
        with f.loop(*channels) as c, f.loop(*rows) as row, f.loop(*columns) as column:
            at = (group, c, row, column)
            given = f.load(f["target"], whole.gradient.at(*at))
            total.add(slope(f, given, *_both(f, stage, at)))
        place = wanted.gradient.at(group, channel, y, x)
        result = total.get()
        if accumulates:
            result = result + f.load(f["gradient"], place)
        f.store(result, f["gradient"], place)
    return f


def _range(here: Value, mine: int, all_: int) -> tuple[Operand, Operand]:
    return (here, here + 1) if mine == all_ else (0, all_)


@dataclass(eq=False, slots=True)
class Side:
    """Maps side by side along an axis: channels, rows or columns."""

    parts: tuple[Map, ...]
    target: Map
    axis: int

    @property
    def sources(self) -> tuple[Map, ...]:
        """What it reads."""
        return self.parts

    @property
    def weights(self) -> tuple[str, ...]:
        """None."""
        return ()

    def forward(self, calls: Calls) -> None:
        """Call what copies."""
        to = self.target.values
        for part, begin in self._begins():
            kernel = _copy(part, part.values, _from(to, begin), calls.target)
            calls.call(kernel, calls.values(part), calls.values(self.target), *calls.range)

    def backward(self, calls: Calls) -> None:
        """Call what copies gradients back."""
        of = self.target.gradient
        for part, begin in self._begins():
            if part.needs_gradient:
                adds = calls.adds(part)
                place = part.gradient
                kernel = _copy(part, _from(of, begin), place, calls.target, accumulates=adds)
                places = calls.gradient(self.target), calls.gradient(part)
                calls.call(kernel, *places, *calls.range)

    def _begins(self) -> list[tuple[Map, Vector]]:
        """The parts, each with where it begins."""
        found, begin = [], 0
        for part in self.parts:
            found.append((part, along(self.axis, begin)))
            begin += (part.channels, part.height, part.width)[self.axis]
        return found


def _from(place: Place, begin: Vector) -> Place:
    first = place.first + place.step(begin)
    return Place(place.group, place.channel, place.row, place.pixel, first)


def _copy(
    of: Map, source: Place, to: Place, target: Target, *, accumulates: bool = False
) -> Function:
    """All of a map from one place to another, or added to what is there."""
    f = Function("copy", [("ptr", "source"), ("ptr", "target"), *_RANGE], target.lanes)
    with pixels(f, of) as at:
        value, place = f.load(f["source"], source.at(*at)), to.at(*at)
        if accumulates:
            value = value + f.load(f["target"], place)
        f.store(value, f["target"], place)
    return f
