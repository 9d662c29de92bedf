"""Chains on the way back: the gradient of the target becomes that of the source.

See `chain.py`: what lies between is computed again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grader.training.engine.lanes.chain import (
    AT_ONCE,
    CONSTANT,
    OF_VALUE,
    SCALE,
    SHIFT,
    Steps,
    at,
    four,
    read,
)
from grader.training.engine.lanes.convolution import over
from grader.training.engine.lanes.ir import Function, Value
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.stages import Chain

Use = Callable[[Value, Value, Any, Value], None]
"""Called with the row and column of an element, what its steps saved, and its gradient."""


def each(steps: Steps, group: Value, channel: Value, use: Use) -> None:
    """Call `use` for every element of the source, with the gradient that reaches its last step."""
    if steps.chain.pool == "max 2x2":
        _each_of_four(steps, group, channel, use)
        return
    f, source, to = steps.f, steps.chain.source, steps.chain.target
    same = None
    if steps.chain.pool:
        same = f.load(f["target"], to.gradient.at(group, channel)) * (1 / source.pixels)
    with f.loop(source.height) as y:
        for count, x in over(f, source.width, AT_ONCE):
            for number in range(count):
                column = x + number
                gradient = same
                if gradient is None:
                    gradient = f.load(f["target"], to.gradient.at(group, channel, y, column))
                use(y, column, at(steps, group, channel, y, column)[1], gradient)


def _each_of_four(steps: Steps, group: Value, channel: Value, use: Use) -> None:
    f, source, to = steps.f, steps.chain.source, steps.chain.target
    zero = f.lift(0.0, f.vector)
    with f.loop(to.height) as y:
        for count, x in over(f, to.width, 2):
            for number in range(count):
                _shared(steps, group, channel, (y, x + number), use)

    def left_out(row: Value, column: Value) -> None:
        use(row, column, at(steps, group, channel, row, column)[1], zero)

    if source.height > to.height * 2:
        with f.loop(to.height * 2, source.height) as y, f.loop(source.width) as x:
            left_out(y, x)
    if source.width > to.width * 2:
        with f.loop(to.height * 2) as y, f.loop(to.width * 2, source.width) as x:
            left_out(y, x)


def _shared(
    steps: Steps, group: Value, channel: Value, pixel: tuple[Value, Value], use: Use
) -> None:
    """The gradient of one maximum goes to the first of the four that has it."""
    f = steps.f
    seen: list[tuple[Value, Value, Any, Value | None]] = []
    best: Value | None = None
    for row, column in four(*pixel):
        value, saved = at(steps, group, channel, row, column)
        larger = None if best is None else f.compare("ogt", value, best)
        best = value if best is None or larger is None else f.select(larger, value, best)
        seen.append((row, column, saved, larger))
    rest = f.load(f["target"], steps.chain.target.gradient.at(group, channel, *pixel))
    for row, column, saved, larger in reversed(seen):
        mine = rest
        if larger is not None:
            mine, rest = f.select(larger, rest, 0.0), f.select(larger, 0.0, rest)
        use(row, column, saved, mine)


def back(chain: Chain, target: Target, *, accumulates: bool) -> Function:
    """The kernel that computes the gradient of the chain's source, or adds to it.

    `target` is here the gradient of the chain's target.
    """
    f = Function(
        "back",
        [
            ("ptr", "source"),
            ("ptr", "target"),
            ("ptr", "gradient"),
            ("ptr", "coefficients"),
            ("ptr", "masks"),
            ("i64", "first"),
            ("i64", "end"),
            ("i32", "seed"),
        ],
        target.lanes,
    )
    source: Map = chain.source
    with f.loop(source.channels) as channel:
        which = (SCALE, SHIFT, OF_VALUE, CONSTANT) if chain.norm else ()
        steps = Steps(f, chain, True, read(f, channel, which))
        with f.loop(f["first"], f["end"]) as group:
            mask = f.load(f["masks"], group)

            def use(y: Value, x: Value, saved: Any, gradient: Value) -> None:
                result = steps.backward(gradient, saved, mask)
                place = source.gradient.at(group, channel, y, x)
                if accumulates:
                    result = result + f.load(f["gradient"], place)
                f.store(result, f["gradient"], place)

            each(steps, group, channel, use)
    return f
