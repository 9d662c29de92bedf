"""Which operators the output of a network depends on, with views and in-place writes followed.

In: a Graph. Out: names of nodes. "Executed" in this grader means live: an operator whose result is
thrown away is in the graph, but is not part of the network.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from grader.analysis.arguments import base, bound, first, operator
from grader.program.graph import Graph, Node
from grader.program.ops import Kind

_MAY_RETURN_ITS_INPUT = {"detach", "alias", "contiguous", "to", "type_as", "lift_fresh", "positive"}


@dataclass(frozen=True, slots=True)
class Dataflow:
    """Who reads whom.

    `reads[name]` are the nodes whose effect `name` depends on: those that it names, and the last
    write into the memory of each. `readers` is the reverse. `live` are the nodes that the output
    depends on. `memory[name]` is the node that first owned the memory that `name` looks at.
    """

    reads: dict[str, tuple[str, ...]]
    readers: dict[str, tuple[str, ...]]
    live: frozenset[str]
    memory: dict[str, str]


@dataclass(slots=True)
class _Memory:
    """While walking the graph: whose memory each node looks at, and the last write into it."""

    owner: dict[str, str] = field(default_factory=dict)
    last_write: dict[str, str] = field(default_factory=dict)

    def read(self, name: str) -> tuple[str, ...]:
        write = self.last_write.get(self.owner[name])
        return (name,) if write in (None, name) else (name, str(write))

    def add(self, node: Node) -> None:
        target = first(node)
        entry = operator(node)
        shares = target is not None and entry is not None and (entry.writes or may_alias(node))
        self.owner[node.name] = self.owner[target] if shares and target is not None else node.name
        if entry is not None and entry.writes:
            self.last_write[self.owner[node.name]] = node.name


def trace(graph: Graph, idle: frozenset[str] = frozenset()) -> Dataflow:
    """The dataflow of a graph. `idle` nodes count as ones that the output does not depend on.

    A read of x after a write into any view of x depends on that write. BatchNorm's update of its
    running statistics does not count as a write: it feeds later batches, not this output.
    """
    memory = _Memory()
    reads: dict[str, tuple[str, ...]] = {}
    for node in graph.nodes:
        names: list[str] = []
        for reference in node.references():
            names.extend(memory.read(reference))
        reads[node.name] = tuple(dict.fromkeys(names))
        memory.add(node)
    live = _ancestors(reads, memory.read(graph.output), idle)
    return Dataflow(reads, _reversed(reads), live, memory.owner)


def may_alias(node: Node) -> bool:
    """Whether the node's result may share its first argument's memory.

    Views do, and so do operators that return their input when there is nothing to do:
    `contiguous()`, `to()`, and dropout that is switched off.
    """
    entry = operator(node)
    if entry is None:
        return False
    if entry.kind is Kind.DROPOUT:
        return bound(node)["train"] is False
    return entry.views or entry.kind is Kind.TAKE or base(node) in _MAY_RETURN_ITS_INPUT


def _ancestors(
    reads: dict[str, tuple[str, ...]], start: tuple[str, ...], idle: frozenset[str]
) -> frozenset[str]:
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in found and name not in idle:
            found.add(name)
            waiting.extend(reads[name])
    return frozenset(found)


def _reversed(reads: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    readers: dict[str, list[str]] = {name: [] for name in reads}
    for name, sources in reads.items():
        for source in sources:
            readers[source].append(name)
    return {name: tuple(found) for name, found in readers.items()}
