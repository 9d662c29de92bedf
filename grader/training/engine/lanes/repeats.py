"""What operators become that repeat numbers, or mix the order of dimensions that they cut."""

from __future__ import annotations

from collections.abc import Sequence

from grader.program.graph import Node
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import joins
from grader.training.engine.lanes.flow import Flow, whole
from grader.training.engine.lanes.forms import Loop, Sizes, loops, sizes_for
from grader.training.engine.lanes.lowering import Lowering, label, takes
from grader.training.engine.lanes.structure import (
    HERE,
    Dimension,
    Segment,
    arranged,
    dimensions,
    shape_of,
    sizes,
    structured,
)


def expand(state: Lowering, node: Node) -> Flow | None:
    """Dimensions of 1 repeated; None where there are none."""
    value = node.arguments[0]
    weight = state.weight(value)
    if weight is not None:
        return joins.spread(state, node, weight)
    shape, wanted = shape_of(state, value, node), sizes(node.shape, node)
    if shape == wanted:
        return None
    if len(shape) != len(wanted):
        raise CannotTrainError(f"{label(node)} to more dimensions")
    times = [there // here for here, there in zip(shape, wanted, strict=True)]
    return _repeated(state, node, times, outside=True)


def repeat(state: Lowering, node: Node) -> Flow | None:
    """All of a dimension several times."""
    shape, wanted = shape_of(state, node.arguments[0], node), sizes(node.shape, node)
    repeats = takes(node)["repeats"]
    if len(repeats) != len(shape) + 1 or repeats[0] != 1:
        raise CannotTrainError(f"{label(node)} of images, or to more dimensions")
    if shape == wanted:
        return None
    return _repeated(state, node, [int(number) for number in repeats[1:]], outside=True)


def nearest(state: Lowering, node: Node) -> Flow:
    """Each pixel several times."""
    shape, wanted = shape_of(state, node.arguments[0], node), sizes(node.shape, node)
    if any(there % here for here, there in zip(shape, wanted, strict=True)):
        raise CannotTrainError(f"{label(node)} by a factor that is not whole")
    times = [there // here for here, there in zip(shape, wanted, strict=True)]
    return _repeated(state, node, times, outside=False)


def _repeated(state: Lowering, node: Node, times: Sequence[int], *, outside: bool) -> Flow:
    """Each dimension so many times, the whole of it again and again or each number by itself."""
    stored, found = dimensions(state, node, node.arguments[0])
    made: list[Dimension] = []
    for dimension, count in zip(found, times, strict=True):
        again: tuple[Loop, ...] = ((count, HERE),) if count > 1 else ()
        inner = tuple(dimension)
        made.append([Segment((*again, *inner) if outside else (*inner, *again))])
    return whole(arranged(state, node, stored, made, sizes(node.shape, node)))


def channel_shuffle(state: Lowering, node: Node) -> Flow:
    """Channels of all groups in turn."""
    channels, *pixels = shape_of(state, node.arguments[0], node)
    groups = int(takes(node)["groups"])
    seen = (groups, channels // groups, *pixels)
    return _mixed(state, node, seen, (1, 0, *range(2, len(seen))))


def pixel_shuffle(state: Lowering, node: Node) -> Flow:
    """Channels become pixels."""
    factor = int(takes(node)["upscale_factor"])
    channels, height, width = shape_of(state, node.arguments[0], node)
    seen = (channels // factor**2, factor, factor, height, width)
    return _mixed(state, node, seen, (0, 3, 1, 4, 2))


def pixel_unshuffle(state: Lowering, node: Node) -> Flow:
    """Pixels become channels."""
    factor = int(takes(node)["downscale_factor"])
    channels, height, width = shape_of(state, node.arguments[0], node)
    seen = (channels, height // factor, factor, width // factor, factor)
    return _mixed(state, node, seen, (0, 2, 4, 1, 3))


def _mixed(state: Lowering, node: Node, seen: Sequence[int], order: Sequence[int]) -> Flow:
    """The value under the shape `seen`, its dimensions in that order, under the node's shape."""
    stored = structured(state, node, node.arguments[0])
    found = loops((stored.channels, stored.height, stored.width), seen)
    assert found is not None
    form: Sizes = sizes_for(sizes(node.shape, node))
    moved = [[Segment(tuple(found[axis]))] for axis in order]
    return whole(arranged(state, node, stored, moved, [seen[axis] for axis in order], form))
