"""Values of a function that is being written: arithmetic on them writes instructions."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Protocol


class Writer(Protocol):
    """The function that is being written, as its values see it."""

    def line(self, text: str) -> None:
        """Write an instruction that has no result."""

    def emit(self, type_: str, text: str) -> Value:
        """Write an instruction; returns its result."""

    def lift(self, value: Operand, type_: str) -> Value:
        """A number as a constant of that type; a scalar as a vector of it."""

    def binary(self, operation: str, left: Value, right: Operand) -> Value:
        """Both combined."""


@dataclass(frozen=True, slots=True)
class Value:
    """Something that was computed, or a constant; arithmetic on it writes an instruction."""

    function: Writer
    type: str
    name: str

    @property
    def number(self) -> int | None:
        """The whole number that this constant is."""
        return int(self.name) if self.name.lstrip("-").isdigit() else None

    def __add__(self, other: Operand) -> Value:
        return self.function.binary("add", self, other)

    def __radd__(self, other: Operand) -> Value:
        return self.function.binary("add", self, other)

    def __sub__(self, other: Operand) -> Value:
        return self.function.binary("sub", self, other)

    def __rsub__(self, other: Operand) -> Value:
        return self.function.binary("sub", self.function.lift(other, self.type), self)

    def __mul__(self, other: Operand) -> Value:
        return self.function.binary("mul", self, other)

    def __rmul__(self, other: Operand) -> Value:
        return self.function.binary("mul", self, other)

    def __truediv__(self, other: Operand) -> Value:
        return self.function.binary("div", self, other)

    def __rtruediv__(self, other: Operand) -> Value:
        return self.function.binary("div", self.function.lift(other, self.type), self)


Operand = Value | float | int


@dataclass(frozen=True, slots=True)
class Variable:
    """A value that changes; LLVM keeps it in a register."""

    function: Writer
    type: str
    place: str

    def get(self) -> Value:
        """What it holds now."""
        return self.function.emit(self.type, f"load {self.type}, ptr {self.place}")

    def set(self, value: Operand) -> None:
        """Let it hold `value` from now on."""
        lifted = self.function.lift(value, self.type)
        self.function.line(f"store {self.type} {lifted.name}, ptr {self.place}")

    def add(self, value: Operand) -> None:
        """Let it hold the sum of what it holds and `value`."""
        self.set(self.get() + value)


def folded(operation: str, left: Value, right: Value) -> Value | None:
    """Arithmetic on addresses that needs no instruction."""
    a, b = left.number, right.number
    if a is not None and b is not None and operation in ("add", "sub", "mul"):
        result = {"add": a + b, "sub": a - b, "mul": a * b}[operation]
        return Value(left.function, left.type, str(result))
    if (operation == "add" and a == 0) or (operation == "mul" and a == 1):
        return right
    if (operation in ("add", "sub") and b == 0) or (operation in ("mul", "div") and b == 1):
        return left
    return None


def hexadecimal(number: float, type_: str) -> str:
    """A float as LLVM writes those that have no short decimal form: the bits of a double."""
    if type_ == "float":
        (number,) = struct.unpack("f", struct.pack("f", number))
    (bits,) = struct.unpack("Q", struct.pack("d", number))
    return f"0x{bits:016X}"
