"""Find out whether the network that is evaluated is the one that was trained.

In: the train graph and the eval graph of a Program. Out: the first place where they differ. Reads
data only.

Dropout counts as passing its input on, and the training flag of BatchNorm as equal: these two may
differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from grader.analysis import arguments, dataflow
from grader.ops import Kind
from grader.program.graph import Graph, Node
from grader.program.program import Program
from grader.program.values import Ref

_MODE_FLAGS = {"training", "train", "use_input_stats", "dropout_p"}


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the two graphs part: `text` for people, the line in the student's file."""

    text: str
    line: int | None


@dataclass(frozen=True, slots=True)
class _Step:
    """One live operator, so written that equal networks give equal steps: nodes by position."""

    content: tuple[Any, ...]
    node: Node


def difference(program: Program) -> Difference | None:
    """The first difference between the train and the eval network; None where they are the same."""
    train, evaluation = (list(_steps(graph)) for graph in (program.train, program.eval))
    for one, other in zip(train, evaluation, strict=False):
        if one.content != other.content:
            return Difference(_parting(one.node, other.node), one.node.line or other.node.line)
    if len(train) != len(evaluation):
        mode, longer = (
            ("training", train) if len(train) > len(evaluation) else ("evaluation", evaluation)
        )
        extra = longer[min(len(train), len(evaluation))].node
        return Difference(f"only {mode} runs {_name(extra)}", extra.line)
    return None


def _parting(one: Node, other: Node) -> str:
    """How two operators differ, the first of training, the other of evaluation."""
    if _name(one) != _name(other):
        return f"training runs {_name(one)} where evaluation runs {_name(other)}"
    if one.shape != other.shape:
        return f"{_name(one)} gives {one.shape} in training and {other.shape} in evaluation"
    return f"{_name(one)} is given something else in training than in evaluation"


def _name(node: Node) -> str:
    return f"{arguments.base(node)} ({node.module})" if node.module else arguments.base(node)


def _steps(graph: Graph) -> Iterator[_Step]:
    live = dataflow.trace(graph).live
    position: dict[str, Any] = {}
    count = 0
    for node in graph.nodes:
        if node.op == "weight":
            position[node.name] = ("weight", node.arguments[0])
        elif arguments.kind(node) is Kind.DROPOUT and (before := arguments.first(node)):
            position[node.name] = position[before]
        elif node.op == "input" or node.name in live:
            position[node.name] = count
            count += 1
            yield _Step(_content(node, position), node)


def _content(node: Node, position: dict[str, Any]) -> tuple[Any, ...]:
    if node.op == "input":
        return (node.op,)
    named = arguments.bound(node).items()
    values = tuple(
        (name, _placed(value, position)) for name, value in named if name not in _MODE_FLAGS
    )
    return (node.op.replace("_.", "."), values, node.shape)


def _placed(value: Any, position: dict[str, Any]) -> Any:
    if isinstance(value, Ref):
        return position.get(value.node)
    if isinstance(value, tuple):
        return tuple(_placed(item, position) for item in value)
    return value
