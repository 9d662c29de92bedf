"""Rules for operators that move values and compute nothing: views, slices, flips, shuffles.

In: a Call. Out: the Sight of its result. Every rule is made of three moves: `read` (which positions
of a dimension go where), `permute` (the order of dimensions) and `follow` (the shape).

A worked example, one row of 6 pixels, x = [0 1 2 3 4 5]:

    x                        0 1 2 3 4 5     low 0   high 0   jump  1
    x[1::2]         piece    1 3 5           low 1   high 1   jump  2
    x.flip(0)       flipped  5 4 3 2 1 0     low 5   high 5   jump -1
    x.roll(1)       rolled   5 0 1 2 3 4     low -1  high -1  jump  1 (as a rule: 5 came round)

A value that moves is still one pixel, so low and high stay equal: only where it is read from and
how far apart neighbours are change.

The hardest is im2col. With kernel 2 and stride 2, there are three windows of two taps:

    windows      0 1   2 3   4 5          as a convolution reads: window w reads 2w and 2w + 1
    taps first   0 2 4   1 3 5            one dimension of 6: tap 0 of all windows, then tap 1
    cut in two   (2 taps) (3 windows)     tap t of window w is pixel 2w + t: the taps' jump is 1
                                          (the dilation), the windows' jump is 2 (the stride)

`_apart` does this for rows and for columns. Then (C, row taps, rows, column taps, columns) is
permuted to (C, row taps, column taps, rows, columns) and viewed as (C * taps, windows).

pixel_shuffle is the other way round: x = [0 1 2] in two channels a and b, by a factor of 2, is
[a0 b0 a1 b1 a2 b2]: (2, 3) is permuted to (3, 2) and viewed as 6.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from grader.analysis.arguments import base, dimension, several
from grader.analysis.receptive_field import windows
from grader.analysis.receptive_field.bits import Bits, NotProven
from grader.analysis.receptive_field.merge import meet
from grader.analysis.receptive_field.reshape import follow
from grader.analysis.receptive_field.rules.call import Call, Result
from grader.analysis.receptive_field.rules.windowed import pooled
from grader.analysis.receptive_field.sight import (
    Part,
    Sight,
    forget,
    inserted,
    length,
    permute,
    read,
    remove,
    sized,
)


def view(call: Call) -> Result:
    """The same values under another shape.

    view_as reads nothing of the other tensor but its shape.
    """
    sight = call.sight("self")
    return None if sight is None else follow(sight, call.output)


def permuted(call: Call) -> Result:
    """The dimensions in another order."""
    sight = call.main("self")
    rank = len(sight.dims)
    order = list(range(rank))
    name = base(call.node)
    if name == "permute":
        order = [dimension(dim, rank) for dim in call.given["dims"]]
    elif name in {"t", "numpy_T"}:
        order.reverse()
    elif name == "mT":
        order[-2:] = order[:-3:-1]
    elif name == "movedim":
        order = _moved(call, rank)
    else:
        # transpose, swapaxes and swapdims name their two dimensions differently.
        swapped = (value for name, value in call.given.items() if name != "self")
        one, other = (dimension(int(value), rank) for value in swapped)
        order[one], order[other] = other, one
    return permute(sight, order)


def _moved(call: Call, rank: int) -> list[int]:
    """The order that movedim means: `source` goes to `destination`, the others keep their order."""
    source = [dimension(dim, rank) for dim in several(call.given["source"], 1)]
    destination = [dimension(dim, rank) for dim in several(call.given["destination"], 1)]
    goes_to = dict(zip(destination, source, strict=True))
    others = iter(dim for dim in range(rank) if dim not in source)
    return [goes_to[at] if at in goes_to else next(others) for at in range(rank)]


def expanded(call: Call) -> Result:
    """The same values, repeated; expand_as reads nothing of the other tensor but its shape."""
    sight = call.sight("self")
    if base(call.node) != "repeat" or sight is None:
        return meet([sight], call.output)
    repeats = call.given["repeats"]
    for _ in range(len(repeats) - len(sight.dims)):
        sight = inserted(sight, 0)
    for dim, times in enumerate(repeats):
        if times != 1:
            sight = _repeated(sight, dim, times)
    return sight


def _repeated(sight: Sight, dim: int, times: int) -> Sight:
    if any(part.axis == "images" for part in sight.dims[dim]):
        raise NotProven("images of the batch are repeated")
    # repeat lays whole copies one after the other: the copies are the outer part of the dimension.
    at = sight.axes(dim).start
    dims = sight.dims_with(dim, (Part(times), *sight.dims[dim]))
    return sight.bits(dims, lambda bits: np.expand_dims(bits, at))


def selected(call: Call) -> Result:
    """A slice of a dimension, or one position of it."""
    sight = call.main("self")
    dim = dimension(call.number("dim"), len(sight.dims))
    if base(call.node) == "select":
        return remove(piece(sight, dim, call.number("index"), 1, 1), [dim])
    if call.output[dim] == call.shape(call.given["self"])[dim]:
        return sight
    start = call.number("start")
    return piece(sight, dim, start, call.number("step", 1), int(call.output[dim]))


def piece(sight: Sight, dim: int, start: int, step: int, outputs: int) -> Sight:
    """Every `step`-th position of a dimension, from `start` on. Images cannot be taken apart."""
    if any(part.axis == "images" for part in sight.dims[dim]):
        raise NotProven("images of the batch are taken apart")
    size = length(sight, dim)
    start = max(start + size, 0) if start < 0 else start
    if (start, step, outputs) == (0, 1, size):
        return sight
    # Features of several parts become one, so that any of them may be picked. Parts along rows or
    # columns are left to `read`, which joins them where that is exact.
    if len(sight.dims[dim]) > 1 and not any(part.placed for part in sight.dims[dim]):
        sight = forget(sight, dim)
    return read(sight, dim, windows.piece(size, start, step, outputs))


def split(call: Call) -> Result:
    """A list of pieces along a dimension."""
    sight = call.main("self")
    dim = dimension(call.number("dim"), len(sight.dims))
    size = length(sight, dim)
    if base(call.node) == "unbind":
        return tuple(remove(piece(sight, dim, at, 1, 1), [dim]) for at in range(size))
    lengths = _lengths(call, size)
    starts = [sum(lengths[:at]) for at in range(len(lengths))]
    return tuple(
        piece(sight, dim, start, 1, length) for start, length in zip(starts, lengths, strict=True)
    )


def _lengths(call: Call, size: int) -> list[int]:
    name = base(call.node)
    if name == "tensor_split":
        count = call.number("sections")
        return [size // count + (at < size % count) for at in range(count)]
    words = ("chunks", "split_size", "split_sizes")
    wanted: Any = call.given[next(word for word in words if word in call.given)]
    if isinstance(wanted, tuple):
        return [int(length) for length in wanted]
    each = -(-size // int(wanted)) if name == "chunk" else int(wanted)
    return [min(each, size - start) for start in range(0, size, each)]


def taken(call: Call) -> Result:
    """One element of a list; the parts of (values, indices) see the same."""
    found = call.sights[call.given["a"].node]
    return found[call.number("b")] if isinstance(found, tuple) else found


def flipped(call: Call) -> Result:
    """Dimensions in reverse order."""
    sight = call.main("self")
    for dim in call.given["dims"]:
        at = dimension(dim, len(sight.dims))
        sight = read(sight, at, windows.flipped(length(sight, at)))
    return sight


def rolled(call: Call) -> Result:
    """Positions moved round."""
    sight = call.main("self")
    dims = several(call.given["dims"], 1) if call.given["dims"] != () else ()
    if not dims:
        raise NotProven("it moves values through the whole tensor; name its dims")
    for dim, shift in zip(dims, call.numbers("shifts", len(dims)), strict=True):
        at = dimension(dim, len(sight.dims))
        sight = read(sight, at, windows.rolled(length(sight, at), shift))
    return sight


def gathered(call: Call) -> Result:
    """Positions picked by indices, whose values are not known: only what is alike may be picked."""
    if call.sight("self") is None:
        return _looked_up(call)
    sight = call.main("self")
    if base(call.node) == "index_select":
        dim = dimension(call.number("dim"), len(sight.dims))
        indices: list[Any] = [*[None] * dim, call.given["index"]]
    else:
        indices = list(call.given["indices"])
    for dim, index in enumerate(indices):
        if index is not None:
            sight = _picked(call, sight, dim, index)
    return sight


def _looked_up(call: Call) -> Result:
    """Rows of a table of weights, picked by numbers that are made from the image."""
    given = call.given
    listed = base(call.node) != "index_select"
    indices = [index for index in given["indices"] if index] if listed else [given["index"]]
    first = given["indices"][0] if listed else call.number("dim") == 0
    if len(indices) != 1 or first in (None, False) or call.see(indices[0]) is None:
        raise NotProven("positions are picked by a tensor of indices")
    sight = call.see(indices[0])
    assert sight is not None, "the indices see the image"
    for size in call.shape(given["self"])[1:]:
        sight = inserted(sight, len(sight.dims))
        sight = sized(sight, len(sight.dims) - 1, int(size))
    return sight


def _picked(call: Call, sight: Sight, dim: int, index: Any) -> Sight:
    listed = call.see(index) is None and len(call.shape(index)) == 1
    if not listed or any(part.axis for part in sight.dims[dim]):
        raise NotProven("positions are picked by a tensor of indices")
    axes = sight.axes(dim)
    for field in (sight.rows, sight.columns):
        for bits in (field.seen, field.shared):
            if any(bits.shape[at] != 1 for at in axes):
                raise NotProven("channels that see differently are picked by a tensor of indices")
    return sized(forget(sight, dim), dim, int(call.output[dim]))


def unfolded(call: Call) -> Result:
    """im2col: (N, C, H, W) to (N, C * kernel, windows), every tap of a window its own channel."""
    sight = call.main("self")
    kernel, dilation = call.numbers("kernel_size", 2), call.numbers("dilation", 2)
    padding, stride = call.numbers("padding", 2), call.numbers("stride", 2)
    first = len(sight.dims) - 2
    # Columns before rows: each becomes two dimensions, which moves those that come after it.
    for at in (1, 0):
        size = length(sight, first + at)
        rule = windows.convolution(
            size,
            pooled(size, kernel[at], stride[at], padding[at], dilation[at], up=False),
            kernel=kernel[at],
            stride=stride[at],
            padding=padding[at],
            dilation=dilation[at],
        )
        sight = _apart(sight, first + at, rule, dilation[at])
    # (C, row taps, rows, column taps, columns) to (C, row taps, column taps, rows, columns)
    lead = list(range(first))
    sight = permute(sight, [*lead, first, first + 2, first + 1, first + 3])
    return follow(sight, call.output)


def _apart(sight: Sight, dim: int, rule: windows.Reads, dilation: int) -> Sight:
    """Dimension `dim` as two: the taps of the window, and the windows."""
    taps = rule.index.shape[1]
    # Taps first, so that the windows of each tap lie side by side; then one position per tap.
    flat = windows.Reads(rule.index.T.reshape(-1, 1), rule.size, rule.low, rule.low, rule.ratio)
    part = sight.dims[dim][0]
    spread = read(sight, dim, flat)
    at = spread.axes(dim)[0]
    made = (
        (Part(taps, part.axis, part.jump * dilation),),
        (Part(rule.outputs, part.axis, part.jump * rule.ratio),),
    )
    dims = spread.dims_with(dim, *made)

    def cut(bits: Bits) -> Bits:
        sizes = (1, 1) if bits.shape[at] == 1 else (taps, rule.outputs)
        return bits.reshape(*bits.shape[:at], *sizes, *bits.shape[at + 1 :])

    return spread.bits(dims, cut)


def pixel_shuffle(call: Call) -> Result:
    """(C * r * r, H, W) to (C, H * r, W * r)."""
    sight = call.main("self")
    factor = call.number("upscale_factor")
    *lead, channels, height, width = call.output
    first = len(lead)
    rows, columns = int(height) // factor, int(width) // factor
    sight = follow(sight, (*lead, channels, factor, factor, rows, columns))
    order = [*range(first + 1), first + 3, first + 1, first + 4, first + 2]
    return follow(permute(sight, order), call.output)


def pixel_unshuffle(call: Call) -> Result:
    """(C, H * r, W * r) to (C * r * r, H, W)."""
    sight = call.main("self")
    factor = call.number("downscale_factor")
    *lead, channels, height, width = call.output
    first = len(lead)
    sight = follow(sight, (*lead, int(channels) // factor**2, height, factor, width, factor))
    order = [*range(first + 1), first + 2, first + 4, first + 1, first + 3]
    return follow(permute(sight, order), call.output)


def channel_shuffle(call: Call) -> Result:
    """(groups * C, ...) to (C * groups, ...): the first channel of every group, then the second."""
    sight = call.main("self")
    groups = call.number("groups")
    images, channels, *positions = call.output
    sight = follow(sight, (images, groups, int(channels) // groups, *positions))
    return follow(permute(sight, [0, 2, 1, *range(3, len(sight.dims))]), call.output)


def gated_halves(call: Call) -> Result:
    """The first half of a dimension, times a gate made of the second."""
    sight = call.main("self")
    dim = dimension(call.number("dim"), len(sight.dims))
    half = length(sight, dim) // 2
    halves = [piece(sight, dim, start, 1, half) for start in (0, half)]
    return meet(halves, call.output, gate="gate")
