"""What each operator becomes, by its name; None where it changes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from grader.program.graph import Node
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import (
    borders,
    joins,
    layers,
    parts,
    products,
    reductions,
    repeats,
)
from grader.training.engine.lanes.elementwise import Between, Dropout, Leaky, Step
from grader.training.engine.lanes.flow import Flow, grown
from grader.training.engine.lanes.lowering import Lowering, label, takes
from grader.training.engine.lanes.smooth import (
    GELU,
    SMOOTH,
    elu,
    power,
    shrunk,
    softplus,
    threshold,
)
from grader.training.engine.lanes.structure import by_channel


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
        if whole_channels:
            flow = by_channel(state, node, node.arguments[0], pixels=False)
        else:
            flow = state.growing(node.arguments[0], node)
        if not given["train"]:
            return flow
        state.dropouts += 1
        return grown(flow, Dropout(given["p"], whole_channels, state.dropouts - 1))

    return lowered


def _copy(state: Lowering, node: Node) -> Flow:
    return state.growing(node.arguments[0], node)


def _detach(state: Lowering, node: Node) -> Flow:
    return state.detached(node.arguments[0], node) if state.training else _copy(state, node)


def _same_type(state: Lowering, node: Node) -> None:
    state.flow(node.arguments[0], node)  # all that is computed has one type


OPERATORS: dict[str, Callable[[Lowering, Node], Flow | None]] = {
    "clone": _copy,
    "lift_fresh_copy": _copy,
    "detach": _detach,
    "to": _same_type,
    "type_as": _same_type,
    **{name: _step(step) for name, step in SMOOTH.items()},
    "leaky_relu": _settings(lambda given: Leaky(given["negative_slope"])),
    "gelu": _settings(lambda given: GELU[given["approximate"]]),
    "hardtanh": _settings(lambda given: Between(given["min_val"], given["max_val"], open_=True)),
    "clamp": _settings(_clamp),
    "clamp_min": _settings(_clamp),
    "clamp_max": _settings(_clamp),
    "elu": _settings(lambda given: elu(given["alpha"], given["scale"], given["input_scale"])),
    "celu": _settings(lambda given: elu(given["alpha"], 1.0, 1 / given["alpha"])),
    "pow": _settings(lambda given: power(given["exponent"])),
    "softshrink": _settings(lambda given: shrunk(given["lambd"], soft=True)),
    "hardshrink": _settings(lambda given: shrunk(given["lambd"], soft=False)),
    "threshold": _settings(lambda given: threshold(given["threshold"], given["value"])),
    "softplus": _settings(lambda given: softplus(given["beta"], given["threshold"])),
    "dropout": _dropout(whole_channels=False),
    "feature_dropout": _dropout(whole_channels=True),
    "conv1d": layers.convolution,
    "conv2d": layers.convolution,
    "linear": layers.linear,
    "batch_norm": layers.batch_norm,
    "group_norm": layers.group_norm,
    "layer_norm": layers.layer_norm,
    "rms_norm": reductions.rms_norm,
    "instance_norm": layers.instance_norm,
    **dict.fromkeys(
        (
            "max_pool1d",
            "max_pool2d",
            "max_pool2d_with_indices",
            "avg_pool1d",
            "avg_pool2d",
            "adaptive_avg_pool1d",
            "adaptive_avg_pool2d",
            "adaptive_max_pool1d",
            "adaptive_max_pool2d",
        ),
        layers.pool,
    ),
    **dict.fromkeys(
        ("mean", "sum", "amax", "amin", "var", "std", "linalg_vector_norm", "norm"),
        reductions.reduce,
    ),
    "max": reductions.extreme,
    "min": reductions.extreme,
    "add": joins.add,
    "sub": joins.add,
    "rsub": joins.add,
    "mul": joins.multiply,
    "div": joins.multiply,
    "cat": joins.side_by_side,
    "concat": joins.side_by_side,
    "stack": joins.stack,
    "maximum": joins.extreme,
    "minimum": joins.extreme,
    "prelu": joins.prelu,
    "glu": joins.gated,
    "softmax": products.softmax,
    "log_softmax": products.softmax,
    "matmul": products.product,
    "mm": products.product,
    "bmm": products.product,
    "scaled_dot_product_attention": products.attention,
    **dict.fromkeys(
        ("permute", "transpose", "t", "numpy_T", "mT", "movedim", "swapaxes", "swapdims"),
        parts.permute,
    ),
    **dict.fromkeys(("slice", "select", "narrow"), parts.part),
    **dict.fromkeys(
        (
            "pad",
            "constant_pad_nd",
            "reflection_pad1d",
            "reflection_pad2d",
            "replication_pad1d",
            "replication_pad2d",
        ),
        borders.pad,
    ),
    "flip": parts.flip,
    "roll": parts.roll,
    "expand": repeats.expand,
    "expand_as": repeats.expand,
    "repeat": repeats.repeat,
    "upsample_nearest2d": repeats.nearest,
    "channel_shuffle": repeats.channel_shuffle,
    "pixel_shuffle": repeats.pixel_shuffle,
    "pixel_unshuffle": repeats.pixel_unshuffle,
}
