"""One operator call, as the rules see it: arguments by name, and what its tensors see.

In: a Node and the Sights so far. Out: answers to "what does this argument see?", or NotProven.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grader.analysis.arguments import several
from grader.analysis.receptive_field.bits import NotProven
from grader.analysis.receptive_field.sight import Sight
from grader.program.graph import Graph, Node
from grader.program.values import Ref, Shape

Seen = Sight | None
"""None: the tensor does not depend on the image."""
Result = Seen | tuple[Seen, ...]
"""A tuple for an operator that returns several tensors."""


@dataclass(frozen=True, slots=True)
class Call:
    """One operator call: its node, its arguments by name, what is known of their tensors."""

    node: Node
    given: dict[str, Any]
    sights: Mapping[str, Result]
    graph: Graph

    def sight(self, *names: str) -> Seen:
        """What the first of these arguments that the operator has sees."""
        return self.see(next(self.given[name] for name in names if name in self.given))

    def see(self, value: Any) -> Seen:
        """What an argument's value sees: None for numbers, and for tensors that see no image."""
        found = self.sights[value.node] if isinstance(value, Ref) else None
        if isinstance(found, tuple):
            raise NotProven("a list of tensors is used as one")
        return found

    def main(self, *names: str) -> Sight:
        """What the main input sees, where all others are weights.

        Raises NotProven where the main input is a weight, and an image is used as one.
        """
        found = self.sight(*(names or ("self", "input")))
        if found is None:
            raise NotProven("its weights are computed from the image")
        return found

    def shape(self, value: Any) -> Shape:
        """The shape of an argument's tensor; () for a number."""
        found = self.graph[value.node].shape if isinstance(value, Ref) else ()
        return found or ()

    @property
    def output(self) -> Shape:
        """The shape of the result."""
        if self.node.shape is None:
            raise NotProven("it returns several tensors")
        return self.node.shape

    def number(self, name: str, otherwise: int = 0) -> int:
        """An argument that must be a plain number."""
        value = self.given.get(name)
        if isinstance(value, Ref):
            raise NotProven(f"its {name} is computed")
        return otherwise if value is None else int(value)

    def numbers(self, name: str, count: int) -> tuple[int, ...]:
        """An argument with one plain number for each of `count` dimensions."""
        items = several(self.given.get(name), count)
        if any(isinstance(item, Ref) for item in items):
            raise NotProven(f"its {name} is computed")
        return items
