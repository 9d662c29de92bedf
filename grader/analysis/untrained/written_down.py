"""How many bytes it takes to write numbers down: few for a formula, many for what was learned.

In: a tensor. Out: a size in bytes. Every number keeps the eight binary digits of a bfloat16, which
is what a network needs to work. The shortest of several codings counts, and each could be decoded:

    as they are        the digits of all numbers, compressed: repetitions and few distinct values
    gaps               where the numbers are that are not zero, and these: identities, one-hot rows
    curves             along an axis, a polynomial or a wave for each line, and what it misses:
                       encodings of positions, coordinates, windows, filters by a cosine
    products           a matrix as a sum of a few products of a column and a row, and what is missed

A wave of 196 values is six numbers and a row of zeros; 196 learned numbers are 196 numbers.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import torch
from torch import Tensor

ONE_VALUE = 4
"""Bytes for one value in all places: the value, and that it is the only one."""
COEFFICIENT_BYTES = 3
"""A coefficient keeps 16 binary digits; curves are evaluated from the rounded coefficients."""

_FLUSHED = 2.0**-10
"""What is smaller than this, beside the smallest quarter of the numbers, is written as zero."""
_LONG = 8
"""A line shorter than this is not worth a curve."""
_MOST_RANK = 8
_LARGE = 2**17
"""More numbers than this are only compressed."""
_DIGITS = torch.bfloat16


def size(numbers: Tensor) -> int:
    """Bytes of the shortest coding. Not finite numbers count as zeros."""
    values = numbers.detach().double().nan_to_num(posinf=0.0, neginf=0.0)
    if not values.numel():
        return 0
    if bool((values == values.flatten()[0]).all()):
        return ONE_VALUE
    return min(_codings(_flushed(values)))


def _codings(values: Tensor) -> Iterator[int]:
    if values.count_nonzero() * 4 < values.numel():
        places = values.flatten().nonzero().flatten()
        gaps = places.diff(prepend=places[:1])
        yield _compressed(gaps.int()) + _as_they_are(values.flatten()[places])
    if values.numel() > _LARGE:
        yield _as_they_are(values)
        return
    for axis, length in enumerate(values.shape):
        if length > 1:
            yield _as_they_are(values.movedim(axis, -1))
    for axis, length in enumerate(values.shape):
        if length >= _LONG and values.numel() >= 4 * _LONG:
            lines = values.movedim(axis, 0).reshape(length, -1)
            yield from _curves(lines)
            yield from _products(lines)
    if values.dim() > 2 and values.shape[-1] * values.shape[-2] >= 4 * _LONG:
        # A map, read as text is: positions that were counted through all of it.
        yield from _curves(values.flatten(-2).movedim(-1, 0).flatten(1))


def _curves(lines: Tensor) -> Iterator[int]:
    """`lines` (length, count): each column is coded by a cubic, or by a wave on a straight line."""
    length, count = lines.shape
    at = torch.linspace(-1, 1, length, dtype=torch.float64)
    cubic = torch.stack([at**power for power in range(4)], 1)
    polynomial = cubic @ _rounded(torch.linalg.lstsq(cubic, lines).solution)
    pace = _rounded(_pace(lines))
    turns = torch.arange(length, dtype=torch.float64).view(1, -1, 1) * pace.view(-1, 1, 1)
    straight = cubic[:, :2].expand(count, length, 2)
    waves = torch.cat([turns.cos(), turns.sin(), straight], 2)
    parts = _rounded(_solved(waves, lines.t().unsqueeze(2)))
    wave = (waves @ parts).squeeze(2).t()
    cost = COEFFICIENT_BYTES * count
    yield 4 * cost + _missed(lines, polynomial)
    yield 5 * cost + _missed(lines, wave)
    better = (lines - wave).square().sum(0) < (lines - polynomial).square().sum(0)
    coefficients = cost * 4 + COEFFICIENT_BYTES * int(better.sum()) + (count + 7) // 8
    yield coefficients + _missed(lines, torch.where(better, wave, polynomial))


def _pace(lines: Tensor) -> Tensor:
    """Radians per step of the wave nearest to each column: x[t + 1] + x[t - 1] = 2 cos(pace) x[t].

    Slow waves are hardly told from straight lines here; the cubic is for them.
    """
    middle = lines[1:-1]
    energy = middle.square().sum(0).clamp_min(1e-300)
    cosine = ((lines[2:] + lines[:-2]) * middle).sum(0) / energy / 2
    return cosine.clamp(-1, 1).acos()


def _solved(bases: Tensor, wanted: Tensor) -> Tensor:
    """Least squares by the normal equations, a little regular: `bases` may hold equal columns."""
    square = bases.mT @ bases
    square += 1e-9 * torch.eye(square.shape[-1], dtype=square.dtype) * bases.shape[1]
    solution: Tensor = torch.linalg.solve(square, bases.mT @ wanted)
    return solution


def _products(matrix: Tensor) -> Iterator[int]:
    """The matrix as a sum of products, as many as are needed to miss nothing that counts."""
    rows, columns = matrix.shape
    if min(rows, columns) < 2 or max(rows, columns) > 4096:
        return
    left, strength, right = torch.linalg.svd(matrix, full_matrices=False)
    rank = int((strength > 2.0**-9 * strength[0]).sum())
    if not 0 < rank <= min(_MOST_RANK, min(rows, columns) // 2):
        return
    root = strength[:rank].sqrt()
    left, right = left[:, :rank] * root, root.unsqueeze(1) * right[:rank]
    parts = _compressed(_digits(left.t())) + _compressed(_digits(right))
    yield parts + _missed(matrix, left.to(_DIGITS).double() @ right.to(_DIGITS).double())


def _missed(values: Tensor, coded: Tensor) -> int:
    """What is left to say: in steps of the last digit, none where the curve is right."""
    steps = _digits(values).int() - _digits(_flushed(coded)).int()
    scale = values.square().mean().sqrt()
    near = (values - coded).abs() <= scale * 2.0**-9
    return _compressed(torch.where(near, 0, steps))


def _flushed(values: Tensor) -> Tensor:
    sizes = values.abs().flatten()
    sizes = sizes[sizes > 0]
    if not len(sizes):
        return values
    least = sizes.kthvalue(max(1, len(sizes) // 4)).values * _FLUSHED
    return torch.where(values.abs() < least, 0.0, values)


def _digits(values: Tensor) -> Tensor:
    """The bfloat16 nearest to each number, as whole numbers in the order of the numbers."""
    code = values.contiguous().to(_DIGITS).view(torch.int16).int()
    return torch.where(code < 0, -(code & 0x7FFF), code)


def _rounded(coefficients: Tensor) -> Tensor:
    """To 16 binary digits."""
    exponent = torch.frexp(coefficients).exponent
    return torch.ldexp(torch.ldexp(coefficients, 16 - exponent).round(), exponent - 16)


def _as_they_are(values: Tensor) -> int:
    return _compressed(values.contiguous().to(_DIGITS).view(torch.int16))


def _compressed(whole: Tensor) -> int:
    """Bytes of whole numbers, their high and low bytes apart, compressed without a header."""
    flat = whole.contiguous().flatten().int()
    wide = bool(len(flat)) and int(flat.abs().max()) > 2**15
    raw = flat.numpy() if wide else flat.to(torch.int16).numpy()
    planes = raw.view("u1").reshape(-1, 4 if wide else 2).T
    press = zlib.compressobj(9 if len(flat) <= _LARGE else 1, zlib.DEFLATED, -15)
    return len(press.compress(planes.tobytes()) + press.flush())
