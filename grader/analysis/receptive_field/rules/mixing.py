"""Rules for operators that mix whole dimensions: linear layers, products, sums, normalisations.

In: a Call. Out: the Sight of its result.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from typing import Any

from grader.analysis.arguments import base, dimension, einsum, several
from grader.analysis.receptive_field import windows
from grader.analysis.receptive_field.bits import Bits, NotProven, any_of, within_groups
from grader.analysis.receptive_field.merge import meet
from grader.analysis.receptive_field.rules.call import Call, Result, Seen
from grader.analysis.receptive_field.sight import (
    AxisName,
    Field,
    Sight,
    forget,
    inserted,
    length,
    mix,
    permute,
    read,
    sized,
)


def linear(call: Call) -> Result:
    """Every output feature sees all of the last dimension."""
    sight = call.main("input")
    if any(call.see(call.given[name]) is not None for name in ("weight", "bias")):
        raise NotProven("its weights are computed from the image")
    last = len(sight.dims) - 1
    return sized(mix(sight, [last]), last, int(call.output[-1]))


def matmul(call: Call) -> Result:
    """Products of two tensors; one of them may be a weight."""
    name = base(call.node)
    given = call.given
    if name == "einsum":
        return _einsum(call)
    if name == "addmm":
        product = _product(call, given["mat1"], given["mat2"])
        return meet([call.see(given["self"]), product], call.output)
    others = {"matmul": "other", "mm": "mat2", "bmm": "mat2", "mv": "vec", "dot": "tensor"}
    return _product(call, given["self"], given[others[name]])


def _product(call: Call, left: Any, right: Any) -> Seen:
    """A matrix product, a sum over the shared dimension: (..., i, k) by (..., k, j)."""
    columns = len(call.shape(right)) > 1
    rows = len(call.shape(left)) > 1
    one, other = call.see(left), call.see(right)
    if one is not None:
        one = mix(one, [len(one.dims) - 1], keep=columns)
    if other is not None:
        other = mix(other, [max(len(other.dims) - 2, 0)], keep=rows)
    return meet([one, other], call.output, gate=None)


def _einsum(call: Call) -> Result:
    tensors = call.given["tensors"]
    ranks = [len(call.shape(value)) for value in tensors]
    terms, output = einsum(str(call.given["equation"]), ranks)
    if any(len(set(term)) < len(term) for term in (*terms, output)):  # a diagonal
        raise NotProven(f"the equation {call.given['equation']!r} is not understood")
    sights = [
        _in_letters(call.see(value), term, output)
        for value, term in zip(tensors, terms, strict=True)
    ]
    return meet(sights, call.output, gate=None)


def _in_letters(sight: Seen, term: str, output: str) -> Seen:
    if sight is None:
        return None
    sight = mix(sight, [at for at, letter in enumerate(term) if letter not in output], keep=False)
    kept = [letter for letter in term if letter in output]
    sight = permute(sight, sorted(range(len(kept)), key=lambda at: output.index(kept[at])))
    for at, letter in enumerate(output):
        if letter not in kept:
            sight = inserted(sight, at)
    return sight


def attention(call: Call) -> Result:
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
    return meet([query, key, value, mask], call.output, gate=None)


def reduced(call: Call) -> Result:
    """Mean, sum, maximum and their kin: all along the named dimensions is seen."""
    sight = call.main()
    rank = len(sight.dims)
    wanted = call.given.get("dim")
    if wanted is None or wanted == ():
        return mix(sight, range(rank), keep=bool(call.given.get("keepdim", False)))
    dims = [dimension(int(dim), rank) for dim in several(wanted, 1)]
    return mix(sight, dims, keep=bool(call.given.get("keepdim", False)))


def along(call: Call) -> Result:
    """Softmax sees all along its dimension, through its denominator; a running sum all before."""
    sight = call.main()
    dim = dimension(call.number("dim"), len(sight.dims))
    if base(call.node) == "cumsum":
        return read(sight, dim, windows.running(length(sight, dim)))
    return _with_statistics(sight, [dim])


def batch_norm(call: Call) -> Result:
    """Pointwise, unless it uses the batch's own statistics."""
    sight = call.main()
    return _with_statistics(sight, _all_but(sight, 1)) if call.given["training"] else sight


def norm(call: Call) -> Result:
    """Layer, RMS, group and instance norm: statistics over positions, channels, or both.

    Weight norm is none of them: it scales weights.
    """
    name = base(call.node)
    if name == "_weight_norm":
        raise NotProven("the weights that it scales are computed from the image")
    sight = call.main()
    if name in {"layer_norm", "rms_norm"}:
        count = len(call.given["normalized_shape"])
        return _with_statistics(sight, range(len(sight.dims) - count, len(sight.dims)))
    positions = _all_but(sight, 0, 1)
    if name == "instance_norm":
        return _with_statistics(sight, positions) if call.given["use_input_stats"] else sight
    return _with_statistics(forget(sight, 1), positions, groups=call.number("num_groups"))


def _with_statistics(sight: Sight, dims: Iterable[int], groups: int = 0) -> Sight:
    """Every element also sees, through mean and variance, all along `dims`.

    With `groups`, all channels of its group too.
    Where rows or columns lie along `dims` that is no window: it goes to `shared`, flagged
    "statistics".
    """
    axes = list(chain.from_iterable(map(sight.axes, dims)))
    placed = any(sight.parts[at].placed for at in axes)

    def spread(bits: Bits) -> Bits:
        if groups:
            at = sight.axes(1)[0]
            bits = within_groups(bits, at, groups, bits.shape[at])
        return any_of(bits, axes)

    def change(_: AxisName, field: Field) -> Field:
        if not placed:
            return field.bits(spread)
        return replace(
            field,
            shared=field.shared | spread(field.seen | field.shared),
            flags=field.flags | {"statistics"},
        )

    return sight.change(sight.dims, change)


def _all_but(sight: Sight, *kept: int) -> list[int]:
    return [dim for dim in range(len(sight.dims)) if dim not in kept]
