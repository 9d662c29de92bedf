"""What every node of a graph sees of the image, in execution order, with in-place writes followed.

In: a Graph. Out: for every node a Sight, None (it does not depend on the image), or why it is not
proven.

An in-place write changes what other names mean: after `v = x[:, :, 1:]` and `v.copy_(y)`, x holds
its own first row and y below it. So there are two answers for each node, what it saw when it was
computed (`then`, the result) and what its name means now (`now`, which later nodes read).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from grader.analysis.arguments import base, bound, dimension, first, kind, operator
from grader.analysis.dataflow import may_alias
from grader.analysis.receptive_field.bits import NotProven
from grader.analysis.receptive_field.merge import concatenate
from grader.analysis.receptive_field.reshape import follow
from grader.analysis.receptive_field.rules import apply
from grader.analysis.receptive_field.rules.call import Result
from grader.analysis.receptive_field.sight import Sight, image, read
from grader.analysis.receptive_field.windows import piece
from grader.program.graph import Graph, Node
from grader.program.ops import Kind
from grader.program.values import Ref


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why the receptive field of a node is not proven."""

    reason: str


Answer = Sight | Unknown | None


@dataclass(slots=True)
class _State:
    """What each name means now, and what each node's result was when it was computed."""

    graph: Graph
    idle: frozenset[str]
    now: dict[str, Result] = field(default_factory=dict)
    unknown: dict[str, Unknown] = field(default_factory=dict)
    source: dict[str, str] = field(default_factory=dict)
    then: dict[str, Answer] = field(default_factory=dict)

    def set(self, name: str, value: Result | Unknown) -> None:
        if isinstance(value, Unknown):
            # None here only fills the place: `compute` looks into `unknown` first.
            self.unknown[name] = value
            self.now[name] = None
        else:
            self.unknown.pop(name, None)
            self.now[name] = value

    def compute(self, node: Node) -> Result | Unknown:
        if node.op == "weight" or node.name in self.idle:
            return None
        for name in node.references():
            if name in self.unknown:
                return self.unknown[name]
        if node.op == "input":
            return image([1, *map(int, (node.shape or ())[1:])])
        try:
            return apply(node, self.graph, self.now)
        except NotProven as reason:
            return Unknown(_placed(str(reason), node))
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            # Shapes that no rule was written for, such as sizes that hold the number of images.
            return Unknown(_placed(f"{base(node)} is called in a way that is not understood", node))


def propagate(graph: Graph, idle: frozenset[str] = frozenset()) -> Mapping[str, Answer]:
    """What each node sees when it is computed. `idle` nodes, which move no score, see nothing."""
    state = _State(graph, idle)
    for node in graph.nodes:
        value = state.compute(node)
        state.set(node.name, value)
        # A list of tensors has no one answer; the nodes that take it apart have theirs.
        state.then[node.name] = value if isinstance(value, Sight | Unknown) else None
        entry = operator(node)
        target = first(node)
        if target is None or entry is None:
            continue
        if entry.writes or may_alias(node):
            state.source[node.name] = target
        if entry.writes:
            _write(state, node, target)
    return state.then


def _placed(reason: str, node: Node) -> str:
    return f"{reason} (line {node.line})" if node.line else reason


def _write(state: _State, node: Node, target: str) -> None:
    """After an in-place write, every other view of the same memory means something else.

    `node` writes into `target`, which may be a view of a view: what was written is carried down to
    the tensor that owns the memory, and from there up again to every view of it.
    """
    value: Result | Unknown = state.unknown.get(node.name) or state.now[node.name]
    place = target
    while place in state.source:
        value = _lifted(state, place, value)
        place = state.source[place]
    owner = place
    state.set(owner, value)
    owned = {owner}
    for other in state.graph.nodes:
        if other.name == node.name:
            break  # views that are made later will read what the owner means by then
        source = state.source.get(other.name)
        if source in owned and source is not None:
            owned.add(other.name)
            seen: Result | Unknown = state.unknown.get(source)
            if seen is None:
                seen = state.now[source] if _same_place(other) else state.compute(other)
            state.set(other.name, seen)


def _same_place(node: Node) -> bool:
    """The node's result is all of its first argument, under the same shape."""
    entry = operator(node)
    return entry is not None and (entry.writes or not entry.views) and entry.kind is not Kind.TAKE


def _lifted(state: _State, view: str, value: Result | Unknown) -> Result | Unknown:
    """What the tensor under `view` sees once `view` holds `value`."""
    node = state.graph[view]
    under = state.graph[state.source[view]]
    if isinstance(value, Unknown) or _same_place(node):
        return value
    try:
        if kind(node) is Kind.RESHAPE and isinstance(value, Sight):
            return follow(value, under.shape or ())
        if node.op == "aten.slice.Tensor" and not isinstance(value, tuple):
            return _patched(state, node, under, value)
    except NotProven as reason:
        return Unknown(_placed(str(reason), node))
    return Unknown(_placed("a part of a tensor is written in place", node))


def _patched(state: _State, node: Node, under: Node, value: Sight | None) -> Result | Unknown:
    """A tensor of which one slice now holds `value`."""
    given = bound(node)
    shape, made = under.shape or (), node.shape or ()
    dim = dimension(given["dim"], len(shape))
    start, step = given["start"] or 0, given["step"]
    old = state.unknown.get(under.name) or state.now[under.name]
    # Every second row written in place would have to be woven into the others: nobody writes that.
    if isinstance(old, Unknown) or isinstance(start, Ref) or step != 1 or isinstance(old, tuple):
        return Unknown(_placed("a part of a tensor is written in place", node))
    if made == shape:
        return value
    # Three tensors side by side: what lies before the slice, the slice, what lies after it.
    size, length = int(shape[dim]), int(made[dim])
    start = max(start + size, 0) if start < 0 else start
    end = start + length
    pieces = [
        (_cut(old, dim, size, 0, start), start),
        (value, length),
        (_cut(old, dim, size, end, size - end), size - end),
    ]
    kept = [(part, count) for part, count in pieces if count]
    shapes = [(*shape[:dim], count, *shape[dim + 1 :]) for _, count in kept]
    return concatenate([part for part, _ in kept], dim, shapes)


def _cut(sight: Sight | None, dim: int, size: int, start: int, count: int) -> Sight | None:
    """`count` of the `size` positions of a dimension, from `start` on."""
    if sight is None or not count:
        return None
    return read(sight, dim, piece(size, start, 1, count))
