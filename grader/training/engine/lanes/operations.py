"""What is computed of two numbers, forward and backward: arithmetic, the larger one, PReLU.

z        dz/da                  dz/db
a + k b  1                      k
a b      b                      a
a / b    1 / b                  -a / b / b
max      1, 1/2, 0 where a is larger, equal, smaller; the other way round for b
PReLU    1 where a > 0, else b  0 where a > 0, else a
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from grader.training.engine.lanes.ir import Function, Value

Formula = Callable[[Function, Value, Value], Value]
Slope = Callable[[Function, Value, Value, Value], Value]
"""Of f, the gradient of the result, a and b."""


@dataclass(frozen=True, slots=True)
class Operation:
    """The result of a and b, and the gradients of both."""

    result: Formula
    of_first: Slope
    of_second: Slope

    @property
    def turned(self) -> Operation:
        """The same of b and a."""
        return Operation(
            lambda f, a, b: self.result(f, b, a),
            lambda f, given, a, b: self.of_second(f, given, b, a),
            lambda f, given, a, b: self.of_first(f, given, b, a),
        )


def sum_of(factor: float) -> Operation:
    """A + factor * b."""
    return Operation(
        lambda f, a, b: a + b if factor == 1 else f.fma(b, factor, a),
        lambda f, given, a, b: given,
        lambda f, given, a, b: given if factor == 1 else given * factor,
    )


def _largest(f: Function, a: Value, b: Value) -> Value:
    # Where one of them is NaN, so is the result.
    larger = f.select(f.compare("ogt", a, b), a, b)
    return f.select(f.compare("uno", a, a), a, larger)


def _smallest(f: Function, a: Value, b: Value) -> Value:
    smaller = f.select(f.compare("olt", a, b), a, b)
    return f.select(f.compare("uno", a, a), a, smaller)


def _share(f: Function, given: Value, mine: Value, other: Value, loses: str) -> Value:
    """Half where both are equal, none where the other one won."""
    equal = f.select(f.compare("oeq", mine, other), given * 0.5, given)
    return f.select(f.compare(loses, mine, other), 0.0, equal)


PRODUCT = Operation(
    lambda f, a, b: a * b,
    lambda f, given, a, b: given * b,
    lambda f, given, a, b: given * a,
)
QUOTIENT = Operation(
    lambda f, a, b: a / b,
    lambda f, given, a, b: given / b,
    lambda f, given, a, b: 0.0 - given * (a / b / b),
)
MAXIMUM = Operation(
    _largest,
    lambda f, given, a, b: _share(f, given, a, b, "olt"),
    lambda f, given, a, b: _share(f, given, b, a, "olt"),
)
MINIMUM = Operation(
    _smallest,
    lambda f, given, a, b: _share(f, given, a, b, "ogt"),
    lambda f, given, a, b: _share(f, given, b, a, "ogt"),
)
PRELU = Operation(
    lambda f, a, b: f.select(f.compare("ogt", a, 0.0), a, a * b),
    lambda f, given, a, b: f.select(f.compare("ogt", a, 0.0), given, given * b),
    lambda f, given, a, b: f.select(f.compare("ogt", a, 0.0), 0.0, given * a),
)
SECOND = Operation(
    lambda f, a, b: b,
    lambda f, given, a, b: f.lift(0.0, f.vector),
    lambda f, given, a, b: given,
)
"""B alone, whatever is in a."""
