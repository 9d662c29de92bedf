"""From a Program's graph to stages.

In: a Graph and its weights. Out: `Lowered`, the stages in order. Views are other names for a map;
an operator that writes in place gives all names of its map what it wrote. Elementwise operators
gather in a chain until something has to be stored: a convolution reads it, two operators read it,
or a second batch norm follows. `operators.py` says what each operator becomes.

A worked example, conv - batch norm - ReLU - 2x2 max - conv: the first convolution's map is stored,
and the chain (norm, ReLU, max) is stored once, as what the second convolution reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from grader.program import ops
from grader.program.graph import Graph, Node, Weight
from grader.program.ops import Kind
from grader.program.values import Ref
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import computed
from grader.training.engine.lanes.computed import Computed
from grader.training.engine.lanes.flow import Flow, whole
from grader.training.engine.lanes.forms import Sizes
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.stages import Chain, Stage


@dataclass(slots=True)
class Lowered:
    """Stages in order; the maps of the images and of the scores; counters that a step moves."""

    images: Map
    scores: Map
    log_probabilities: bool
    stages: list[Stage]
    counters: dict[str, float]
    computed: dict[str, Computed]


@dataclass(slots=True)
class Lowering:
    """A graph on its way: what `operators` read and add to.

    `formed` are copies of maps in other forms, by the map's id. `parts` are values that are parts
    of another, or its numbers in another order: in torch both are one memory, here they are two.
    `fixed` are the values that depend on no image.
    """

    graph: Graph
    weights: Mapping[str, Weight]
    training: bool
    stages: list[Stage] = field(default_factory=list)
    counters: dict[str, float] = field(default_factory=dict)
    log_probabilities: bool = False
    dropouts: int = 0
    formed: dict[tuple[int, Sizes], Map] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, bool] = field(default_factory=dict)
    computed: dict[str, Computed] = field(default_factory=dict)
    _cells: dict[str, str] = field(default_factory=dict)
    _flows: dict[str, Flow] = field(default_factory=dict)
    _readers: Counter[tuple[str, int]] = field(default_factory=Counter)
    _versions: Counter[str] = field(default_factory=Counter)

    def weight(self, value: Any) -> Weight | None:
        """The weight that an argument names, or one that is computed from weights alone."""
        node = self.graph[value.node] if isinstance(value, Ref) else None
        while node is not None and node.op == "aten.add_.Tensor":  # a counter, moved before
            node = self.graph[next(node.references())]
        if node is not None and node.op == "weight":
            return self.weights[str(node.arguments[0])]
        if node is None or not self.fixed.get(node.name) or node.shape is None:
            return None
        name = f"{self._mode}:{node.name}"
        if name not in self.computed:
            self.computed[name] = computed.of(self.graph, node, self.weights, name=name)
        return self.computed[name].weight

    def transposed(self, value: Any, node: Node) -> Weight:
        """The weight that an argument names, its rows as columns. Raises CannotTrainError."""
        if len(self.operand(value, node).shape) != 2:
            raise CannotTrainError(f"{label(node)} with a weight that has no rows and columns")
        name = f"{self._mode}:{value.node}:transposed"
        if name not in self.computed:
            found = computed.transposed(self.graph, value, self.weights, name=name)
            self.computed[name] = found
        return self.computed[name].weight

    @property
    def _mode(self) -> str:
        return "training" if self.training else "evaluation"

    def operand(self, value: Any, node: Node) -> Weight:
        """The weight, of floats, that an operator needs. Raises CannotTrainError."""
        weight = self.weight(value)
        if weight is None or weight.dtype != "float32":
            raise CannotTrainError(f"{label(node)} with computed weights")
        return weight

    def is_map(self, value: Any) -> bool:
        """Whether an argument is a value that depends on the images."""
        return isinstance(value, Ref) and value.node in self._cells

    def flow(self, value: Any, node: Node) -> Flow:
        """The value of an argument. Raises CannotTrainError where it does not depend on images."""
        if not self.is_map(value):
            raise CannotTrainError(f"{label(node)} on something that is not computed from images")
        return self._flows[self._cells[value.node]]

    def growing(self, value: Any, node: Node) -> Flow:
        """The value of an argument, to which a step may be added: nobody else reads it."""
        flow = self.flow(value, node)
        cell = self._cells[value.node]
        if flow.pool or (not flow.stored and self._readers[cell, self._versions[cell]] > 1):
            return whole(self.map(value, node))
        return flow

    def map(self, value: Any, node: Node) -> Map:
        """The value of an argument, stored."""
        flow = self.flow(value, node)
        if flow.stored:
            return flow.source
        made = self.store(flow, node)
        self._flows[self._cells[value.node]] = whole(made)
        return made

    def store(self, flow: Flow, node: Node) -> Map:
        """A flow as a map, which its chain writes."""
        if flow.stored:
            return flow.source
        target = Map(*flow.sizes, name=node.name, needs_gradient=self._learns(flow))
        self.stages.append(
            Chain(flow.source, target, flow.before, flow.norm, flow.after, flow.pool)
        )
        return target

    def detached(self, value: Any, node: Node) -> Flow:
        """The value of an argument, which no gradient passes."""
        stored = self.map(value, node)
        if not stored.needs_gradient:
            return whole(stored)
        target = Map(*whole(stored).sizes, name=node.name, needs_gradient=False)
        self.stages.append(Chain(stored, target, (), None, (), ""))
        return whole(target)

    def replace(self, value: Any, flow: Flow) -> None:
        """From now on the argument is that."""
        self._flows[self._cells[value.node]] = flow

    def part_of(self, node: Node, value: Any) -> None:
        """`node` is a part of that argument, or its numbers in another order."""
        self.parts[node.name] = self._cells[value.node]

    def check_write(self, node: Node) -> None:
        """Raises CannotTrainError where what `node` writes would have to change another map."""
        cell = self._cells[next(node.references())]
        related = {one for one, of in self.parts.items() if of == cell}
        while cell in self.parts:
            cell = self.parts[cell]
            related.add(cell)
        if self._is_read_after(node, related):
            raise CannotTrainError(f"{label(node)} in place, on a part of another map")

    def _is_read_after(self, node: Node, cells: set[str]) -> bool:
        """Whether one of the cells is read after a node, or is the result."""
        later = False
        names = [self.graph.output]
        for each in self.graph.nodes:
            if later:
                names += each.references()
            later = later or each is node
        return any(self._cells.get(name) in cells for name in names)

    def _learns(self, flow: Flow) -> bool:
        names = (flow.norm.weight, flow.norm.bias) if flow.norm else ()
        return flow.source.needs_gradient or self.trainable(names)

    def trainable(self, names: Iterable[str | None]) -> bool:
        """Whether one of these weights learns."""
        return any(self._known(name).trainable for name in names if name)

    def _known(self, name: str) -> Weight:
        return self.computed[name].weight if name in self.computed else self.weights[name]

    def define(self, node: Node, flow: Flow) -> None:
        """What `node` gives."""
        self._cells[node.name] = node.name
        self._flows[node.name] = flow

    def alias(self, node: Node, value: Any, flow: Flow | None = None) -> None:
        """`node` is another name of that argument, which now has the value `flow`, if given."""
        cell = self._cells[value.node]
        self._cells[node.name] = cell
        if flow is not None:
            self._flows[cell] = flow
            self._versions[cell] += 1

    def is_read(self, node: Node) -> bool:
        """Whether anybody reads what the node gives."""
        return self._readers[node.name, 0] > 0

    def count_readers(self) -> None:
        """How many operators read each value, between one write to it and the next."""
        cells: dict[str, str] = {}
        versions: Counter[str] = Counter()
        for node in self.graph.nodes:
            known = ops.OPERATORS.get(node.op)
            looks = known is not None and (known.kind is Kind.RESHAPE or node.op in SAME)
            for name in () if looks else node.references():
                if name in cells:
                    self._readers[cells[name], versions[cells[name]]] += 1
            first = next(iter(node.references()), "")
            if known is not None and (looks or known.writes) and first in cells:
                cells[node.name] = cells[first]
                versions[cells[first]] += known.writes
            elif node.op != "weight":
                cells[node.name] = node.name
        self._readers[cells[self.graph.output], versions[cells[self.graph.output]]] += 1


SAME = {
    "aten.contiguous.default",
    "aten.alias.default",
    "aten.positive.default",
    "aten.lift_fresh.default",
}
"""Operators whose result is what they read."""


def label(node: Node) -> str:
    """What a report calls the operator."""
    return ops.find(node.op).label


def takes(node: Node) -> dict[str, Any]:
    """The arguments of a node by their names."""
    return ops.find(node.op).bind(node.arguments, node.keywords)


def is_number(value: Any) -> bool:
    """Whether an argument is a plain number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
