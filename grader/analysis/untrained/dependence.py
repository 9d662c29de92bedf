"""Which operators make an image's scores depend on more than the image: on its batch, or on chance.

In: the eval Graph. Out: Hints with lines. They explain what `grader.behaviour` has seen; what they
miss is still seen.
"""

from __future__ import annotations

from collections.abc import Iterator

from grader.analysis.arguments import base, bound, first, kind
from grader.analysis.dataflow import trace
from grader.ops import Kind
from grader.program import BATCH, Graph, Node
from grader.report import Hint

_DRAWN = {"rand", "randn", "rand_like", "randn_like"}
_ALONG_DIMENSIONS = {Kind.REDUCE, Kind.ALONG, Kind.FLIP, Kind.ROLL}


def by_chance(graph: Graph) -> tuple[Hint, ...]:
    """Operators that draw random numbers in evaluation."""
    return tuple(Hint(text=_drawing(node), line=node.line) for node in _live(graph) if _draws(node))


def across_images(graph: Graph) -> tuple[Hint, ...]:
    """Operators that run over the images of a batch."""
    hints: list[Hint] = []
    for node in _live(graph):
        hints.extend(_mixing(graph, node))
    return tuple(hints)


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


def _mixing(graph: Graph, node: Node) -> Iterator[Hint]:
    if kind(node) is Kind.BATCH_NORM and bound(node)["training"]:
        yield Hint(
            text=f"{node.module or 'This batch_norm'} divides by the statistics of the batch in "
            "evaluation too: leave track_running_stats as it is, and its mode to model.eval().",
            line=node.line,
        )
    elif kind(node) in _ALONG_DIMENSIONS and _over_batch(graph, node):
        yield Hint(
            text=f"{base(node)} runs over dimension 0, the images of the batch: dimension 1 holds "
            "the channels or classes, 2 and 3 the rows and columns.",
            line=node.line,
        )


def _over_batch(graph: Graph, node: Node) -> bool:
    source = first(node)
    shape = graph[source].shape if source else None
    if not shape:
        return False
    given = bound(node)
    named = given.get("dim", given.get("dims"))
    if named in (None, ()):
        dims = tuple(range(len(shape)))
    else:
        dims = named if isinstance(named, tuple) else (named,)
    return any(isinstance(shape[dim], str) and str(shape[dim]).endswith(BATCH) for dim in dims)
