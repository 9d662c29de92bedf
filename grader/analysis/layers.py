"""The layer table: one row per layer in execution order, and how far each layer sees.

In: a Program and its other analyses. Out: `LayerRow`s. Activations have no row of their own: they
change neither shape, parameters nor receptive field. Every operator that reads a weight has one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from grader.analysis import lines
from grader.analysis.arguments import base, bound, kind, layer_type, operator, several, spatial
from grader.analysis.cost import Cost
from grader.analysis.receptive_field.field import ReceptiveField
from grader.analysis.receptive_field.reshape import sizes
from grader.analysis.receptive_field.sight import AXES, Sight
from grader.program.graph import Graph, Node
from grader.program.ops import Kind
from grader.program.program import Program
from grader.program.values import Ref
from grader.report import LayerRow

_LAYERS = {
    Kind.CONVOLUTION,
    Kind.TRANSPOSED_CONVOLUTION,
    Kind.POOLING,
    Kind.ADAPTIVE_POOLING,
    Kind.BATCH_NORM,
    Kind.NORM,
    Kind.DROPOUT,
    Kind.LINEAR,
    Kind.MATMUL,
    Kind.ATTENTION,
    Kind.REDUCE,
    Kind.UPSAMPLE,
    Kind.UNFOLD,
    Kind.PIXEL_SHUFFLE,
    Kind.PIXEL_UNSHUFFLE,
    Kind.CHANNEL_SHUFFLE,
    Kind.GATED_HALVES,
    Kind.CONCATENATE,
    Kind.STACK,
}
_JOINS = {
    "add": "add",
    "mul": "multiply",
    "sub": "subtract",
    "maximum": "maximum",
    "minimum": "minimum",
}


def layer_table(
    program: Program, field: ReceptiveField, cost: Cost, total: int
) -> tuple[LayerRow, ...]:
    """The rows of a Program's eval graph. `total` is the number of parameters that shares are of.

    A row's line is where the student's file makes the layer, or calls the function.
    """
    graph = program.eval
    owners = {weight.name: weight.storage for weight in program.weights}
    numbers = {weight.name: weight.size for weight in program.weights if weight.kind == "parameter"}
    created = {module.path: module.line for module in program.modules}
    seen: set[str] = set()
    rows = []
    for node in graph.nodes:
        if node.name not in field.live or node.op in ("input", "weight"):
            continue
        own = {owners[name] for name in _weights(graph, node)} & numbers.keys() - seen
        seen |= own
        parameters = sum(numbers[name] for name in own)
        if parameters or kind(node) in _LAYERS or _joins(field, node):
            row = _row(graph, node, field, cost)
            line = lines.line(node, created)
            share = parameters / total if total else 0.0
            rows.append(
                row.model_copy(update={"parameters": parameters, "share": share, "line": line})
            )
    return tuple(rows)


def _weights(graph: Graph, node: Node) -> Iterable[str]:
    return (
        str(graph[name].arguments[0]) for name in node.references() if graph[name].op == "weight"
    )


def _joins(field: ReceptiveField, node: Node) -> bool:
    """Two branches of the network meet here."""
    sources = {name for name in node.references() if isinstance(field.answers[name], Sight)}
    return base(node) in _JOINS and len(sources) > 1


def _row(graph: Graph, node: Node, field: ReceptiveField, cost: Cost) -> LayerRow:
    rows, columns = (field.reach(node.name, axis) for axis in AXES)
    shape = sizes(node.shape or ())
    if shape and shape[0].images:
        shape = shape[1:]
    pixels, jump = None, None
    if rows and columns and not (rows.everywhere or columns.everywhere):
        pixels = (rows.pixels, columns.pixels)
        jump = (str(rows.jump), str(columns.jump))
    return LayerRow(
        module=node.module or base(node),
        kind=kind_text(graph, node),
        output_shape=tuple(size.count for size in shape),
        parameters=0,
        share=0.0,
        receptive_field=pixels,
        jump=jump,
        multiply_adds=cost.multiply_adds.get(node.name, 0),
    )


def kind_text(graph: Graph, node: Node) -> str:
    """The layer for people: "Conv2d 3×3", "max pooling 2×2", "add"."""
    words = [_name(node)]
    window = _window(graph, node)
    if window:
        words.append("×".join(map(str, window)))
    given = bound(node)
    stride, dilation = (_setting(given, name, len(window)) for name in ("stride", "dilation"))
    if set(stride) - {1} and kind(node) not in {Kind.POOLING}:
        words.append(f"/{max(stride)}")
    if set(dilation) - {1}:
        words.append(f"dilation {max(dilation)}")
    return " ".join(words)


def _name(node: Node) -> str:
    if base(node) in _JOINS:
        return _JOINS[base(node)]
    name = base(node).replace("_", "")
    entry = operator(node)
    # A layer's own module is named like its operator: conv2d in Conv2d, batch_norm in BatchNorm2d.
    layer = layer_type(node)
    if name in layer.lower() or (name.endswith("dropout") and "Dropout" in layer):
        return layer
    return entry.label if entry else node.op


def _window(graph: Graph, node: Node) -> tuple[int, ...]:
    given = bound(node)
    if kind(node) in {Kind.CONVOLUTION, Kind.TRANSPOSED_CONVOLUTION}:
        shape = graph[given["weight"].node].shape or ()
        return tuple(int(size) for size in shape[2:] if not isinstance(size, str))
    if "kernel_size" in given:
        window = several(given["kernel_size"], spatial(node))
        return () if any(isinstance(size, Ref) for size in window) else tuple(window)
    return ()


def _setting(given: dict[str, Any], name: str, count: int) -> tuple[int, ...]:
    value = given.get(name)
    if value is None or value == () or isinstance(value, Ref):
        return ()
    return several(value, count)
