"""Gradients that stand in: autograd never runs, and whatever the file does to them is seen.

In: a network. Out: `.grad` for all its weights, which are pieces of one row of numbers, so that one
look at the row tells whether the file set it to zero or changed it. The numbers are large: clamping
and scaling by hand changes them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

LARGE = 100.0
CLOSE = 1e-4
"""How far clipped gradients may be from what a limit gives, relative to it: float32 rounding."""
LOOKED_AT = 100_000
"""Numbers of the row that are compared after each step, at most."""


class Gradients:
    """The gradients of one network; kept as long as the network is."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self._weights = [
            weight
            for weight in network.parameters()
            if weight.requires_grad and weight.dtype == torch.float32
        ]
        generator = torch.Generator().manual_seed(0)
        sizes = [weight.numel() for weight in self._weights]
        self._row = torch.randn(max(1, sum(sizes)), generator=generator) * LARGE
        self._row[0] = LARGE
        self._kept = self._row.clone()
        step = -(-len(self._row) // LOOKED_AT)
        self._numbers = self._row.numpy()  # the same memory: one number is read faster
        self._looked_at = self._numbers[::step]
        self._expected = self._looked_at.tobytes()
        self._is_dirty = False
        self._version = self._row._version
        self._limit: float | None = None
        self._is_doubled = False
        pieces = torch.split(self._row[: sum(sizes)], sizes) if sizes else ()
        self._pieces = [
            piece.view(weight.shape) for piece, weight in zip(pieces, self._weights, strict=True)
        ]

    def fits(self) -> bool:
        """Whether the same weights are trained as when it was made."""
        return False not in [weight.requires_grad for weight in self._weights]

    def are_cleared(self) -> bool:
        """Whether the file itself set them to zero, or to None."""
        if not self._weights:
            return False
        if self._weights[0].grad is None:
            return True
        return bool(self._numbers[0] == 0)

    def fill(self) -> None:
        """Make them all there, as after `backward()`."""
        if self._limit is not None:
            self._kept *= 0.5 if self._is_doubled else 2.0
            self._is_doubled = not self._is_doubled
            self._is_dirty = True
        if self._row._version != self._version or self._is_dirty or self._numbers[0] != LARGE:
            self._row.copy_(self._kept)
            self._expected = self._looked_at.tobytes()
            self._version = self._row._version
            self._is_dirty = False
        for weight, piece in zip(self._weights, self._pieces, strict=True):
            if weight.grad is not piece:
                weight.grad = piece

    def change(self) -> str:
        """What the file did to them since `fill`: "", "set to zero", or that they were changed."""
        if not self._weights:
            return ""
        if self.are_cleared():
            return "set to zero"
        pairs = zip(self._weights, self._pieces, strict=True)
        same = [weight.grad is piece for weight, piece in pairs]
        if False not in same and self._row._version == self._version and not self._is_changed():
            return ""
        self._is_dirty = True
        return "changed by hand"

    def clipping(self) -> tuple[str, float] | None:
        """The clipping that the file did itself, if it is one: its kind, and the limit.

        A norm that was clipped and gradients that were multiplied look alike. From the first on,
        every other step has gradients of twice the size, which only a limit makes equal again.
        """
        now = self._now()
        if now is None:
            return None
        kept = self._kept[: len(now)]
        most = now.abs().max()
        if most < kept.abs().max() and torch.equal(now, kept.clamp(-most, most)):
            return "value", _rounded(float(most))
        ratio = float(now[0] / kept[0])
        if not 0 < ratio < 1 or not torch.allclose(now, kept * ratio, rtol=CLOSE):
            return None
        limit = _rounded(float(now.double().norm()))
        if self._limit is None:
            self._limit = limit
        return ("norm", limit) if abs(limit - self._limit) <= CLOSE * limit else None

    def _now(self) -> Tensor | None:
        """All gradients as they are, in a row; None where one is missing."""
        found = []
        for weight in self._weights:
            if weight.grad is None or weight.grad.numel() != weight.numel():
                return None
            found.append(weight.grad.detach().flatten())
        return torch.cat(found)

    def __len__(self) -> int:
        return len(self._weights)

    def _is_changed(self) -> bool:
        return self._looked_at.tobytes() != self._expected


class AllGradients:
    """Those of every network that is trained."""

    def __init__(self) -> None:
        self._known: dict[int, Gradients] = {}

    def of(self, network: Any) -> Gradients:
        """The gradients of a network, made anew where other weights are frozen than before."""
        found = self._known.get(id(network))
        if found is None or not found.fits():
            found = self._known[id(network)] = Gradients(network)
        return found


def _rounded(limit: float) -> float:
    return float(f"{limit:.4g}")


def fingerprint(network: nn.Module) -> tuple[Any, ...] | None:
    """Changes whenever the values of the weights do; None where they have none yet."""
    try:
        with torch.no_grad():
            return tuple(_print(weight) for weight in network.parameters())
    except (RuntimeError, ValueError):
        return None


def _print(weight: Tensor) -> tuple[tuple[int, ...], float, float]:
    values = weight.detach().flatten()
    return tuple(weight.shape), float(values.sum()), float(values[:1].sum())
