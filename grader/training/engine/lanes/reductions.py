"""What becomes of means, sums, extremes and spreads over dimensions of an image.

The dimensions that are reduced become the pixels of a map, and all pixels of a channel one number.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from grader.program.graph import Node
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import joins
from grader.training.engine.lanes.elementwise import Linear, Smooth
from grader.training.engine.lanes.flow import Flow, grown, whole
from grader.training.engine.lanes.forms import loops
from grader.training.engine.lanes.joining import Pointwise
from grader.training.engine.lanes.lowering import Lowering, label, takes
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.operations import PRODUCT, sum_of
from grader.training.engine.lanes.smooth import SMOOTH, length
from grader.training.engine.lanes.stages import Axis, Window
from grader.training.engine.lanes.structure import (
    Segment,
    arranged,
    axis_of,
    dimensions,
    shape_of,
    structured,
)
from grader.training.engine.lanes.weighted import Weighted


def reduce(state: Lowering, node: Node) -> Flow:
    """A mean, sum, extreme, variance, standard deviation or norm."""
    given = takes(node)
    name = node.op.split(".")[1]
    value = node.arguments[0]
    shape = shape_of(state, value, node)
    over = _over(node, given.get("dim"), len(shape))
    if given.get("dtype") is not None:
        raise CannotTrainError(f"{label(node)} as another type of number")
    count = math.prod(shape[axis] for axis in over)
    if name in ("mean", "sum"):
        found = _mean(state, node, value, over)
        return found if name == "mean" else _scaled(state, node, found, count)
    if name in ("amax", "max"):
        return _largest(state, node, _by_pixels(state, node, value, over), name)
    if name in ("amin", "min"):
        turned = _stepped(state, node, _by_pixels(state, node, value, over), SMOOTH["neg"])
        found = _largest(state, node, turned, name)
        return grown(found, SMOOTH["neg"])
    if name in ("var", "std"):
        return _spread(state, node, _by_pixels(state, node, value, over), given, name)
    if name == "linalg_vector_norm" or name == "norm":
        return _norm(state, node, _by_pixels(state, node, value, over), given)
    raise CannotTrainError(label(node))


def extreme(state: Lowering, node: Node) -> Flow:
    """Over dimensions, or the larger or smaller one of two maps."""
    return joins.extreme(state, node) if node.op.endswith(".other") else reduce(state, node)


def _over(node: Node, dims: Any, rank: int) -> list[int]:
    """The dimensions of an image that are reduced."""
    if dims is None or dims == ():
        raise CannotTrainError(f"{label(node)} over several images")
    several = dims if isinstance(dims, tuple) else (dims,)
    return sorted(axis_of(dim, rank, node) for dim in several)


def _mean(state: Lowering, node: Node, value: Any, over: list[int]) -> Flow:
    """Over all pixels it needs no map of its own."""
    flow, shape = state.flow(value, node), shape_of(state, value, node)
    if over == list(range(1, len(shape))) and shape[0] == flow.channels:
        ready = state.growing(value, node)
    else:
        ready = whole(_by_pixels(state, node, value, over))
    return replace(ready, height=1, width=1, pool="mean of all")


def _scaled(state: Lowering, node: Node, flow: Flow, factor: float) -> Flow:
    return grown(whole(state.store(flow, node)), Linear(factor, 0.0))


def _stepped(state: Lowering, node: Node, source: Map, *steps: Any) -> Map:
    flow = whole(source)
    for step in steps:
        flow = grown(flow, step)
    return state.store(flow, node)


def _by_pixels(state: Lowering, node: Node, value: Any, over: list[int]) -> Map:
    """The value as a map whose channels are what is kept, its pixels what is reduced."""
    shape = shape_of(state, value, node)
    kept = [axis for axis in range(len(shape)) if axis not in over]
    order = [*kept, *over]
    counts = math.prod(shape[axis] for axis in kept), math.prod(shape[axis] for axis in over)
    form = (counts[0], 1, counts[1])
    long = [axis for axis in order if shape[axis] > 1]
    if long == sorted(long):
        return structured(state, node, value, form)
    stored = state.map(value, node)
    found = loops(whole(stored).sizes, shape)
    if found is None:
        stored, found = dimensions(state, node, value)
    turned = []
    for axes in (kept, over):
        together = [loop for axis in axes for loop in found[axis]]
        turned.append([Segment(tuple(together))])
    return arranged(state, node, stored, turned, counts, form)


def _largest(state: Lowering, node: Node, source: Map, name: str) -> Flow:
    """`max` and `min` name the first of equals, which alone gets the gradient."""
    target = Map(source.channels, 1, 1, node.name, source.needs_gradient)
    rows, columns = (Axis(size, 1, size) for size in (source.height, source.width))
    equals = name in ("amax", "amin")
    state.stages.append(Window(source, target, "max", rows, columns, equals=equals))
    return whole(target)


def _spread(state: Lowering, node: Node, source: Map, given: dict[str, Any], name: str) -> Flow:
    """Variance, or its root."""
    less = given.get("correction", 1 if given.get("unbiased", True) else 0)
    less = 1 if less is None else less
    mean = _averaged(state, node, source)
    off = Map(*whole(source).sizes, node.name, source.needs_gradient)
    state.stages.append(Pointwise(source, mean, off, sum_of(-1.0)))
    squares = _averaged(state, node, _stepped(state, node, off, SMOOTH["square"]))
    if source.pixels <= less:
        raise CannotTrainError(f"{label(node)} of a single number")
    found = grown(whole(squares), Linear(source.pixels / (source.pixels - less), 0.0))
    return grown(found, SMOOTH["sqrt"]) if name == "std" else found


def rms_norm(state: Lowering, node: Node) -> Flow:
    """Each part of an image by the root of the mean of its squares."""
    given = takes(node)
    shape = shape_of(state, given["input"], node)
    count = len(given["normalized_shape"])
    if count > len(shape):
        raise CannotTrainError(f"{label(node)} over several images")
    over = list(range(len(shape) - count, len(shape)))
    source = _by_pixels(state, node, given["input"], over)
    mean = _averaged(state, node, _stepped(state, node, source, SMOOTH["square"]))
    epsilon = SINGLE if given["eps"] is None else given["eps"]
    scale = _stepped(state, node, mean, Linear(1.0, epsilon), SMOOTH["rsqrt"])
    normed = Map(*whole(source).sizes, node.name, source.needs_gradient)
    state.stages.append(Pointwise(source, scale, normed, PRODUCT))
    if given["weight"] is None:
        return whole(normed)
    weight = state.operand(given["weight"], node).storage
    learns = source.needs_gradient or state.trainable((weight,))
    target = Map(*whole(source).sizes, node.name, learns)
    nest = ((source.channels, (1, 0, 0), 0), (source.pixels, (0, 0, 1), 1))
    state.stages.append(Weighted(normed, target, weight, PRODUCT, nest))
    return whole(target)


SINGLE = 2.0**-23
"""The distance of 1 from the next number of 32 bits."""


def _averaged(state: Lowering, node: Node, source: Map) -> Map:
    return state.store(replace(whole(source), height=1, width=1, pool="mean of all"), node)


def _norm(state: Lowering, node: Node, source: Map, given: dict[str, Any]) -> Flow:
    order = given.get("ord", given.get("p"))
    if order not in (1, 2):
        raise CannotTrainError(f"{label(node)} of another order than 1 and 2")
    step = SMOOTH["abs" if order == 1 else "square"]
    mean = _averaged(state, node, _stepped(state, node, source, step))
    found = grown(whole(mean), Linear(float(source.pixels), 0.0))
    return found if order == 1 else grown(found, Smooth(length))
