"""Steps of a chain: what is computed from one number alone, forward and backward.

Each `forward` gives a vector and what `backward` needs to take the gradient through the step. The
formulas are those of PyTorch's documentation, gradients included, also where a function has a
corner: at 0, ReLU passes nothing; NaN stays NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from grader.training.engine.lanes.ir import Function, Value


@dataclass(frozen=True, slots=True)
class Where:
    """The element that is being computed, for steps that depend on it.

    `element`: its number in the map, the same for all lanes of its vector; `channel`: the number of
    its channel and group; `seed`: of this step; `training`: whether dropout drops.
    """

    element: Value
    channel: Value
    seed: Value
    training: bool


class Step(Protocol):
    """See the module."""

    def forward(self, f: Function, x: Value, where: Where) -> tuple[Value, Any]:
        """The result, and what `backward` needs."""

    def backward(self, f: Function, gradient: Value, saved: Any, where: Where) -> Value:
        """The gradient of what went in."""


Formula = Callable[[Function, Value], tuple[Value, Value]]
"""Of f and x: the result, and its derivative at x."""


@dataclass(frozen=True, slots=True)
class Smooth:
    """A function by its value and derivative."""

    formula: Formula

    def forward(self, f: Function, x: Value, where: Where) -> tuple[Value, Any]:
        """See `Step`."""
        return self.formula(f, x)

    def backward(self, f: Function, gradient: Value, saved: Any, where: Where) -> Value:
        """See `Step`."""
        slope: Value = saved
        return gradient * slope


@dataclass(frozen=True, slots=True)
class Leaky:
    """x where it is positive, else `slope` times x: ReLU for a slope of 0."""

    slope: float

    def forward(self, f: Function, x: Value, where: Where) -> tuple[Value, Any]:
        """See `Step`."""
        flat = f.compare("ole", x, 0.0)
        return f.select(flat, x * self.slope if self.slope else 0.0, x), flat

    def backward(self, f: Function, gradient: Value, saved: Any, where: Where) -> Value:
        """See `Step`."""
        return f.select(saved, gradient * self.slope if self.slope else 0.0, gradient)


@dataclass(frozen=True, slots=True)
class Between:
    """Cut at `low` and `high`; at the limits themselves, `open_` passes no gradient."""

    low: float
    high: float
    open_: bool

    def forward(self, f: Function, x: Value, where: Where) -> tuple[Value, Any]:
        """See `Step`."""
        return between(f, x, self.low, self.high, open_=self.open_)

    def backward(self, f: Function, gradient: Value, saved: Any, where: Where) -> Value:
        """See `Step`."""
        return f.select(saved, gradient, 0.0)


def between(f: Function, x: Value, low: float, high: float, *, open_: bool) -> tuple[Value, Value]:
    """X cut at the limits, and in which lanes it lies between them."""
    above, below = ("ogt", "olt") if open_ else ("oge", "ole")
    inside = f.binary("and", f.compare(above, x, low), f.compare(below, x, high))
    cut = f.select(f.compare("olt", x, low), low, x)
    return f.select(f.compare("ogt", cut, high), high, cut), inside


@dataclass(frozen=True, slots=True)
class Linear:
    """factor * x + constant."""

    factor: float
    constant: float

    def forward(self, f: Function, x: Value, where: Where) -> tuple[Value, Any]:
        """See `Step`."""
        scaled = x if self.factor == 1 else x * self.factor
        return (scaled if self.constant == 0 else scaled + self.constant), None

    def backward(self, f: Function, gradient: Value, saved: Any, where: Where) -> Value:
        """See `Step`."""
        return gradient if self.factor == 1 else gradient * self.factor


@dataclass(frozen=True, slots=True)
class Dropout:
    """Zero with probability `p`, else scaled up; `whole_channels` drops all pixels of one.

    `salt` is the number of the dropout in its network, so that no two drop alike. What is kept
    follows from the step's seed and the element's number alone, so that it is the same on any
    number of threads. The hash is lowbias32 of Chris Wellons' hash-prospector.
    """

    p: float
    whole_channels: bool
    salt: int

    def forward(self, f: Function, x: Value, where: Where) -> tuple[Value, Any]:
        """See `Step`."""
        if not where.training or self.p == 0:
            return x, None
        number = where.channel if self.whole_channels else where.element
        kept = keep(f, where.seed + _signed(self.salt * SALT), number, self.p)
        return f.select(kept, x * self._scale, 0.0), kept

    def backward(self, f: Function, gradient: Value, saved: Any, where: Where) -> Value:
        """See `Step`."""
        return gradient if saved is None else f.select(saved, gradient * self._scale, 0.0)

    @property
    def _scale(self) -> float:
        return 1 / (1 - self.p) if self.p < 1 else 0.0


SALT = 0x9E3779B1
"""Makes another seed of the same one, for each dropout."""


def _signed(number: int) -> int:
    """The number of 32 bits, as LLVM reads it."""
    return (number + 2**31) % 2**32 - 2**31


def keep(f: Function, seed: Value, number: Value, p: float) -> Value:
    """Which lanes dropout keeps at the element of that number (64 bits) under that seed (32)."""
    t = f.whole_vector
    lanes = ", ".join(f"i32 {lane}" for lane in range(f.lanes))
    x = f.broadcast(f.convert("trunc", number, "i32")) * f.lanes + Value(f, t, f"<{lanes}>")

    def mix(value: Value, shift: int) -> Value:
        return f.binary("xor", value, f.binary("lshr", value, shift))

    x = mix(f.binary("xor", x, f.broadcast(seed)), 16) * 0x7FEB352D
    x = mix(mix(x, 15) * _signed(0x846CA68B), 16)
    return f.compare("uge", f.binary("lshr", x, 8), round(p * 2**24))
