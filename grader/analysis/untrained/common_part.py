"""What draws of one tensor under several seeds have in common, however a seed disguised it.

In: the tensor under each seed. Out: the numbers that were there before any seed drew, or nothing.

A network computes the same after each output channel of a layer is scaled, turned in sign or moved
elsewhere, if the layers around it follow. So draws are compared in forms that none of this changes:

    scale   rows and columns (output and input channels) are scaled until each has the same energy;
            there is one such form, whatever the scales were (Sinkhorn and Knopp, 1967)
    sign    rows and columns are turned to the signs in which two draws agree best
    order   of each row (and column) one number that neither order, scale nor sign changes: its mean
            fourth power. That many rows share it to six digits is no chance.

The order is found among exact copies alone. Copies with noise on top, in another order, are seen by
what they compute (`same_function`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

ALIKE = 0.5
"""Two draws of one distribution differ by 1.4 times its spread; less than this times it, and one
was not drawn."""
FREE = 32
"""Numbers that must be left after scales and signs were chosen. Fewer agree by chance, and count
only where they are equal."""
SAME = 1e-5
"""Difference of two rows' marks that counts as none, beside the spread of all: float32, and scales
that are not quite found."""
SHARE = 0.25
"""Of the rows, so many must be found again."""

_ROUNDS = 40


def common(tensors: Sequence[Tensor]) -> Tensor | None:
    """What any two of these draws share, perhaps in another scale; None where all were drawn."""
    draws = torch.stack([tensor.detach().double() for tensor in tensors])
    draws = draws.nan_to_num(posinf=0.0, neginf=0.0)
    for a, b in itertools.combinations(range(len(draws)), 2):
        if torch.equal(draws[a], draws[b]):
            return draws[a]
    if draws[0].numel() < FREE:
        return None
    for a, b in _alike(draws):
        return _without_noise((draws[a] + draws[b]) / 2, noise=(draws[a] - draws[b]).std())
    plain = _as_rows_and_columns(draws)
    forms = _balanced(plain)
    rows, columns, places = forms[0].shape
    if rows * columns * (places - 1) + (rows - 1) * (columns - 1) >= FREE:
        for a, b in _alike(forms.abs()):
            turned = _turned(forms[a], forms[b])
            if _alike(torch.stack([forms[a], turned])):
                return (forms[a] + turned) / 2
    moved = _in_any_order(forms, _fourth_powers)
    return _in_any_order(plain, _lengths) if moved is None else moved


def _alike(draws: Tensor) -> list[tuple[int, int]]:
    """The pairs of draws that differ by little beside their spread."""
    flat = draws.flatten(1)
    moved = flat - flat.mean(1, keepdim=True)
    length = moved.norm(dim=1)
    near = torch.cdist(moved, moved) <= ALIKE * torch.maximum(length, length.unsqueeze(1))
    return [(a, b) for a, b in near.nonzero().tolist() if a < b]


def _without_noise(part: Tensor, *, noise: Tensor) -> Tensor:
    """An identity that noise was added to is an identity; of others the noise is kept."""
    steps = (part / (4 * noise)).round()
    high = steps[steps != 0]
    one_sign = abs(float(high.sign().sum())) == len(high) <= part.numel() / 4
    if one_sign and float(part[steps != 0].std(correction=0)) <= 4 * noise:
        return (steps != 0).to(part.dtype)
    return part


def _as_rows_and_columns(draws: Tensor) -> Tensor:
    """(draws, rows, columns, places): a row per output and a column per input channel of a layer.

    A vector is one row and one column: it has no scale but that of the whole.
    """
    shape = list(draws.shape[1:])
    while shape and shape[0] == 1 and len(shape) != 4:
        shape.pop(0)
    if len(shape) < 2 or max(shape) == draws[0].numel():
        return draws.reshape(len(draws), 1, 1, -1)
    return draws.reshape(len(draws), shape[0], shape[1], -1)


def _balanced(draws: Tensor) -> Tensor:
    """Scaled so that in each draw all rows have the same energy, and all columns."""
    energy = draws.square().sum(3)
    energy = energy + 1e-30 * energy.amax((1, 2), keepdim=True).clamp_min(1e-200)
    rows, columns = torch.ones_like(energy[:, :, :1]), torch.ones_like(energy[:, :1])
    for _ in range(_ROUNDS):
        rows = 1 / (energy @ columns.mT)
        columns = 1 / (rows.mT @ energy)
    rows = rows * energy.shape[2]
    balanced: Tensor = draws * (rows * columns).sqrt().unsqueeze(3) * draws.shape[3] ** 0.5
    return balanced


def _turned(one: Tensor, other: Tensor) -> Tensor:
    """`other` with the signs of its rows and columns under which it agrees best with `one`."""
    agreement = (one * other).sum(2)
    columns = torch.ones(agreement.shape[1], dtype=agreement.dtype)
    strongest = agreement.square().sum(0).argmax()
    rows = _signs(agreement[:, strongest])
    for _ in range(6):
        columns = _signs(rows @ agreement)
        rows = _signs(agreement @ columns)
    return other * rows.view(-1, 1, 1) * columns.view(1, -1, 1)


def _signs(values: Tensor) -> Tensor:
    return torch.where(values < 0, -1.0, 1.0).to(values.dtype)


def _in_any_order(forms: Tensor, marked: Callable[[Tensor], Tensor]) -> Tensor | None:
    """The rows, or columns, of one draw that another has too, wherever they are there."""
    found: list[Tensor] = []
    for lines in (forms.flatten(2), forms.transpose(1, 2).flatten(2)):
        lines = lines if lines.shape[1] > 1 else lines.transpose(1, 2)
        marks = marked(lines)
        least = max(3, SHARE * marks.shape[1])
        if int((marks.flatten().sort().values.diff() <= SAME * marks.std()).sum()) < least:
            continue
        for a, b in itertools.combinations(range(len(marks)), 2):
            shared = _shared(marks[a], marks[b])
            if int(shared.sum()) >= least:
                found.append(lines[a][shared])
    return max(found, key=torch.numel, default=None)


def _lengths(lines: Tensor) -> Tensor:
    """Beside that of the whole; turning all lines by one rotation leaves it as it is."""
    whole = torch.linalg.vector_norm(lines.flatten(1), dim=1, keepdim=True)
    lengths: Tensor = torch.linalg.vector_norm(lines, dim=2) / whole.clamp_min(1e-300)
    return lengths


def _fourth_powers(lines: Tensor) -> Tensor:
    """A number of each line that its order, its scale and its sign leave as it is."""
    if lines.shape[2] == 1:
        return lines.squeeze(2).abs()
    squares = lines.square()
    return squares.square().sum(2) / squares.sum(2).square().clamp_min(1e-300)


def _shared(marks: Tensor, others: Tensor) -> Tensor:
    """Which of the marks are among the others, and stand alone among their own.

    Few distinct marks, such as those of rows of signs, are shared by chance.
    """
    ordered, places = marks.sort()
    steps = torch.nn.functional.pad(ordered.diff(), (1, 1), value=torch.inf)
    alone = torch.empty_like(marks).scatter_(0, places, torch.minimum(steps[:-1], steps[1:]))
    among = others.sort().values
    right = torch.searchsorted(among, marks).clamp(1, len(among) - 1)
    nearest = torch.minimum((marks - among[right - 1]).abs(), (marks - among[right]).abs())
    near = min(SAME, 0.02 / len(marks)) * marks.std()
    return (nearest <= near) & (alone > 4 * near)
