"""A stand-in for torchmetrics: accuracy as it is, everything else absorbed.

Those who train with Lightning measure with it, and may stop by it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from grader.capture.rehearsal.absorbed import Absorbed, AbsorbedModule


def accuracy(predictions: Tensor, target: Tensor, *_: Any, **options: Any) -> Any:
    """The share of right answers, 0 to 1, of scores (N, classes) or answers (N)."""
    if options.get("top_k") not in (None, 1):
        return Absorbed("torchmetrics.functional.accuracy()")
    answers = predictions.argmax(1) if predictions.dim() > target.dim() else predictions
    return (answers == target).float().mean()


class Accuracy:
    """Counts right answers until it is reset. Not an nn.Module: it is no part of the network."""

    def __init__(self, *_: Any, **options: Any) -> None:
        self._options = options
        self.reset()

    def reset(self) -> None:
        """Forget what was counted."""
        self._sum, self._count = 0.0, 0

    def update(self, predictions: Tensor, target: Tensor) -> None:
        """Count a batch."""
        self(predictions, target)

    def __call__(self, predictions: Tensor, target: Tensor) -> Any:
        """Count a batch, and give its share."""
        share = accuracy(predictions, target, **self._options)
        self._sum = self._sum + share * len(target)
        self._count += len(target)
        return share

    def compute(self) -> Any:
        """The share of all batches since it was reset."""
        total = self._sum
        if not isinstance(total, Tensor | Absorbed):
            return torch.tensor(0.0)
        return total / max(self._count, 1)

    def to(self, *_: Any, **__: Any) -> Accuracy:
        """Stay here."""
        return self

    cuda = cpu = clone = to


def module(name: str) -> AbsorbedModule:
    """`torchmetrics`, or a module in it."""
    found = AbsorbedModule(name)
    known: dict[str, Any] = {"Accuracy": Accuracy, "MulticlassAccuracy": Accuracy}
    known |= {"accuracy": accuracy, "multiclass_accuracy": accuracy}
    if name.endswith(".functional"):
        del known["Accuracy"], known["MulticlassAccuracy"]
    vars(found).update(known)
    return found
