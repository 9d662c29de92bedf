"""Batch norm of a chain: sums over the batch, and what follows from them for each channel.

    forward    m, v = mean and variance of x over images and pixels
               y = w (x - m) / sqrt(v + eps) + b  =  SCALE x + SHIFT
    backward   d w = sum of dy (x - m) / s,  d b = sum of dy,  with s = sqrt(v + eps)
               dx = w / s (dy - mean dy - (x - m) / s * mean of dy (x - m) / s)
                  = SCALE dy + OF_VALUE x + CONSTANT

Every thread sums up its own images (`stats`, and `sums` of `norm_back.py`), all wait for each
other, then each of them computes the coefficients from all sums (`finish`, `slopes`): cheaper than
to wait once more.

Squares are summed of x less the last batch's mean, so that a variance is no small difference of
large numbers; within a vector in single precision, beyond it in double.
Source: Ioffe and Szegedy, Batch Normalization, arXiv:1502.03167.
"""

from __future__ import annotations

from grader.training.engine.lanes.chain import (
    AT_ONCE,
    COEFFICIENTS,
    GUESS,
    MEAN,
    RECIPROCAL,
    SCALE,
    SHIFT,
    Steps,
    read,
)
from grader.training.engine.lanes.convolution import over
from grader.training.engine.lanes.ir import Function, Value, Variable
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.stages import Chain, Norm


def stats(chain: Chain, target: Target) -> Function:
    """sums[channel] += the sum of x over these groups, and of its square, both less GUESS."""
    f = Function(
        "stats",
        [
            ("ptr", "source"),
            ("ptr", "coefficients"),
            ("ptr", "sums"),
            ("ptr", "masks"),
            ("i64", "first"),
            ("i64", "end"),
            ("i32", "seed"),
        ],
        target.lanes,
    )
    source = chain.source
    steps = Steps(f, chain, True, {})
    with f.loop(source.channels) as channel:
        guess = read(f, channel, (GUESS,))[GUESS]
        totals = [f.variable("double", 0.0) for _ in range(2)]
        with f.loop(f["first"], f["end"]) as group:
            mask = f.load(f["masks"], group)
            parts = [f.sums(4), f.sums(4)]
            with f.loop(source.height) as y:
                for count, x in over(f, source.width, AT_ONCE):
                    for number in range(count):
                        column = x + number
                        place = source.values.at(group, channel, y, column)
                        where = steps.place(group, channel, y, column)
                        value, _ = steps.before(f.load(f["source"], place), where)
                        value = (value - guess) * mask
                        one, two = parts[0][number % 4], parts[1][number % 4]
                        one.add(value)
                        two.set(f.fma(value, value, two.get()))
            collect(f, totals, parts)
        add_totals(f, channel, totals)
    return f


def add_totals(f: Function, channel: Value, totals: list[Variable]) -> None:
    """Add both totals of a channel to the thread's sums."""
    for number, total in enumerate(totals):
        place = channel * 2 + number
        f.put(total.get() + f.scalar(f["sums"], place, "double"), f["sums"], place)


def collect(f: Function, totals: list[Variable], parts: list[list[Variable]]) -> None:
    """Add what vectors hold, four for each total, to totals in double precision."""
    for total, (a, b, c, d) in zip(totals, parts, strict=True):
        vector = (a.get() + b.get()) + (c.get() + d.get())
        total.add(f.convert("fpext", f.total(vector), "double"))


def of_all_threads(f: Function, channel: Value, stride: int) -> list[Value]:
    """Both sums of a channel, of all threads together."""
    sums = [f.variable("double", 0.0) for _ in range(2)]
    with f.loop(f["threads"]) as thread:
        for number, total in enumerate(sums):
            place = thread * stride + channel * 2 + number
            total.add(f.scalar(f["sums"], place, "double"))
    return [total.get() for total in sums]


def double(f: Function, pointer: Value, index: Value) -> Value:
    """A float, in double precision."""
    return f.convert("fpext", f.scalar(pointer, index), "double")


def put(f: Function, number: Value, pointer: Value, index: Value) -> None:
    """Keep a double as a float."""
    f.put(f.convert("fptrunc", number, "float"), pointer, index)


def keep(f: Function, channel: Value, numbers: dict[int, Value]) -> None:
    """Keep some of a channel's coefficients."""
    for which, number in numbers.items():
        put(f, number, f["coefficients"], channel * COEFFICIENTS + which)


def _weights(f: Function, norm: Norm, channel: Value) -> tuple[Value, Value]:
    one, zero = f.lift(1.0, "double"), f.lift(0.0, "double")
    return (
        double(f, f["weight"], channel) if norm.weight else one,
        double(f, f["bias"], channel) if norm.bias else zero,
    )


def finish(chain: Chain, norm: Norm, target: Target, stride: int) -> Function:
    """Coefficients from the sums of all threads, `stride` doubles apart.

    The first thread moves the running statistics.
    """
    f = Function(
        "finish",
        [
            ("ptr", "coefficients"),
            ("ptr", "sums"),
            ("ptr", "weight"),
            ("ptr", "bias"),
            ("ptr", "mean"),
            ("ptr", "variance"),
            ("i64", "thread"),
            ("i64", "threads"),
            ("double", "images"),
        ],
        target.lanes,
        shared=True,
    )
    count = f["images"] * float(chain.source.pixels)
    with f.loop(chain.source.channels) as channel:
        first, second = of_all_threads(f, channel, stride)
        off = first / count
        mean = off + double(f, f["coefficients"], channel * COEFFICIENTS + GUESS)
        variance = second / count - off * off
        variance = f.select(f.compare("olt", variance, 0.0), 0.0, variance)
        reciprocal = 1.0 / f.unary("sqrt", variance + norm.epsilon)
        weight, bias = _weights(f, norm, channel)
        scale = weight * reciprocal
        numbers = {SCALE: scale, SHIFT: bias - mean * scale, MEAN: mean, RECIPROCAL: reciprocal}
        keep(f, channel, {**numbers, GUESS: mean})
        if norm.mean and norm.variance:
            with f.when(f.compare("eq", f["thread"], 0)):
                _move(f, f["mean"], channel, mean, norm.momentum)
                _move(f, f["variance"], channel, variance * count / (count - 1.0), norm.momentum)
    return f


def _move(f: Function, where: Value, channel: Value, to: Value, momentum: float) -> None:
    old = double(f, where, channel)
    put(f, old * (1 - momentum) + to * momentum, where, channel)


def running(chain: Chain, norm: Norm, target: Target) -> Function:
    """Coefficients from the running statistics."""
    f = Function(
        "running",
        [
            ("ptr", "coefficients"),
            ("ptr", "weight"),
            ("ptr", "bias"),
            ("ptr", "mean"),
            ("ptr", "variance"),
        ],
        target.lanes,
    )
    with f.loop(chain.source.channels) as channel:
        root = f.unary("sqrt", double(f, f["variance"], channel) + norm.epsilon)
        weight, bias = _weights(f, norm, channel)
        scale = weight / root
        mean = double(f, f["mean"], channel)
        numbers = {SCALE: scale, SHIFT: bias - mean * scale, MEAN: mean, RECIPROCAL: 1.0 / root}
        keep(f, channel, numbers)
    return f
