"""Find what evaluation leaves behind for the next batch: what is written into weights.

In: the eval Graph, and its weights under each seed. Out: Hints with lines. Operators without effect
on this batch's scores count: what they write is there for the next.

What comes out the same however often it is done leaves nothing behind: a weight that is clamped, or
multiplied by a mask of zeros and ones, before it is used. It must depend neither on the images nor
on what else is written, and nothing may have read the weight before.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from grader.analysis.arguments import base, bound, first, operator
from grader.analysis.dataflow import Dataflow, may_alias, trace
from grader.program.graph import Graph, Node
from grader.program.ops import Kind
from grader.program.values import Ref
from grader.report import Hint

_SETTLED = {"clamp", "clamp_min", "clamp_max", "relu", "fill", "zero", "copy"}
"""In-place operators that change nothing when they are done again."""
_OWN_STATISTICS = {Kind.BATCH_NORM: "training", Kind.NORM: "use_input_stats"}


def kept(graph: Graph, seeds: Sequence[Mapping[str, Tensor]]) -> tuple[Hint, ...]:
    """The operators by which one batch could change the scores of the next."""
    flow = trace(graph)
    writes = [*itertools.chain.from_iterable(_writes(graph, flow, node) for node in graph.nodes)]
    if not writes:
        return ()
    seen = _Seen(graph, flow, seeds, frozenset(write.memory for write in writes))
    return tuple(
        Hint(
            text=f"{base(write.node)} writes into {write.weight(graph)} in evaluation too.",
            line=write.node.line,
        )
        for write in writes
        if not seen.settles(write)
    )


@dataclass(frozen=True, slots=True)
class _Write:
    """`node` writes into the memory of the weight that the node `memory` stands for."""

    node: Node
    memory: str

    def weight(self, graph: Graph) -> str:
        return str(graph[self.memory].arguments[0])


def _writes(graph: Graph, flow: Dataflow, node: Node) -> Iterator[_Write]:
    entry, target = operator(node), first(node)
    places = [target] if entry is not None and entry.writes else []
    flag = _OWN_STATISTICS.get(entry.kind) if entry else None
    if flag:
        given = bound(node)
        if given.get(flag):
            values = (given["running_mean"], given["running_var"])
            places += [value.node for value in values if isinstance(value, Ref)]
    for place in places:
        if place is not None and graph[flow.memory[place]].op == "weight":
            yield _Write(node, flow.memory[place])


@dataclass(frozen=True, slots=True)
class _Seen:
    """What must be known to tell whether a write settles. `written` are nodes of weights."""

    graph: Graph
    flow: Dataflow
    seeds: Sequence[Mapping[str, Tensor]]
    written: frozenset[str]

    def settles(self, write: _Write) -> bool:
        """Whether it makes no difference how often it has been done."""
        entry = operator(write.node)
        if entry is None or not entry.writes:
            return not self._read(write.memory, but=write.node)
        values = [name for name in write.node.references() if name != first(write.node)]
        if base(write.node) not in _SETTLED and not self._masks(write.node, values):
            return False
        return not self._moving(values) and not self._read_before(write)

    def _masks(self, node: Node, values: Sequence[str]) -> bool:
        """It multiplies by a tensor of zeros and ones."""
        if base(node) != "mul" or len(values) != 1 or self.graph[values[0]].op != "weight":
            return False
        name = str(self.graph[values[0]].arguments[0])
        masks = [weights[name] for weights in self.seeds]
        return all(bool(((mask == 0) | (mask == 1)).all()) for mask in masks)

    def _moving(self, names: Sequence[str]) -> bool:
        """Whether any of these depends on the images, on chance or on what is written."""
        waiting, known = list(names), set[str]()
        while waiting:
            name = waiting.pop()
            if name in known:
                continue
            known.add(name)
            waiting.extend(self.flow.reads[name])
        drawn = any(base(self.graph[name]).startswith("rand") for name in known)
        return drawn or self.graph.input.name in known or bool(known & self.written)

    def _read(self, memory: str, *, but: Node) -> bool:
        others = [
            node
            for node in self.graph.nodes
            if node.name in self.flow.live and node.name != but.name
        ]
        read = itertools.chain.from_iterable(node.references() for node in others)
        return any(self.flow.memory[name] == memory for name in read)

    def _read_before(self, write: _Write) -> bool:
        """Whether something that counts reads the weight before this write."""
        for node in self.graph.nodes:
            if node.name == write.node.name:
                return False
            entry = operator(node)
            looks = entry is not None and (entry.writes or may_alias(node))
            memories = {self.flow.memory[name] for name in node.references()}
            if node.name in self.flow.live and not looks and write.memory in memories:
                return True
        return False
