"""Who computes a batch's loss and gradients, and scores of images: torch, or an engine's own code.

In: prepared images and their labels. Out: the loss and how many were recognised, with gradients in
the weights' `grad`. Everything else of training is `loop`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from grader.errors import SubmissionError
from grader.network import Network
from grader.program.recipe import Loss, Recipe
from grader.training.engine import penalties


class Learner(Protocol):
    """A network that learns from one batch after the other; the optimizer is somebody else's."""

    def begin(self, seed: int) -> None:
        """An epoch begins, whose dropout follows from `seed`."""

    def learn(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of a batch (N, C, H, W), where none were; its loss, and how many were right."""

    def look(self, images: Tensor) -> Tensor:
        """Scores (N, classes) by the evaluation graph."""


def as_it_is(images: Tensor) -> Tensor:
    """The images themselves."""
    return images


class ByTorch:
    """A Learner by autograd, whose dropout draws from torch's own random numbers.

    `lay_out` changes how prepared images lie in memory, never their values.
    """

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        lay_out: Callable[[Tensor], Tensor] = as_it_is,
    ) -> None:
        self._network = network
        self._penalties = recipe.penalties
        self._loss = loss_function(recipe.loss, network.device)
        self._lay_out = lay_out

    def begin(self, seed: int) -> None:
        """See `Learner`; `loop` has seeded torch."""

    def learn(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """See `Learner`. Raises SubmissionError where nothing learns."""
        self._network.train()
        logits = self._network(self._lay_out(images))
        loss = self._loss(logits, labels)
        must_learn(loss)
        whole = penalties.add(loss, self._penalties, self._network.weights)
        whole.backward()  # type: ignore[no-untyped-call] # torch does not annotate it
        return loss.detach(), (logits.detach().argmax(1) == labels).sum()

    def look(self, images: Tensor) -> Tensor:
        """See `Learner`."""
        self._network.eval()
        scores: Tensor = self._network(self._lay_out(images))
        return scores


def loss_function(loss: Loss, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    """The recipe's loss, of logits or log-probabilities (N, classes) and labels (N,)."""
    weight = None if loss.weight is None else torch.tensor(loss.weight, device=device)
    if loss.name == "nll":
        return partial(F.nll_loss, weight=weight, reduction=loss.reduction)
    return partial(
        F.cross_entropy,
        weight=weight,
        reduction=loss.reduction,
        label_smoothing=loss.label_smoothing,
    )


def must_learn(loss: Tensor) -> None:
    """Raise SubmissionError where no trainable parameter has a part in the loss."""
    if not loss.requires_grad:
        raise SubmissionError(
            "Nothing in the network learns: its output depends on no trainable parameter. "
            "Leave requires_grad on, and compute the output outside of torch.no_grad()."
        )
