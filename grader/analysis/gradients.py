"""Which parameters can training change? Those that a gradient reaches and the optimizer is given.

In: a Program. Out: names of parameters that keep their initial values though the network uses them.
"""

from __future__ import annotations

from grader.analysis.arguments import base, first, operator
from grader.analysis.dataflow import Dataflow, trace
from grader.program.graph import Graph, Node
from grader.program.program import Program

_STOPS = {"detach", "detach_", "argmax", "argmin"}


def unreached(program: Program, flow: Dataflow | None = None) -> tuple[str, ...]:
    """Trainable parameters in use that `torch.no_grad()` or `detach()` cuts off from the loss.

    `flow` is the train graph's dataflow.
    """
    flow = flow or trace(program.train)
    owners = {weight.name: weight.storage for weight in program.weights}
    reached = {
        owners[name] for name in _weights(program.train, _with_gradient(program.train, flow))
    }
    used = {owners[name] for name in _weights(program.train, flow.live)}
    return tuple(
        weight.name
        for weight in program.weights
        if weight.kind == "parameter" and weight.trainable and weight.name in used - reached
    )


def left_out(program: Program) -> tuple[str, ...]:
    """Trainable parameters that the optimizer is not given."""
    owners = {weight.name: weight.storage for weight in program.weights}
    trained: set[str] = set()
    for group in program.recipe.optimizer.groups:
        trained.update(owners[name] for name in group.parameters)
    return tuple(
        weight.name
        for weight in program.weights
        if weight.kind == "parameter"
        and weight.trainable
        and weight.name == weight.storage not in trained
    )


def _with_gradient(graph: Graph, flow: Dataflow) -> set[str]:
    """The nodes on a path from the output along which gradients flow."""
    found: set[str] = set()
    waiting = [graph.output]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_passed_on(graph[name], flow))
    return found


def _passed_on(node: Node, flow: Dataflow) -> tuple[str, ...]:
    """The nodes that a gradient which reaches `node` goes on to."""
    if base(node) in _STOPS:
        return ()
    entry, target = operator(node), first(node)
    if not node.gradient and entry is not None and entry.writes and target is not None:
        # Under no_grad(), weight.clamp_() is still the weight, and has the gradient of its uses.
        return (target,)
    return flow.reads[node.name] if node.gradient else ()


def _weights(graph: Graph, names: set[str] | frozenset[str]) -> set[str]:
    return {str(graph[name].arguments[0]) for name in names if graph[name].op == "weight"}
