"""Where the images of a batch lie in a tensor, and what is known when the next operator is read.

In: nodes of a graph. Out: a `Place` for each tensor that holds images, and the words for what may
not be done with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from grader.analysis.arguments import bound, dimension, kind
from grader.program.graph import Graph, Node
from grader.program.ops import Kind
from grader.program.values import BATCH, Ref, Shape


@dataclass(frozen=True, slots=True)
class Place:
    """Dimension `dim` has `before` * N * `after` positions, the outermost first."""

    dim: int
    before: int = 1
    after: int = 1

    def moved(self, dim: int) -> Place:
        """The same in another dimension."""
        return replace(self, dim=dim)


class MeetError(ValueError):
    """Images meet; the message says how, after the operator's name or that of `subject`."""

    def __init__(self, text: str, subject: str = "") -> None:
        super().__init__(text)
        self.subject = subject


TOGETHER = "brings the images of a batch together"
CUT = "picks images by their place in the batch"
COUNTED = "calculates with the number of images in the batch"
FOLDED = "folds the images of the batch into a dimension that mixes them"


@dataclass(slots=True)
class Known:
    """What is known so far: where the images lie, and which numbers are multiples of N."""

    graph: Graph
    place: dict[str, Place | None] = field(default_factory=dict)
    count: dict[str, int | None] = field(default_factory=dict)

    def number(self, value: Any) -> tuple[int | None, bool]:
        """A number, and whether it is to be taken times N."""
        if isinstance(value, Ref):
            return self.count.get(value.node), True
        return (value if isinstance(value, int) else None), False


_MAY_COUNT: Mapping[Kind, set[str]] = {
    Kind.RESHAPE: {"size", "shape", "sizes"},
    Kind.EXPAND: {"size", "repeats"},
    Kind.CREATE: {"size"},
    Kind.SELECT: {"start", "end", "length"},
    Kind.SPLIT: {"split_size", "split_sizes"},
    Kind.CONVOLUTION: {"groups"},
    Kind.TRANSPOSED_CONVOLUTION: {"groups"},
}
"""The arguments that may say how large a tensor is."""


@dataclass(frozen=True, slots=True)
class Call:
    """One operator with its arguments."""

    node: Node
    known: Known

    @property
    def given(self) -> dict[str, Any]:
        """The arguments by name."""
        return bound(self.node)

    def shape(self, value: Any) -> Shape:
        """The shape of the tensor that an argument stands for."""
        return (self.known.graph[value.node].shape or ()) if isinstance(value, Ref) else ()

    def place(self, value: Any) -> Place | None:
        """Where that tensor holds images."""
        return self.known.place.get(value.node) if isinstance(value, Ref) else None

    def placed(self) -> list[tuple[Ref, Place]]:
        """Every tensor that is read and holds images."""
        names = dict.fromkeys(self.node.references())
        found = [(Ref(node=name), self.known.place.get(name)) for name in names]
        return [(value, place) for value, place in found if place is not None]

    def check_counts(self) -> None:
        """The number of images is used for sizes only."""
        allowed = _MAY_COUNT.get(kind(self.node) or Kind.SIZE, set())
        for name, value in self.given.items():
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, Ref) and item.node in self.known.count and name not in allowed:
                    raise MeetError(COUNTED)

    def first(self) -> tuple[Any, Place | None]:
        """The tensor that the operator works on, and its place; others must hold no images."""
        values = list(self.given.values())
        for value, _ in self.placed():
            if value != values[0]:
                raise MeetError(TOGETHER)
        return values[0], self.place(values[0])

    def dims(self, name: str, rank: int) -> tuple[int, ...]:
        """The dimensions that an argument names; all, where it names none."""
        named = self.given.get(name)
        if named in (None, ()):
            return tuple(range(rank))
        items = named if isinstance(named, tuple) else (named,)
        return tuple(dimension(item, rank) for item in items)


def multiple(size: int | str) -> int:
    """16 for "16*N"."""
    text = str(size)
    return int(text.removesuffix(BATCH).removesuffix("*") or 1)


def first_place(shape: Shape | None) -> Place | None:
    """Where a shape says that images are; inner ones, if several."""
    for dim, size in enumerate(shape or ()):
        if isinstance(size, str):
            return Place(dim, 1, multiple(size))
    return None


def check_shape(place: Place, shape: Shape) -> None:
    """The images are where the shape says, and nowhere else."""
    found = [dim for dim, size in enumerate(shape) if isinstance(size, str)]
    if found != [place.dim] or multiple(shape[place.dim]) != place.before * place.after:
        raise MeetError(TOGETHER)


def runs_over(dim: int) -> MeetError:
    """The error for an operator that mixes along `dim`."""
    rest = ": dimension 1 holds the channels or classes, 2 and 3 the rows and columns"
    return MeetError(f"runs over dimension {dim}, the images of the batch{'' if dim else rest}")
