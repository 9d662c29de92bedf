"""A node's kind and arguments, as its entry in `grader.program.ops` names them.

In: a Node. Out: its Kind, its arguments by name, and the names of what it reads. Reads data only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from grader.program.graph import Node
from grader.program.ops import OPERATORS, Kind, Operator
from grader.program.values import Ref


def operator(node: Node) -> Operator | None:
    """The node's entry in `grader.program.ops`; None for inputs, weights and unlisted operators."""
    return OPERATORS.get(node.op)


def kind(node: Node) -> Kind | None:
    """How the node moves information; None for inputs, weights and unlisted operators."""
    found = OPERATORS.get(node.op)
    return found.kind if found else None


def base(node: Node) -> str:
    """The operator's plain name: "relu" for "aten.relu_.default"."""
    parts = node.op.split(".")
    return (parts[1] if len(parts) > 1 else parts[0]).rstrip("_")


def bound(node: Node) -> dict[str, Any]:
    """Every argument of an accepted operator by its name, defaults filled in."""
    return OPERATORS[node.op].bind(node.arguments, node.keywords)


def first(node: Node) -> str | None:
    """The node named first: what an in-place operator writes, what a view looks at."""
    for value in (*node.arguments, *node.keywords.values()):
        return value.node if isinstance(value, Ref) else None
    return None


def layer_type(node: Node) -> str:
    """The class of the module that ran the node.

    PyTorch renames the class where it computes the weights (weight_norm): its own name is returned.
    """
    return node.module_type.removeprefix("Parametrized").lstrip("_")


def spatial(node: Node) -> int:
    """How many dimensions the window of a pooling operator has: 2 for max_pool2d."""
    found = re.search(r"\d(?=d)", base(node))
    return int(found[0]) if found else 2


def several(value: Any, count: int) -> tuple[Any, ...]:
    """A setting for `count` dimensions: PyTorch writes 3, (3,) or (3, 3) for the same window."""
    items = tuple(value) if isinstance(value, list | tuple) else (value,)
    return items * count if len(items) == 1 else items


def dimension(index: int, rank: int) -> int:
    """The dimension that a possibly negative index means."""
    return index + rank if index < 0 else index


def einsum(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """The letters of each operand's dimensions, and of the result's, one for each dimension.

    "..." becomes Greek letters, counted from its end, as PyTorch aligns it; without an arrow the
    result has these, then every letter that is there once, in alphabetical order.
    """
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if not arrow:
        once = sorted(letter for letter in set(inputs) - set(",.") if inputs.count(letter) == 1)
        output = "..." * ("..." in inputs) + "".join(once)
    hidden = [rank - len(term.replace("...", "")) for term, rank in zip(terms, ranks, strict=True)]
    counts = [count for term, count in zip(terms, hidden, strict=True) if "..." in term]
    terms = [_spelled_out(term, count) for term, count in zip(terms, hidden, strict=True)]
    return terms, _spelled_out(output, max(counts, default=0))


def _spelled_out(term: str, hidden: int) -> str:
    return term.replace("...", "".join(chr(ord("α") + at) for at in reversed(range(hidden))))
