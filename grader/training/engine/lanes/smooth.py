"""Smooth activations by formula and derivative: sigmoid to GELU, and their tables by name."""

from __future__ import annotations

import math

from grader.training.engine.lanes import polynomials
from grader.training.engine.lanes.elementwise import (
    Between,
    Leaky,
    Linear,
    Smooth,
    Step,
    between,
)
from grader.training.engine.lanes.ir import Function, Value


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
    y, inside = between(f, x + 3.0, 0.0, 6.0, open_=True)
    return y * (1 / 6), f.select(inside, 1 / 6, 0.0, f.vector)


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


def _erf(f: Function, x: Value) -> tuple[Value, Value]:
    return polynomials.erf(f, x), polynomials.exp(f, x * x * -1.0) * (2 / math.sqrt(math.pi))


def _exp(f: Function, x: Value) -> tuple[Value, Value]:
    y = polynomials.exp(f, x)
    return y, y


def _sqrt(f: Function, x: Value) -> tuple[Value, Value]:
    y = f.unary("sqrt", x)
    return y, 0.5 / y


def _rsqrt(f: Function, x: Value) -> tuple[Value, Value]:
    y = 1.0 / f.unary("sqrt", x)
    return y, y * y * y * -0.5


def _reciprocal(f: Function, x: Value) -> tuple[Value, Value]:
    y = 1.0 / x
    return y, y * y * -1.0


def _log(f: Function, x: Value) -> tuple[Value, Value]:
    y = f.select(f.compare("oeq", x, 0.0), -math.inf, polynomials.log(f, x))
    return f.select(f.compare("olt", x, 0.0), math.nan, y), 1.0 / x


def _log1p(f: Function, x: Value) -> tuple[Value, Value]:
    y, slope = _log(f, x + 1.0)
    # What rounding took from 1 + x is given back, as far as the slope goes.
    return f.fma(x - ((x + 1.0) - 1.0), slope, y), slope


def _log_sigmoid(f: Function, x: Value) -> tuple[Value, Value]:
    low = f.select(f.compare("ogt", x, 0.0), 0.0 - x, x)
    y = f.select(f.compare("olt", x, 0.0), x, 0.0)
    rest = polynomials.log(f, polynomials.exp(f, low) + 1.0)
    return y - rest, polynomials.sigmoid(f, 0.0 - x)


def length(f: Function, x: Value) -> tuple[Value, Value]:
    """The root of a sum of squares; that of nothing but zeros passes no gradient."""
    y = f.unary("sqrt", x)
    return y, f.select(f.compare("oeq", y, 0.0), 0.0, 0.5 / y)


def power(exponent: float) -> Step:
    """X to a number; of a negative x only to a whole one."""

    def whole(f: Function, x: Value, times: int) -> Value:
        result = f.lift(1.0, f.vector)
        for _ in range(times):
            result = result * x
        return result

    def formula(f: Function, x: Value) -> tuple[Value, Value]:
        if exponent in range(1, 9):
            below = whole(f, x, int(exponent) - 1)
            return below * x, below * float(exponent)
        logarithm, _ = _log(f, x)
        y = polynomials.exp(f, logarithm * exponent)
        zero = 0.0 if exponent > 0 else math.inf
        y = f.select(f.compare("oeq", x, 0.0), zero, y)
        return y, y / x * exponent

    return Smooth(formula)


def _sign(f: Function, x: Value) -> tuple[Value, Value]:
    _, sign = _abs(f, x)
    return sign, f.lift(0.0, f.vector)


def shrunk(width: float, *, soft: bool) -> Step:
    """0 for x from -width to width, else x, moved towards 0 by the width where `soft`."""

    def formula(f: Function, x: Value) -> tuple[Value, Value]:
        moved = f.select(f.compare("ogt", x, 0.0), x - width, x + width) if soft else x
        inside = f.compare("ole", f.unary("fabs", x), width)
        return f.select(inside, 0.0, moved), f.select(inside, f.lift(0.0, f.vector), 1.0)

    return Smooth(formula)


def threshold(limit: float, value: float) -> Step:
    """X above the limit, else the value."""

    def formula(f: Function, x: Value) -> tuple[Value, Value]:
        low = f.compare("ole", x, limit)
        return f.select(low, value, x), f.select(low, f.lift(0.0, f.vector), 1.0)

    return Smooth(formula)


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
    "sqrt": Smooth(_sqrt),
    "rsqrt": Smooth(_rsqrt),
    "reciprocal": Smooth(_reciprocal),
    "log": Smooth(_log),
    "log1p": Smooth(_log1p),
    "log_sigmoid": Smooth(_log_sigmoid),
    "erf": Smooth(_erf),
    "sign": Smooth(_sign),
}
"""Functions without settings, by the names of their operators."""

GELU: dict[str, Step] = {"none": Smooth(_gelu), "tanh": Smooth(_gelu_by_tanh)}
