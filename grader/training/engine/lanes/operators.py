"""What each operator becomes: a step of a chain, a stage, or another name.

Whatever is not here raises CannotTrainError with its name: then PyTorch trains the whole network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from grader.program import ops
from grader.program.graph import Graph, Node, Weight
from grader.program.ops import Kind
from grader.program.values import Ref
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes.elementwise import (
    GELU,
    SMOOTH,
    Between,
    Dropout,
    Leaky,
    Linear,
    Step,
    elu,
    softplus,
)
from grader.training.engine.lanes.lowering import (
    SAME,
    Flow,
    Lowered,
    Lowering,
    grown,
    is_number,
    label,
    takes,
    whole,
)
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.pooling_windows import pool
from grader.training.engine.lanes.stages import (
    Convolution,
    Group,
    Norm,
    Product,
    Side,
    Sum,
)


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
    if not node.shape or node.shape[0] != "N" or sizes not in [_without_ones(f) for f in forms]:
        raise CannotTrainError(f"{label(node)} to another order of channels and pixels")
    state.alias(node, node.arguments[0])


def _without_ones(sizes: list[int]) -> list[int]:
    return [size for size in sizes if size != 1]


def _count(state: Lowering, node: Node) -> None:
    """Batch norm's count of batches, or another number that each step moves by the same."""
    given = takes(node)
    weight = state.weight(node.arguments[0])
    if node.op != "aten.add_.Tensor" or not is_number(given["other"]) or weight is None:
        raise CannotTrainError(f"{label(node)} into a weight")
    state.counters[weight.storage] = state.counters.get(weight.storage, 0) + given["other"]


def _by_channel(state: Lowering, node: Node, value: Any) -> Flow:
    """The flow of an argument whose shape is channels, rows and columns, as its map's."""
    flow = state.flow(value, node)
    shape = list((state.graph[value.node].shape or ())[1:])
    flat = flow.height * flow.width == 1 and shape == [flow.channels]
    if not flat and shape != list(flow.sizes):
        raise CannotTrainError(f"{label(node)} of reshaped maps")
    return flow


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
            _by_channel(state, node, node.arguments[0])
        if not given["train"]:
            return flow
        state.dropouts += 1
        return grown(flow, Dropout(given["p"], whole_channels, state.dropouts - 1))

    return lowered


def _convolution(state: Lowering, node: Node) -> Flow:
    given = takes(node)
    _by_channel(state, node, given["input"])
    weight = state.operand(given["weight"], node)
    if len(weight.shape) != 4:
        raise CannotTrainError(f"{label(node)} in another number of dimensions")
    window = (weight.shape[2], weight.shape[3])
    dilation, stride = _pair(given["dilation"]), _pair(given["stride"])
    if given["padding"] == "same":
        total = [d * (k - 1) for d, k in zip(dilation, window, strict=True)]
        padding = (total[0] // 2, total[1] // 2)
    else:
        padding = (0, 0) if given["padding"] == "valid" else _pair(given["padding"])
    return _convolve(
        state,
        node,
        weight,
        given,
        window,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=given["groups"],
    )


def _linear(state: Lowering, node: Node) -> Flow:
    given = takes(node)
    flow = state.flow(given["input"], node)
    features = math.prod(flow.sizes)
    if (state.graph[given["input"].node].shape or ())[1:] != (features,):
        raise CannotTrainError("linear on each pixel")
    weight = state.operand(given["weight"], node)
    return _convolve(state, node, weight, given, (flow.height, flow.width))


def _convolve(
    state: Lowering,
    node: Node,
    weight: Weight,
    given: dict[str, Any],
    window: tuple[int, int],
    *,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Flow:
    source = state.map(given["input"], node)
    bias = given["bias"] if given["bias"] is None else state.operand(given["bias"], node).storage
    channels, *pixels = (int(size) for size in (node.shape or ())[1:])
    height, width = pixels or (1, 1)
    learns = source.needs_gradient or state.trainable((weight.storage, bias))
    target = Map(channels, height, width, node.name, learns, spread=stride)
    stage = Convolution(
        source, target, weight.storage, bias, window, stride, padding, dilation, groups
    )
    _widen(stage)
    state.stages.append(stage)
    return whole(target)


def _widen(stage: Convolution) -> None:
    """Give the maps borders as wide as the windows of both ways reach over them."""
    source, target, reach = stage.source, stage.target, []
    for axis, (size, count) in enumerate(
        ((source.height, target.height), (source.width, target.width))
    ):
        before, stride = stage.padding[axis], stage.stride[axis]
        span = (stage.window[axis] - 1) * stage.dilation[axis]
        after = (count - 1) * stride + span - before - (size - 1)
        back_after = size - 1 + before - (count - 1) * stride
        reach.append((before, max(0, after), max(0, span - before), max(0, back_after)))
    (top, bottom, back_top, back_bottom), (left, right, back_left, back_right) = reach
    source.border.widen(top, left, bottom, right)
    if source.needs_gradient:
        target.gradient_border.widen(back_top, back_left, back_bottom, back_right)


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    first, *rest = value
    return int(first), int(rest[0] if rest else first)


def _names(state: Lowering, node: Node, keys: tuple[str, ...]) -> list[str | None]:
    """Of the weights that a norm has."""
    given = takes(node)
    return [None if given[key] is None else state.operand(given[key], node).storage for key in keys]


def _batch_norm(state: Lowering, node: Node) -> Flow:
    given = takes(node)
    _by_channel(state, node, given["input"])
    names = _names(state, node, ("weight", "bias", "running_mean", "running_var"))
    by_batch = bool(given["training"])
    if by_batch and not state.training:
        raise CannotTrainError("batch norm over the batch of test images")
    if not by_batch and state.trainable(names) and state.training:
        raise CannotTrainError("batch norm that learns by its running statistics")
    weight, bias, mean, variance = names
    norm = Norm(weight, bias, mean, variance, given["momentum"], given["eps"], by_batch)
    flow = state.growing(given["input"], node)
    if flow.norm is not None:
        flow = whole(state.store(flow, node))
    return replace(flow, norm=norm)


def _group_norm(state: Lowering, node: Node) -> Flow:
    given = takes(node)
    flow = _by_channel(state, node, given["input"])
    return _normed(state, node, given, given["num_groups"], flow, by_pixel=False)


def _layer_norm(state: Lowering, node: Node) -> Flow:
    given = takes(node)
    flow = _by_channel(state, node, given["input"])
    sizes = [flow.channels] if flow.height * flow.width == 1 else list(flow.sizes)
    if _without_ones(list(given["normalized_shape"])) != _without_ones(sizes):
        raise CannotTrainError("layer norm over a part of an image")
    return _normed(state, node, given, 1, flow, by_pixel=True)


def _normed(
    state: Lowering, node: Node, given: dict[str, Any], groups: int, flow: Flow, *, by_pixel: bool
) -> Flow:
    weight, bias = _names(state, node, ("weight", "bias"))
    source = state.map(given["input"], node)
    learns = source.needs_gradient or state.trainable((weight, bias))
    target = Map(*flow.sizes, node.name, learns)
    stage = Group(source, target, groups, weight, bias, given["eps"], by_pixel)
    state.stages.append(stage)
    return whole(target)


def _pool(state: Lowering, node: Node) -> Flow:
    flow = _by_channel(state, node, node.arguments[0])
    found = pool(node, takes(node), flow)
    if isinstance(found, str):
        ready = state.growing(node.arguments[0], node)
        _, height, width = (int(size) for size in (node.shape or ())[1:])
        return replace(ready, height=height, width=width, pool=found)
    source = state.map(node.arguments[0], node)
    stage = found(source)
    stage.target.needs_gradient = source.needs_gradient
    state.stages.append(stage)
    return whole(stage.target)


def _mean(state: Lowering, node: Node) -> Flow:
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


def _add(state: Lowering, node: Node) -> Flow:
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


def _from_number(state: Lowering, node: Node) -> Flow:
    """Other - alpha * self, with a number for `other`."""
    given = takes(node)
    if not is_number(given["other"]):
        raise CannotTrainError(label(node))
    step = Linear(-1.0 * given["alpha"], given["other"])
    return grown(state.growing(given["self"], node), step)


def _multiply(state: Lowering, node: Node) -> Flow:
    given = takes(node)
    first, second = given["self"], given["other"]
    divides = node.op.split(".")[1].rstrip("_") == "div"
    if is_number(second) and second != 0:
        return grown(state.growing(first, node), Linear(1 / second if divides else second, 0.0))
    if divides or not state.is_map(first) or not state.is_map(second):
        raise CannotTrainError(f"{label(node)} with a weight")
    for value in (first, second):
        _by_channel(state, node, value)
    a, b = state.map(first, node), state.map(second, node)
    if a.pixels * a.channels < b.pixels * b.channels:
        a, b = b, a
    if _sizes(b) not in (_sizes(a), (a.channels, 1, 1), (1, a.height, a.width)):
        raise CannotTrainError(f"{label(node)} of maps of different shapes")
    target = Map(*_sizes(a), node.name, a.needs_gradient or b.needs_gradient)
    state.stages.append(Product(a, b, target))
    return whole(target)


def _side_by_side(state: Lowering, node: Node) -> Flow:
    given = takes(node)
    for value in given["tensors"]:
        _by_channel(state, node, value)
    parts = tuple(state.map(value, node) for value in given["tensors"])
    pixels = {(part.height, part.width) for part in parts}
    if given["dim"] not in (1, 1 - len(node.shape or ())) or len(pixels) > 1:
        raise CannotTrainError(f"{label(node)} that is not of channels")
    channels = sum(part.channels for part in parts)
    needs = any(part.needs_gradient for part in parts)
    target = Map(channels, parts[0].height, parts[0].width, node.name, needs)
    state.stages.append(Side(parts, target))
    return whole(target)


def _log_softmax(state: Lowering, node: Node) -> Flow:
    if node.name != state.graph.output or takes(node)["dim"] not in (1, -1):
        raise CannotTrainError("log softmax before the end")
    state.log_probabilities = True
    return state.flow(node.arguments[0], node)


def _plain_shape(state: Lowering, value: Any) -> tuple[Any, ...]:
    shape = state.graph[value.node].shape if state.is_map(value) else None
    return shape or (id(value),)


def _sizes(of: Map) -> tuple[int, int, int]:
    return of.channels, of.height, of.width


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
    "conv2d": _convolution,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "group_norm": _group_norm,
    "layer_norm": _layer_norm,
    "max_pool2d": _pool,
    "avg_pool2d": _pool,
    "adaptive_avg_pool2d": _pool,
    "adaptive_max_pool2d": _pool,
    "max_pool2d_with_indices": _pool,
    "mean": _mean,
    "sum": _mean,
    "add": _add,
    "sub": _add,
    "rsub": _from_number,
    "mul": _multiply,
    "div": _multiply,
    "cat": _side_by_side,
    "concat": _side_by_side,
    "log_softmax": _log_softmax,
}
