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
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from grader.analysis.arguments import base, bound, dimension, kind, spatial
from grader.analysis.dataflow import trace
from grader.ops import Kind
from grader.program.graph import Graph, Node
from grader.program.values import BATCH, Ref, Shape


@dataclass(frozen=True, slots=True)
class Meeting:
    """Images meet at `node`; `text` says how, in one sentence."""

    node: Node
    text: str


def meetings(graph: Graph) -> Iterator[Meeting]:
    """Every operator behind the scores that brings images of a batch together."""
    live = trace(graph).live
    walk = _Walk(graph)
    for node in graph.nodes:
        text = walk.step(node)
        if text and node.name in live:
            yield Meeting(node, text)


@dataclass(frozen=True, slots=True)
class _Place:
    """Dimension `dim` has `before` * N * `after` positions, the outermost first."""

    dim: int
    before: int = 1
    after: int = 1

    def moved(self, dim: int) -> _Place:
        return replace(self, dim=dim)


class _MeetError(Exception):
    """Images meet; the message says how, after the operator's name or that of `subject`."""

    def __init__(self, text: str, subject: str = "") -> None:
        super().__init__(text)
        self.subject = subject


_TOGETHER = "brings the images of a batch together"
_CUT = "picks images by their place in the batch"
_COUNTED = "calculates with the number of images in the batch"
_FOLDED = "folds the images of the batch into a dimension that mixes them"


@dataclass(slots=True)
class _Walk:
    """What is known so far: where the images lie, and which numbers are multiples of N."""

    graph: Graph
    place: dict[str, _Place | None] = field(default_factory=dict)
    count: dict[str, int | None] = field(default_factory=dict)

    def step(self, node: Node) -> str:
        """Take one more node; how it brings images together, or ""."""
        try:
            self.place[node.name] = self._placed(node)
        except _MeetError as error:
            self.place[node.name] = _first_place(node.shape)
            return f"{error.subject or base(node)} {error}."
        return ""

    def _placed(self, node: Node) -> _Place | None:
        if node.op == "input":
            return _Place(0)
        if node.op == "weight":
            return None
        found = kind(node)
        if found is Kind.SIZE:
            self.count[node.name] = self._counted(node)
            return None
        call = _Call(node, self)
        call.check_counts()
        if found is None or found not in _RULES:
            raise _MeetError(_TOGETHER)
        place = _RULES[found](call)
        if node.shape is not None and place is not None:
            _check_shape(place, node.shape)
        return place

    def _counted(self, node: Node) -> int | None:
        """How many times N a number is; None where it is no such multiple."""
        if base(node) == "sym_size":
            given = bound(node)
            shape = self.graph[given["self"].node].shape or ()
            size = shape[given["dim"]]
            return _times(size) if isinstance(size, str) else None
        a, b = (self.number(value) for value in node.arguments)
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
class _Call:
    """One operator with its arguments."""

    node: Node
    walk: _Walk

    @property
    def given(self) -> dict[str, Any]:
        return bound(self.node)

    def shape(self, value: Any) -> Shape:
        return (self.walk.graph[value.node].shape or ()) if isinstance(value, Ref) else ()

    def place(self, value: Any) -> _Place | None:
        return self.walk.place.get(value.node) if isinstance(value, Ref) else None

    def placed(self) -> list[tuple[Ref, _Place]]:
        """Every tensor that is read and holds images."""
        names = dict.fromkeys(self.node.references())
        found = [(Ref(node=name), self.walk.place.get(name)) for name in names]
        return [(value, place) for value, place in found if place is not None]

    def check_counts(self) -> None:
        """The number of images is used for sizes only."""
        allowed = _MAY_COUNT.get(kind(self.node) or Kind.SIZE, set())
        for name, value in self.given.items():
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, Ref) and item.node in self.walk.count and name not in allowed:
                    raise _MeetError(_COUNTED)

    def first(self) -> tuple[Any, _Place | None]:
        """The tensor that the operator works on, and its place; others must hold no images."""
        values = list(self.given.values())
        for value, _ in self.placed():
            if value != values[0]:
                raise _MeetError(_TOGETHER)
        return values[0], self.place(values[0])

    def dims(self, name: str, rank: int) -> tuple[int, ...]:
        """The dimensions that an argument names; all, where it names none."""
        named = self.given.get(name)
        if named in (None, ()):
            return tuple(range(rank))
        items = named if isinstance(named, tuple) else (named,)
        return tuple(dimension(item, rank) for item in items)


def _times(size: int | str) -> int:
    """16 for "16*N"."""
    text = str(size)
    return int(text.removesuffix(BATCH).removesuffix("*") or 1)


def _first_place(shape: Shape | None) -> _Place | None:
    for dim, size in enumerate(shape or ()):
        if isinstance(size, str):
            return _Place(dim, 1, _times(size))
    return None


def _check_shape(place: _Place, shape: Shape) -> None:
    """The images are where the shape says, and nowhere else."""
    found = [dim for dim, size in enumerate(shape) if isinstance(size, str)]
    if found != [place.dim] or _times(shape[place.dim]) != place.before * place.after:
        raise _MeetError(_TOGETHER)


def _runs_over(dim: int) -> _MeetError:
    rest = ": dimension 1 holds the channels or classes, 2 and 3 the rows and columns"
    return _MeetError(f"runs over dimension {dim}, the images of the batch{'' if dim else rest}")


def _same_place(call: _Call) -> _Place | None:
    """Operands are laid over each other from the last dimension on."""
    rank = len(call.node.shape or ())
    found = {
        place.moved(place.dim - len(call.shape(value)) + rank) for value, place in call.placed()
    }
    if len(found) > 1:
        raise _MeetError(_TOGETHER)
    return next(iter(found), None)


def _pointwise(call: _Call) -> _Place | None:
    if base(call.node) == "prelu":  # its weight lies along the channels
        return call.first()[1]
    place = _same_place(call)
    rank = len(call.node.shape or ())
    if base(call.node) in ("tril", "triu") and place and place.dim >= rank - 2:
        raise _runs_over(place.dim)
    return place


def _outside(count: Callable[[_Call], int]) -> Callable[[_Call], _Place | None]:
    """A rule: the last dimensions, so many, are mixed."""

    def rule(call: _Call) -> _Place | None:
        value, place = call.first()
        if place and place.dim >= len(call.shape(value)) - count(call):
            raise _runs_over(place.dim)
        return place

    return rule


def _window(call: _Call) -> int:
    return spatial(call.node)


def _convolution(call: _Call) -> _Place | None:
    given = call.given
    channels = len(call.shape(given["input"])) - 1 - spatial(call.node)
    place, weight, bias = (call.place(given[name]) for name in ("input", "weight", "bias"))
    groups = given["groups"]
    if place and place.dim < channels and weight is None and bias is None:
        if isinstance(groups, Ref):
            raise _MeetError(_COUNTED)
        return place
    # Each image in channels of its own, in groups of its own, with weights of its own or shared.
    if place and (place.dim != channels or place.before != 1 or not _in_groups(call, place)):
        raise _runs_over(place.dim)
    if place is None and isinstance(groups, Ref):
        raise _MeetError(_COUNTED)
    transposed = kind(call.node) is Kind.TRANSPOSED_CONVOLUTION
    if weight and (weight.dim or weight.before != 1 or (transposed and not place)):
        raise _MeetError(_TOGETHER)
    made = _Place(channels, 1, _times((call.node.shape or ())[channels]))
    if bias and bias != made.moved(0):
        raise _MeetError(_TOGETHER)
    return made if place or weight or bias else None


def _in_groups(call: _Call, place: _Place) -> bool:
    count, counts = call.walk.number(call.given["groups"])
    return bool(counts and count and place.after % count == 0)


def _batch_norm(call: _Call) -> _Place | None:
    given = call.given
    place = call.place(given["input"])
    if place and given["training"] and place.dim != 1:
        raise _MeetError(
            "divides by the statistics of the batch in evaluation too: leave track_running_stats "
            "as it is, and its mode to model.eval()",
            subject=call.node.module or "This batch_norm",
        )
    for value, other in call.placed():
        if value != given["input"] and other != (place and place.dim == 1 and place.moved(0)):
            raise _MeetError(_TOGETHER)
    return place


def _norm(call: _Call) -> _Place | None:
    given, name = call.given, base(call.node)
    if name == "_weight_norm":
        if call.placed():
            raise _MeetError(_TOGETHER)
        return None
    value, place = call.first()
    rank = len(call.shape(value))
    if "normalized_shape" in given:
        last = rank - len(given["normalized_shape"])
    else:
        last = 2 if name == "instance_norm" and given["use_input_stats"] else 1
    if place and place.dim >= last:
        raise _runs_over(place.dim)
    return place


def _matmul(call: _Call) -> _Place | None:
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
        raise _MeetError(_TOGETHER)
    return next(iter(found), None)


def _multiplied(place: _Place, own: int, *, mixed: int, lost: bool, rank: int) -> _Place:
    """Where one factor's images are in a product. `lost`: the other factor is a vector."""
    if place.dim == mixed:
        raise _runs_over(place.dim)
    from_end = own - place.dim
    if (place.dim < mixed and mixed == own - 1) or from_end > 1:  # the left factor
        from_end -= lost
    return place.moved(rank - from_end)


def _einsum(call: _Call) -> _Place | None:
    given = call.given
    inputs, arrow, output = str(given["equation"]).replace(" ", "").partition("->")
    terms = inputs.split(",")
    if not arrow:
        letters = sorted(set(inputs) - set(",."))
        output = "..." * ("..." in inputs) + "".join(
            letter for letter in letters if inputs.count(letter) == 1
        )
    rank = len(call.node.shape or ())
    made = _labels(output, rank)
    found = set()
    for term, value in zip(terms, given["tensors"], strict=True):
        place = call.place(value)
        if place is None:
            continue
        label = _labels(term, len(call.shape(value)))[place.dim]
        if label not in made:
            raise _runs_over(place.dim)
        found.add(place.moved(made.index(label)))
    if len(found) > 1:
        raise _MeetError(_TOGETHER)
    return next(iter(found), None)


def _labels(term: str, rank: int) -> list[str]:
    """A name for each dimension; those of "..." are counted from its end."""
    before, dots, after = term.partition("...")
    hidden = rank - len(before) - len(after) if dots else 0
    return [*before, *(f".{hidden - at}" for at in range(hidden)), *after]


def _attention(call: _Call) -> _Place | None:
    for value, place in call.placed():
        if place.dim >= len(call.shape(value)) - 2:
            raise _runs_over(place.dim)
    return _same_place(call)


def _reduce(call: _Call) -> _Place | None:
    value, place = call.first()
    if place is None:
        return None
    dims = call.dims("dim", len(call.shape(value)))
    if place.dim in dims:
        raise _runs_over(place.dim)
    if call.given.get("keepdim"):
        return place
    return place.moved(place.dim - sum(dim < place.dim for dim in dims))


def _along(call: _Call) -> _Place | None:
    value, place = call.first()
    name = "dims" if "dims" in call.given else "dim"
    if place and place.dim in call.dims(name, len(call.shape(value))):
        raise _runs_over(place.dim)
    return place


def _reshape(call: _Call) -> _Place | None:
    values = list(call.given.values())
    place, shape = call.place(values[0]), call.shape(values[0])
    if place is None:
        return _first_place(call.node.shape)
    outer = prod(map(int, shape[: place.dim])) * place.before
    inner = place.after * prod(map(int, shape[place.dim + 1 :]))
    for dim, size in enumerate(call.node.shape or ()):
        times = _times(size)
        if isinstance(size, str):
            if times % outer or inner % (times // outer):
                break
            return _Place(dim, outer, times // outer)
        if outer % times:
            break
        outer //= times
    raise _MeetError(_FOLDED)


def _permute(call: _Call) -> _Place | None:
    value, place = call.first()
    if place is None:
        return None
    return place.moved(_order(call, len(call.shape(value))).index(place.dim))


def _order(call: _Call, rank: int) -> list[int]:
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


def _expand(call: _Call) -> _Place | None:
    value = next(iter(call.given.values()))
    place, shape = call.place(value), call.node.shape or ()
    if place is None:
        return _first_place(shape)
    here = place.dim - len(call.shape(value)) + len(shape)
    repeats = call.given.get("repeats")
    if repeats is None:
        return place.moved(here)
    times = repeats[here]
    if isinstance(times, Ref):
        raise _MeetError(_TOGETHER)
    return replace(place, dim=here, before=place.before * times)


def _select(call: _Call) -> _Place | None:
    given, place = call.given, call.place(call.given["self"])
    if place is None:
        return None
    dim = dimension(given["dim"], len(call.shape(given["self"])))
    if base(call.node) == "select":
        if dim == place.dim:
            raise _MeetError(_CUT)
        return place.moved(place.dim - (dim < place.dim))
    return place if dim != place.dim or _is_whole(given) else _blocks(call, place)


def _is_whole(given: Mapping[str, Any]) -> bool:
    start, end = given.get("start"), given.get("end")
    if isinstance(start, Ref) or isinstance(end, Ref) or given.get("step", 1) != 1:
        return False
    return not start and "end" in given and (end is None or end >= 2**62)


def _blocks(call: _Call, place: _Place) -> _Place:
    """Of images that lie in several blocks, such as pictures and their mirror images, some."""
    given = call.given
    made = _times((call.node.shape or ())[place.dim])
    bounds = [given.get(name) for name in ("start", "end", "length") if name in given]
    for value in bounds:
        count, counts = call.walk.number(value)
        ends = value in (None, 0) or (isinstance(value, int) and value >= 2**62)
        if not ends and (not counts or count is None or count % place.after):
            raise _MeetError(_CUT)
    if given.get("step", 1) != 1 or made % place.after:
        raise _MeetError(_CUT)
    return replace(place, before=made // place.after)


def _split(call: _Call) -> _Place | None:
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
        count, counts = call.walk.number(size)
        if not counts or count is None or count % place.after:
            raise _MeetError(_CUT)
    return place


def _take(call: _Call) -> _Place | None:
    """One of several tensors: how much of the images it holds, its shape says."""
    place, shape = call.place(call.node.arguments[0]), call.node.shape
    if place is None or shape is None:
        return place
    times = _times(shape[place.dim])
    if times % place.after:
        raise _MeetError(_CUT)
    return replace(place, before=times // place.after)


def _gather(call: _Call) -> _Place | None:
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
        raise _MeetError(_CUT)
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
        raise _MeetError(_TOGETHER)
    return next(iter(found), None)


def _pad(call: _Call) -> _Place | None:
    value, place = call.first()
    sizes = call.given.get("pad", call.given.get("padding"))
    if place:
        from_end = len(call.shape(value)) - 1 - place.dim
        if sizes is None or any(sizes[2 * from_end : 2 * from_end + 2]):
            raise _MeetError(_TOGETHER)
    return place


def _concatenate(call: _Call) -> _Place | None:
    tensors = call.given["tensors"]
    places = [call.place(value) for value in tensors]
    known = [place for place in places if place is not None]
    if not known:
        return None
    dim = dimension(call.given["dim"], len(call.shape(tensors[0])))
    if any(replace(place, before=1) != replace(known[0], before=1) for place in known):
        raise _MeetError(_TOGETHER)
    if dim == known[0].dim and len(known) == len(places):
        return replace(known[0], before=sum(place.before for place in known))
    if dim == known[0].dim or any(place != known[0] for place in known):
        raise _MeetError(_TOGETHER)
    return known[0]


def _stack(call: _Call) -> _Place | None:
    places = {place for _, place in call.placed()}
    if len(places) > 1:
        raise _MeetError(_TOGETHER)
    if not places:
        return None
    (place,) = places
    dim = dimension(call.given["dim"], len(call.node.shape or ()))
    return place.moved(place.dim + (dim <= place.dim))


def _create(call: _Call) -> _Place | None:
    if base(call.node) in ("arange", "linspace") and _first_place(call.node.shape):
        raise _MeetError(_COUNTED)
    if base(call.node).endswith("_like"):
        return call.place(call.given["self"])
    return _first_place(call.node.shape)


def _unchanged(call: _Call) -> _Place | None:
    return call.first()[1]


_RULES: Mapping[Kind, Callable[[_Call], _Place | None]] = {
    Kind.POINTWISE: _pointwise,
    Kind.CONVOLUTION: _convolution,
    Kind.TRANSPOSED_CONVOLUTION: _convolution,
    Kind.POOLING: _outside(_window),
    Kind.ADAPTIVE_POOLING: _outside(_window),
    Kind.BATCH_NORM: _batch_norm,
    Kind.NORM: _norm,
    Kind.DROPOUT: _unchanged,
    Kind.LINEAR: _outside(lambda _: 1),
    Kind.MATMUL: _matmul,
    Kind.ATTENTION: _attention,
    Kind.REDUCE: _reduce,
    Kind.ALONG: _along,
    Kind.RESHAPE: _reshape,
    Kind.PERMUTE: _permute,
    Kind.EXPAND: _expand,
    Kind.SELECT: _select,
    Kind.SPLIT: _split,
    Kind.FLIP: _along,
    Kind.ROLL: _along,
    Kind.GATHER: _gather,
    Kind.PAD: _pad,
    Kind.CONCATENATE: _concatenate,
    Kind.STACK: _stack,
    Kind.UPSAMPLE: _outside(_window),
    Kind.UNFOLD: _outside(lambda _: 3),
    Kind.PIXEL_SHUFFLE: _outside(lambda _: 3),
    Kind.PIXEL_UNSHUFFLE: _outside(lambda _: 3),
    Kind.CHANNEL_SHUFFLE: _outside(lambda call: len(call.node.shape or ()) - 1),
    Kind.GATED_HALVES: _along,
    Kind.CREATE: _create,
    Kind.TAKE: _take,
}
