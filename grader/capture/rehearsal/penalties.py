"""Terms on weights, told from the gradient that they have.

In: weights, the real gradient of the sum of all terms for each, and its value. Out: PenaltyTerms,
or None where L1, L2 and norms do not give that gradient and that value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from grader.capture.rehearsal.trace import PenaltyTerm

FIT = 1e-3
"""How much of a gradient may be left unexplained, relative to its largest number."""
TINY = 1e-5
"""Of two factors, one that is smaller than the other by this much is rounding."""
LOOKED_AT = 50_000
"""Numbers of a weight that are fitted, at most."""
VALUE = 2e-3
"""How far the value of all terms may be from what the factors give, relative to it."""


@dataclass(slots=True)
class _Fit:
    """`along_sign` and `along`: the gradient is the one times sign(w), plus the other times w."""

    weight: Tensor
    along_sign: float
    along: float
    single: bool = field(default=False)


def fitted(
    weights: Sequence[Tensor], gradients: Sequence[Tensor | None], value: float
) -> tuple[PenaltyTerm, ...] | None:
    """The terms whose gradients these are, and whose sum has this value."""
    fits = []
    for weight, gradient in zip(weights, gradients, strict=True):
        if gradient is None or not bool(gradient.any()):
            continue
        fit = _fit(weight.detach().double().flatten(), gradient.detach().double().flatten())
        if fit is None:
            return None
        fits.append(_Fit(weight, *fit, single=weight.numel() == 1))
    several = [fit for fit in fits if not fit.single] or fits
    for square in (True, False):
        terms = _terms(several, fits, square=square)
        if terms is not None and _is_close(_value(terms, weights), value):
            return terms
    return None


def _fit(weight: Tensor, gradient: Tensor) -> tuple[float, float] | None:
    """Least squares of the gradient on sign(w) and w; None where they do not explain it."""
    step = -(-len(weight) // LOOKED_AT)
    weight, gradient = weight[::step], gradient[::step]
    columns = torch.stack([weight.sign(), weight], dim=1)
    if len(weight) == 1:
        ratio = float(gradient[0] / weight[0]) if float(weight[0]) else math.nan
        return (0.0, ratio) if math.isfinite(ratio) else None
    found = torch.linalg.lstsq(columns, gradient[:, None], driver="gelsd").solution.flatten()
    left = gradient - columns @ found
    if float(left.abs().max()) > FIT * float(gradient.abs().max()):
        return None
    along_sign, along = float(found[0]), float(found[1])
    reach = float(weight.abs().mean()) * abs(along)
    if abs(along_sign) < TINY * reach:
        along_sign = 0.0
    if reach < TINY * abs(along_sign):
        along = 0.0
    return along_sign, along


def _terms(
    several: list[_Fit], fits: list[_Fit], *, square: bool
) -> tuple[PenaltyTerm, ...] | None:
    """Terms of equal kind and factor, with what points along w taken for squares or for norms."""
    kind = "l2" if square else "norm"
    found: dict[tuple[str, float], list[int]] = {}
    for fit in several:
        if fit.along_sign:
            found.setdefault(("l1", _rounded(fit.along_sign)), []).append(id(fit.weight))
        if fit.along:
            factor = _factor(fit, square=square)
            found.setdefault((kind, _rounded(factor)), []).append(id(fit.weight))
    merged = _merged(found)
    if several is not fits and not _join(merged, [fit for fit in fits if fit.single]):
        return None
    if any(factor <= 0 for _, factor in merged):
        return None
    norms = [factor for name, factor in merged if name == "norm"]
    if len(norms) > 1:  # the norm of several weights together, or something else
        return None
    return tuple(
        PenaltyTerm(name, factor, tuple(ids)) for (name, factor), ids in sorted(merged.items())
    )


def _factor(fit: _Fit, *, square: bool) -> float:
    norm = float(fit.weight.detach().double().norm())
    return fit.along / 2 if square else fit.along * norm


def _merged(found: dict[tuple[str, float], list[int]]) -> dict[tuple[str, float], list[int]]:
    """Factors that differ by rounding are one."""
    merged: dict[tuple[str, float], list[int]] = {}
    for (kind, factor), ids in found.items():
        alike = [
            key for key in merged if key[0] == kind and abs(key[1] - factor) <= FIT * abs(factor)
        ]
        merged.setdefault(alike[0] if alike else (kind, factor), []).extend(ids)
    return merged


def _join(merged: dict[tuple[str, float], list[int]], singles: list[_Fit]) -> bool:
    """A single number fits any kind: it belongs to the terms that the others have."""
    for fit in singles:
        weight, gradient = float(fit.weight), fit.along * float(fit.weight)
        expected = 0.0
        for kind, factor in merged:
            expected += factor * (2 * weight if kind == "l2" else math.copysign(1, weight))
        if abs(expected - gradient) > FIT * abs(gradient):
            return False
        for ids in merged.values():
            ids.append(id(fit.weight))
    return True


def _value(terms: tuple[PenaltyTerm, ...], weights: Sequence[Tensor]) -> float:
    known = {id(weight): weight.detach().double() for weight in weights}
    total = 0.0
    for term in terms:
        for weight in (known[name] for name in term.parameters):
            if term.kind == "l1":
                total += term.factor * float(weight.abs().sum())
            elif term.kind == "l2":
                total += term.factor * float((weight * weight).sum())
            else:
                total += term.factor * float(weight.norm())
    return total


def _is_close(one: float, two: float) -> bool:
    return abs(one - two) <= VALUE * max(abs(one), abs(two)) + 2e-6


def _rounded(factor: float) -> float:
    return float(f"{factor:.5g}")
