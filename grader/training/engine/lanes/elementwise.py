"""Steps of a chain: what is computed from one number alone, forward and backward.

Each `forward` gives a vector and what `backward` needs to take the gradient through the step. The
formulas are those of PyTorch's documentation, gradients included, also where a function has a
corner: at 0, ReLU passes nothing; NaN stays NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from grader.training.engine.lanes import polynomials
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
        above, below = ("ogt", "olt") if self.open_ else ("oge", "ole")
        inside = f.emit(
            f"<{f.lanes} x i1>",
            f"and <{f.lanes} x i1> {f.compare(above, x, self.low).name}, "
            f"{f.compare(below, x, self.high).name}",
        )
        cut = f.select(f.compare("olt", x, self.low), self.low, x)
        return f.select(f.compare("ogt", cut, self.high), self.high, cut), inside

    def backward(self, f: Function, gradient: Value, saved: Any, where: Where) -> Value:
        """See `Step`."""
        return f.select(saved, gradient, 0.0)


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


def _sigmoid(f: Function, x: Value) -> tuple[Value, Value]:
    y = polynomials.sigmoid(f, x)
    return y, y * (1.0 - y)


def _tanh(f: Function, x: Value) -> tuple[Value, Value]:
    y = polynomials.tanh(f, x)
    return y, 1.0 - y * y


def _silu(f: Function, x: Value) -> tuple[Value, Value]:
    s = polynomials.sigmoid(f, x)
    return x * s, s * f.fma(x, 1.0 - s, 1.0)


def _hard_sigmoid(f: Function, x: Value) -> tuple[Value, Value]:
    y, inside = Between(0.0, 6.0, open_=True).forward(f, x + 3.0, _nowhere())
    return y * (1 / 6), f.select(inside, f.lift(1 / 6, f.vector), 0.0)


def _hard_swish(f: Function, x: Value) -> tuple[Value, Value]:
    y, _ = _hard_sigmoid(f, x)
    middle = f.fma(x, 1 / 3, 0.5)
    slope = f.select(f.compare("ole", x, -3.0), 0.0, middle)
    return x * y, f.select(f.compare("ogt", x, 3.0), 1.0, slope)


def _mish(f: Function, x: Value) -> tuple[Value, Value]:
    # tanh(log(1 + e)) = (e * e + 2 e) / (e * e + 2 e + 2)
    e = polynomials.exp(f, f.select(f.compare("ogt", x, 20.0), 20.0, x))
    n = e * (e + 2.0)
    t = n / (n + 2.0)
    return x * t, f.fma(x * (e / (e + 1.0)), 1.0 - t * t, t)


def _gelu(f: Function, x: Value) -> tuple[Value, Value]:
    share = f.fma(polynomials.erf(f, x * 0.5**0.5), 0.5, 0.5)
    density = polynomials.exp(f, x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
    return x * share, f.fma(x, density, share)


def _gelu_by_tanh(f: Function, x: Value) -> tuple[Value, Value]:
    root, cube = math.sqrt(2 / math.pi), 0.044715
    t = polynomials.tanh(f, x * f.fma(x * x, root * cube, root))
    share = f.fma(t, 0.5, 0.5)
    slope = (1.0 - t * t) * f.fma(x * x, 3 * root * cube, root)
    return x * share, f.fma(x * 0.5, slope, share)


def _square(f: Function, x: Value) -> tuple[Value, Value]:
    return x * x, x + x


def _abs(f: Function, x: Value) -> tuple[Value, Value]:
    sign = f.select(f.compare("ogt", x, 0.0), 1.0, 0.0, f.vector)
    return f.unary("fabs", x), f.select(f.compare("olt", x, 0.0), -1.0, sign)


def _exp(f: Function, x: Value) -> tuple[Value, Value]:
    y = polynomials.exp(f, x)
    return y, y


def softplus(beta: float, threshold: float) -> Step:
    """log(1 + exp(beta x)) / beta, and x itself above the threshold."""

    def formula(f: Function, x: Value) -> tuple[Value, Value]:
        b = x * beta
        low = f.select(f.compare("ogt", b, 0.0), 0.0 - b, b)
        rest = polynomials.log(f, polynomials.exp(f, low) + 1.0)
        y = (f.select(f.compare("ogt", b, 0.0), b, 0.0) + rest) * (1 / beta)
        large = f.compare("ogt", b, threshold)
        return f.select(large, x, y), f.select(large, 1.0, polynomials.sigmoid(f, b))

    return Smooth(formula)


def elu(alpha: float, scale: float, input_scale: float) -> Step:
    """Scale * x where x is positive, else scale * alpha * (exp(input_scale * x) - 1)."""

    def formula(f: Function, x: Value) -> tuple[Value, Value]:
        e = polynomials.exp(f, x * input_scale)
        negative = f.compare("ole", x, 0.0)
        y = f.select(negative, (e - 1.0) * (alpha * scale), x * scale)
        return y, f.select(negative, e * (alpha * scale * input_scale), scale)

    return Smooth(formula)


def _nowhere() -> Where:
    return None  # type: ignore[return-value] # `Between` does not ask where it is


SMOOTH: dict[str, Step] = {
    "sigmoid": Smooth(_sigmoid),
    "tanh": Smooth(_tanh),
    "silu": Smooth(_silu),
    "mish": Smooth(_mish),
    "hardsigmoid": Smooth(_hard_sigmoid),
    "hardswish": Smooth(_hard_swish),
    "relu": Leaky(0.0),
    "relu6": Between(0.0, 6.0, open_=True),
    "selu": elu(1.6732632423543772, 1.0507009873554805, 1.0),
    "square": Smooth(_square),
    "abs": Smooth(_abs),
    "exp": Smooth(_exp),
    "neg": Linear(-1.0, 0.0),
}
"""Functions without settings, by the names of their operators."""

GELU: dict[str, Step] = {"none": Smooth(_gelu), "tanh": Smooth(_gelu_by_tanh)}
