"""Find out whether the network that is evaluated is the one that was trained.

In: the train graph and the eval graph of a Program. Out: the first place where they differ. Reads
data only.

Dropout counts as passing its input on, and the training flag of BatchNorm as equal: these two may
differ. So may what changes no number, in whichever mode it stands: x + 0.0 * y and x * 1.0 are x.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from grader.analysis import arguments, dataflow
from grader.program.graph import Graph, Node
from grader.program.ops import Kind
from grader.program.program import Program
from grader.program.values import Ref

ONE_NETWORK = (
    "Only Dropout and BatchNorm may depend on self.training; do everything else in both modes."
)
OWN_BATCH_NORM = (
    "This is a batch norm of your own: in training it takes the mean and variance of the batch, in "
    "evaluation those that it has kept. The grader knows that these belong together only where it "
    "is PyTorch's: use nn.BatchNorm2d in its place."
)
_STATISTICS = {"mean", "var", "std", "var_mean", "std_mean", "sum"}
_ZERO = ("zero",)
"""The position of what is zero whatever the image; no operator of a graph has it."""
_KEEPS_ZERO = frozenset(
    (
        *("sum", "mean", "amax", "amin", "neg", "abs", "relu", "div", "mul"),
        *("view", "reshape", "flatten", "unsqueeze", "squeeze", "expand", "transpose", "permute"),
        *("clone", "detach", "alias", "contiguous"),
    )
)
_MODE_FLAGS = {"training", "train", "use_input_stats", "dropout_p"}


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the two graphs part: `text` for people, the line in the student's file, what to do."""

    text: str
    line: int | None
    advice: str = ONE_NETWORK


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
            line = one.node.line or other.node.line
            return Difference(_parting(one.node, other.node), line, _advice(one.node))
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


def _advice(node: Node) -> str:
    """`node`: the operator of training."""
    if arguments.base(node) not in _STATISTICS:
        return ONE_NETWORK
    over = arguments.bound(node).get("dim")
    over = (over,) if isinstance(over, int) else over
    return OWN_BATCH_NORM if not over or 0 in over else ONE_NETWORK


def _name(node: Node) -> str:
    return f"{arguments.base(node)} ({node.module})" if node.module else arguments.base(node)


def _steps(graph: Graph) -> Iterator[_Step]:
    same, zeros = _unchanged(graph)
    live = dataflow.trace(graph, zeros).live
    position: dict[str, Any] = dict.fromkeys(zeros, _ZERO)
    count = 0
    for node in graph.nodes:
        if node.name in zeros:
            continue
        if node.name in same:
            position[node.name] = position.get(same[node.name])
        elif node.op == "weight":
            position[node.name] = ("weight", node.arguments[0])
        elif arguments.kind(node) is Kind.DROPOUT and (before := arguments.first(node)):
            position[node.name] = position[before]
        elif node.op == "input" or node.name in live:
            position[node.name] = count
            count += 1
            yield _Step(_content(node, position), node)


def _unchanged(graph: Graph) -> tuple[dict[str, str], frozenset[str]]:
    """The nodes that only repeat another one, with its name, and those that are zero."""
    nodes = {node.name: node for node in graph.nodes}
    memory = dataflow.trace(graph).memory
    written = {memory[name] for name in map(_written, graph.nodes) if name}
    same: dict[str, str] = {}
    zeros: set[str] = set()
    for node in graph.nodes:
        operator = arguments.operator(node)
        if operator is None or not node.arguments or memory[node.name] in written:
            continue
        values = [
            0 if isinstance(value, Ref) and value.node in zeros else value
            for value in node.arguments[:2]
        ]
        if _is_zero(arguments.base(node), values):
            zeros.add(node.name)
        elif (kept := _repeated(arguments.base(node), values)) and _alike(nodes[kept], node):
            if memory[kept] in written:
                continue
            same[node.name] = kept
    return same, frozenset(zeros)


def _written(node: Node) -> str | None:
    """The node that an operator in place writes into: what it was before is not what it is."""
    operator = arguments.operator(node)
    return arguments.first(node) if operator is not None and operator.writes else None


def _is_zero(base: str, values: list[Any]) -> bool:
    if base == "mul":
        return any(_is_number(value, 0) for value in values)
    return base in _KEEPS_ZERO and _is_number(values[0], 0)


def _repeated(base: str, values: list[Any]) -> str | None:
    """The node whose numbers `base` hands on: x of x + 0, x - 0, x * 1, x / 1."""
    neutral = {"add": 0, "sub": 0, "mul": 1, "div": 1}.get(base)
    if neutral is None or len(values) < 2:
        return None
    first, second = values
    if isinstance(first, Ref) and _is_number(second, neutral):
        return first.node
    if base in ("add", "mul") and isinstance(second, Ref) and _is_number(first, neutral):
        return second.node
    return None


def _is_number(value: Any, number: int) -> bool:
    return isinstance(value, int | float) and value == number


def _alike(one: Node, other: Node) -> bool:
    return (one.shape, one.dtype) == (other.shape, other.dtype)


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
