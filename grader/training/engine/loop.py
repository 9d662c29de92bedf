"""Train one network by its Recipe, an epoch at a time: what every faster engine must equal.

In: a Network, its Recipe and `TrainingData` (which has no test labels). Out: an `Epoch` after each
epoch, with the logits of the test images for a judge to compare. The judge may answer with two
numbers (`Feedback`), never with labels.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from grader.errors import GraderError
from grader.network import Network
from grader.program.recipe import Recipe
from grader.training import augment
from grader.training.data import TrainingData
from grader.training.device import repeatable, synchronize
from grader.training.engine.learner import ByTorch, Learner, Lesson
from grader.training.engine.optimizer import Driver
from grader.training.engine.stopping import Stopping
from grader.training.records import Ending, Epoch, Feedback, Step

EVALUATION_BATCH = 500
"""Test images at once, where the sizes are not given: on a CPU, the activations of larger batches
fall out of the cache."""

OnStep = Callable[[Step], None]


def train(
    network: Network,
    recipe: Recipe,
    data: TrainingData,
    *,
    seed: int,
    epochs: int | None = None,
    budget_seconds: float = math.inf,
    on_step: OnStep | None = None,
    learner: Learner | None = None,
) -> Generator[Epoch, Feedback | None, Ending]:
    """Train `network` in place, yielding after each epoch.

    Send `Feedback` back where the recipe follows a metric. `epochs` cuts the recipe short for a
    quick look, with the schedule of the whole. Training ends early when the loss is no number any
    more, and even within an epoch (which is then not yielded) when `budget_seconds` of training are
    over. `learner` computes the steps: torch, where none is given. On a CPU the same seed, versions
    and number of threads give the same bits.

    Raises GraderError when the recipe was made for another number of images or feedback is missing,
    SubmissionError when torch refuses the recipe.
    """
    learner = learner or ByTorch(network, recipe)
    running = _Loop(network, recipe, data, seed, budget_seconds, on_step, learner)
    stopping = Stopping(recipe, running.tell)
    last = min(epochs or recipe.epochs, recipe.epochs)
    for number in range(1, last + 1):
        try:
            epoch = running.epoch(number, last)
        except _OutOfTimeError:
            return Ending(
                False, f"its {budget_seconds:,.0f} s were over in epoch {number}", out_of_time=True
            )
        feedback = yield epoch
        if found := stopping.after(epoch, feedback):
            return running.after(found)
    return running.after(Ending(True))


class _OutOfTimeError(Exception):
    """The time budget is used up."""


class _Seeds(NamedTuple):
    """Where an epoch's three streams of random numbers start."""

    order: int
    augmentation: int
    dropout: int


def seeds(seed: int, epoch: int) -> _Seeds:
    """Starting points for every epoch of every seed, whatever other code draws in between."""
    return _Seeds(*np.random.SeedSequence([seed, epoch]).generate_state(3).tolist())


def order(images: int, batch_size: int, seed: int) -> tuple[Tensor, ...]:
    """Indices of an epoch's batches: every image once, in random order; the last may be shorter.

    Even a single image: `one_image` refuses the networks that torch would not train on it.
    """
    shuffled = torch.randperm(images, generator=torch.Generator().manual_seed(seed))
    batches: tuple[Tensor, ...] = torch.split(shuffled, batch_size)
    return batches


def epoch_batches(recipe: Recipe, images: int, seed: int, epoch: int) -> tuple[Tensor, ...]:
    """Indices, among `images` training images, of each batch of an epoch that is numbered from 1.

    Where the recipe trains on some of the images, these are the first of an order that is drawn
    once a seed, from where the random numbers of an epoch 0 would start.
    """
    count = recipe.learned_from(images)
    found = order(count, recipe.batch_size, seeds(seed, epoch).order)
    if recipe.drop_last and len(found[-1]) < recipe.batch_size:
        found = found[:-1]
    if count == images:
        return found
    chosen = learned(recipe, images, seed)
    return tuple(chosen[batch] for batch in found)


def learned(recipe: Recipe, images: int, seed: int) -> Tensor:
    """The positions, among `images` training images, of those that this seed learns from."""
    (shuffled,) = order(images, images, seeds(seed, 0).order)
    return shuffled[: recipe.learned_from(images)]


class _Loop:
    """A network in training, with all images on its device."""

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        data: TrainingData,
        seed: int,
        budget_seconds: float,
        on_step: OnStep | None,
        learner: Learner,
    ) -> None:
        check_steps(recipe, len(data.train_images))
        self._learner = learner
        self._recipe = recipe
        self._seed = seed
        self._device = network.device
        self._images = torch.tensor(data.train_images, device=self._device)
        self._labels = torch.tensor(data.train_labels, device=self._device)
        self._test_images = torch.tensor(data.test_images, device=self._device)
        self._batch_sizes = data.batch_sizes
        self._second_look = data.second_look
        shape = data.image_shape
        self._augment = augment.build(recipe.augmentations, image_shape=shape)
        self._prepare = augment.evaluation(recipe.augmentations, image_shape=shape)
        self._driver = Driver(recipe, network.weights, learner.together)
        self._seconds_left = budget_seconds
        self._on_step = on_step

    def epoch(self, number: int, last: int) -> Epoch:
        """Train the epoch of that number, then look at the test images."""
        begin = seeds(self._seed, number)
        chosen = epoch_batches(self._recipe, len(self._images), self._seed, number)
        with repeatable(self._device, begin.dropout):
            synchronize(self._device)
            started = time.perf_counter()
            losses, correct = self._train(number, last, chosen, begin)
            synchronize(self._device)
            trained = time.perf_counter()
            logits = self._look(self._test_images, self._batch_sizes)
        self._seconds_left -= trained - started
        images = sum(len(batch) for batch in chosen)
        return Epoch(
            epoch=number,
            images=images,
            train_loss=losses / images,
            train_accuracy=correct / images,
            learning_rate=self._driver.learning_rate,
            momentum=self._driver.momentum,
            seconds=trained - started,
            evaluation_seconds=time.perf_counter() - trained,
            logits=logits,
        )

    def after(self, ending: Ending) -> Ending:
        """The same ending, with the second look where the run is finished."""
        if not ending.finished or self._second_look is None:
            return ending
        images = torch.tensor(self._second_look.images, device=self._device)
        with repeatable(self._device, self._seed):
            logits = self._look(images, self._second_look.batch_sizes)
        return dataclasses.replace(ending, second_look=logits)

    def tell(self, metric: float) -> None:
        """Hand the epoch's metric to the recipe's plateau rule."""
        self._driver.tell(metric)

    def _train(
        self, number: int, last: int, batches: tuple[Tensor, ...], begin: _Seeds
    ) -> tuple[float, int]:
        """One epoch's steps: gather, augment, forward, backward, clip, update.

        Returns the sum of the images' losses, and how many were recognised.
        """
        deadline = time.perf_counter() + self._seconds_left
        generator = torch.Generator(self._device).manual_seed(begin.augmentation)
        lesson = Lesson(self._images, self._labels, batches, self._augment, generator)
        self._learner.begin(lesson, begin.dropout)
        losses: list[Tensor | float] = []
        correct: list[Tensor | int] = []
        for step, batch in enumerate(batches, start=1):
            if time.perf_counter() > deadline:
                raise _OutOfTimeError
            self._driver.begin_step()
            loss, right = self._learner.learn(step - 1)
            self._driver.step(self._learner.update)
            total = loss * len(batch) if self._recipe.loss.reduction == "mean" else loss
            losses.append(total)
            correct.append(right)
            if self._on_step is not None:
                rate = self._driver.learning_rate
                self._on_step(Step(number, last, step, len(batches), rate, loss))
        together = [torch.stack([*map(torch.as_tensor, each)]) for each in (losses, correct)]
        return float(together[0].cpu().double().sum()), int(together[1].sum())

    @torch.inference_mode()
    def _look(self, images: Tensor, sizes: Sequence[int]) -> Tensor:
        """Logits of all `images`, from the eval graph."""
        batches = in_batches(images, sizes)
        parts = [self._learner.look(self._prepare(batch)) for batch in batches]
        logits: Tensor = torch.cat(parts).float().cpu()
        return logits


def in_batches(images: Tensor, sizes: Sequence[int]) -> tuple[Tensor, ...]:
    """The images in batches of these sizes, or of `EVALUATION_BATCH` where there are none."""
    batches: tuple[Tensor, ...] = torch.split(images, list(sizes) or EVALUATION_BATCH)
    return batches


def check_steps(recipe: Recipe, images: int) -> None:
    """Raise GraderError where the recipe was made for another number of training images."""
    steps = recipe.batches(images)
    if recipe.steps_per_epoch != steps:
        raise GraderError(
            f"The recipe was captured for {recipe.steps_per_epoch:,} steps an epoch; "
            f"{recipe.learned_from(images):,} training images in batches of {recipe.batch_size:,} "
            f"are {steps:,}. Capture the submission again for this data set."
        )
