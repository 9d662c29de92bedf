"""Stages that join maps: sums, products with a gate, and maps side by side.

sum        z = a + factor * b         da = dz, db = factor * dz
product    z = x * g                  dx = dz * g, dg = sum of dz * x over what shares the gate
side       z = [a, b]                 da = the first channels of dz, ...
"""

from __future__ import annotations

from grader.training.engine.lanes.ir import Function, Operand
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import At, Map, Place, pixels
from grader.training.engine.lanes.stages import Product, Sum

_RANGE = [("i64", "first"), ("i64", "end")]


def add(stage: Sum, target: Target) -> Function:
    """The kernel of a sum."""
    parameters = [("ptr", "one"), ("ptr", "other"), ("ptr", "target"), *_RANGE]
    f = Function("add", parameters, target.lanes, shared=True)  # a map may be added to itself
    to = stage.target
    with pixels(f, to) as at:
        one = f.load(f["one"], stage.first.values.at(*at))
        other = f.load(f["other"], stage.second.values.at(*at))
        f.store(f.fma(other, stage.factor, one), f["target"], to.values.at(*at))
    return f


def copy(
    of: Map,
    source: tuple[Place, int],
    to: tuple[Place, int],
    target: Target,
    *,
    factor: float = 1.0,
    accumulates: bool = False,
) -> Function:
    """The channels of a map from one place to another, or added to what is there.

    Each place comes with the channel at which it begins.
    """
    f = Function("copy", [("ptr", "source"), ("ptr", "target"), *_RANGE], target.lanes)
    (from_, begin), (into, there) = source, to
    with pixels(f, of) as (group, channel, y, x):
        value = f.load(f["source"], from_.at(group, channel + begin, y, x))
        place = into.at(group, channel + there, y, x)
        if accumulates:
            value = f.fma(value, factor, f.load(f["target"], place))
        elif factor != 1:
            value = value * factor
        f.store(value, f["target"], place)
    return f


def multiply(stage: Product, target: Target) -> Function:
    """The kernel of a product."""
    parameters = [("ptr", "source"), ("ptr", "gate"), ("ptr", "target"), *_RANGE]
    f = Function("multiply", parameters, target.lanes, shared=True)
    source, gate, to = stage.source, stage.gate, stage.target
    with pixels(f, source) as at:
        value = f.load(f["source"], source.values.at(*at))
        factor = f.load(f["gate"], gate.values.at(*_shared(gate, source, at)))
        f.store(value * factor, f["target"], to.values.at(*at))
    return f


def _shared(gate: Map, source: Map, at: At) -> At:
    """Where the gate of a pixel is."""
    group, channel, y, x = at
    zero = group.function.lift(0, "i64")
    if gate.channels != source.channels:
        channel = zero
    if gate.pixels != source.pixels:
        y = x = zero
    return group, channel, y, x


def multiply_back(stage: Product, target: Target, *, of_gate: bool, accumulates: bool) -> Function:
    """The kernel of the gradient of the source or the gate, or what adds to it.

    `target` is here the gradient of the product, `other` the gate or the source.
    """
    parameters = [("ptr", "other"), ("ptr", "target"), ("ptr", "gradient"), *_RANGE]
    f = Function("unmultiply", parameters, target.lanes)
    wanted, other = (stage.gate, stage.source) if of_gate else (stage.source, stage.gate)
    source = stage.source
    with pixels(f, wanted) as (group, channel, y, x):
        total = f.variable(f.vector, 0.0)
        channels: tuple[Operand, Operand] = (channel, channel + 1)
        rows: tuple[Operand, Operand] = (y, y + 1)
        columns: tuple[Operand, Operand] = (x, x + 1)
        if wanted.channels != source.channels:
            channels = (0, source.channels)
        if wanted.pixels != source.pixels:
            rows, columns = (0, source.height), (0, source.width)
        with f.loop(*channels) as c, f.loop(*rows) as row, f.loop(*columns) as column:
            at = (group, c, row, column)
            given = f.load(f["target"], stage.target.gradient.at(*at))
            factor = f.load(f["other"], other.values.at(*_shared(other, source, at)))
            total.set(f.fma(given, factor, total.get()))
        place = wanted.gradient.at(group, channel, y, x)
        result = total.get()
        if accumulates:
            result = result + f.load(f["gradient"], place)
        f.store(result, f["gradient"], place)
    return f
