"""Pools whose windows may overlap, or are as many as one asks for: the largest or the mean.

A window's pixels are a loop at run time, from where it begins to where it ends. On the way back the
gradient of a window is added to its pixels: that of the mean to all, that of the largest to the
first of them in the order of reading, or to all of them in equal shares.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from grader.training.engine.lanes.ir import Function, Value
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import At, pixels
from grader.training.engine.lanes.stages import Window

_RANGE = [("i64", "first"), ("i64", "end")]


def forward(stage: Window, target: Target) -> Function:
    """The kernel that computes the stage's target."""
    f = Function("pool", [("ptr", "source"), ("ptr", "target"), *_RANGE], target.lanes)
    with pixels(f, stage.target) as (group, channel, y, x):
        to = stage.target.values.at(group, channel, y, x)
        if stage.kind == "max":
            f.store(_largest(f, stage, group, channel, y, x)[0], f["target"], to)
        else:
            total = f.variable(f.vector, 0.0)
            with _pixels(f, stage, y, x) as (row, column):
                place = stage.source.values.at(group, channel, row, column)
                total.add(f.load(f["source"], place))
            f.store(total.get() * _share(f, stage, y, x), f["target"], to)
    return f


def backward(stage: Window, target: Target, *, accumulates: bool) -> Function:
    """The kernel that computes the gradient of the stage's source, or adds to it.

    `target` is here the gradient of the stage's target.
    """
    parameters = [("ptr", "source"), ("ptr", "target"), ("ptr", "gradient"), *_RANGE]
    f = Function("unpool", parameters, target.lanes)
    source = stage.source
    if not accumulates:
        with pixels(f, source) as at:
            f.store(0.0, f["gradient"], source.gradient.at(*at))
    with pixels(f, stage.target) as (group, channel, y, x):
        given = f.load(f["target"], stage.target.gradient.at(group, channel, y, x))
        if stage.equals:
            given, best = _shared(f, stage, (group, channel, y, x), given)
        elif stage.kind == "max":
            _, which = _largest(f, stage, group, channel, y, x)
        else:
            given = given * _share(f, stage, y, x)
        with _pixels(f, stage, y, x) as (row, column):
            mine = given
            if stage.equals:
                value = f.load(f["source"], source.values.at(group, channel, row, column))
                mine = f.select(f.compare("oeq", value, best), given, 0.0)
            elif stage.kind == "max":
                mine = f.select(_is(f, which, row * source.width + column), given, 0.0)
            place = source.gradient.at(group, channel, row, column)
            f.store(f.load(f["gradient"], place) + mine, f["gradient"], place)
    return f


@contextmanager
def _pixels(f: Function, stage: Window, y: Value, x: Value) -> Iterator[tuple[Value, Value]]:
    top, bottom = stage.rows.ends(f, y)
    left, right = stage.columns.ends(f, x)
    with f.loop(top, bottom) as row, f.loop(left, right) as column:
        yield row, column


def _largest(
    f: Function, stage: Window, group: Value, channel: Value, y: Value, x: Value
) -> tuple[Value, Value]:
    """The largest number of a window, and where it is: its row times the width plus its column."""
    top, _ = stage.rows.ends(f, y)
    left, _ = stage.columns.ends(f, x)
    values = stage.source.values
    best = f.variable(f.vector, f.load(f["source"], values.at(group, channel, top, left)))
    first = f.convert("trunc", top * stage.source.width + left, "i32")
    which = f.variable(f.whole_vector, f.broadcast(first))
    with _pixels(f, stage, y, x) as (row, column):
        value = f.load(f["source"], values.at(group, channel, row, column))
        larger = f.compare("ogt", value, best.get())
        here = f.convert("trunc", row * stage.source.width + column, "i32")
        which.set(f.select(larger, f.broadcast(here), which.get()))
        best.set(f.select(larger, value, best.get()))
    return best.get(), which.get()


def _shared(f: Function, stage: Window, at: At, given: Value) -> tuple[Value, Value]:
    """The gradient by how many are the largest, and that largest one."""
    group, channel, y, x = at
    best, _ = _largest(f, stage, group, channel, y, x)
    count = f.variable(f.vector, 0.0)
    with _pixels(f, stage, y, x) as (row, column):
        value = f.load(f["source"], stage.source.values.at(group, channel, row, column))
        count.add(f.select(f.compare("oeq", value, best), f.lift(1.0, f.vector), 0.0))
    return given / count.get(), best


def _is(f: Function, which: Value, here: Value) -> Value:
    return f.compare("eq", which, f.broadcast(f.convert("trunc", here, "i32")))


def _share(f: Function, stage: Window, y: Value, x: Value) -> Value:
    """What the sum of a window is multiplied by."""
    if stage.divisor is not None:
        return f.lift(1 / stage.divisor, f.vector)
    top, bottom = stage.rows.ends(f, y)
    left, right = stage.columns.ends(f, x)
    area = f.convert("sitofp", (bottom - top) * (right - left), "float")
    return f.broadcast(1.0 / area)
