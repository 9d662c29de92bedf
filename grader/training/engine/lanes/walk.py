"""From operator to operator: a step of a chain, a stage, another name, or what torch computes.

Whatever has no code raises CannotTrainError with its name and line: then PyTorch trains the whole
network.
"""

from __future__ import annotations

from collections.abc import Mapping

from grader.program import ops
from grader.program.graph import Graph, Node, Weight
from grader.program.ops import Kind
from grader.program.values import Ref
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import computed, parts
from grader.training.engine.lanes.flow import whole
from grader.training.engine.lanes.lowering import SAME, Lowered, Lowering, is_number, label, takes
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.operators import OPERATORS
from grader.training.engine.lanes.structure import shape_of, sizes


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
        state.define(node, parts.piece(state, whole_of_it, number))
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
    """Batch norm's count of batches, or another number that each step parts by the same."""
    given = takes(node)
    weight = state.weight(node.arguments[0])
    if node.op != "aten.add_.Tensor" or not is_number(given["other"]) or weight is None:
        raise CannotTrainError(f"{label(node)} into a weight")
    state.counters[weight.storage] = state.counters.get(weight.storage, 0) + given["other"]
