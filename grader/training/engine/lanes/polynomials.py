"""exp, log, tanh and erf of vectors, by polynomials that are fitted when this is loaded.

LLVM has no such functions for vectors without a library of each platform's own. A polynomial
through Chebyshev points is within a few units in the last place of the best one, and nobody needs
to trust a table of numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from grader.training.engine.lanes.ir import Function, Value

LN2_HIGH = 0.693359375
"""The first bits of ln 2: a small whole number times it is exact."""
LN2_LOW = math.log(2) - LN2_HIGH
ROUND = 1.5 * 2.0**23
"""Added and taken away again, this leaves a whole number, which is also the low bits of the sum."""


def fit(
    function: Callable[[float], float], low: float, high: float, degree: int
) -> tuple[float, ...]:
    """Coefficients of the polynomial through Chebyshev points, the constant first."""
    points = np.polynomial.chebyshev.chebpts1(degree + 1)
    places = (low + high) / 2 + (high - low) / 2 * points
    found = np.polynomial.Polynomial.fit(
        places, [function(place) for place in places], degree, domain=[low, high]
    )
    return tuple(float(c) for c in found.convert().coef)


def _over(function: Callable[[float], float], limit: float) -> Callable[[float], float]:
    return lambda x: function(x) / x if x else limit


EXP = fit(math.exp, -math.log(2) / 2, math.log(2) / 2, 6)
LOG = fit(_over(math.log1p, 1.0), 2**-0.5 - 1, 2**0.5 - 1, 9)
"""log(1 + x) / x."""
TANH = fit(lambda s: _over(math.tanh, 1.0)(math.sqrt(s)), 0.0, 0.625**2, 5)
"""tanh(x) / x, of x * x."""
ERF = fit(lambda t: math.exp((2 / t - 2) ** 2) * math.erfc(2 / t - 2) / t, 0.25, 1.0, 10)
"""erfc(x) * exp(x * x) / t, of t = 1 / (1 + x / 2), for x from 0 to 6."""


def horner(f: Function, coefficients: tuple[float, ...], x: Value) -> Value:
    """The polynomial at x."""
    result = f.lift(coefficients[-1], f.vector)
    for coefficient in reversed(coefficients[:-1]):
        result = f.fma(result, x, coefficient)
    return result


def exp(f: Function, x: Value) -> Value:
    """E to the x, for x from -87 to 88; beyond them that of the nearer end. NaN stays NaN."""
    x = f.select(f.compare("ogt", x, 88.0), 88.0, x)
    x = f.select(f.compare("olt", x, -87.0), -87.0, x)
    moved = f.fma(x, 1 / math.log(2), ROUND)
    whole = moved - ROUND
    rest = f.fma(whole, -LN2_LOW, f.fma(whole, -LN2_HIGH, x))
    bits = f.convert("bitcast", moved, f.whole_vector)
    power = f.binary("shl", bits, 23) + 0x3F800000
    return horner(f, EXP, rest) * f.convert("bitcast", power, f.vector)


def log(f: Function, x: Value) -> Value:
    """The natural logarithm of positive normal numbers. NaN stays NaN."""
    bits = f.convert("bitcast", x, f.whole_vector)
    # So many powers of two that between sqrt(1/2) and sqrt(2) is left.
    shifted = bits - 0x3F3504F3
    exponent = f.binary("ashr", shifted, 23)
    left = bits - f.binary("shl", exponent, 23)
    rest = f.convert("bitcast", left, f.vector) - 1.0
    powers = f.convert("sitofp", exponent, f.vector)
    result = f.fma(powers, math.log(2), horner(f, LOG, rest) * rest)
    return f.select(f.compare("uno", x, x), x, result)


def sigmoid(f: Function, x: Value) -> Value:
    """1 / (1 + exp(-x))."""
    return 1.0 / (exp(f, 0.0 - x) + 1.0)


def tanh(f: Function, x: Value) -> Value:
    """The hyperbolic tangent."""
    near = horner(f, TANH, x * x) * x
    far = 1.0 - 2.0 / (exp(f, x * 2.0) + 1.0)
    size = f.unary("fabs", x)
    return f.select(f.compare("olt", size, 0.625), near, far)


def erf(f: Function, x: Value) -> Value:
    """The error function."""
    size = f.unary("fabs", x)
    size = f.select(f.compare("ogt", size, 6.0), 6.0, size)
    t = 1.0 / f.fma(size, 0.5, 1.0)
    one = 1.0 - horner(f, ERF, t) * t * exp(f, 0.0 - size * size)
    return f.select(f.compare("olt", x, 0.0), 0.0 - one, one)
