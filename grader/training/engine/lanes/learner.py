"""A network that learns by its own machine code: a `Learner`, and whether its code is right.

The weights lie in the code's memory while it learns: torch's optimizers, clipping and penalties see
them, and the gradients, as tensors there.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.optim import Optimizer

from grader.network import Network
from grader.program.recipe import Loss, Recipe
from grader.training.engine import penalties
from grader.training.engine.lanes import gathering
from grader.training.engine.lanes.compiled import Batch, Compiled
from grader.training.engine.lanes.gathering import Gathered
from grader.training.engine.learner import Lesson


class ByLanes:
    """See `Learner`. `close` gives the weights back to the network."""

    def __init__(self, network: Network, recipe: Recipe, compiled: Compiled) -> None:
        self._network = network
        self._compiled = compiled
        self._loss = recipe.loss
        self._penalties = recipe.penalties
        self._seed = 0
        self._steps = 0
        self._borrowed = _borrow(network, compiled)
        self._gathered: Gathered | None = None
        self._vectors: list[tuple[Tensor, Tensor]] = []
        self._places: set[int] = set()
        clips = recipe.clip_norm is not None or recipe.clip_value is not None
        self._by_torch = clips or compiled.rule is None
        self._gradients = {
            name: compiled.gradient(name, tuple(network.weights[name].shape))
            for name in compiled.learned
        }

    def begin(self, lesson: Lesson, seed: int) -> None:
        """See `Learner`. Where images are gathered, all of the epoch's draws are made here."""
        self._seed = seed
        self._lesson = lesson
        self._firsts = [0, *accumulate(len(batch) for batch in lesson.batches)]
        self._labels = lesson.labels[torch.cat(list(lesson.batches))].numpy()
        if self._compiled.way is not None:
            self._gathered = gathering.gathered(self._compiled.way, lesson, self._compiled.lanes)

    def together(self, parameters: list[Tensor]) -> list[Tensor]:
        """See `Learner`: those of an optimizer's group are one vector in the code's memory."""
        names = {id(self._network.weights[name]): name for name in self._gradients}
        sizes = {names[id(p)]: p.numel() for p in parameters if id(p) in names}
        vectors = self._compiled.together(sizes)
        self._vectors += vectors
        self._places |= {id(values) for values, _ in vectors}
        others = [parameter for parameter in parameters if id(parameter) not in names]
        return [values for values, _ in vectors] + others

    def learn(self, number: int) -> tuple[float, int]:
        """See `Learner`."""
        # Whatever torch does in a step costs ten times as much as in a benchmark of its own: the
        # network's numbers have pushed torch's code out of the caches.
        first, end = self._firsts[number : number + 2]
        labels = self._labels[first:end]
        images: Tensor | Batch
        if self._gathered is None:
            images, _ = self._lesson.batch(number)
        else:
            images = Batch(self._gathered, first)
        share = share_of(self._loss, labels)
        # Steps of an epoch have seeds far apart, so that no dropout is another's with some moved.
        self._seed = (self._seed * 0x915F77F5 + 0x3C6EF372) % 2**32
        total, right = self._compiled.step(images, labels, share, self._seed)
        self._steps += 1
        if self._by_torch:
            for vector, gradient in self._vectors:
                vector.grad = gradient
        if self._penalties:
            for name, gradient in self._gradients.items():
                self._network.weights[name].grad = gradient  # which autograd adds to
            zero = torch.zeros(())
            terms = penalties.add(zero, self._penalties, self._network.weights)
            terms.backward()  # type: ignore[no-untyped-call] # torch does not annotate it
        return total * share, right

    def update(self, optimizer: Optimizer) -> None:
        """See `Learner`."""
        if self._compiled.rule is None:
            optimizer.step()
            return
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if id(parameter) in self._places:
                    self._compiled.update(parameter, group, self._steps)

    def look(self, images: Tensor) -> Tensor:
        """See `Learner`."""
        return self._compiled.look(images)

    def close(self) -> None:
        """Give the weights back, and let the code's threads and memory go."""
        for tensor, own, shared in self._borrowed:
            own.copy_(shared)
            tensor.data = own
            tensor.grad = None
        for name, each in self._compiled.counters.items():
            self._network.weights[name].add_(round(each * self._steps))
        self._compiled.close()


def _borrow(network: Network, compiled: Compiled) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Let the network's tensors lie in the code's memory; returns each with its own and that."""
    borrowed = []
    for name, tensor in network.weights.items():
        shared = compiled.weight(name, tuple(tensor.shape))
        if shared is not None:
            own = tensor.data
            shared.copy_(own)
            tensor.data = shared
            borrowed.append((tensor, own, shared))
    return borrowed


def share_of(loss: Loss, labels: npt.NDArray[np.int64]) -> float:
    """What the sum of the images' losses is multiplied by."""
    if loss.reduction == "sum":
        return 1.0
    if loss.weight is None:
        return 1 / len(labels)
    weights = np.asarray(loss.weight)[labels]
    return float(1 / weights.sum())
