"""A writer of LLVM IR: Python loops unroll, `with function.loop(n) as i` loops at run time.

In: operations on values, in Python. Out: the text of a function. A vector holds one number of each
of some images, which are its lanes: 16 with AVX-512, 8 with AVX2, 4 elsewhere. What is written is
what is computed: no operation may be contracted or reordered by LLVM, but for the sum of a vector's
lanes.

    add = Function("add", [("ptr", "a"), ("ptr", "b"), ("i64", "count")], lanes=16)
    with add.loop(add["count"]) as i:
        add.store(add.load(add["a"], i) + add.load(add["b"], i), add["a"], i)

writes a loop over vectors: a[i] = a[i] + b[i]. Source: LLVM Language Reference Manual,
https://llvm.org/docs/LangRef.html.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from grader.training.engine.lanes.values import Operand, Value, Variable, folded, hexadecimal

__all__ = ["Function", "Operand", "Value", "Variable"]

BYTES = {"i8": 1, "i32": 4, "float": 4, "i64": 8, "double": 8}
"""Sizes of the scalar types."""


class Function:
    """A function without a result, as it is being written.

    `shared`: its pointers may reach the same memory, or what another thread writes.
    """

    def __init__(
        self, name: str, parameters: Sequence[tuple[str, str]], lanes: int, *, shared: bool = False
    ) -> None:
        self.name = name
        self.lanes = lanes
        self.vector = f"<{lanes} x float>"
        self.whole_vector = f"<{lanes} x i32>"
        self._types = [kind for kind, _ in parameters]
        self._parameters = {key: Value(self, kind, f"%{key}") for kind, key in parameters}
        alone = "" if shared else " noalias"
        self._head = ", ".join(
            f"{kind}{alone if kind == 'ptr' else ''} %{key}" for kind, key in parameters
        )
        self._places: list[str] = []
        self._lines: list[str] = []
        self._count = 0
        self.callees: list[Function] = []

    def __getitem__(self, parameter: str) -> Value:
        return self._parameters[parameter]

    def line(self, text: str) -> None:
        """Write an instruction that has no result."""
        self._lines.append("  " + text)

    def emit(self, type_: str, text: str) -> Value:
        """Write an instruction; returns its result."""
        name = f"%v{self._next()}"
        self.line(f"{name} = {text}")
        return Value(self, type_, name)

    def text(self) -> str:
        """The whole function."""
        head = f"define void @{self.name}({self._head}) #0 {{"
        return "\n".join([head, "entry:", *self._places, *self._lines, "  ret void", "}"])

    def named(self) -> Function:
        """The function, when it is written, under a name of its own: equal ones have the same."""
        self.name = f"{self.name}_{hashlib.sha256(self.text().encode()).hexdigest()[:12]}"
        return self

    def lift(self, value: Operand, type_: str) -> Value:
        """A number as a constant of that type; a scalar as a vector of it."""
        if isinstance(value, Value):
            if value.type == type_:
                return value
            if type_.startswith("<") and value.type == type_.split()[-1].rstrip(">"):
                return self.broadcast(value)
            raise TypeError(f"{value.type} is not {type_}")
        if type_ in ("i8", "i32", "i64"):
            return Value(self, type_, str(int(value)))
        if type_ in ("float", "double"):
            return Value(self, type_, hexadecimal(value, type_))
        scalar = type_.split()[-1].rstrip(">")
        return Value(self, type_, f"splat ({scalar} {self.lift(value, scalar).name})")

    def binary(self, operation: str, left: Value, right: Operand) -> Value:
        """`left` and `right` combined: add, sub, mul, div (signed), and, xor, lshr, ashr."""
        other = right if isinstance(right, Value) else self.lift(right, left.type)
        if left.type != other.type:
            if left.type.startswith("<"):
                other = self.lift(other, left.type)
            else:
                left = self.lift(left, other.type)
        if left.type == "i64":
            found = folded(operation, left, other)
            if found is not None:
                return found
        name = operation
        if "float" in left.type or "double" in left.type:
            name = f"f{operation}"
        elif operation == "div":
            name = "sdiv"
        return self.emit(left.type, f"{name} {left.type} {left.name}, {other.name}")

    def variable(self, type_: str, value: Operand | None = None) -> Variable:
        """A new variable."""
        place = self.room(type_)
        made = Variable(self, type_, place.name)
        if value is not None:
            made.set(value)
        return made

    def sums(self, count: int) -> list[Variable]:
        """So many vectors to add to, which are 0 now."""
        return [self.variable(self.vector, 0.0) for _ in range(count)]

    def room(self, type_: str, count: int = 1) -> Value:
        """Memory for `count` of a type on the stack, for as long as the function runs."""
        name = f"%p{self._next()}"
        what = type_ if count == 1 else f"[{count} x {type_}]"
        self._places.append(f"  {name} = alloca {what}, align 64")
        return Value(self, "ptr", name)

    def broadcast(self, value: Value) -> Value:
        """The same number in every lane."""
        type_ = f"<{self.lanes} x {value.type}>"
        first = self.emit(type_, f"insertelement {type_} poison, {value.type} {value.name}, i64 0")
        mask = f"<{self.lanes} x i32> zeroinitializer"
        return self.emit(type_, f"shufflevector {type_} {first.name}, {type_} poison, {mask}")

    def fma(self, a: Operand, b: Operand, c: Operand) -> Value:
        """A * b + c, rounded once, of vectors."""
        x, y, z = (self.lift(value, self.vector) for value in (a, b, c))
        t = self.vector
        return self.emit(
            t, f"call {t} @llvm.fma.{self.suffix(t)}({t} {x.name}, {t} {y.name}, {t} {z.name})"
        )

    def unary(self, intrinsic: str, value: Value) -> Value:
        """One of LLVM's functions of one number: sqrt, floor, fabs."""
        t = value.type
        return self.emit(t, f"call {t} @llvm.{intrinsic}.{self.suffix(t)}({t} {value.name})")

    def total(self, value: Value) -> Value:
        """The sum of all lanes, as a float."""
        name = f"@llvm.vector.reduce.fadd.{self.suffix(self.vector)}"
        return self.emit(
            "float", f"call reassoc float {name}(float -0.0, {self.vector} {value.name})"
        )

    def compare(self, predicate: str, left: Value, right: Operand) -> Value:
        """LLVM's comparison of that name: "ogt" of floats, "slt" of whole numbers, and so on."""
        other = self.lift(right, left.type)
        type_ = f"<{self.lanes} x i1>" if left.type.startswith("<") else "i1"
        word = "fcmp" if "float" in left.type or "double" in left.type else "icmp"
        return self.emit(type_, f"{word} {predicate} {left.type} {left.name}, {other.name}")

    def select(self, condition: Value, yes: Operand, no: Operand, type_: str = "") -> Value:
        """`yes` where the condition holds, else `no`."""
        type_ = type_ or next((v.type for v in (yes, no) if isinstance(v, Value)), self.vector)
        a, b = self.lift(yes, type_), self.lift(no, type_)
        return self.emit(
            type_, f"select {condition.type} {condition.name}, {type_} {a.name}, {type_} {b.name}"
        )

    def larger(self, a: Value, b: Operand) -> Value:
        """The larger number of each lane; `b` where one of them is NaN."""
        return self.select(self.compare("ogt", a, b), a, b)

    def convert(self, how: str, value: Value, type_: str) -> Value:
        """fpext, fptrunc, sitofp, fptosi, zext, sext, trunc, bitcast."""
        return self.emit(type_, f"{how} {value.type} {value.name} to {type_}")

    def at(self, pointer: Value, index: Operand, type_: str = "float") -> Value:
        """Address of number `index` of that type."""
        i = self.lift(index, "i64")
        if i.name == "0":
            return pointer
        return self.emit("ptr", f"getelementptr {type_}, ptr {pointer.name}, i64 {i.name}")

    def load(self, pointer: Value, index: Operand = 0, type_: str = "") -> Value:
        """Vector number `index`."""
        type_ = type_ or self.vector
        place = self.at(pointer, index, type_)
        return self.emit(type_, f"load {type_}, ptr {place.name}, align {4 * self.lanes}")

    def store(self, value: Operand, pointer: Value, index: Operand = 0) -> None:
        """Write vector number `index`."""
        lifted = value if isinstance(value, Value) else self.lift(value, self.vector)
        place = self.at(pointer, index, lifted.type)
        self.line(f"store {lifted.type} {lifted.name}, ptr {place.name}, align {4 * self.lanes}")

    def scalar(self, pointer: Value, index: Operand = 0, type_: str = "float") -> Value:
        """Number `index` of that type."""
        place = self.at(pointer, index, type_)
        return self.emit(type_, f"load {type_}, ptr {place.name}, align {BYTES[type_]}")

    def put(self, value: Value, pointer: Value, index: Operand = 0) -> None:
        """Write number `index` of the value's type."""
        place = self.at(pointer, index, value.type)
        size = BYTES[value.type]
        self.line(f"store {value.type} {value.name}, ptr {place.name}, align {size}")

    def unaligned(self, pointer: Value, index: Operand, scalar: str) -> Value:
        """A vector of that type of number, beginning at number `index`."""
        place = self.at(pointer, index, scalar)
        type_ = f"<{self.lanes} x {scalar}>"
        return self.emit(type_, f"load {type_}, ptr {place.name}, align {BYTES[scalar]}")

    def one_of_each(self, pointer: Value, index: Value, scalar: str = "float") -> Value:
        """Number `index` (a vector of 32 bits) of that type, for each lane."""
        n, type_ = self.lanes, f"<{self.lanes} x {scalar}>"
        where = f"<{n} x ptr>"
        places = self.emit(
            where, f"getelementptr {scalar}, ptr {pointer.name}, {index.type} {index.name}"
        )
        name = f"@llvm.masked.gather.v{n}{'f32' if scalar == 'float' else scalar}.v{n}p0"
        return self.emit(
            type_,
            f"call {type_} {name}({where} {places.name}, i32 {BYTES[scalar]}, "
            f"<{n} x i1> splat (i1 true), {type_} poison)",
        )

    def byte_of_each(self, pointer: Value, index: Value) -> Value:
        """Byte `index` (a vector of 32 bits) for each lane, from memory that begins at a word.

        Whole words are read, which may reach 3 bytes beyond the last: no further than the word that
        it lies in.
        """
        word = self.one_of_each(pointer, self.binary("lshr", index, 2), "i32")
        bits = self.binary("and", index, 3) * 8
        return self.binary("and", self.binary("lshr", word, bits), 255)

    def every(self, pointer: Value, index: Operand = 0) -> Value:
        """The float number `index`, in every lane."""
        return self.broadcast(self.scalar(pointer, index))

    def call(self, other: Function, *values: Operand) -> None:
        """Call another function."""
        self.callees.append(other)
        given = [self.lift(v, t) for v, t in zip(values, other._types, strict=True)]
        self.line(f"call void @{other.name}({', '.join(f'{v.type} {v.name}' for v in given)})")

    @contextmanager
    def loop(self, first: Operand, end: Operand | None = None, step: int = 1) -> Iterator[Value]:
        """Repeat for first, first + step, ... below `end`; from 0 where only one is given."""
        if end is None:
            first, end = 0, first
        start, stop = self.lift(first, "i64"), self.lift(end, "i64")
        if _once(start.number, stop.number, step):
            yield start
            return
        index, number = self.variable("i64", start), self._next()
        self._block(f"head{number}")
        now = index.get()
        more = self.compare("slt", now, stop)
        self.line(f"br i1 {more.name}, label %body{number}, label %end{number}")
        self._lines.append(f"body{number}:")
        yield now
        index.set(now + step)
        self.line(f"br label %head{number}")
        self._lines.append(f"end{number}:")

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """Only where the condition (one bit) holds."""
        number = self._next()
        self.line(f"br i1 {condition.name}, label %then{number}, label %after{number}")
        self._lines.append(f"then{number}:")
        yield
        self._block(f"after{number}")

    def suffix(self, type_: str) -> str:
        """What LLVM appends to the names of functions on that type."""
        scalar = {"float": "f32", "double": "f64"}[type_.split()[-1].rstrip(">")]
        return f"v{self.lanes}{scalar}" if type_.startswith("<") else scalar

    def _block(self, label: str) -> None:
        self.line(f"br label %{label}")
        self._lines.append(f"{label}:")

    def _next(self) -> int:
        self._count += 1
        return self._count


def _once(start: int | None, stop: int | None, step: int) -> bool:
    return start is not None and stop is not None and start < stop <= start + step
