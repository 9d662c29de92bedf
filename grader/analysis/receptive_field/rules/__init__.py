"""How each kind of operator changes what a tensor sees: one rule per `Kind`.

In: a node, its arguments, and the Sights of what it reads. Out: the Sight of its result. An
operator without a rule raises NotProven.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from grader.analysis.arguments import base, bound, dimension, kind
from grader.analysis.receptive_field.bits import NotProven
from grader.analysis.receptive_field.merge import concatenate, meet
from grader.analysis.receptive_field.rules import mixing, moving, windowed
from grader.analysis.receptive_field.rules.call import Call, Result
from grader.analysis.receptive_field.sight import inserted
from grader.program.graph import Graph, Node
from grader.program.ops import Kind
from grader.program.values import Ref


def apply(node: Node, graph: Graph, sights: Mapping[str, Result]) -> Result:
    """What the node's result sees.

    Raises NotProven, naming the operator, where that cannot be told.
    """
    found = kind(node)
    if found is None or found not in RULES:
        raise NotProven(f"{node.op} is not an operator whose receptive field is known")
    call = Call(node, bound(node), sights, graph)
    if all(sights[name] is None for name in node.references()):
        return None
    try:
        return RULES[found](call)
    except NotProven as reason:
        raise NotProven(f"{base(node)}: {reason}") from reason


def _pointwise(call: Call) -> Result:
    name = base(call.node)
    if name in {"to", "type_as", "contiguous", "clone"}:
        return call.sight("self")
    if name in {"copy", "fill", "zero"}:
        return meet([call.see(call.given.get("src", call.given.get("value")))], call.output)
    operands = [call.see(Ref(node=name)) for name in call.node.references()]
    gate = "gate" if name in {"mul", "div", "where", "masked_fill"} else "context"
    return meet(operands, call.output, gate=gate)


def _concatenate(call: Call) -> Result:
    tensors = call.given["tensors"]
    shapes = [call.shape(value) for value in tensors]
    dim = dimension(call.number("dim"), len(call.output))
    return concatenate([call.see(value) for value in tensors], dim, shapes)


def _stack(call: Call) -> Result:
    tensors = call.given["tensors"]
    dim = dimension(call.number("dim"), len(call.output))
    sights = [call.see(value) for value in tensors]
    apart = [None if sight is None else inserted(sight, dim) for sight in sights]
    one = (*call.output[:dim], 1, *call.output[dim + 1 :])
    return concatenate(apart, dim, [one] * len(sights))


def _dropout(call: Call) -> Result:
    return call.main()


def _nothing(_: Call) -> Result:
    return None


RULES: dict[Kind, Callable[[Call], Result]] = {
    Kind.POINTWISE: _pointwise,
    Kind.CONVOLUTION: windowed.convolution,
    Kind.TRANSPOSED_CONVOLUTION: windowed.transposed,
    Kind.POOLING: windowed.pooling,
    Kind.ADAPTIVE_POOLING: windowed.adaptive,
    Kind.BATCH_NORM: mixing.batch_norm,
    Kind.NORM: mixing.norm,
    Kind.DROPOUT: _dropout,
    Kind.LINEAR: mixing.linear,
    Kind.MATMUL: mixing.matmul,
    Kind.ATTENTION: mixing.attention,
    Kind.REDUCE: mixing.reduced,
    Kind.ALONG: mixing.along,
    Kind.RESHAPE: moving.view,
    Kind.PERMUTE: moving.permuted,
    Kind.EXPAND: moving.expanded,
    Kind.SELECT: moving.selected,
    Kind.SPLIT: moving.split,
    Kind.TAKE: moving.taken,
    Kind.FLIP: moving.flipped,
    Kind.ROLL: moving.rolled,
    Kind.GATHER: moving.gathered,
    Kind.PAD: windowed.padded,
    Kind.CONCATENATE: _concatenate,
    Kind.STACK: _stack,
    Kind.UPSAMPLE: windowed.resized,
    Kind.UNFOLD: moving.unfolded,
    Kind.PIXEL_SHUFFLE: moving.pixel_shuffle,
    Kind.PIXEL_UNSHUFFLE: moving.pixel_unshuffle,
    Kind.CHANNEL_SHUFFLE: moving.channel_shuffle,
    Kind.GATED_HALVES: moving.gated_halves,
    Kind.CREATE: _nothing,
    Kind.SIZE: _nothing,
}
