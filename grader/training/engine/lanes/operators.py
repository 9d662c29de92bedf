"""What each operator becomes: a step of a chain, a stage, or another name.

Whatever is not here raises CannotTrainError with its name: then PyTorch trains the whole network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from grader.program import ops
from grader.program.graph import Graph, Node, Weight
from grader.program.ops import Kind
from grader.program.values import Ref
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import joins, layers
from grader.training.engine.lanes.elementwise import Between, Dropout, Leaky, Step
from grader.training.engine.lanes.lowering import (
    SAME,
    Flow,
    Lowered,
    Lowering,
    by_channel,
    grown,
    is_number,
    label,
    takes,
    whole,
    without_ones,
)
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.smooth import GELU, SMOOTH, elu, softplus


def lower(graph: Graph, weights: Mapping[str, Weight], *, training: bool) -> Lowered:
    """The stages of a graph. Raises CannotTrainError for what has no lanes code."""
    state = Lowering(graph, weights, training)
    state.count_readers()
    for node in graph.nodes:
        if node.op == "input":
            channels, height, width = (int(size) for size in (node.shape or ())[1:])
            images = Map(channels, height, width, "images", needs_gradient=False)
            state.define(node, whole(images))
        elif node.op != "weight":
            _lower(state, node)
    last = graph[graph.output]
    flow = state.flow(Ref(node=graph.output), last)
    scores = state.map(Ref(node=graph.output), last)
    if flow.stored and flow.source is images:
        raise CannotTrainError("a network without layers")
    return Lowered(images, scores, state.log_probabilities, state.stages, state.counters)


def _lower(state: Lowering, node: Node) -> None:
    known = ops.find(node.op)
    if known.kind is Kind.SIZE:
        return
    if state.training and not node.gradient:
        raise CannotTrainError("torch.no_grad() inside the network")
    if node.shape is None and known.kind in (Kind.POOLING, Kind.ADAPTIVE_POOLING):
        return  # what takes the first of its two results lowers it
    if known.kind is Kind.TAKE:
        if not state.is_read(node):
            return
        node = _first_result(state, node)
        known = ops.find(node.op)
    if known.writes and state.weight(node.arguments[0]) is not None:
        _count(state, node)
    elif node.dtype not in (None, "float32"):
        raise CannotTrainError(f"{known.label} with {node.dtype} numbers")
    elif node.op in SAME or known.kind is Kind.RESHAPE:
        _rename(state, node)
    else:
        _compute(state, node, known)


def _compute(state: Lowering, node: Node, known: ops.Operator) -> None:
    name = node.op.split(".")[1]
    found = OPERATORS.get(name) or OPERATORS.get(name.rstrip("_"))
    if found is None:
        raise CannotTrainError(known.label)
    result = found(state, node)
    if known.writes:
        state.alias(node, node.arguments[0], result)
    else:
        state.define(node, result)


def _first_result(state: Lowering, node: Node) -> Node:
    """The operator that gives maxima and where they are, as if it gave the maxima alone."""
    source = state.graph[node.arguments[0].node] if isinstance(node.arguments[0], Ref) else node
    if source.shape is not None or "max_pool" not in source.op or node.arguments[1] != 0:
        raise CannotTrainError(f"one of several results of {label(source)}")
    return source.model_copy(update={"name": node.name, "shape": node.shape, "dtype": node.dtype})


def _rename(state: Lowering, node: Node) -> None:
    flow = state.flow(node.arguments[0], node)
    sizes = [size for size in (node.shape or ())[1:] if size != 1]
    channels, *pixels = flow.sizes
    flat = math.prod(pixels)
    forms = ([channels, *pixels], [channels, flat], [channels * flat])
    if not node.shape or node.shape[0] != "N" or sizes not in [without_ones(f) for f in forms]:
        raise CannotTrainError(f"{label(node)} to another order of channels and pixels")
    state.alias(node, node.arguments[0])


def _count(state: Lowering, node: Node) -> None:
    """Batch norm's count of batches, or another number that each step moves by the same."""
    given = takes(node)
    weight = state.weight(node.arguments[0])
    if node.op != "aten.add_.Tensor" or not is_number(given["other"]) or weight is None:
        raise CannotTrainError(f"{label(node)} into a weight")
    state.counters[weight.storage] = state.counters.get(weight.storage, 0) + given["other"]


def _step(step: Step) -> Callable[[Lowering, Node], Flow]:
    return lambda state, node: grown(state.growing(node.arguments[0], node), step)


def _settings(make: Callable[[dict[str, Any]], Step]) -> Callable[[Lowering, Node], Flow]:
    def lowered(state: Lowering, node: Node) -> Flow:
        given = takes(node)
        numbers = {name: value for name, value in given.items() if name != "self"}
        if any(not isinstance(v, int | float | str | type(None)) for v in numbers.values()):
            raise CannotTrainError(f"{label(node)} with limits that are computed")
        return grown(state.growing(node.arguments[0], node), make(given))

    return lowered


def _clamp(given: dict[str, Any]) -> Step:
    low, high = given.get("min"), given.get("max")
    return Between(
        -math.inf if low is None else low, math.inf if high is None else high, open_=False
    )


def _dropout(*, whole_channels: bool) -> Callable[[Lowering, Node], Flow]:
    def lowered(state: Lowering, node: Node) -> Flow:
        given = takes(node)
        flow = state.growing(node.arguments[0], node)
        if whole_channels:
            by_channel(state, node, node.arguments[0])
        if not given["train"]:
            return flow
        state.dropouts += 1
        return grown(flow, Dropout(given["p"], whole_channels, state.dropouts - 1))

    return lowered


OPERATORS: dict[str, Callable[[Lowering, Node], Flow]] = {
    **{name: _step(step) for name, step in SMOOTH.items()},
    "leaky_relu": _settings(lambda given: Leaky(given["negative_slope"])),
    "gelu": _settings(lambda given: GELU[given["approximate"]]),
    "hardtanh": _settings(lambda given: Between(given["min_val"], given["max_val"], open_=True)),
    "clamp": _settings(_clamp),
    "clamp_min": _settings(_clamp),
    "clamp_max": _settings(_clamp),
    "elu": _settings(lambda given: elu(given["alpha"], given["scale"], given["input_scale"])),
    "celu": _settings(lambda given: elu(given["alpha"], 1.0, 1 / given["alpha"])),
    "softplus": _settings(lambda given: softplus(given["beta"], given["threshold"])),
    "dropout": _dropout(whole_channels=False),
    "feature_dropout": _dropout(whole_channels=True),
    "conv2d": layers.convolution,
    "linear": layers.linear,
    "batch_norm": layers.batch_norm,
    "group_norm": layers.group_norm,
    "layer_norm": layers.layer_norm,
    "max_pool2d": layers.pool,
    "avg_pool2d": layers.pool,
    "adaptive_avg_pool2d": layers.pool,
    "adaptive_max_pool2d": layers.pool,
    "max_pool2d_with_indices": layers.pool,
    "mean": joins.mean,
    "sum": joins.mean,
    "add": joins.add,
    "sub": joins.add,
    "rsub": joins.from_number,
    "mul": joins.multiply,
    "div": joins.multiply,
    "cat": joins.side_by_side,
    "concat": joins.side_by_side,
    "log_softmax": joins.log_softmax,
}
