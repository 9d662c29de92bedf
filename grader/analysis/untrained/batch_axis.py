"""Prove that no image of a batch meets another: where the images lie in every tensor of a graph.

In: the eval Graph. Out: the operators where images meet, each with what it does. Reads data only.

Of each tensor one dimension holds the images, alone or with others folded in: (N, 16, 7, 7) viewed
as (16*N, 7, 7) holds them in dimension 0, 16 rows for each image. An operator must leave that
dimension alone: not add along it, not sort it, not cut it, not match it with another one. And the
number of images may say how large a tensor is, but nothing may be calculated with it. What is not
known to keep images apart counts as bringing them together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from grader.analysis.arguments import base, bound, kind
from grader.analysis.dataflow import trace
from grader.analysis.untrained import batch_mixing, batch_moving
from grader.analysis.untrained.batch_place import (
    TOGETHER,
    Call,
    Known,
    MeetError,
    Place,
    check_shape,
    first_place,
    multiple,
)
from grader.program.graph import Graph, Node
from grader.program.ops import Kind


@dataclass(frozen=True, slots=True)
class Meeting:
    """Images meet at `node`; `text` says how, in one sentence."""

    node: Node
    text: str


def meetings(graph: Graph) -> Iterator[Meeting]:
    """Every operator behind the scores that brings images of a batch together."""
    live = trace(graph).live
    walk = _Walk(Known(graph))
    for node in graph.nodes:
        text = walk.step(node)
        if text and node.name in live:
            yield Meeting(node, text)


@dataclass(slots=True)
class _Walk:
    """From operator to operator, in order."""

    known: Known

    def step(self, node: Node) -> str:
        """Take one more node; how it brings images together, or ""."""
        try:
            self.known.place[node.name] = self._placed(node)
        except MeetError as error:
            self.known.place[node.name] = first_place(node.shape)
            return f"{error.subject or base(node)} {error}."
        return ""

    def _placed(self, node: Node) -> Place | None:
        if node.op == "input":
            return Place(0)
        if node.op == "weight":
            return None
        found = kind(node)
        if found is Kind.SIZE:
            self.known.count[node.name] = self._counted(node)
            return None
        call = Call(node, self.known)
        call.check_counts()
        if found is None or found not in _RULES:
            raise MeetError(TOGETHER)
        place = _RULES[found](call)
        if node.shape is not None and place is not None:
            check_shape(place, node.shape)
        return place

    def _counted(self, node: Node) -> int | None:
        """How many times N a number is; None where it is no such multiple."""
        if base(node) == "sym_size":
            given = bound(node)
            shape = self.known.graph[given["self"].node].shape or ()
            size = shape[given["dim"]]
            return multiple(size) if isinstance(size, str) else None
        a, b = (self.known.number(value) for value in node.arguments)
        (one, one_counts), (other, other_counts) = a, b
        if one is None or other is None:
            return None
        name = base(node)
        if name in ("add", "sub") and one_counts and other_counts:
            return one + other if name == "add" else one - other
        if name == "mul" and one_counts != other_counts:
            return one * other
        if name == "floordiv" and one_counts and not other_counts and other and not one % other:
            return one // other
        return None


_RULES: Mapping[Kind, Callable[[Call], Place | None]] = {
    Kind.POINTWISE: batch_mixing.pointwise,
    Kind.CONVOLUTION: batch_mixing.convolution,
    Kind.TRANSPOSED_CONVOLUTION: batch_mixing.convolution,
    Kind.POOLING: batch_mixing.outside(batch_mixing.window),
    Kind.ADAPTIVE_POOLING: batch_mixing.outside(batch_mixing.window),
    Kind.BATCH_NORM: batch_mixing.batch_norm,
    Kind.NORM: batch_mixing.norm,
    Kind.DROPOUT: batch_mixing.unchanged,
    Kind.LINEAR: batch_mixing.outside(lambda _: 1),
    Kind.MATMUL: batch_mixing.matmul,
    Kind.ATTENTION: batch_mixing.attention,
    Kind.REDUCE: batch_mixing.reduce,
    Kind.ALONG: batch_mixing.along,
    Kind.RESHAPE: batch_moving.reshape,
    Kind.PERMUTE: batch_moving.permute,
    Kind.EXPAND: batch_moving.expand,
    Kind.SELECT: batch_moving.select,
    Kind.SPLIT: batch_moving.split,
    Kind.FLIP: batch_mixing.along,
    Kind.ROLL: batch_mixing.along,
    Kind.GATHER: batch_moving.gather,
    Kind.PAD: batch_mixing.pad,
    Kind.CONCATENATE: batch_moving.concatenate,
    Kind.STACK: batch_moving.stack,
    Kind.UPSAMPLE: batch_mixing.outside(batch_mixing.window),
    Kind.UNFOLD: batch_mixing.outside(lambda _: 3),
    Kind.PIXEL_SHUFFLE: batch_mixing.outside(lambda _: 3),
    Kind.PIXEL_UNSHUFFLE: batch_mixing.outside(lambda _: 3),
    Kind.CHANNEL_SHUFFLE: batch_mixing.outside(lambda call: len(call.node.shape or ()) - 1),
    Kind.GATED_HALVES: batch_mixing.along,
    Kind.CREATE: batch_moving.create,
    Kind.TAKE: batch_moving.take,
}
