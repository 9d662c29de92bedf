"""What arithmetic on maps, sums over pixels and concatenation become."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from grader.program.graph import Node
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes.elementwise import Linear
from grader.training.engine.lanes.lowering import (
    Flow,
    Lowering,
    by_channel,
    grown,
    is_number,
    label,
    takes,
    whole,
)
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.stages import Product, Side, Sum


def mean(state: Lowering, node: Node) -> Flow:
    """A mean, sum or maximum over all pixels of each channel."""
    given = takes(node)
    value: Any = node.arguments[0]
    flow, shape = state.flow(value, node), state.graph[value.node].shape or ()
    if node.op.split(".")[1] in ("max", "min") or given.get("dim") is None:
        raise CannotTrainError(f"{label(node)} with indices or over the batch")
    dims = given["dim"] if isinstance(given["dim"], tuple) else (given["dim"],)
    over = sorted(int(dim) % len(shape) for dim in dims)
    if over != list(range(2, len(shape))) or shape[1] != flow.channels or len(shape) < 3:
        raise CannotTrainError(f"{label(node)} over a part of an image")
    if "amax" in node.op:
        raise CannotTrainError(label(node))
    ready = state.growing(value, node)
    found = replace(ready, height=1, width=1, pool="mean of all")
    if "sum" not in node.op:
        return found
    return grown(whole(state.store(found, node)), Linear(flow.height * flow.width, 0.0))


def add(state: Lowering, node: Node) -> Flow:
    """See the name."""
    given = takes(node)
    name = node.op.split(".")[1].rstrip("_")
    sign = -1.0 if name == "sub" else 1.0
    alpha = sign * given["alpha"]
    first, second = given["self"], given["other"]
    if is_number(second):
        return grown(state.growing(first, node), Linear(1.0, alpha * second))
    if _plain_shape(state, first) != _plain_shape(state, second):
        raise CannotTrainError(f"{label(node)} of maps of different shapes")
    a, b = state.map(first, node), state.map(second, node)
    target = Map(*_sizes(a), node.name, a.needs_gradient or b.needs_gradient)
    state.stages.append(Sum(a, b, target, alpha))
    return whole(target)


def from_number(state: Lowering, node: Node) -> Flow:
    """Other - alpha * self, with a number for `other`."""
    given = takes(node)
    if not is_number(given["other"]):
        raise CannotTrainError(label(node))
    step = Linear(-1.0 * given["alpha"], given["other"])
    return grown(state.growing(given["self"], node), step)


def multiply(state: Lowering, node: Node) -> Flow:
    """See the name."""
    given = takes(node)
    first, second = given["self"], given["other"]
    divides = node.op.split(".")[1].rstrip("_") == "div"
    if is_number(second) and second != 0:
        return grown(state.growing(first, node), Linear(1 / second if divides else second, 0.0))
    if divides or not state.is_map(first) or not state.is_map(second):
        raise CannotTrainError(f"{label(node)} with a weight")
    for value in (first, second):
        by_channel(state, node, value)
    a, b = state.map(first, node), state.map(second, node)
    if a.pixels * a.channels < b.pixels * b.channels:
        a, b = b, a
    if _sizes(b) not in (_sizes(a), (a.channels, 1, 1), (1, a.height, a.width)):
        raise CannotTrainError(f"{label(node)} of maps of different shapes")
    target = Map(*_sizes(a), node.name, a.needs_gradient or b.needs_gradient)
    state.stages.append(Product(a, b, target))
    return whole(target)


def side_by_side(state: Lowering, node: Node) -> Flow:
    """See the name."""
    given = takes(node)
    for value in given["tensors"]:
        by_channel(state, node, value)
    parts = tuple(state.map(value, node) for value in given["tensors"])
    pixels = {(part.height, part.width) for part in parts}
    if given["dim"] not in (1, 1 - len(node.shape or ())) or len(pixels) > 1:
        raise CannotTrainError(f"{label(node)} that is not of channels")
    channels = sum(part.channels for part in parts)
    needs = any(part.needs_gradient for part in parts)
    target = Map(channels, parts[0].height, parts[0].width, node.name, needs)
    state.stages.append(Side(parts, target))
    return whole(target)


def log_softmax(state: Lowering, node: Node) -> Flow:
    """See the name."""
    if node.name != state.graph.output or takes(node)["dim"] not in (1, -1):
        raise CannotTrainError("log softmax before the end")
    state.log_probabilities = True
    return state.flow(node.arguments[0], node)


def _plain_shape(state: Lowering, value: Any) -> tuple[Any, ...]:
    shape = state.graph[value.node].shape if state.is_map(value) else None
    return shape or (id(value),)


def _sizes(of: Map) -> tuple[int, int, int]:
    return of.channels, of.height, of.width
