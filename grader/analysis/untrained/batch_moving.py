"""Rules for operators that move numbers: fold, cut, pick, join and make tensors.

In: a `Call`. Out: the `Place` of the images in its result, None where it holds none; a `MeetError`
where they are cut apart by their place in the batch, or can no longer be told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

from grader.analysis.arguments import base, dimension
from grader.analysis.untrained.batch_place import (
    COUNTED,
    CUT,
    FOLDED,
    TOGETHER,
    Call,
    MeetError,
    Place,
    first_place,
    multiple,
)
from grader.program.values import Ref


def reshape(call: Call) -> Place | None:
    """Dimensions are folded together and apart."""
    values = list(call.given.values())
    place, shape = call.place(values[0]), call.shape(values[0])
    if place is None:
        return first_place(call.node.shape)
    outer = prod(map(int, shape[: place.dim])) * place.before
    inner = place.after * prod(map(int, shape[place.dim + 1 :]))
    for dim, size in enumerate(call.node.shape or ()):
        times = multiple(size)
        if isinstance(size, str):
            if times % outer or inner % (times // outer):
                break
            return Place(dim, outer, times // outer)
        if outer % times:
            break
        outer //= times
    raise MeetError(FOLDED)


def permute(call: Call) -> Place | None:
    """Dimensions change places."""
    value, place = call.first()
    if place is None:
        return None
    return place.moved(_order(call, len(call.shape(value))).index(place.dim))


def _order(call: Call, rank: int) -> list[int]:
    """Which dimension of the input each dimension of the result is."""
    given, name = call.given, base(call.node)
    order = list(range(rank))
    if "dims" in given:
        return [dimension(dim, rank) for dim in given["dims"]]
    if "source" in given:
        source, target = call.dims("source", rank), call.dims("destination", rank)
        moved = dict(zip(target, source, strict=True))
        others = iter([dim for dim in order if dim not in source])
        return [moved[dim] if dim in moved else next(others) for dim in order]
    if name in ("t", "numpy_T"):
        return order[::-1]
    if name == "mT":
        return [*order[:-2], order[-1], order[-2]]
    one, other = (dimension(value, rank) for value in list(given.values())[1:3])
    order[one], order[other] = order[other], order[one]
    return order


def expand(call: Call) -> Place | None:
    """Dimensions are repeated, and new ones come first."""
    value = next(iter(call.given.values()))
    place, shape = call.place(value), call.node.shape or ()
    if place is None:
        return first_place(shape)
    here = place.dim - len(call.shape(value)) + len(shape)
    repeats = call.given.get("repeats")
    if repeats is None:
        return place.moved(here)
    times = repeats[here]
    if isinstance(times, Ref):
        raise MeetError(TOGETHER)
    return replace(place, dim=here, before=place.before * times)


def select(call: Call) -> Place | None:
    """One position of a dimension, or a range of them."""
    given, place = call.given, call.place(call.given["self"])
    if place is None:
        return None
    dim = dimension(given["dim"], len(call.shape(given["self"])))
    if base(call.node) == "select":
        if dim == place.dim:
            raise MeetError(CUT)
        return place.moved(place.dim - (dim < place.dim))
    return place if dim != place.dim or _is_whole(given) else _blocks(call, place)


def _is_whole(given: Mapping[str, Any]) -> bool:
    start, end = given.get("start"), given.get("end")
    if isinstance(start, Ref) or isinstance(end, Ref) or given.get("step", 1) != 1:
        return False
    return not start and "end" in given and (end is None or end >= 2**62)


def _blocks(call: Call, place: Place) -> Place:
    """Of images that lie in several blocks, such as pictures and their mirror images, some."""
    given = call.given
    made = multiple((call.node.shape or ())[place.dim])
    bounds = [given.get(name) for name in ("start", "end", "length") if name in given]
    for value in bounds:
        count, counts = call.known.number(value)
        ends = value in (None, 0) or (isinstance(value, int) and value >= 2**62)
        if not ends and (not counts or count is None or count % place.after):
            raise MeetError(CUT)
    if given.get("step", 1) != 1 or made % place.after:
        raise MeetError(CUT)
    return replace(place, before=made // place.after)


def split(call: Call) -> Place | None:
    """A dimension is cut into several tensors."""
    given, place = call.given, call.place(call.given["self"])
    if place is None:
        return None
    dim = dimension(given["dim"], len(call.shape(given["self"])))
    if dim != place.dim:
        unbound = base(call.node) == "unbind" and dim < place.dim
        return place.moved(place.dim - unbound)
    pieces = given.get("chunks", given.get("sections"))
    if pieces and not place.before % pieces:
        return replace(place, before=place.before // pieces)
    sizes = given.get("split_size", given.get("split_sizes"))
    for size in sizes if isinstance(sizes, tuple) else (sizes,):
        count, counts = call.known.number(size)
        if not counts or count is None or count % place.after:
            raise MeetError(CUT)
    return place


def take(call: Call) -> Place | None:
    """One of several tensors: how much of the images it holds, its shape says."""
    place, shape = call.place(call.node.arguments[0]), call.node.shape
    if place is None or shape is None:
        return place
    times = multiple(shape[place.dim])
    if times % place.after:
        raise MeetError(CUT)
    return replace(place, before=times // place.after)


def gather(call: Call) -> Place | None:
    """Positions are picked by number."""
    given, place = call.given, call.place(call.given["self"])
    rank = len(call.shape(given["self"]))
    if base(call.node) == "index_select":
        indices: list[Any] = [None] * dimension(given["dim"], rank) + [given["index"]]
    else:
        indices = list(given["indices"])
    used = [dim for dim, value in enumerate(indices) if value is not None]
    values = [indices[dim] for dim in used]
    looked = [(value, call.place(value)) for value in values]
    if place and place.dim in used:
        raise MeetError(CUT)
    width = max((len(call.shape(value)) for value in values), default=0)
    together = used == list(range(used[0], used[0] + len(used))) if used else True
    start = used[0] if used and together else 0
    found = {
        other.moved(start + width - len(call.shape(value)) + other.dim)
        for value, other in looked
        if other is not None
    }
    if place:
        behind = sum(dim < place.dim for dim in used)
        shift = width if (behind or not together) else 0
        found.add(place.moved(place.dim - behind + shift))
    if len(found) > 1:
        raise MeetError(TOGETHER)
    return next(iter(found), None)


def concatenate(call: Call) -> Place | None:
    """Tensors follow each other along a dimension."""
    tensors = call.given["tensors"]
    places = [call.place(value) for value in tensors]
    known = [place for place in places if place is not None]
    if not known:
        return None
    dim = dimension(call.given["dim"], len(call.shape(tensors[0])))
    if any(replace(place, before=1) != replace(known[0], before=1) for place in known):
        raise MeetError(TOGETHER)
    if dim == known[0].dim and len(known) == len(places):
        return replace(known[0], before=sum(place.before for place in known))
    if dim == known[0].dim or any(place != known[0] for place in known):
        raise MeetError(TOGETHER)
    return known[0]


def stack(call: Call) -> Place | None:
    """Tensors are laid along a new dimension."""
    places = {place for _, place in call.placed()}
    if len(places) > 1:
        raise MeetError(TOGETHER)
    if not places:
        return None
    (place,) = places
    dim = dimension(call.given["dim"], len(call.node.shape or ()))
    return place.moved(place.dim + (dim <= place.dim))


def create(call: Call) -> Place | None:
    """A new tensor, whose size may name the number of images."""
    if base(call.node) in ("arange", "linspace") and first_place(call.node.shape):
        raise MeetError(COUNTED)
    if base(call.node).endswith("_like"):
        return call.place(call.given["self"])
    return first_place(call.node.shape)
