"""What convolutions, linear layers, norms and pools become."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from grader.program.graph import Node, Weight
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import pooling_windows, tiling
from grader.training.engine.lanes.lowering import (
    Flow,
    Lowering,
    by_channel,
    label,
    takes,
    whole,
    without_ones,
)
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.stages import Convolution, Group, Norm


def convolution(state: Lowering, node: Node) -> Flow:
    """See the name."""
    given = takes(node)
    by_channel(state, node, given["input"])
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


def linear(state: Lowering, node: Node) -> Flow:
    """See the name."""
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
    tiling.widen(stage)


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    first, *rest = value
    return int(first), int(rest[0] if rest else first)


def _names(state: Lowering, node: Node, keys: tuple[str, ...]) -> list[str | None]:
    """Of the weights that a norm has."""
    given = takes(node)
    return [None if given[key] is None else state.operand(given[key], node).storage for key in keys]


def batch_norm(state: Lowering, node: Node) -> Flow:
    """See the name."""
    given = takes(node)
    by_channel(state, node, given["input"])
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


def group_norm(state: Lowering, node: Node) -> Flow:
    """See the name."""
    given = takes(node)
    flow = by_channel(state, node, given["input"])
    return _normed(state, node, given, given["num_groups"], flow, by_pixel=False)


def layer_norm(state: Lowering, node: Node) -> Flow:
    """See the name."""
    given = takes(node)
    flow = by_channel(state, node, given["input"])
    sizes = [flow.channels] if flow.height * flow.width == 1 else list(flow.sizes)
    if without_ones(list(given["normalized_shape"])) != without_ones(sizes):
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


def pool(state: Lowering, node: Node) -> Flow:
    """See the name."""
    flow = by_channel(state, node, node.arguments[0])
    found = pooling_windows.pool(node, takes(node), flow)
    if isinstance(found, str):
        ready = state.growing(node.arguments[0], node)
        _, height, width = (int(size) for size in (node.shape or ())[1:])
        return replace(ready, height=height, width=width, pool=found)
    source = state.map(node.arguments[0], node)
    stage = found(source)
    stage.target.needs_gradient = source.needs_gradient
    state.stages.append(stage)
    return whole(stage.target)
