"""What the numbers that a network returns are: the loss to train it with follows from that.

In: a Graph. Out: one word. Of 431 public student models for this assignment, 392 return
log-probabilities.
"""

from __future__ import annotations

from typing import Literal

from grader.analysis.arguments import base, bound, first, kind
from grader.program.graph import Graph, Node
from grader.program.ops import Kind
from grader.program.values import Ref

OutputKind = Literal["logits", "log_probabilities", "probabilities"]

_PROBABILITIES = {"softmax", "sigmoid"}
_SAME_VALUES = {Kind.RESHAPE, Kind.PERMUTE, Kind.EXPAND, Kind.SELECT, Kind.DROPOUT}
_COPIES = {"clone", "contiguous", "alias", "detach", "to"}
_GUARDS = {"add", "clamp", "clamp_min", "clamp_max"}
"""What is put between softmax and log against log(0)."""


_CLIPPED = {"relu", "relu6", "hardtanh", "hardsigmoid"}


def output_kind(graph: Graph) -> OutputKind:
    """Whether the network returns logits, log-probabilities or probabilities (softmax, sigmoid).

    Looks at the operator that made the output, through reshapes and copies. log(softmax(x)) and
    x - logsumexp(x) are log-probabilities too.
    """
    node = _source(graph, graph[graph.output], _COPIES)
    name = base(node)
    if name in {"log_softmax", "log_sigmoid"}:
        return "log_probabilities"
    if name == "sub" and _subtracts_logsumexp(graph, node):
        return "log_probabilities"
    if name == "log":
        inner = base(_source(graph, _before(graph, node), _COPIES | _GUARDS))
        return "log_probabilities" if inner in _PROBABILITIES else "logits"
    return "probabilities" if name in _PROBABILITIES else "logits"


def clipped_at(graph: Graph) -> Node | None:
    """The ReLU, or the like, that the scores come out of; None where it is something else."""
    node = _source(graph, graph[graph.output], _COPIES)
    return node if base(node) in _CLIPPED else None


def _source(graph: Graph, node: Node, through: set[str]) -> Node:
    while (kind(node) in _SAME_VALUES or base(node) in through) and first(node):
        node = _before(graph, node)
    return node


def _before(graph: Graph, node: Node) -> Node:
    name = first(node)
    return graph[name] if name else node


def _subtracts_logsumexp(graph: Graph, node: Node) -> bool:
    other = bound(node)["other"]
    return (
        isinstance(other, Ref) and base(_source(graph, graph[other.node], _COPIES)) == "logsumexp"
    )
