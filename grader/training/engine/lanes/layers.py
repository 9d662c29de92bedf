"""What convolutions, linear layers, norms and pools become."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from grader.program.graph import Node, Weight
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import pooling_windows, tiling
from grader.training.engine.lanes.flow import Flow, whole
from grader.training.engine.lanes.forms import Sizes, sizes_for
from grader.training.engine.lanes.lowering import Lowering, label, takes
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.stages import Convolution, Group, Norm
from grader.training.engine.lanes.structure import (
    Segment,
    arranged,
    by_channel,
    shape_of,
    sizes,
    structured,
)


def convolution(state: Lowering, node: Node) -> Flow:
    """In two dimensions, or in one, which has a single row."""
    given = takes(node)
    weight = state.operand(given["weight"], node)
    rank = len(weight.shape) - 2
    if rank not in (1, 2) or len(shape_of(state, given["input"], node)) != rank + 1:
        raise CannotTrainError(f"{label(node)} in another number of dimensions")
    window = _pair(weight.shape[2:], rank)
    dilation, stride = _pair(given["dilation"], rank), _pair(given["stride"], rank)
    if given["padding"] == "same":
        total = [d * (k - 1) for d, k in zip(dilation, window, strict=True)]
        padding = (total[0] // 2, total[1] // 2)
    else:
        of = 0 if given["padding"] == "valid" else given["padding"]
        padding = _pair(of, rank, single=0)
    source, into = structured(state, node, given["input"]), sizes_for(sizes(node.shape, node))
    windows = Windows(window, stride, padding, dilation, given["groups"])
    return _convolve(state, node, source, into, (weight, given["bias"]), windows)


def linear(state: Lowering, node: Node) -> Flow:
    """See `linear_by`."""
    given = takes(node)
    weight = state.operand(given["weight"], node)
    return linear_by(state, node, given["input"], weight, given["bias"])


def linear_by(state: Lowering, node: Node, value: Any, weight: Weight, bias: Any) -> Flow:
    """As a window as large as the map; of each token by itself, one of a single number."""
    shape = shape_of(state, value, node)
    if len(weight.shape) != 2 or not shape:
        raise CannotTrainError(f"{label(node)} of weights in another number of dimensions")
    if len(shape) == 1:
        source = state.map(value, node)
        window = Windows((source.height, source.width))
        return _convolve(state, node, source, (weight.shape[0], 1, 1), (weight, bias), window)
    *tokens, features = shape
    count = math.prod(tokens)
    stored = structured(state, node, value, (count, 1, features))
    turned = [[Segment(((features, (0, 0, 1)),))], [Segment(((count, (1, 0, 0)),))]]
    source = arranged(state, node, stored, turned, (features, count), (features, 1, count))
    outputs = weight.shape[0]
    found = _convolve(state, node, source, (outputs, 1, count), (weight, bias), Windows((1, 1)))
    back = [[Segment(((count, (0, 0, 1)),))], [Segment(((outputs, (1, 0, 0)),))]]
    return whole(arranged(state, node, found.source, back, (count, outputs), (count, 1, outputs)))


@dataclass(frozen=True, slots=True)
class Windows:
    """Of a convolution."""

    window: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


def _convolve(
    state: Lowering,
    node: Node,
    source: Map,
    into: Sizes,
    weights: tuple[Weight, Any],
    windows: Windows,
) -> Flow:
    weight, bias = weights
    name = bias if bias is None else state.operand(bias, node).storage
    learns = source.needs_gradient or state.trainable((weight.storage, name))
    target = Map(*into, node.name, learns, spread=windows.stride)
    stage = Convolution(
        source,
        target,
        weight.storage,
        name,
        windows.window,
        windows.stride,
        windows.padding,
        windows.dilation,
        windows.groups,
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
    tiling.widen(stage)


def _pair(value: Any, rank: int = 2, single: int = 1) -> tuple[int, int]:
    """Of both dimensions; a convolution of one has `single` in the other."""
    several = (value,) * rank if isinstance(value, int) else tuple(int(one) for one in value)
    several = several * rank if len(several) == 1 < rank else several
    return (single, several[0]) if rank == 1 else (several[0], several[1])


def _names(state: Lowering, node: Node, keys: tuple[str, ...]) -> list[str | None]:
    """Of the weights that a norm has."""
    given = takes(node)
    return [None if given[key] is None else state.operand(given[key], node).storage for key in keys]


def batch_norm(state: Lowering, node: Node) -> Flow:
    """See the name."""
    given = takes(node)
    names = _names(state, node, ("weight", "bias", "running_mean", "running_var"))
    by_batch = bool(given["training"])
    if by_batch and not state.training:
        raise CannotTrainError("batch norm over the batch of test images")
    weight, bias, mean, variance = names
    norm = Norm(weight, bias, mean, variance, given["momentum"], given["eps"], by_batch)
    flow = by_channel(state, node, given["input"], pixels=False)
    if flow.norm is not None:
        flow = whole(state.store(flow, node))
    return replace(flow, norm=norm)


def group_norm(state: Lowering, node: Node) -> Flow:
    """See the name."""
    given = takes(node)
    source = _channels(state, node, given["input"])
    return _normed(state, node, given, given["num_groups"], source, by_pixel=False)


def instance_norm(state: Lowering, node: Node) -> Flow:
    """Each channel by itself; running statistics are PyTorch's."""
    given = takes(node)
    if not given["use_input_stats"] or given["running_mean"] is not None:
        raise CannotTrainError(f"{label(node)} with running statistics")
    source = _channels(state, node, given["input"])
    return _normed(state, node, given, source.channels, source, by_pixel=False)


def _channels(state: Lowering, node: Node, value: Any) -> Map:
    """The value stored, its channels those of its shape."""
    return state.store(by_channel(state, node, value, pixels=False), node)


def layer_norm(state: Lowering, node: Node) -> Flow:
    """Over all of an image, or over each of its first dimensions by itself."""
    given = takes(node)
    shape = shape_of(state, given["input"], node)
    over = [int(size) for size in given["normalized_shape"]]
    if list(shape[len(shape) - len(over) :]) != over:
        raise CannotTrainError(f"{label(node)} over several images")
    parts = math.prod(shape[: len(shape) - len(over)])
    into = (parts, 1, math.prod(over))
    if parts == 1:
        source = state.map(given["input"], node)
    else:
        source = structured(state, node, given["input"], into)
    return _normed(state, node, given, parts, source, by_pixel=True)


def _normed(
    state: Lowering, node: Node, given: dict[str, Any], groups: int, source: Map, *, by_pixel: bool
) -> Flow:
    weight, bias = _names(state, node, ("weight", "bias"))
    learns = source.needs_gradient or state.trainable((weight, bias))
    target = Map(*whole(source).sizes, node.name, learns)
    stage = Group(source, target, groups, weight, bias, given["eps"], by_pixel)
    state.stages.append(stage)
    return whole(target)


def pool(state: Lowering, node: Node) -> Flow:
    """See the name; in one dimension, of a single row."""
    value = node.arguments[0]
    flow = by_channel(state, node, value)
    found = pooling_windows.pool(node, takes(node), flow, sizes_for(sizes(node.shape, node)))
    if isinstance(found, str):
        _, height, width = sizes_for(sizes(node.shape, node))
        return replace(flow, height=height, width=width, pool=found)
    source = state.store(flow, node)
    stage = found(source)
    stage.target.needs_gradient = source.needs_gradient
    state.stages.append(stage)
    return whole(stage.target)
