"""What arithmetic becomes: of a map with a number, a weight or another map; and concatenation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grader.program.graph import Node, Weight
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes.elementwise import Linear
from grader.training.engine.lanes.flow import Flow, grown, whole
from grader.training.engine.lanes.forms import Sizes, Vector, loops, sizes_for
from grader.training.engine.lanes.joining import Pointwise, Side
from grader.training.engine.lanes.lowering import Lowering, is_number, label, takes
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.operations import (
    MAXIMUM,
    MINIMUM,
    PRELU,
    PRODUCT,
    QUOTIENT,
    SECOND,
    Operation,
    sum_of,
)
from grader.training.engine.lanes.parts import of_axis
from grader.training.engine.lanes.smooth import SMOOTH
from grader.training.engine.lanes.structure import (
    HERE,
    Segment,
    arranged,
    axis_of,
    dimensions,
    shape_of,
    sizes,
    structured,
)
from grader.training.engine.lanes.weighted import Weighted


def add(state: Lowering, node: Node) -> Flow:
    """A sum or a difference."""
    given = takes(node)
    name = node.op.split(".")[1].rstrip("_")
    first, second, alpha = given["self"], given["other"], given["alpha"]
    if name == "rsub":
        first, second = second, first
    factor = alpha if name == "add" else -alpha
    if is_number(second):
        return grown(state.growing(first, node), Linear(1.0, factor * second))
    if is_number(first):
        return grown(state.growing(second, node), Linear(factor, first))
    return both(state, node, first, second, sum_of(float(factor)))


def multiply(state: Lowering, node: Node) -> Flow:
    """A product or a quotient."""
    given = takes(node)
    first, second = given["self"], given["other"]
    divides = node.op.split(".")[1].rstrip("_") == "div"
    if is_number(second) and not (divides and second == 0):
        return grown(state.growing(first, node), Linear(1 / second if divides else second, 0.0))
    return both(state, node, first, second, QUOTIENT if divides else PRODUCT)


def extreme(state: Lowering, node: Node) -> Flow:
    """The larger or the smaller one of two maps."""
    given = takes(node)
    operation = MAXIMUM if "max" in node.op else MINIMUM
    return both(state, node, given["self"], given["other"], operation)


def prelu(state: Lowering, node: Node) -> Flow:
    """ReLU with a slope that is learned, one for all or one for each channel."""
    given = takes(node)
    weight = state.operand(given["weight"], node)
    shape = shape_of(state, given["self"], node)
    channels = weight.size if shape else 1
    seen = (channels, *(1 for _ in shape[1:]))
    return _weighted(state, node, given["self"], weight.storage, seen, PRELU)


def gated(state: Lowering, node: Node) -> Flow:
    """One half of a dimension times the sigmoid of the other."""
    given = takes(node)
    shape = shape_of(state, given["self"], node)
    axis = axis_of(given["dim"], len(shape), node)
    half = shape[axis] // 2
    result = sizes(node.shape, node)
    one, other = (
        of_axis(state, node, given["self"], axis, [(begin, 1, half, 0)], result)
        for begin in (0, half)
    )
    gate = state.store(grown(other, SMOOTH["sigmoid"]), node)
    source = one.source
    target = Map(*one.sizes, node.name, source.needs_gradient)
    state.stages.append(Pointwise(source, gate, target, PRODUCT))
    return whole(target)


def both(state: Lowering, node: Node, first: Any, second: Any, operation: Operation) -> Flow:
    """Two maps, or a map and a weight, in this order."""
    for value, other, turned in ((second, first, False), (first, second, True)):
        if not state.is_map(value):
            if is_number(value):
                raise CannotTrainError(f"{label(node)} with a number first")
            weight = state.operand(value, node)
            mine = operation.turned if turned else operation
            return _weighted(state, node, other, weight.storage, weight.shape, mine)
    shapes = [shape_of(state, value, node) for value in (first, second)]
    return whole(_pointwise(state, node, first, second, shapes, operation))


def _pointwise(
    state: Lowering,
    node: Node,
    first: Any,
    second: Any,
    shapes: Sequence[tuple[int, ...]],
    operation: Operation,
) -> Map:
    result = sizes(node.shape, node)
    if shapes[0] == shapes[1]:
        a = state.map(first, node)
        form = whole(a).sizes
        b = structured(state, node, second, form)
    elif len(shapes[0]) == len(shapes[1]):
        form = sizes_for(result)
        a, b = (
            _stretched(state, node, value, shape, result)
            for value, shape in zip((first, second), shapes, strict=True)
        )
    else:
        raise CannotTrainError(f"{label(node)} of different numbers of dimensions")
    target = Map(*form, node.name, a.needs_gradient or b.needs_gradient)
    state.stages.append(Pointwise(a, b, target, operation))
    return target


def _stretched(
    state: Lowering, node: Node, value: Any, shape: tuple[int, ...], result: tuple[int, ...]
) -> Map:
    """A map that has, in each direction, one number or as many as the result."""
    stored = structured(state, node, value)
    wanted = sizes_for(result)
    fits = all(here in (1, there) for here, there in zip(sizes_for(shape), wanted, strict=True))
    if fits:
        return stored
    return _stretched_to(state, node, value, shape, result)


def _weighted(
    state: Lowering,
    node: Node,
    value: Any,
    weight: str,
    seen: Sequence[int],
    operation: Operation,
) -> Flow:
    """A map and a weight of that shape, which may be the same for some dimensions."""
    shape, result = shape_of(state, value, node), sizes(node.shape, node)
    if shape == result:
        source = structured(state, node, value)
    elif len(shape) == len(result):
        source = _stretched_to(state, node, value, shape, result)
    else:
        raise CannotTrainError(f"{label(node)} of different numbers of dimensions")
    nest = _nest(node, whole(source).sizes, result, seen)
    learns = source.needs_gradient or state.trainable((weight,))
    target = Map(*whole(source).sizes, node.name, learns)
    state.stages.append(Weighted(source, target, weight, operation, nest))
    return whole(target)


def _nest(
    node: Node, form: Sizes, result: Sequence[int], seen: Sequence[int]
) -> tuple[tuple[int, Vector, int], ...]:
    """Loops over a map, with the steps of a weight of the shape `seen`."""
    ones = len(result) + 1 - len(seen)
    of_images, *of_weight = (*(1 for _ in range(max(ones, 0))), *seen)
    if ones < 0 or of_images != 1:
        raise CannotTrainError(f"{label(node)} with a weight for each image of a batch")
    found = loops(form, result)
    assert found is not None
    nest: list[tuple[int, Vector, int]] = []
    step = 1
    for dimension, size in zip(reversed(found), reversed(of_weight), strict=True):
        nest = [(count, there, 0 if size == 1 else step) for count, there in dimension] + nest
        step *= size
    return tuple(nest)


def spread(state: Lowering, node: Node, weight: Weight) -> Flow:
    """A weight for each image."""
    result = sizes(node.shape, node)
    form = sizes_for(result)
    nest = _nest(node, form, result, weight.shape)
    nothing = Map(*form, needs_gradient=False)
    target = Map(*form, node.name, state.trainable((weight.storage,)))
    state.stages.append(Weighted(nothing, target, weight.storage, SECOND, nest, reads=False))
    return whole(target)


def _stretched_to(
    state: Lowering, node: Node, value: Any, shape: tuple[int, ...], result: tuple[int, ...]
) -> Map:
    stored, found = dimensions(state, node, value)
    made = []
    for dimension, here, there in zip(found, shape, result, strict=True):
        again = ((there, HERE),) if here < there else ()
        made.append([Segment((*again, *dimension))])
    return arranged(state, node, stored, made, result, sizes_for(result))


def side_by_side(state: Lowering, node: Node) -> Flow:
    """Maps along one of their dimensions."""
    given = takes(node)
    values = given["tensors"]
    shapes = [shape_of(state, value, node) for value in values]
    axis = axis_of(given["dim"], len(shapes[0]), node)
    return _side(state, node, values, shapes, axis)


def stack(state: Lowering, node: Node) -> Flow:
    """Maps along a new dimension."""
    given = takes(node)
    values = given["tensors"]
    shapes = [shape_of(state, value, node) for value in values]
    axis = axis_of(given["dim"], len(shapes[0]) + 1, node)
    seen = [(*shape[:axis], 1, *shape[axis:]) for shape in shapes]
    return _side(state, node, values, seen, axis)


def _side(
    state: Lowering, node: Node, values: Sequence[Any], shapes: Sequence[Sequence[int]], axis: int
) -> Flow:
    rank = len(shapes[0])
    along = 2 if rank == 2 and axis == 1 else axis
    if along > 2:
        raise CannotTrainError(f"{label(node)} along the fourth dimension of an image")
    parts = tuple(
        structured(state, node, value, sizes_for(shape))
        for value, shape in zip(values, shapes, strict=True)
    )
    needs = any(part.needs_gradient for part in parts)
    target = Map(*sizes_for(sizes(node.shape, node)), node.name, needs)
    state.stages.append(Side(parts, target, along))
    return whole(target)
