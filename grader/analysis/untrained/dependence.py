"""Which operators make an image's scores depend on more than the image: on its batch, or on chance.

In: the eval Graph. Out: Hints with lines. That images stay apart is proven; what draws by chance is
seen when it runs, and explained here.
"""

from __future__ import annotations

from collections.abc import Iterator

from grader.analysis.arguments import base, bound, kind
from grader.analysis.dataflow import trace
from grader.analysis.untrained import batch_axis
from grader.program.graph import Graph, Node
from grader.program.ops import Kind
from grader.report import Hint

_DRAWN = {"rand", "randn", "rand_like", "randn_like"}


def by_chance(graph: Graph) -> tuple[Hint, ...]:
    """Operators that draw random numbers in evaluation."""
    return tuple(Hint(text=_drawing(node), line=node.line) for node in _live(graph) if _draws(node))


def across_images(graph: Graph) -> tuple[Hint, ...]:
    """Operators at which images of a batch meet."""
    found = batch_axis.meetings(graph)
    return tuple(Hint(text=meeting.text, line=meeting.node.line) for meeting in found)


def _live(graph: Graph) -> Iterator[Node]:
    live = trace(graph).live
    return (node for node in graph.nodes if node.name in live)


def _draws(node: Node) -> bool:
    if kind(node) is Kind.DROPOUT:
        given = bound(node)
        return bool(given["train"]) and given["p"] > 0
    return base(node) in _DRAWN or (base(node) == "rrelu" and bool(bound(node)["training"]))


def _drawing(node: Node) -> str:
    if kind(node) is Kind.DROPOUT:
        return "This dropout still acts in evaluation."
    return f"{base(node)} draws other numbers in every call, in evaluation too."
