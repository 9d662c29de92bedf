"""How each kind of operator changes what a tensor sees: one rule per `Kind`, the whole theory of receptive fields.

In: a node, its arguments, and the Sights of what it reads. Out: the Sight of its result. Windows themselves are in
`windows`, branches in `merge`. An operator without a rule raises NotProven.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from grader.analysis import windows
from grader.analysis.arguments import arguments, base, dimension, kind, several
from grader.analysis.merge import concatenate, merge
from grader.analysis.reshape import reshape
from grader.analysis.sight import (
    AxisName,
    Bits,
    Field,
    NotProven,
    Part,
    Sight,
    any_of,
    forget,
    mix,
    permute,
    read,
    remove,
)
from grader.ops import Kind
from grader.program import Graph, Node, Ref, Shape

Seen = Sight | None
"""None: the tensor does not depend on the image."""
Result = Seen | tuple[Seen, ...]
"""A tuple for an operator that returns several tensors."""


@dataclass(frozen=True, slots=True)
class Call:
    """One operator call: its node, its arguments by name, and what is known of the tensors among them."""

    node: Node
    given: dict[str, Any]
    sights: Mapping[str, Result]
    graph: Graph

    def sight(self, *names: str) -> Seen:
        """What the first of these arguments that the operator has sees."""
        return self.see(next(self.given[name] for name in names if name in self.given))

    def see(self, value: Any) -> Seen:
        """What an argument's value sees: None for numbers and for tensors that do not depend on the image."""
        found = self.sights[value.node] if isinstance(value, Ref) else None
        if isinstance(found, tuple):
            raise NotProven("a list of tensors is used as one")
        return found

    def main(self, *names: str) -> Sight:
        """What the main input sees, where all others are weights. Raises NotProven when an image computes a weight."""
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


def apply(node: Node, graph: Graph, sights: Mapping[str, Result]) -> Result:
    """What the node's result sees. Raises NotProven, naming the operator, where that cannot be told."""
    found = kind(node)
    if found is None or found not in RULES:
        raise NotProven(f"{node.op} is not an operator whose receptive field is known")
    call = Call(node, arguments(node), sights, graph)
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
        return merge([call.see(call.given.get("src", call.given.get("value")))], call.output)
    words = [call.see(Ref(node=ref)) for ref in call.node.references()]
    return merge(words, call.output, gate="gate" if name in {"mul", "div", "where", "masked_fill"} else "context")


def _convolution(call: Call) -> Result:
    weight = call.shape(call.given["weight"])
    spatial = len(weight) - 2
    sight, channels = _channels(call, spatial, int(weight[0]))
    stride, dilation = call.numbers("stride", spatial), call.numbers("dilation", spatial)
    padding = call.given["padding"]
    for at in range(spatial):
        kernel = int(weight[2 + at])
        if padding == "same":
            before = windows.same_padding(kernel=kernel, dilation=dilation[at])
        else:
            before = 0 if padding == "valid" else call.numbers("padding", spatial)[at]
        dim = channels + 1 + at
        rule = windows.convolution(
            _count(sight, dim),
            int(call.output[dim]),
            kernel=kernel,
            stride=stride[at],
            padding=before,
            dilation=dilation[at],
        )
        sight = read(sight, dim, rule)
    return sight


def _transposed(call: Call) -> Result:
    weight = call.shape(call.given["weight"])
    spatial = len(weight) - 2
    sight, channels = _channels(call, spatial, int(weight[1]) * call.number("groups", 1))
    for at in range(spatial):
        dim = channels + 1 + at
        rule = windows.transposed(
            _count(sight, dim),
            int(call.output[dim]),
            kernel=int(weight[2 + at]),
            stride=call.numbers("stride", spatial)[at],
            padding=call.numbers("padding", spatial)[at],
            dilation=call.numbers("dilation", spatial)[at],
        )
        sight = read(sight, dim, rule)
    return sight


def _channels(call: Call, spatial: int, outputs: int) -> tuple[Sight, int]:
    """The input with its channels mixed within each group, and the number of the channel dimension."""
    sight = call.main("input")
    if any(call.see(call.given[name]) is not None for name in ("weight", "bias")):
        raise NotProven("its weights are computed from the image")
    channels = len(call.output) - spatial - 1
    groups = call.number("groups", 1)
    if groups == 1:
        return _sized(mix(sight, [channels]), channels, outputs), channels
    sight = forget(sight, channels)
    at = sight.axes(channels)[0]
    mixed = sight.bits(sight.dims, lambda bits: _within_groups(bits, at, groups, outputs))
    return _sized(mixed, channels, outputs), channels


def _within_groups(bits: Bits, at: int, groups: int, outputs: int) -> Bits:
    if bits.shape[at] == 1:
        return bits
    grouped = bits.reshape(*bits.shape[:at], groups, -1, *bits.shape[at + 1 :])
    return np.repeat(np.bitwise_or.reduce(grouped, axis=at + 1), outputs // groups, axis=at)


def _sized(sight: Sight, dim: int, size: int) -> Sight:
    """Dimension `dim` as plain features, `size` of them; all alike unless the bits already say otherwise."""
    return Sight((*sight.dims[:dim], (Part(size),), *sight.dims[dim + 1 :]), sight.rows, sight.columns)


def _count(sight: Sight, dim: int) -> int:
    return prod(part.size for part in sight.dims[dim])


def _pooling(call: Call) -> Result:
    sight = call.main()
    spatial = 1 if "1d" in call.node.op else 2
    kernel, padding = call.numbers("kernel_size", spatial), call.numbers("padding", spatial)
    stride = call.numbers("stride", spatial) if call.given["stride"] else kernel
    dilation = call.numbers("dilation", spatial) if "dilation" in call.given else (1,) * spatial
    for at in range(spatial):
        dim = len(sight.dims) - spatial + at
        size = _count(sight, dim)
        outputs = (
            int(call.node.shape[dim])
            if call.node.shape
            else _pooled(size, kernel[at], stride[at], padding[at], dilation[at], up=call.given["ceil_mode"])
        )
        rule = windows.convolution(
            size, outputs, kernel=kernel[at], stride=stride[at], padding=padding[at], dilation=dilation[at]
        )
        sight = read(sight, dim, rule)
    return sight


def _pooled(size: int, kernel: int, stride: int, padding: int, dilation: int, *, up: bool) -> int:
    """Length after pooling: with ceil_mode (`up`) a last window may stick out, but must begin inside."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    outputs = (-(-room // stride) if up else room // stride) + 1
    return outputs - 1 if up and (outputs - 1) * stride >= size + padding else outputs


def _adaptive(call: Call) -> Result:
    sight = call.main()
    spatial = 1 if "1d" in call.node.op else 2
    wanted = several(call.given["output_size"], spatial)
    for at in range(spatial):
        dim = len(sight.dims) - spatial + at
        size = _count(sight, dim)
        sight = read(sight, dim, windows.adaptive(size, size if wanted[at] is None else int(wanted[at])))
    return sight


def _batch_norm(call: Call) -> Result:
    sight = call.main()
    return _with_statistics(sight, _all_but(sight, 1)) if call.given["training"] else sight


def _all_but(sight: Sight, *kept: int) -> list[int]:
    return [dim for dim in range(len(sight.dims)) if dim not in kept]


def _norm(call: Call) -> Result:
    sight = call.main()
    name = base(call.node)
    if name in {"layer_norm", "rms_norm"}:
        count = len(call.given["normalized_shape"])
        return _with_statistics(sight, range(len(sight.dims) - count, len(sight.dims)))
    positions = _all_but(sight, 0, 1)
    if name == "instance_norm":
        return _with_statistics(sight, positions) if call.given["use_input_stats"] else sight
    return _with_statistics(forget(sight, 1), positions, groups=call.number("num_groups"))


def _with_statistics(sight: Sight, dims: Iterable[int], groups: int = 0) -> Sight:
    """Every element also sees, through mean and variance, all along `dims` (and all channels of its group).

    Where rows or columns lie along `dims` that is no window: it goes to `shared`, flagged "statistics".
    """
    axes = [at for dim in dims for at in sight.axes(dim)]
    placed = any(sight.parts[at].placed for at in axes)

    def spread(bits: Bits) -> Bits:
        if groups:
            at = sight.axes(1)[0]
            bits = _within_groups(bits, at, groups, bits.shape[at])
        return any_of(bits, axes)

    def change(_: AxisName, field: Field) -> Field:
        if not placed:
            return field.bits(spread)
        return replace(
            field, shared=field.shared | spread(field.seen | field.shared), flags=field.flags | {"statistics"}
        )

    return sight.change(sight.dims, change)


def _dropout(call: Call) -> Result:
    return call.main()


def _linear(call: Call) -> Result:
    sight = call.main("input")
    if any(call.see(call.given[name]) is not None for name in ("weight", "bias")):
        raise NotProven("its weights are computed from the image")
    last = len(sight.dims) - 1
    return _sized(mix(sight, [last]), last, int(call.output[-1]))


def _matmul(call: Call) -> Result:
    name = base(call.node)
    given = call.given
    if name == "einsum":
        return _einsum(call)
    if name == "addmm":
        product = _product(call, given["mat1"], given["mat2"])
        return merge([call.see(given["self"]), product], call.output)
    others = {"matmul": "other", "mm": "mat2", "bmm": "mat2", "mv": "vec", "dot": "tensor"}
    return _product(call, given["self"], given[others[name]])


def _product(call: Call, left: Any, right: Any) -> Seen:
    """A matrix product as sums over the shared dimension: (..., i, k) by (..., k, j) is (..., i, j)."""
    columns = len(call.shape(right)) > 1
    rows = len(call.shape(left)) > 1
    one, other = call.see(left), call.see(right)
    if one is not None:
        one = mix(one, [len(one.dims) - 1], keep=columns)
    if other is not None:
        other = mix(other, [max(len(other.dims) - 2, 0)], keep=rows)
    return merge([one, other], call.output, gate=None)


def _einsum(call: Call) -> Result:
    tensors = call.given["tensors"]
    inputs, arrow, output = str(call.given["equation"]).replace(" ", "").partition("->")
    terms = inputs.split(",")
    if not arrow or "." in inputs or any(len(set(term)) < len(term) for term in (*terms, output)):
        raise NotProven(f"the equation {call.given['equation']!r} is not understood")
    sights = [_in_letters(call.see(value), term, output) for value, term in zip(tensors, terms, strict=True)]
    return merge(sights, call.output, gate=None)


def _in_letters(sight: Seen, term: str, output: str) -> Seen:
    if sight is None:
        return None
    sight = mix(sight, [at for at, letter in enumerate(term) if letter not in output], keep=False)
    kept = [letter for letter in term if letter in output]
    sight = permute(sight, sorted(range(len(kept)), key=lambda at: output.index(kept[at])))
    for at, letter in enumerate(output):
        if letter not in kept:
            sight = _inserted(sight, at)
    return sight


def _inserted(sight: Sight, dim: int) -> Sight:
    """The sight with a new dimension of size 1."""
    at = sight.axes(dim - 1).stop if dim else 0
    dims = (*sight.dims[:dim], (Part(1),), *sight.dims[dim:])
    return sight.bits(dims, lambda bits: np.expand_dims(bits, at))


def _attention(call: Call) -> Result:
    """Each query sees itself, all keys, and all values."""
    query, key, value, mask = (call.sight(name) for name in ("query", "key", "value", "attn_mask"))
    if query is not None:
        query = mix(query, [len(query.dims) - 1])
    if key is not None:
        key = mix(key, [len(key.dims) - 2, len(key.dims) - 1])
    if value is not None:
        value = mix(value, [len(value.dims) - 2])
    if mask is not None:
        mask = mix(mask, [len(mask.dims) - 1])
    return merge([query, key, value, mask], call.output, gate=None)


def _reduce(call: Call) -> Result:
    sight = call.main()
    rank = len(sight.dims)
    wanted = call.given.get("dim")
    if wanted is None or wanted == ():
        return mix(sight, range(rank), keep=bool(call.given.get("keepdim", False)))
    dims = [dimension(int(dim), rank) for dim in (wanted if isinstance(wanted, tuple) else (wanted,))]
    return mix(sight, dims, keep=bool(call.given.get("keepdim", False)))


def _along(call: Call) -> Result:
    sight = call.main()
    dim = dimension(call.number("dim"), len(sight.dims))
    if base(call.node) == "cumsum":
        return read(sight, dim, windows.running(_count(sight, dim)))
    return _with_statistics(sight, [dim])


def _reshape(call: Call) -> Result:
    return reshape(call.main("self"), call.output)


def _permute(call: Call) -> Result:
    sight = call.main("self")
    rank = len(sight.dims)
    order = list(range(rank))
    name = base(call.node)
    if name == "permute":
        order = [dimension(dim, rank) for dim in call.given["dims"]]
    elif name in {"t", "numpy_T"}:
        order.reverse()
    elif name == "movedim":
        order = _moved(call, rank)
    else:
        one, other = (dimension(int(value), rank) for name, value in call.given.items() if name != "self")
        order[one], order[other] = other, one
    return permute(sight, order)


def _moved(call: Call, rank: int) -> list[int]:
    """The order that movedim means: `source` dimensions go to `destination`, the others keep their order."""
    source, destination = (
        [dimension(dim, rank) for dim in several(call.given[name], 1)] for name in ("source", "destination")
    )
    others = iter(dim for dim in range(rank) if dim not in source)
    return [source[destination.index(at)] if at in destination else next(others) for at in range(rank)]


def _expand(call: Call) -> Result:
    sight = call.main("self")
    if base(call.node) != "repeat":
        return merge([sight], call.output)
    repeats = call.given["repeats"]
    for _ in range(len(repeats) - len(sight.dims)):
        sight = _inserted(sight, 0)
    for dim, times in enumerate(repeats):
        if times != 1:
            sight = _repeated(sight, dim, times)
    return sight


def _repeated(sight: Sight, dim: int, times: int) -> Sight:
    if any(part.axis == "images" for part in sight.dims[dim]):
        raise NotProven("images of the batch are repeated")
    at = sight.axes(dim).start
    dims = (*sight.dims[:dim], (Part(times), *sight.dims[dim]), *sight.dims[dim + 1 :])
    return sight.bits(dims, lambda bits: np.expand_dims(bits, at))


def _select(call: Call) -> Result:
    sight = call.main("self")
    dim = dimension(call.number("dim"), len(sight.dims))
    if base(call.node) == "select":
        return remove(_piece(sight, dim, call.number("index"), 1, 1), [dim])
    if call.output[dim] == call.shape(call.given["self"])[dim]:
        return sight
    start = call.number("start")
    return _piece(sight, dim, start, call.number("step", 1), int(call.output[dim]))


def _piece(sight: Sight, dim: int, start: int, step: int, outputs: int) -> Sight:
    if any(part.axis == "images" for part in sight.dims[dim]):
        raise NotProven("images of the batch are taken apart")
    size = _count(sight, dim)
    start = max(start + size, 0) if start < 0 else start
    if (start, step, outputs) == (0, 1, size):
        return sight
    plain = sight if len(sight.dims[dim]) == 1 or any(part.placed for part in sight.dims[dim]) else forget(sight, dim)
    return read(plain, dim, windows.piece(size, start, step, outputs))


def _split(call: Call) -> Result:
    sight = call.main("self")
    dim = dimension(call.number("dim"), len(sight.dims))
    size = _count(sight, dim)
    if base(call.node) == "unbind":
        return tuple(remove(_piece(sight, dim, at, 1, 1), [dim]) for at in range(size))
    lengths = _lengths(call, size)
    starts = [sum(lengths[:at]) for at in range(len(lengths))]
    return tuple(_piece(sight, dim, start, 1, length) for start, length in zip(starts, lengths, strict=True))


def _lengths(call: Call, size: int) -> list[int]:
    name = base(call.node)
    if name == "tensor_split":
        count = call.number("sections")
        return [size // count + (at < size % count) for at in range(count)]
    wanted: Any = call.given[next(word for word in ("chunks", "split_size", "split_sizes") if word in call.given)]
    if isinstance(wanted, tuple):
        return [int(length) for length in wanted]
    each = -(-size // int(wanted)) if name == "chunk" else int(wanted)
    return [min(each, size - start) for start in range(0, size, each)]


def _take(call: Call) -> Result:
    found = call.sights[call.given["a"].node]
    return found[call.number("b")] if isinstance(found, tuple) else found


def _flip(call: Call) -> Result:
    sight = call.main("self")
    for dim in call.given["dims"]:
        at = dimension(dim, len(sight.dims))
        sight = read(sight, at, windows.flipped(_count(sight, at)))
    return sight


def _roll(call: Call) -> Result:
    sight = call.main("self")
    dims = several(call.given["dims"], 1) if call.given["dims"] != () else ()
    if not dims:
        raise NotProven("it moves values through the whole tensor; name its dims")
    for dim, shift in zip(dims, call.numbers("shifts", len(dims)), strict=True):
        at = dimension(dim, len(sight.dims))
        sight = read(sight, at, windows.rolled(_count(sight, at), shift))
    return sight


def _gather(call: Call) -> Result:
    sight = call.main("self")
    if base(call.node) == "index_select":
        indices: list[Any] = [None] * dimension(call.number("dim"), len(sight.dims)) + [call.given["index"]]
    else:
        indices = list(call.given["indices"])
    for dim, index in enumerate(indices):
        if index is not None:
            sight = _picked(call, sight, dim, index)
    return sight


def _picked(call: Call, sight: Sight, dim: int, index: Any) -> Sight:
    alike = all(bits.shape[at] == 1 for bits in _arrays(sight) for at in sight.axes(dim))
    if call.see(index) is not None or len(call.shape(index)) != 1 or any(part.axis for part in sight.dims[dim]):
        raise NotProven("positions are picked by a tensor of indices")
    if not alike:
        raise NotProven("channels that see differently are picked by a tensor of indices")
    plain = forget(sight, dim)
    return _sized(plain, dim, int(call.output[dim]))


def _arrays(sight: Sight) -> Sequence[Bits]:
    return (sight.rows.seen, sight.rows.shared, sight.columns.seen, sight.columns.shared)


def _pad(call: Call) -> Result:
    sight = call.main("self")
    name = base(call.node)
    amounts = call.given["pad" if "pad" in call.given else "padding"]
    mode = call.given.get("mode") or ("reflect" if "reflection" in name else "replicate")
    mode = "constant" if name == "constant_pad_nd" else mode
    for at in range(len(amounts) // 2):
        before, after = int(amounts[2 * at]), int(amounts[2 * at + 1])
        dim = len(sight.dims) - 1 - at
        if before or after:
            sight = read(sight, dim, windows.border(_count(sight, dim), before, after, mode))
    return sight


def _concatenate(call: Call) -> Result:
    tensors = call.given["tensors"]
    shapes = [call.shape(value) for value in tensors]
    return concatenate([call.see(value) for value in tensors], dimension(call.number("dim"), len(call.output)), shapes)


def _stack(call: Call) -> Result:
    tensors = call.given["tensors"]
    dim = dimension(call.number("dim"), len(call.output))
    sights = [call.see(value) for value in tensors]
    one = (*call.output[:dim], 1, *call.output[dim + 1 :])
    return concatenate([s if s is None else _inserted(s, dim) for s in sights], dim, [one] * len(sights))


def _upsample(call: Call) -> Result:
    sight = call.main()
    name = base(call.node)
    taps = 1 if "nearest" in name else 2 if "bilinear" in name else 4
    factors = call.given.get("scale_factors") or (call.given.get("scales_h"), call.given.get("scales_w"))
    for at in (0, 1):
        dim = len(sight.dims) - 2 + at
        rule = windows.resized(
            _count(sight, dim),
            int(call.output[dim]),
            taps=taps,
            scale=factors[at],
            align_corners=bool(call.given.get("align_corners")),
        )
        sight = read(sight, dim, rule)
    return sight


def _unfold(call: Call) -> Result:
    """im2col: (N, C, H, W) to (N, C * kernel, windows), every tap of the window a channel of its own."""
    sight = call.main("self")
    settings = {name: call.numbers(name, 2) for name in ("kernel_size", "dilation", "padding", "stride")}
    first = len(sight.dims) - 2
    steps = []
    for at in (0, 1):
        size = _count(sight, first + at)
        kernel, dilation, padding, stride = (settings[name][at] for name in settings)
        outputs = _pooled(size, kernel, stride, padding, dilation, up=False)
        steps.append(
            (
                windows.convolution(size, outputs, kernel=kernel, stride=stride, padding=padding, dilation=dilation),
                dilation,
            )
        )
    for at in (1, 0):
        sight = _apart(sight, first + at, *steps[at])
    # (..., C, kernel rows, rows, kernel columns, columns) to (..., C, kernel rows, kernel columns, rows, columns)
    lead = list(range(first))
    sight = permute(sight, [*lead, first, first + 2, first + 1, first + 3])
    return reshape(sight, call.output)


def _apart(sight: Sight, dim: int, rule: windows.Reads, dilation: int) -> Sight:
    """Dimension `dim` as two: the taps of the window, and the windows."""
    taps = rule.index.shape[1]
    flat = windows.Reads(rule.index.T.reshape(-1, 1), rule.size, rule.low, rule.low, rule.ratio)
    part = sight.dims[dim][0]
    spread = read(sight, dim, flat)
    at = spread.axes(dim)[0]
    made = (
        (Part(taps, part.axis, part.jump * dilation),),
        (Part(rule.outputs, part.axis, part.jump * rule.ratio),),
    )
    dims = (*spread.dims[:dim], *made, *spread.dims[dim + 1 :])

    def cut(bits: Bits) -> Bits:
        sizes = (1, 1) if bits.shape[at] == 1 else (taps, rule.outputs)
        return bits.reshape(*bits.shape[:at], *sizes, *bits.shape[at + 1 :])

    return spread.bits(dims, cut)


def _pixel_shuffle(call: Call) -> Result:
    sight = call.main("self")
    factor = call.number("upscale_factor")
    *lead, channels, height, width = call.output
    first = len(lead)
    sight = reshape(sight, (*lead, channels, factor, factor, int(height) // factor, int(width) // factor))
    order = [*range(first + 1), first + 3, first + 1, first + 4, first + 2]
    return reshape(permute(sight, order), call.output)


def _pixel_unshuffle(call: Call) -> Result:
    sight = call.main("self")
    factor = call.number("downscale_factor")
    *lead, channels, height, width = call.output
    first = len(lead)
    sight = reshape(sight, (*lead, int(channels) // factor**2, height, factor, width, factor))
    order = [*range(first + 1), first + 2, first + 4, first + 1, first + 3]
    return reshape(permute(sight, order), call.output)


def _nothing(_: Call) -> Result:
    return None


RULES: dict[Kind, Callable[[Call], Result]] = {
    Kind.POINTWISE: _pointwise,
    Kind.CONVOLUTION: _convolution,
    Kind.TRANSPOSED_CONVOLUTION: _transposed,
    Kind.POOLING: _pooling,
    Kind.ADAPTIVE_POOLING: _adaptive,
    Kind.BATCH_NORM: _batch_norm,
    Kind.NORM: _norm,
    Kind.DROPOUT: _dropout,
    Kind.LINEAR: _linear,
    Kind.MATMUL: _matmul,
    Kind.ATTENTION: _attention,
    Kind.REDUCE: _reduce,
    Kind.ALONG: _along,
    Kind.RESHAPE: _reshape,
    Kind.PERMUTE: _permute,
    Kind.EXPAND: _expand,
    Kind.SELECT: _select,
    Kind.SPLIT: _split,
    Kind.TAKE: _take,
    Kind.FLIP: _flip,
    Kind.ROLL: _roll,
    Kind.GATHER: _gather,
    Kind.PAD: _pad,
    Kind.CONCATENATE: _concatenate,
    Kind.STACK: _stack,
    Kind.UPSAMPLE: _upsample,
    Kind.UNFOLD: _unfold,
    Kind.PIXEL_SHUFFLE: _pixel_shuffle,
    Kind.PIXEL_UNSHUFFLE: _pixel_unshuffle,
    Kind.CREATE: _nothing,
    Kind.SIZE: _nothing,
}
