"""Weights that a network computes from others, and constants that it makes: torch does that.

Weight norm, a transposed or clamped weight, coordinates: they depend on no image, so they are
computed once a step, before the machine code reads them; afterwards torch takes their gradients on
to the weights that they were computed from.

In: a graph and the operator whose result is read like a weight. Out: `Computed`; and `Sources`, in
which those of a network lie.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from grader import network
from grader.program import ops
from grader.program.graph import Graph, Node, Weight
from grader.program.ops import Kind
from grader.program.values import Ref

Memory = Callable[[str, tuple[int, ...]], Tensor]
"""The memory of a weight, or of its gradient, as a tensor of that shape."""


@dataclass(frozen=True, slots=True)
class Computed:
    """A weight under a name of its own, the graph that gives it, and what that graph reads."""

    weight: Weight
    graph: Graph
    bases: tuple[Weight, ...]
    names: Mapping[str, str]
    """All names that the graph has for them, each with that of its memory."""


def is_fixed(node: Node, fixed: Mapping[str, bool]) -> bool:
    """Whether the result is the same for all images and draws; `fixed` has what is read."""
    known = ops.find(node.op)
    draws = known.kind is Kind.DROPOUT or "rand" in node.op
    if draws or known.writes or (node.shape or ())[:1] == ("N",):
        return False
    return all(fixed.get(name, False) for name in node.references())


def of(graph: Graph, node: Node, weights: Mapping[str, Weight], *, name: str) -> Computed:
    """The result of a fixed node of the graph, or of one that reads those of the graph."""
    wanted = set(node.references())
    nodes: list[Node] = [node]
    for each in reversed(graph.nodes):
        if each.name in wanted or each.op == "input":
            nodes.insert(0, each)
            wanted |= set(each.references())
    read = [weights[str(each.arguments[0])] for each in nodes if each.op == "weight"]
    bases = {base.storage: weights[base.storage] for base in read}
    weight = Weight.model_construct(
        name=name,
        kind="constant",
        shape=tuple(int(size) for size in node.shape or ()),
        dtype=node.dtype or "float32",
        trainable=node.gradient and any(base.trainable for base in bases.values()),
        storage=name,
    )
    names = {base.name: base.storage for base in read}
    whole = Graph(nodes=tuple(nodes), output=node.name)
    return Computed(weight, whole, tuple(bases.values()), names)


def transposed(graph: Graph, value: Ref, weights: Mapping[str, Weight], *, name: str) -> Computed:
    """A weight of two dimensions, or a computed one, with its rows as columns."""
    of_it = graph[value.node]
    rows, columns = of_it.shape or ()
    turned = of_it.model_copy(
        update={
            "name": f"{of_it.name}_transposed",
            "op": "aten.t.default",
            "arguments": (value,),
            "keywords": {},
            "shape": (columns, rows),
        }
    )
    return of(graph, turned, weights, name=name)


class Sources:
    """The computed weights of a network's training, or of its evaluation."""

    def __init__(self, all_: Sequence[Computed], memory: Memory) -> None:
        self._all = all_
        self._places = [memory(each.weight.name, each.weight.shape) for each in all_]
        names = {base.storage: base for each in all_ for base in each.bases}
        self._bases = {
            name: nn.Parameter(memory(name, base.shape), requires_grad=base.trainable)
            for name, base in names.items()
        }
        here = torch.device("cpu")
        self._graphs = [
            network.build_graph(each.graph, self._of(each), here, gradient_blocks=False)
            for each in all_
        ]
        self._results: list[Tensor] = []

    def _of(self, each: Computed) -> dict[str, Tensor]:
        return {name: self._bases[storage] for name, storage in each.names.items()}

    def compute(self) -> None:
        """Bring them up to date with what they are computed from."""
        if self._all:
            with torch.enable_grad():
                self._results = [graph(torch.zeros(())) for graph in self._graphs]
            for place, result in zip(self._places, self._results, strict=True):
                place.copy_(result.detach())

    def hand_on(self, gradient: Memory, learned: Sequence[str]) -> None:
        """Add the gradients of those that learn to those of what they were computed from."""
        learn = [
            (result, gradient(each.weight.name, each.weight.shape))
            for each, result in zip(self._all, self._results, strict=True)
            if each.weight.name in learned
        ]
        bases = [(name, base) for name, base in self._bases.items() if name in learned]
        if learn and bases:
            results, given = zip(*learn, strict=True)
            found = torch.autograd.grad(
                results, [base for _, base in bases], given, allow_unused=True
            )
            for (name, base), more in zip(bases, found, strict=True):
                if more is not None:
                    gradient(name, tuple(base.shape)).add_(more)
