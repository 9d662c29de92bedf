"""Chains: what is computed number by number between two stored maps, with the pool at its end.

A chain is [steps before] [batch norm] [steps after] [pool]. Nothing between is stored: the way back
computes it again from the source, which costs less than memory does.

    apply       source -> target
    back        gradient of target -> gradient of source

Batch norm needs sums over the whole batch first, in both directions (see `norm.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from grader.training.engine.lanes.convolution import over
from grader.training.engine.lanes.elementwise import Where
from grader.training.engine.lanes.ir import Function, Value
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.stages import Chain

COEFFICIENTS = 8
"""Floats of batch norm for each channel and thread: see `Coefficient`."""
SCALE, SHIFT, OF_VALUE, CONSTANT, MEAN, RECIPROCAL, GUESS = range(7)
"""y = SCALE x + SHIFT; dx = SCALE dy + OF_VALUE x + CONSTANT; the batch's mean and 1 / standard
deviation; and the number that is taken away before squares are summed: the last batch's mean."""

AT_ONCE = 7
"""Vectors of a row in one go."""


@dataclass(slots=True)
class Steps:
    """A chain's steps, on one vector, in a function."""

    f: Function
    chain: Chain
    training: bool
    coefficients: dict[int, Value]

    def place(self, group: Value, channel: Value, y: Value, x: Value) -> Where:
        """An element, for steps that ask where they are."""
        source = self.chain.source
        line = group * source.channels + channel
        element = (line * source.height + y) * source.width + x
        return Where(element, line, self.f["seed"], self.training)

    def before(self, x: Value, where: Where) -> tuple[Value, list[Any]]:
        """Up to the batch norm."""
        saved = []
        for step in self.chain.before:
            x, one = step.forward(self.f, x, where)
            saved.append(one)
        return x, saved

    def forward(self, x: Value, where: Where) -> tuple[Value, Any]:
        """All of them; and what the way back needs."""
        value, first = self.before(x, where)
        result = value
        if self.chain.norm:
            result = self.f.fma(value, self.coefficients[SCALE], self.coefficients[SHIFT])
        last = []
        for step in self.chain.after:
            result, one = step.forward(self.f, result, where)
            last.append(one)
        return result, (first, value, last, where)

    def after_norm(self, gradient: Value, saved: Any) -> Value:
        """The gradient of what batch norm gives."""
        _, _, last, where = saved
        for step, one in zip(reversed(self.chain.after), reversed(last), strict=True):
            gradient = step.backward(self.f, gradient, one, where)
        return gradient

    def backward(self, gradient: Value, saved: Any, mask: Value) -> Value:
        """The gradient of the source; batch norm moves all lanes, and `mask` is 0 for no images."""
        first, value, _, where = saved
        gradient = self.after_norm(gradient, saved)
        if self.chain.norm and self.chain.norm.by_batch:
            rest = self.f.fma(value, self.coefficients[OF_VALUE], self.coefficients[CONSTANT])
            gradient = self.f.fma(gradient, self.coefficients[SCALE], rest) * mask
        elif self.chain.norm:
            gradient = gradient * self.coefficients[SCALE]
        for step, one in zip(reversed(self.chain.before), reversed(first), strict=True):
            gradient = step.backward(self.f, gradient, one, where)
        return gradient


def read(f: Function, channel: Value, which: range | tuple[int, ...]) -> dict[int, Value]:
    """Some of a channel's coefficients, in all lanes."""
    return {i: f.every(f["coefficients"], channel * COEFFICIENTS + i) for i in which}


def apply(chain: Chain, target: Target, *, training: bool) -> Function:
    """The kernel that computes the chain's target."""
    f = Function(
        "apply",
        [
            ("ptr", "source"),
            ("ptr", "target"),
            ("ptr", "coefficients"),
            ("i64", "first"),
            ("i64", "end"),
            ("i32", "seed"),
        ],
        target.lanes,
    )
    to = chain.target
    with f.loop(to.channels) as channel:
        known = read(f, channel, (SCALE, SHIFT)) if chain.norm else {}
        steps = Steps(f, chain, training, known)
        with f.loop(f["first"], f["end"]) as group:
            if chain.pool == "mean of all":
                _mean(f, steps, group, channel)
            else:
                _values(steps, group, channel)
    return f


def _values(steps: Steps, group: Value, channel: Value) -> None:
    f, to = steps.f, steps.chain.target
    with f.loop(to.height) as y:
        for count, x in over(f, to.width, AT_ONCE):
            for number in range(count):
                column = x + number
                value = _value(steps, group, channel, y, column)
                f.store(value, f["target"], to.values.at(group, channel, y, column))


def _value(steps: Steps, group: Value, channel: Value, y: Value, x: Value) -> Value:
    if steps.chain.pool != "max 2x2":
        return at(steps, group, channel, y, x)[0]
    best: Value | None = None
    for row, column in four(y, x):
        value, _ = at(steps, group, channel, row, column)
        best = value if best is None else steps.f.larger(value, best)
    assert best is not None
    return best


def four(y: Value, x: Value) -> list[tuple[Value, Value]]:
    """The pixels of a 2 x 2 window in the order of reading: the first largest one counts."""
    return [(y * 2 + row, x * 2 + column) for row in range(2) for column in range(2)]


def at(steps: Steps, group: Value, channel: Value, y: Value, x: Value) -> tuple[Value, Any]:
    """An element of the source after all steps, and what the way back needs."""
    place = steps.chain.source.values.at(group, channel, y, x)
    return steps.forward(steps.f.load(steps.f["source"], place), steps.place(group, channel, y, x))


def _mean(f: Function, steps: Steps, group: Value, channel: Value) -> None:
    source, to = steps.chain.source, steps.chain.target
    sums = f.sums(4)
    with f.loop(source.height) as y:
        for count, x in over(f, source.width, AT_ONCE):
            for number in range(count):
                sums[number % 4].add(at(steps, group, channel, y, x + number)[0])
    total = (sums[0].get() + sums[1].get()) + (sums[2].get() + sums[3].get())
    f.store(total * (1 / source.pixels), f["target"], to.values.at(group, channel))
