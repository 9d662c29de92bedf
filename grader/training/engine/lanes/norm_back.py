"""Batch norm on the way back: what `norm.py` says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grader.training.engine.lanes.chain import (
    COEFFICIENTS,
    CONSTANT,
    MEAN,
    OF_VALUE,
    RECIPROCAL,
    SCALE,
    SHIFT,
    Steps,
    read,
)
from grader.training.engine.lanes.chain_back import each
from grader.training.engine.lanes.ir import Function, Value
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.norm import add_totals, collect, double, keep, of_all_threads, put
from grader.training.engine.lanes.stages import Chain, Norm


def sums(chain: Chain, target: Target) -> Function:
    """sums[channel] += the sum of dy over these groups, and of dy (x - m).

    `target` is the gradient of the chain's target.
    """
    f = Function(
        "sums",
        [
            ("ptr", "source"),
            ("ptr", "target"),
            ("ptr", "coefficients"),
            ("ptr", "sums"),
            ("i64", "first"),
            ("i64", "end"),
            ("i32", "seed"),
        ],
        target.lanes,
    )
    with f.loop(chain.source.channels) as channel:
        known = read(f, channel, (SCALE, SHIFT, MEAN))
        steps = Steps(f, chain, True, known)
        totals = [f.variable("double", 0.0) for _ in range(2)]
        with f.loop(f["first"], f["end"]) as group:
            parts = [f.sums(4), f.sums(4)]
            turn = [0]

            def use(y: Value, x: Value, saved: Any, gradient: Value) -> None:
                dy = steps.after_norm(gradient, saved)
                turn[0] = (turn[0] + 1) % 4
                one, two = (part[turn[0]] for part in parts)
                one.add(dy)
                two.set(f.fma(dy, saved[1] - known[MEAN], two.get()))

            each(steps, group, channel, use)
            collect(f, totals, parts)
        add_totals(f, channel, totals)
    return f


def slopes(
    chain: Chain, norm: Norm, learned: Sequence[str | None], target: Target, stride: int
) -> Function:
    """The coefficients of the way back, from the sums of all threads, `stride` doubles apart.

    `learned`: weight and bias, or None for what does not learn. The first thread adds their
    gradients to its memory for them.
    """
    f = Function(
        "slopes",
        [
            ("ptr", "coefficients"),
            ("ptr", "sums"),
            ("ptr", "weight"),
            ("ptr", "bias"),
            ("i64", "thread"),
            ("i64", "threads"),
            ("double", "images"),
        ],
        target.lanes,
        shared=True,
    )
    count = f["images"] * float(chain.source.pixels)
    with f.loop(chain.source.channels) as channel:
        of_bias, second = of_all_threads(f, channel, stride)
        scale, mean, reciprocal = (
            double(f, f["coefficients"], channel * COEFFICIENTS + which)
            for which in (SCALE, MEAN, RECIPROCAL)
        )
        of_weight = second * reciprocal
        if norm.by_batch:
            of_value = 0.0 - scale * of_weight * reciprocal / count
            constant = 0.0 - scale * of_bias / count - of_value * mean
            keep(f, channel, {OF_VALUE: of_value, CONSTANT: constant})
        with f.when(f.compare("eq", f["thread"], 0)):
            numbers = (("weight", of_weight), ("bias", of_bias))
            for name, (key, number) in zip(learned, numbers, strict=True):
                if name:
                    put(f, number + double(f, f[key], channel), f[key], channel)
    return f
