"""Recognise the same architecture, whatever the names and the order of declarations.

In: the eval Graph. Out: a `Fingerprint`: a hash of the live graph, and a distance for near-identical ones.

The hash is a Merkle hash: every operator's is made of its own name and settings and the hashes of what it reads.
Tensors enter by shape and by how often they are read, so that tied weights differ from two weights of one shape.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from grader.analysis.arguments import base, bound, first, kind
from grader.analysis.dataflow import trace
from grader.ops import Kind
from grader.program import DTypeArgument, Graph, Node, Ref

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


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`digest` is equal for equal architectures. `pieces` are hashes of each operator with what it reads."""

    digest: str
    pieces: tuple[str, ...]

    def distance(self, other: Fingerprint) -> float:
        """Share of the pieces that only one of the two has: 0 for the same architecture, 1 for nothing in common."""
        one, two = Counter(self.pieces), Counter(other.pieces)
        together = (one | two).total()
        return 1 - (one & two).total() / together if together else 0.0


def fingerprint_of(graph: Graph) -> Fingerprint:
    """The fingerprint of a graph's live operators."""
    live = trace(graph).live
    uses = Counter(
        str(graph[name].arguments[0])
        for node in graph.nodes
        if node.name in live
        for name in node.references()
        if graph[name].op == "weight"
    )
    whole: dict[str, str] = {}
    label: dict[str, str] = {}
    pieces = []
    for node in graph.nodes:
        if node.name not in live:
            continue
        if _passes_on(node):
            source = first(node) or ""
            whole[node.name], label[node.name] = whole[source], label[source]
            continue
        whole[node.name] = _hash(_content(node, whole, uses))
        label[node.name] = _hash(_content(node, dict.fromkeys(whole, ""), uses))
        if node.op not in ("weight", "input"):
            pieces.append(_hash(_content(node, label, uses))[:12])
    return Fingerprint(whole[graph.output], tuple(sorted(pieces)))


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
        return f"({_listed(_text(item, hashes) for item in value)})"
    return repr(value)


def _listed(texts: Iterable[str]) -> str:
    return ",".join(texts)


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
