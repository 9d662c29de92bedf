"""Which positions of a tensor dimension an output position reads: a function for each operator.

In: sizes and settings. Out: `Reads`. Arithmetic along one dimension only; no graphs and no tensors
here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, slots=True)
class Reads:
    """What each output position reads, exactly and as a rule.

    `index[i]` are the input positions that output position i reads; the entry `size` (one past the
    last position) stands for padding, where there is nothing to read. As a rule, borders apart,
    position i reads between `ratio * i + low` and `ratio * i + high`: all that is needed to compose
    receptive fields.
    """

    index: NDArray[np.intp]
    size: int
    low: Fraction
    high: Fraction
    ratio: Fraction

    @property
    def outputs(self) -> int:
        """Number of output positions."""
        return len(self.index)

    @property
    def slack(self) -> Fraction:
        """By how much the rule's window is wider than the widest that any position reads."""
        inside = np.where(self.index < self.size, self.index, -1)
        ends = np.where(self.index < self.size, self.index, self.size)
        read = inside.max(axis=1) - ends.min(axis=1)
        whole = (self.index < self.size).all(axis=1)
        if whole.all() and self.ratio.denominator > 1:
            return self.high - self.low - int(read.max())
        return Fraction(0)

    @property
    def identical(self) -> bool:
        """Every output position reads exactly its own input position."""
        return self.index.shape == (self.size, 1) and bool(
            (self.index[:, 0] == np.arange(self.size)).all()
        )

    @property
    def sees(self) -> NDArray[np.bool_]:
        """For each output position, whether it reads anything but padding."""
        return np.asarray((self.index < self.size).any(axis=1))

    @property
    def takes_all(self) -> bool:
        """One output position that reads every input position: the dimension is gone."""
        return (
            self.outputs == 1
            and self.size > 1
            and set(self.index[0].tolist()) >= set(range(self.size))
        )


def convolution(
    size: int, outputs: int, *, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Reads:
    """Windows of `kernel` positions, `dilation` apart; one every `stride` positions.

    The first begins `padding` before the start.
    Pooling is the same. Windows that stick out at the end (ceil_mode, padding) read nothing there.
    """
    starts = np.arange(outputs)[:, None] * stride - padding
    index = _inside(starts + np.arange(kernel)[None, :] * dilation, size)
    return Reads(
        index,
        size,
        Fraction(-padding),
        Fraction(dilation * (kernel - 1) - padding),
        Fraction(stride),
    )


def same_padding(*, kernel: int, dilation: int = 1) -> int:
    """What padding='same' puts before the first position; an odd one out goes after the last."""
    return dilation * (kernel - 1) // 2


def transposed(
    size: int, outputs: int, *, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Reads:
    """Input position i is scattered to stride * i - padding + dilation * t, for every tap t.

    So output o reads (o + padding - dilation * t) / stride where that is whole.
    """
    reach = np.arange(outputs)[:, None] + padding - np.arange(kernel)[None, :] * dilation
    index = np.where(reach % stride == 0, _inside(reach // stride, size), size)
    # A tap is read only where the division comes out even. Among `stride` neighbouring outputs that
    # happens once for each tap, so all of them count.
    offsets = [Fraction(padding - dilation * tap, stride) for tap in range(kernel)]
    return Reads(index, size, min(offsets), max(offsets), Fraction(1, stride))


def adaptive(size: int, outputs: int) -> Reads:
    """Bin i goes from floor(i * size / outputs) to ceil((i + 1) * size / outputs), end excluded."""
    ratio = Fraction(size, outputs)
    bins = [range(floor(i * ratio), ceil((i + 1) * ratio)) for i in range(outputs)]
    return listed(bins, size, ratio)


def border(size: int, before: int, after: int, mode: str = "constant") -> Reads:
    """Padding (or, with negative amounts, cropping): `mode` as in torch.nn.functional.pad."""
    places = np.arange(-before, size + after)
    if mode == "reflect":
        places = np.abs(places)
        places = np.where(places >= size, 2 * (size - 1) - places, places)
    elif mode == "replicate":
        places = places.clip(0, size - 1)
    elif mode == "circular":
        places = places % size
    # Mirrored and repeated borders are borders: the rule is that of the positions inside.
    return Reads(
        _inside(places[:, None], size), size, Fraction(-before), Fraction(-before), Fraction(1)
    )


def piece(size: int, start: int, step: int, outputs: int) -> Reads:
    """Every `step`-th position from `start` on, as in x[start::step]."""
    index = (start + step * np.arange(outputs))[:, None]
    return Reads(index, size, Fraction(start), Fraction(start), Fraction(step))


def flipped(size: int) -> Reads:
    """The positions in reverse order."""
    end = Fraction(size - 1)
    return Reads(np.arange(size)[::-1, None], size, end, end, Fraction(-1))


def rolled(size: int, shift: int) -> Reads:
    """The positions moved round by `shift`, as in torch.roll; as a rule, the shorter way."""
    index = ((np.arange(size) - shift) % size)[:, None]
    offset = Fraction((size // 2 - shift) % size - size // 2)
    return Reads(index, size, offset, offset, Fraction(1))


def running(size: int) -> Reads:
    """Every position and all before it, as in torch.cumsum."""
    index = np.where(np.tri(size, dtype=bool), np.arange(size)[None, :], size)
    return Reads(index, size, Fraction(1 - size), Fraction(0), Fraction(1))


def resized(
    size: int, outputs: int, *, taps: int, scale: float | None = None, align_corners: bool = False
) -> Reads:
    """Resizing by nearest (1 tap), linear (2 taps) or cubic (4 taps) interpolation.

    `scale` is outputs per input where the caller gave it. Neighbours of weight 0 count as read, as
    PyTorch multiplies them too (but it copies where linear interpolation keeps the size).
    """
    if taps == 2 and size == outputs:
        return piece(size, 0, 1, size)
    ratio = Fraction(1 / scale).limit_denominator(10_000) if scale else Fraction(size, outputs)
    if align_corners and taps > 1:
        ratio = Fraction(size - 1, outputs - 1) if outputs > 1 else Fraction(0)
    first = -1 if taps == 4 else 0
    reads = []
    for i in range(outputs):
        start = floor(_centre(i, ratio, taps, align_corners=align_corners)) + first
        inside = {min(max(start + tap, 0), size - 1) for tap in range(taps)}
        reads.append(sorted(inside))
    return listed(reads, size, ratio or Fraction(1))


def _centre(position: int, ratio: Fraction, taps: int, *, align_corners: bool) -> float:
    """Where an output position lies among the input's, rounded as PyTorch does (float32)."""
    step = np.float32(float(ratio))
    if taps == 1 or align_corners:
        return float(step * np.float32(position))
    centre = float(step * np.float32(position + 0.5) - np.float32(0.5))
    return centre if taps == 4 else max(centre, 0.0)


def listed(reads: Sequence[Sequence[int]], size: int, ratio: Fraction) -> Reads:
    """Reads from a list of the positions that each output position reads."""
    most = max(len(positions) for positions in reads)
    index = np.array(
        [[*positions, *[size] * (most - len(positions))] for positions in reads], dtype=np.intp
    )
    return Reads(index, size, *_offsets(index, size, ratio), ratio)


def _inside(positions: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    return np.where((positions >= 0) & (positions < size), positions, size)


def _offsets(index: NDArray[np.intp], size: int, ratio: Fraction) -> tuple[Fraction, Fraction]:
    offsets: list[Fraction] = []
    for i, row in enumerate(index):
        offsets.extend(int(place) - ratio * i for place in row if place < size)
    return min(offsets, default=Fraction(0)), max(offsets, default=Fraction(0))
