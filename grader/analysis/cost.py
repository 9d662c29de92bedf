"""How much work is one image? Multiply-adds of every operator, and bytes of every result.

In: a Graph. Out: a `Cost`. Counted are convolutions, linear layers and matrix products, as fvcore
does (but for fused attention, which it leaves out); torchinfo also counts a bias as one
multiply-add per output, and every BatchNorm parameter once per image.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from grader.analysis.arguments import base, bound, einsum, kind
from grader.analysis.dataflow import may_alias, trace
from grader.analysis.receptive_field.reshape import sizes
from grader.program.graph import Graph, Node
from grader.program.ops import Kind
from grader.program.values import Ref, Shape

_BYTES = {
    "float64": 8,
    "int64": 8,
    "float32": 4,
    "int32": 4,
    "float16": 2,
    "bfloat16": 2,
    "uint8": 1,
    "bool": 1,
}


MOST_BYTES = 2**30
"""What all results of one forward pass may take. Of them, few are kept at a time."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Per image, for the operators that the output depends on.

    Views and in-place operators make no new bytes.
    """

    multiply_adds: dict[str, int]
    activation_bytes: dict[str, int]

    @property
    def total(self) -> int:
        """Multiply-adds per image."""
        return sum(self.multiply_adds.values())

    @property
    def memory(self) -> int:
        """Bytes of all results together, as kept for the backward pass of one image."""
        return sum(self.activation_bytes.values())


def measure_cost(graph: Graph, live: frozenset[str] | None = None) -> Cost:
    """The cost of a graph. `live` are the nodes that its output depends on."""
    live = trace(graph).live if live is None else live
    nodes = [
        node for node in graph.nodes if node.name in live and node.op not in ("input", "weight")
    ]
    work = {node.name: multiply_adds(graph, node) for node in nodes}
    return Cost(
        {name: count for name, count in work.items() if count},
        {node.name: _bytes(node) for node in nodes},
    )


def images_at_once(graph: Graph) -> int:
    """How many images can be run together in `MOST_BYTES`, two at least."""
    one = measure_cost(graph, frozenset(graph.by_name)).memory
    return max(2, MOST_BYTES // max(1, one))


def elements(shape: Shape | None) -> int:
    """Elements of a tensor, per image."""
    return prod(size.count for size in sizes(shape)) if shape is not None else 0


def _bytes(node: Node) -> int:
    in_place = node.op.split(".")[1].endswith("_") if "." in node.op else False
    if in_place or may_alias(node):
        return 0
    return elements(node.shape) * _BYTES[node.dtype or "float32"]


def multiply_adds(graph: Graph, node: Node) -> int:
    """Multiply-adds of one operator for one image."""
    found = kind(node)
    if found in {Kind.CONVOLUTION, Kind.LINEAR}:
        return elements(node.shape) * elements(_shape(graph, bound(node)["weight"])[1:])
    if found is Kind.TRANSPOSED_CONVOLUTION:
        given = bound(node)
        return elements(_shape(graph, given["input"])) * elements(
            _shape(graph, given["weight"])[1:]
        )
    if found is Kind.MATMUL:
        return _product(graph, node)
    if found is Kind.ATTENTION:
        query, key, value = (_shape(graph, bound(node)[name]) for name in ("query", "key", "value"))
        return elements(query) * elements(key[-2:-1]) + elements(query[:-1]) * elements(value[-2:])
    return 0


def _product(graph: Graph, node: Node) -> int:
    given = bound(node)
    if base(node) == "einsum":
        return _einsum(str(given["equation"]), [_shape(graph, value) for value in given["tensors"]])
    left = _shape(graph, given.get("mat1", given["self"]))
    return elements(node.shape) * elements(left[-1:])


def _einsum(equation: str, shapes: list[Shape]) -> int:
    """Every combination of the letters is one multiply-add; a single operand is only added up."""
    terms, _ = einsum(equation, [len(shape) for shape in shapes])
    if len(terms) < 2:
        return 0
    letters: dict[str, int | str] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for letter, size in zip(term, shape, strict=True):
            if letters.get(letter, 1) == 1:  # what "..." stands for may be stretched
                letters[letter] = size
    return elements(tuple(letters.values()))


def _shape(graph: Graph, value: Any) -> Shape:
    return (graph[value.node].shape or ()) if isinstance(value, Ref) else ()
