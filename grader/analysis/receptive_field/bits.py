"""Arrays of bits: for every element of a tensor, which rows (or columns) of the image it sees.

In and out: `Bits`. Sizes and unions only; what the axes mean is in `grader.analysis.sight`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from grader.analysis.receptive_field.windows import Reads

Bits = NDArray[np.uint64]
"""One axis per part of a tensor, then one of 64-bit words: a bit per row of the image.

An axis is as long as its part, or 1 where all elements along it see the same.
"""

MOST_CELLS = 50_000_000


class NotProven(Exception):  # noqa: N818 - it is an answer, not an error
    """The receptive field cannot be told behind this operator; the message says why."""


def identity(size: int) -> Bits:
    """Bit i in row i, in 64-bit words: shape (size, words)."""
    bits = np.zeros((size, -(-size // 64)), np.uint64)
    places = np.arange(size)
    bits[places, places // 64] = np.uint64(1) << (places % 64).astype(np.uint64)
    return bits


def gather(bits: Bits, at: int, reads: Reads) -> Bits:
    """The union, for each output position along array axis `at`, of the bits that it reads."""
    if bits.shape[at] == 1:
        sees = reads.sees
        if sees.all():
            return bits
        mask = sees.reshape((-1,) + (1,) * (bits.ndim - at - 1))
        return np.where(mask, bits, np.uint64(0))
    if reads.takes_all:
        return any_of(bits, (at,))
    _check_cells(bits.size // bits.shape[at] * reads.index.size)
    nothing = np.zeros((*bits.shape[:at], 1, *bits.shape[at + 1 :]), np.uint64)
    found: Bits = np.concatenate((bits, nothing), axis=at).take(reads.index, axis=at)
    union: Bits = np.bitwise_or.reduce(found, axis=at + 1)
    return union


def any_of(bits: Bits, axes: Iterable[int]) -> Bits:
    """The union over array axes, each kept with size 1."""
    for axis in axes:
        if bits.shape[axis] > 1:
            bits = np.bitwise_or.reduce(bits, axis=axis, keepdims=True)
    return bits


def join(bits: Bits, axes: range, sizes: Sequence[int]) -> Bits:
    """Array axes as one; their tensor parts have `sizes`."""
    if not axes:
        return np.expand_dims(bits, axes.start)
    shape = bits.shape
    inside = shape[axes.start : axes.stop]
    if all(size == 1 for size in inside):
        return bits.reshape(*shape[: axes.start], 1, *shape[axes.stop :])
    _check_cells(bits.size // prod(inside) * prod(sizes))
    full = np.broadcast_to(bits, (*shape[: axes.start], *sizes, *shape[axes.stop :]))
    return full.reshape(*shape[: axes.start], -1, *shape[axes.stop :])


def within_groups(bits: Bits, at: int, groups: int, outputs: int) -> Bits:
    """Along array axis `at`, the union within each of `groups`, repeated to `outputs` elements."""
    if bits.shape[at] == 1:
        return bits
    grouped = bits.reshape(*bits.shape[:at], groups, -1, *bits.shape[at + 1 :])
    return np.repeat(np.bitwise_or.reduce(grouped, axis=at + 1), outputs // groups, axis=at)


def _check_cells(cells: int) -> None:
    if cells > MOST_CELLS:
        raise NotProven("the dependency table would be too large")
