"""Which windows a pooling operator has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from grader.program.graph import Node
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes.flow import Flow
from grader.training.engine.lanes.forms import Sizes
from grader.training.engine.lanes.lowering import label
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.stages import Axis, Pool, Window


def pool(
    node: Node, given: dict[str, Any], flow: Flow, into: Sizes
) -> Pool | Callable[[Map], Window]:
    """The pool of a chain where it is one of those, else how to make a stage.

    `into`: the sizes of its map. Raises CannotTrainError.
    """
    name = node.op.split(".")[1]
    channels, height, width = into
    kind: Literal["max", "mean"] = "max" if "max" in name else "mean"
    if name.startswith("adaptive"):
        if kind == "mean" and (height, width) == (1, 1):
            return "mean of all"
        rows = Axis(flow.height, height, adaptive=True)
        columns = Axis(flow.width, width, adaptive=True)
        divisor = None
    else:
        rows, columns = (
            _axis(node, given, axis, size, count)
            for axis, (size, count) in enumerate(((flow.height, height), (flow.width, width)))
        )
        if kind == "max" and _is_plain(rows) and _is_plain(columns):
            return "max 2x2"
        if kind == "mean" and _is_whole(rows) and _is_whole(columns):
            return "mean of all"
        divisor = given.get("divisor_override")
        pads = rows.padding + columns.padding > 0
        if kind == "mean" and divisor is None and pads and given["count_include_pad"]:
            divisor = rows.window * columns.window
            if given["ceil_mode"]:
                raise CannotTrainError(f"{label(node)} that counts its padding in part")
    return lambda source: Window(
        source, Map(channels, height, width, node.name), kind, rows, columns, divisor
    )


def _axis(node: Node, given: dict[str, Any], axis: int, size: int, count: int) -> Axis:
    def setting(name: str, otherwise: int) -> int:
        value = given.get(name)
        if isinstance(value, int):
            return value
        values = tuple(value or ())
        return int(values[axis % len(values)]) if values else otherwise

    if "1d" in node.op and axis == 0:
        return Axis(size, count)
    if setting("dilation", 1) != 1:
        raise CannotTrainError(f"dilated {label(node)}")
    window = setting("kernel_size", 1)
    return Axis(size, count, window, setting("stride", window), setting("padding", 0))


def _is_plain(axis: Axis) -> bool:
    """Windows of 2 side by side, of which none hangs over the end."""
    fits = axis.count * 2 <= axis.size
    return (axis.window, axis.stride, axis.padding) == (2, 2, 0) and fits


def _is_whole(axis: Axis) -> bool:
    return axis.count == 1 and axis.padding == 0 and axis.window >= axis.size
