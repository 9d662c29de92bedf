"""What becomes of padding: a border of a constant, of the map's own edge, or its mirror image."""

from __future__ import annotations

from collections.abc import Sequence

from grader.program.graph import Node
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes.flow import Flow
from grader.training.engine.lanes.lowering import Lowering, is_number, label, takes
from grader.training.engine.lanes.parts import Part, of_axes, whole_number
from grader.training.engine.lanes.structure import shape_of, sizes


def pad(state: Lowering, node: Node) -> Flow:
    """A border of a constant, of the map's own edge or its mirror image; or less of the map."""
    given = takes(node)
    value = node.arguments[0]
    amounts = [whole_number(amount, node) for amount in given.get("pad") or given["padding"]]
    name = node.op.split(".")[1]
    mode = given.get("mode") or name.partition("_pad")[0]
    fill = given.get("value") or 0.0
    shape = shape_of(state, value, node)
    if len(amounts) > 2 * len(shape) or not is_number(fill):
        raise CannotTrainError(f"{label(node)} over several images")
    parts: dict[int, Sequence[Part]] = {}
    for number in range(len(amounts) // 2):
        axis = len(shape) - 1 - number
        before, after = amounts[2 * number : 2 * number + 2]
        if before or after:
            parts[axis] = _bordered(mode, shape[axis], before, after)
    fill = fill if mode == "constant" else 0.0
    return of_axes(state, node, value, parts, sizes(node.shape, node), fill=float(fill))


def _bordered(mode: str, size: int, before: int, after: int) -> list[Part]:
    begin, end = max(0, -before), size - max(0, -after)
    found = [(begin, 1, end - begin, max(0, before))]
    there = max(0, before) + end - begin
    if mode == "reflect" or mode == "reflection":
        edges = [(before, -1, before, 0), (size - 2, -1, after, there)]
    elif mode in ("replicate", "replication"):
        edges = [(0, 0, before, 0), (size - 1, 0, after, there)]
    elif mode == "circular":
        edges = [(size - before, 1, before, 0), (0, 1, after, there)]
    else:
        edges = []
    return [*found, *(edge for edge in edges if edge[2] > 0)]
