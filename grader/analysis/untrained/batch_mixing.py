"""Rules for operators that calculate: which dimensions they mix, and where the images then lie.

In: a `Call`. Out: the `Place` of the images in its result, None where it holds none; a `MeetError`
where the dimension of the images is among those that are mixed.
"""

from __future__ import annotations

from collections.abc import Callable

from grader.analysis.arguments import base, einsum, kind, spatial
from grader.analysis.untrained.batch_place import (
    COUNTED,
    TOGETHER,
    Call,
    MeetError,
    Place,
    multiple,
    runs_over,
)
from grader.program.ops import Kind
from grader.program.values import Ref


def _same_place(call: Call) -> Place | None:
    """Operands are laid over each other from the last dimension on."""
    rank = len(call.node.shape or ())
    found = {
        place.moved(place.dim - len(call.shape(value)) + rank) for value, place in call.placed()
    }
    if len(found) > 1:
        raise MeetError(TOGETHER)
    return next(iter(found), None)


def pointwise(call: Call) -> Place | None:
    """Every number by itself; several operands lie over each other."""
    if base(call.node) == "prelu":  # its weight lies along the channels
        return call.first()[1]
    place = _same_place(call)
    rank = len(call.node.shape or ())
    if base(call.node) in ("tril", "triu") and place and place.dim >= rank - 2:
        raise runs_over(place.dim)
    return place


def outside(count: Callable[[Call], int]) -> Callable[[Call], Place | None]:
    """A rule: the last dimensions, so many, are mixed."""

    def rule(call: Call) -> Place | None:
        value, place = call.first()
        if place and place.dim >= len(call.shape(value)) - count(call):
            raise runs_over(place.dim)
        return place

    return rule


def window(call: Call) -> int:
    """Rows and columns, as many as the operator's windows have."""
    return spatial(call.node)


def convolution(call: Call) -> Place | None:
    """Channels are mixed, within groups; each image may have weights, and groups, of its own."""
    given = call.given
    channels = len(call.shape(given["input"])) - 1 - spatial(call.node)
    place, weight, bias = (call.place(given[name]) for name in ("input", "weight", "bias"))
    groups = given["groups"]
    if place and place.dim < channels and weight is None and bias is None:
        if isinstance(groups, Ref):
            raise MeetError(COUNTED)
        return place
    # Each image in channels of its own, in groups of its own, with weights of its own or shared.
    if place and (place.dim != channels or place.before != 1 or not _in_groups(call, place)):
        raise runs_over(place.dim)
    if place is None and isinstance(groups, Ref):
        raise MeetError(COUNTED)
    transposed = kind(call.node) is Kind.TRANSPOSED_CONVOLUTION
    if weight and (weight.dim or weight.before != 1 or (transposed and not place)):
        raise MeetError(TOGETHER)
    made = Place(channels, 1, multiple((call.node.shape or ())[channels]))
    if bias and bias != made.moved(0):
        raise MeetError(TOGETHER)
    return made if place or weight or bias else None


def _in_groups(call: Call, place: Place) -> bool:
    count, counts = call.known.number(call.given["groups"])
    return bool(counts and count and place.after % count == 0)


def batch_norm(call: Call) -> Place | None:
    """Statistics run over all but the channels, in training mode."""
    given = call.given
    place = call.place(given["input"])
    if place and given["training"] and place.dim != 1:
        raise MeetError(
            "divides by the statistics of the batch in evaluation too: leave track_running_stats "
            "as it is, and its mode to model.eval()",
            subject=call.node.module or "This batch_norm",
        )
    for value, other in call.placed():
        if value != given["input"] and other != (place and place.dim == 1 and place.moved(0)):
            raise MeetError(TOGETHER)
    return place


def norm(call: Call) -> Place | None:
    """Statistics run over the last dimensions."""
    given, name = call.given, base(call.node)
    if name == "_weight_norm":
        if call.placed():
            raise MeetError(TOGETHER)
        return None
    value, place = call.first()
    rank = len(call.shape(value))
    if "normalized_shape" in given:
        last = rank - len(given["normalized_shape"])
    else:
        last = 2 if name == "instance_norm" and given["use_input_stats"] else 1
    if place and place.dim >= last:
        raise runs_over(place.dim)
    return place


def matmul(call: Call) -> Place | None:
    """One dimension of each factor is summed over."""
    given = call.given
    if base(call.node) == "einsum":
        return _einsum(call)
    if "mat1" in given:
        one, other = given["mat1"], given["mat2"]
    else:
        one, other = given["self"], list(given.values())[1]
    rank = len(call.node.shape or ())
    left, right = len(call.shape(one)), len(call.shape(other))
    found = set()
    if place := call.place(one):
        found.add(_multiplied(place, left, mixed=left - 1, lost=right == 1, rank=rank))
    if place := call.place(other):
        found.add(_multiplied(place, right, mixed=max(0, right - 2), lost=left == 1, rank=rank))
    added = given["self"]
    if "mat1" in given and (place := call.place(added)):
        found.add(place.moved(place.dim - len(call.shape(added)) + rank))
    if len(found) > 1:
        raise MeetError(TOGETHER)
    return next(iter(found), None)


def _multiplied(place: Place, own: int, *, mixed: int, lost: bool, rank: int) -> Place:
    """Where one factor's images are in a product. `lost`: the other factor is a vector."""
    if place.dim == mixed:
        raise runs_over(place.dim)
    from_end = own - place.dim
    if (place.dim < mixed and mixed == own - 1) or from_end > 1:  # the left factor
        from_end -= lost
    return place.moved(rank - from_end)


def _einsum(call: Call) -> Place | None:
    given = call.given
    ranks = [len(call.shape(value)) for value in given["tensors"]]
    terms, made = einsum(str(given["equation"]), ranks)
    found = set()
    for term, value in zip(terms, given["tensors"], strict=True):
        place = call.place(value)
        if place is None:
            continue
        label = term[place.dim]
        if label not in made:
            raise runs_over(place.dim)
        found.add(place.moved(made.index(label)))
    if len(found) > 1:
        raise MeetError(TOGETHER)
    return next(iter(found), None)


def attention(call: Call) -> Place | None:
    """The last two dimensions: positions, and what is known of each."""
    for value, place in call.placed():
        if place.dim >= len(call.shape(value)) - 2:
            raise runs_over(place.dim)
    return _same_place(call)


def reduce(call: Call) -> Place | None:
    """The named dimensions are gone, or have one position."""
    value, place = call.first()
    if place is None:
        return None
    dims = call.dims("dim", len(call.shape(value)))
    if place.dim in dims:
        raise runs_over(place.dim)
    if call.given.get("keepdim"):
        return place
    return place.moved(place.dim - sum(dim < place.dim for dim in dims))


def along(call: Call) -> Place | None:
    """Numbers are mixed, or moved, along the named dimensions."""
    value, place = call.first()
    name = "dims" if "dims" in call.given else "dim"
    if place and place.dim in call.dims(name, len(call.shape(value))):
        raise runs_over(place.dim)
    return place


def pad(call: Call) -> Place | None:
    """The last dimensions grow."""
    value, place = call.first()
    sizes = call.given.get("pad", call.given.get("padding"))
    if place:
        from_end = len(call.shape(value)) - 1 - place.dim
        if sizes is None or any(sizes[2 * from_end : 2 * from_end + 2]):
            raise MeetError(TOGETHER)
    return place


def unchanged(call: Call) -> Place | None:
    """Whatever it does, it leaves everything in its place."""
    return call.first()[1]
