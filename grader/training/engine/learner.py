"""Who computes a batch's loss and gradients, and scores of images: torch, or an engine's own code.

In: an epoch's batches of images, their labels, and how they are augmented. Out: a batch's loss and
how many were recognised, with gradients where the optimizer finds them. Everything else of training
is `loop`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Optimizer

from grader.errors import SubmissionError
from grader.network import Network
from grader.program.recipe import Loss, Recipe
from grader.training.augment import Pipeline
from grader.training.engine import penalties


@dataclass(frozen=True, slots=True)
class Lesson:
    """What an epoch learns from: `batches` are indices of `images` (uint8) and `labels`.

    Each batch has draws of its own for the augmentation, one after the other from `generator`.
    """

    images: Tensor
    labels: Tensor
    batches: Sequence[Tensor]
    augment: Pipeline
    generator: torch.Generator

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) of that batch, augmented, and labels; to be asked for in order."""
        chosen = self.batches[number].to(self.images.device, non_blocking=True)
        return self.augment(self.images[chosen], self.generator), self.labels[chosen]


class Learner(Protocol):
    """A network that learns from one batch after the other; the optimizer is somebody else's."""

    def begin(self, lesson: Lesson, seed: int) -> None:
        """An epoch begins, whose dropout follows from `seed`."""

    def together(self, parameters: list[Tensor]) -> list[Tensor]:
        """Fewer tensors that hold these parameters of the network, or the parameters themselves.

        Where anybody asks for the gradients, they are in the `grad` of what is returned.
        """

    def update(self, optimizer: Optimizer) -> None:
        """Take one step along the gradients by the settings of that optimizer, or let it step."""

    def learn(self, number: int) -> tuple[Tensor | float, Tensor | int]:
        """Gradients of the lesson's next batch; its loss, and how many were right.

        There were no gradients before. `number` counts from 0.
        """

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

    def begin(self, lesson: Lesson, seed: int) -> None:
        """See `Learner`; `loop` has seeded torch."""
        self._lesson = lesson

    def update(self, optimizer: Optimizer) -> None:
        """See `Learner`."""
        optimizer.step()

    def together(self, parameters: list[Tensor]) -> list[Tensor]:
        """See `Learner`."""
        return parameters

    def learn(self, number: int) -> tuple[Tensor, Tensor]:
        """See `Learner`. Raises SubmissionError where nothing learns."""
        images, labels = self._lesson.batch(number)
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
