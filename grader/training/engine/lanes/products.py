"""What matrix products and attention become."""

from __future__ import annotations

import math
from typing import Any

from grader.program.graph import Node
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import layers
from grader.training.engine.lanes.contraction import Contraction, Index
from grader.training.engine.lanes.flow import Flow, whole
from grader.training.engine.lanes.forms import Loop, Sizes, loops, sizes_for
from grader.training.engine.lanes.lowering import Lowering, label, takes
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.softmax import Softmax
from grader.training.engine.lanes.structure import HERE, dimensions, shape_of, sizes, structured


def product(state: Lowering, node: Node) -> Flow:
    """Of two maps, or of a map and a weight, which is a linear layer."""
    first, second = node.arguments[:2]
    if not state.is_map(second):
        weight = state.transposed(second, node)
        return layers.linear_by(state, node, first, weight, None)
    if not state.is_map(first):
        raise CannotTrainError(f"{label(node)} of a weight and a map, in this order")
    shapes = [shape_of(state, value, node) for value in (first, second)]
    result = sizes(node.shape, node)
    if len(shapes[0]) != len(shapes[1]) or len(result) < 2:
        raise CannotTrainError(f"{label(node)} of different numbers of dimensions")
    (a, of_a), (b, of_b) = (dimensions(state, node, value) for value in (first, second))
    return whole(_contract(state, node, (a, b), (of_a, of_b), result))


Loops = list[list[Loop]]


def _contract(
    state: Lowering,
    node: Node,
    maps: tuple[Map, Map],
    found: tuple[Loops, Loops],
    result: tuple[int, ...],
    factor: float = 1.0,
    *,
    turned: bool = False,
) -> Map:
    """Rows of the first with columns of the second, or, `turned`, with its rows."""
    form: Sizes = sizes_for(result)
    places = loops(form, result)
    assert places is not None
    (a, b), (of_a, of_b) = maps, found
    row, column = (-1, -2) if turned else (-2, -1)
    batch = tuple(
        _index(of_a[axis], of_b[axis], places[axis], result[axis])
        for axis in range(len(result) - 2)
    )
    inner = max([count for count, _ in (*of_a[-1], *of_b[row])], default=1)
    target = Map(*form, node.name, a.needs_gradient or b.needs_gradient)
    stage = Contraction(
        a,
        b,
        target,
        batch,
        _index(of_a[-2], [], places[-2], result[-2]),
        _index([], of_b[column], places[-1], result[-1]),
        _index(of_a[-1], of_b[row], [], inner),
        factor,
    )
    state.stages.append(stage)
    return target


def _index(a: list[Loop], b: list[Loop], z: list[Loop], count: int) -> Index:
    one, other, there = (each[0][1] if each else HERE for each in (a, b, z))
    return count, one, other, there


def attention(state: Lowering, node: Node) -> Flow:
    """softmax(q k^T * scale) v, without a mask or dropout."""
    given = takes(node)
    if given["attn_mask"] is not None or given["dropout_p"] or given["is_causal"]:
        raise CannotTrainError(f"{label(node)} with a mask or dropout")
    names = ("query", "key", "value")
    shapes = [shape_of(state, given[name], node) for name in names]
    if len({shape[:-2] for shape in shapes}) > 1 or given["enable_gqa"]:
        raise CannotTrainError(f"{label(node)} of groups")
    (q, of_q), (k, of_k), (v, of_v) = (dimensions(state, node, given[name]) for name in names)
    scale = given["scale"] or 1 / math.sqrt(shapes[0][-1])
    scores = (*shapes[0][:-1], shapes[1][-2])
    z = _contract(state, node, (q, k), (of_q, of_k), scores, float(scale), turned=True)
    weights = softened(state, node, z, scores, len(scores) - 1, logarithm=False)
    of_weights = loops(whole(weights).sizes, scores)
    assert of_weights is not None
    return whole(_contract(state, node, (weights, v), (of_weights, of_v), sizes(node.shape, node)))


def softmax(state: Lowering, node: Node) -> Flow:
    """Along a dimension; log softmax at the end of a network is the loss's."""
    given = takes(node)
    value: Any = given["self"]
    logarithm = "log" in node.op
    shape = shape_of(state, value, node)
    axis = int(given["dim"]) % (len(shape) + 1) - 1
    if axis < 0 or given.get("dtype") is not None:
        raise CannotTrainError(f"{label(node)} over several images")
    if logarithm and node.name == state.graph.output and axis == 0:
        state.log_probabilities = True
        return state.flow(value, node)
    source = structured(state, node, value)
    return whole(softened(state, node, source, shape, axis, logarithm=logarithm))


def softened(
    state: Lowering,
    node: Node,
    source: Map,
    shape: tuple[int, ...],
    axis: int,
    *,
    logarithm: bool,
) -> Map:
    """Softmax, or its logarithm, of a map in the form of that shape."""
    found = loops(whole(source).sizes, shape)
    assert found is not None
    (of,) = found[axis] or [(1, HERE)]
    others = [loop for number, loops_ in enumerate(found) if number != axis for loop in loops_]
    target = Map(*whole(source).sizes, node.name, source.needs_gradient)
    state.stages.append(Softmax(source, target, of, tuple(others), logarithm))
    return target
