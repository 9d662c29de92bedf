"""Recognise the same architecture, whatever the names and the order of declarations.

In: the eval Graph. Out: a `Fingerprint`: a hash of the live graph, and a distance for
near-identical ones.

The hash is a Merkle hash: every operator's is made of its own name and settings and the hashes of
what it reads. Tensors enter by shape and by how often they are read, so that tied weights differ
from two weights of one shape.
"""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import Any

from grader.analysis.arguments import base, bound, first, kind
from grader.analysis.dataflow import trace
from grader.program.graph import Graph, Node
from grader.program.ops import Kind
from grader.program.values import DTypeArgument, Ref

_NO_EFFECT = {"contiguous", "clone", "alias", "detach"}
_COMMUTE = {"add", "mul", "maximum", "minimum"}
_IGNORED = {
    "training",
    "train",
    "cudnn_enabled",
    "cudnn_enable",
    "memory_format",
    "momentum",
    "implicit",
    "size",
    "shape",
    "start_dim",
    "end_dim",
}


def fingerprint_of(graph: Graph) -> str:
    """A hash (sha256) of a graph's live operators: equal for equal architectures."""
    live = trace(graph).live
    uses = _uses(graph, live)
    hashes: dict[str, str] = {}
    for node in graph.nodes:
        if node.name not in live:
            continue
        if _passes_on(node):
            hashes[node.name] = hashes[first(node) or ""]
        else:
            hashes[node.name] = sha256(_content(node, hashes, uses).encode()).hexdigest()
    return hashes[graph.output]


def _uses(graph: Graph, live: frozenset[str]) -> Counter[str]:
    """How often live operators read each weight."""
    uses: Counter[str] = Counter()
    for node in graph.nodes:
        if node.name in live:
            sources = (graph[name] for name in node.references())
            uses.update(str(source.arguments[0]) for source in sources if source.op == "weight")
    return uses


def _passes_on(node: Node) -> bool:
    """Contributes nothing to the architecture as it is evaluated."""
    off = kind(node) is Kind.DROPOUT and not bound(node)["train"]
    return (off or base(node) in _NO_EFFECT) and first(node) is not None


def _content(node: Node, hashes: dict[str, str], uses: Counter[str]) -> str:
    if node.op == "weight":
        return f"weight {node.shape} {node.dtype} {uses[str(node.arguments[0])]}"
    if node.op == "input":
        return f"input {node.shape}"
    given = bound(node)
    if kind(node) is Kind.RESHAPE:
        return f"reshape {node.shape} {hashes[first(node) or '']}"
    values = [
        f"{name}={_text(value, hashes)}" for name, value in given.items() if name not in _IGNORED
    ]
    if base(node) in _COMMUTE and given.get("alpha", 1) == 1:
        values = sorted(_text(value, hashes) for value in given.values())
    return " ".join([base(node), node.op.split(".")[-1], str(node.shape), *values])


def _text(value: Any, hashes: dict[str, str]) -> str:
    if isinstance(value, Ref):
        return hashes[value.node]
    if isinstance(value, DTypeArgument):
        return value.dtype
    if isinstance(value, list | tuple):
        items = ",".join(_text(item, hashes) for item in value)
        return f"({items})"
    return repr(value)
