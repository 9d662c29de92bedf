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
from grader.training.engine.lanes import (
    computed,
    joins,
    layers,
    moves,
    products,
    reductions,
    repeats,
)
from grader.training.engine.lanes.elementwise import Between, Dropout, Leaky, Step
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
from grader.training.engine.lanes.smooth import GELU, SMOOTH, elu, power, softplus
from grader.training.engine.lanes.structure import by_channel, shape_of, sizes


def lower(graph: Graph, weights: Mapping[str, Weight], *, training: bool) -> Lowered:
    """The stages of a graph. Raises CannotTrainError for what has no lanes code."""
    state = Lowering(graph, weights, training)
    state.count_readers()
    for node in graph.nodes:
        if node.op == "input":
            channels, height, width = (int(size) for size in (node.shape or ())[1:])
            images = Map(channels, height, width, "images", needs_gradient=False)
            state.define(node, whole(images))
        elif node.op == "weight":
            state.fixed[node.name] = True
        else:
            try:
                _lower(state, node)
            except CannotTrainError as error:
                raise CannotTrainError(f"{error}{_place(node)}") from error
            except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as error:
                # A form that nobody has thought of is no reason not to train.
                what = f"{label(node)} of this form{_place(node)} ({error!r})"
                raise CannotTrainError(what) from error
    last = graph[graph.output]
    flow = state.flow(Ref(node=graph.output), last)
    scores = state.map(Ref(node=graph.output), last)
    if flow.stored and flow.source is images:
        raise CannotTrainError("a network without layers")
    return Lowered(
        images, scores, state.log_probabilities, state.stages, state.counters, state.computed
    )


def _place(node: Node) -> str:
    return f" in line {node.line}" if node.line else ""


def _lower(state: Lowering, node: Node) -> None:
    known = ops.find(node.op)
    if computed.is_fixed(node, state.fixed):
        state.fixed[node.name] = True
        return  # torch computes it, where something reads it
    if known.kind is Kind.SIZE or (node.shape is None and known.kind in SEVERAL):
        return  # what takes one of several results lowers it
    if known.kind is Kind.TAKE and not state.is_read(node):
        return
    if state.training:
        _leave_blocks(state, node)
    if known.writes and state.weight(node.arguments[0]) is not None:
        _count(state, node)
    elif known.kind is Kind.TAKE:
        _take(state, node)
    elif node.dtype not in (None, "float32"):
        raise CannotTrainError(f"{known.label} with {node.dtype} numbers")
    elif node.op in SAME or known.kind is Kind.RESHAPE:
        _rename(state, node)
    else:
        _compute(state, node, known)


SEVERAL = (Kind.POOLING, Kind.ADAPTIVE_POOLING, Kind.SPLIT, Kind.REDUCE)
"""What may have several results."""


def _leave_blocks(state: Lowering, node: Node) -> None:
    """What was computed under `torch.no_grad()` passes no gradient on, once it is read outside."""
    if not node.gradient:
        if ops.find(node.op).writes and state.is_map(node.arguments[0]):
            raise CannotTrainError(f"{label(node)} in place under torch.no_grad()")
        return
    for name in node.references():
        value = Ref(node=name)
        if state.is_map(value) and not state.graph[name].gradient:
            state.replace(value, state.detached(value, node))


def _compute(state: Lowering, node: Node, known: ops.Operator) -> None:
    name = node.op.split(".")[1]
    found = OPERATORS.get(name) or OPERATORS.get(name.rstrip("_"))
    if found is None:
        raise CannotTrainError(known.label)
    if known.writes:
        state.flow(node.arguments[0], node)
        state.check_write(node)
    result = found(state, node)
    if result is None:  # it changes nothing
        value = _first(node)
        state.replace(value, whole(state.map(value, node)))
        state.alias(node, value)
    elif known.writes:
        state.alias(node, node.arguments[0], result)
    else:
        state.define(node, result)
        if known.views and state.is_map(_first(node)):
            state.part_of(node, _first(node))


def _first(node: Node) -> Ref:
    return Ref(node=next(node.references()))


def _take(state: Lowering, node: Node) -> None:
    """One of several results: of a split any, else the first."""
    source = state.graph[_first(node).node]
    known, number = ops.find(source.op), node.arguments[1]
    whole_of_it = source.model_copy(
        update={"name": node.name, "shape": node.shape, "dtype": node.dtype}
    )
    if known.kind is Kind.SPLIT:
        state.define(node, moves.piece(state, whole_of_it, number))
        state.part_of(node, _first(source))
    elif source.shape is not None or number != 0:
        raise CannotTrainError(f"one of several results of {label(source)}")
    else:
        _compute(state, whole_of_it, known)


def _rename(state: Lowering, node: Node) -> None:
    """Another name; under `torch.no_grad()` one that passes no gradient."""
    value = node.arguments[0]
    shape_of(state, value, node), sizes(node.shape, node)
    if state.training and not node.gradient:
        state.define(node, state.growing(value, node))
    else:
        state.flow(value, node)
        state.alias(node, value)


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


OPERATORS: dict[str, Callable[[Lowering, Node], Flow | None]] = {
    "clone": _copy,
    "lift_fresh_copy": _copy,
    "detach": _detach,
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
    "softplus": _settings(lambda given: softplus(given["beta"], given["threshold"])),
    "dropout": _dropout(whole_channels=False),
    "feature_dropout": _dropout(whole_channels=True),
    "conv1d": layers.convolution,
    "conv2d": layers.convolution,
    "linear": layers.linear,
    "batch_norm": layers.batch_norm,
    "group_norm": layers.group_norm,
    "layer_norm": layers.layer_norm,
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
    "softmax": products.softmax,
    "log_softmax": products.softmax,
    "matmul": products.product,
    "mm": products.product,
    "bmm": products.product,
    "scaled_dot_product_attention": products.attention,
    **dict.fromkeys(
        ("permute", "transpose", "t", "numpy_T", "mT", "movedim", "swapaxes", "swapdims"),
        moves.permute,
    ),
    **dict.fromkeys(("slice", "select", "narrow"), moves.part),
    **dict.fromkeys(
        (
            "pad",
            "constant_pad_nd",
            "reflection_pad1d",
            "reflection_pad2d",
            "replication_pad1d",
            "replication_pad2d",
        ),
        moves.pad,
    ),
    "flip": moves.flip,
    "roll": moves.roll,
    "expand": repeats.expand,
    "expand_as": repeats.expand,
    "repeat": repeats.repeat,
    "upsample_nearest2d": repeats.nearest,
    "channel_shuffle": repeats.channel_shuffle,
    "pixel_shuffle": repeats.pixel_shuffle,
    "pixel_unshuffle": repeats.pixel_unshuffle,
}
