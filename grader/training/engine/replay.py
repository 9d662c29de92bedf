"""Train several seeds at once by replaying one recorded step: on a GPU, Python is out of the loop.

In: networks of one recipe, one for each seed, and the images. Out: what `loop.train` gives, for all
seeds together, up to rounding. Whatever changes from step to step is read from tensors on the
device: the order of the images, the number of the step, learning rate, momentum. Images are
augmented some batches ahead, with each batch's own draws. The host only replays, and waits once an
epoch.

A worked example: 40 images in batches of 16 are batches of 16, 16 and 8. Four pieces of work are
recorded: the 40 images of an epoch gathered and augmented, a step of 16, a step of 8, the look at
the test images. For each epoch the host writes a new order of images and the schedule's position to
the device, and replays: augment 40; step 16, step 16, step 8; look. The steps find their images by
two counters on the device, which each piece of work moves: 0, 16, 32, 40.

Tests hold it to `loop` on a CPU, where a recorded step is the step itself, and on a GPU where there
is one.
"""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Protocol

import torch
from torch import Tensor

from grader.network import Network
from grader.program.program import Program
from grader.program.recipe import Recipe
from grader.training import augment
from grader.training.data import Look, TrainingData
from grader.training.device import repeatable, synchronize
from grader.training.engine import layout, penalties
from grader.training.engine.engine import Began, Training
from grader.training.engine.learner import as_it_is, loss_function, must_learn
from grader.training.engine.loop import (
    check_steps,
    epoch_batches,
    in_batches,
    seeds,
)
from grader.training.engine.stopping import Stopping
from grader.training.engine.update import NotRecordableError, Update
from grader.training.records import Ending, Epoch, Step

WARM_UPS = 3
"""Steps before one is recorded: libraries then have chosen kernels and fetched memory."""

AUGMENTED_AHEAD = 2_048
"""Images augmented at once, some batches ahead: many small kernels, whatever the number."""

Work = Callable[[], None]


class Recorder(Protocol):
    """Turns work into a replay of it. Branches do not depend on each other and may run at once."""

    def run(self, branches: Sequence[Work]) -> None:
        """All `branches` once, now, where their replay will run."""

    def record(self, branches: Sequence[Work], generators: Sequence[torch.Generator]) -> Work:
        """One replay of all `branches`, which draw from `generators` and from torch's own."""


class CudaGraphs:
    """Records work as CUDA graphs, one stream a branch.

    Nothing runs on the default stream, not even to warm up: libraries keep handles and memory for
    each stream, which must be there before a recording begins. Source: PyTorch documentation, CUDA
    semantics, whole-network capture.
    """

    def __init__(self) -> None:
        self._main = _stream()
        self._beside: list[torch.cuda.Stream] = []

    def run(self, branches: Sequence[Work]) -> None:
        """See `Recorder`. The current stream waits for all of it."""
        current = torch.cuda.current_stream()
        self._main.wait_stream(current)
        with torch.cuda.stream(self._main):
            self._at_once(branches)
        current.wait_stream(self._main)

    def record(self, branches: Sequence[Work], generators: Sequence[torch.Generator]) -> Work:
        """See `Recorder`.

        Raises NotRecordableError, after which nothing is being recorded any more.
        """
        graph = torch.cuda.CUDAGraph()
        _register(graph, generators)
        try:
            # A recording that fails would leave its stream the current one.
            with (
                torch.cuda.stream(torch.cuda.current_stream()),
                torch.cuda.graph(graph, stream=self._main),
            ):
                self._at_once(branches)
        except RuntimeError as error:
            self._recover(generators)
            # The end of a broken recording raises once more, and says less. It gets no name here:
            # its traceback holds this frame, and with it the memory of the recording.
            raise NotRecordableError(
                f"no CUDA graph can hold it: {_first_line(error.__context__ or error)}"
            ) from None
        return graph.replay

    def _at_once(self, branches: Sequence[Work]) -> None:
        """Each branch on a stream of its own, which begins and ends with the main one."""
        while len(self._beside) < len(branches):
            self._beside.append(_stream())
        for stream, branch in zip(self._beside, branches, strict=False):
            stream.wait_stream(self._main)
            with torch.cuda.stream(stream):
                branch()
        for stream in self._beside[: len(branches)]:
            self._main.wait_stream(stream)

    def _recover(self, generators: Sequence[torch.Generator]) -> None:
        """End one recording well: older versions of torch refuse to draw after a broken one."""
        graph = torch.cuda.CUDAGraph()
        _register(graph, generators)
        current = torch.cuda.current_stream()
        with (
            suppress(RuntimeError),
            torch.cuda.stream(current),
            torch.cuda.graph(graph, stream=self._main),
        ):
            torch.zeros((), device="cuda")


def _stream() -> torch.cuda.Stream:
    return torch.cuda.Stream()  # type: ignore[no-untyped-call] # torch does not annotate it


def _register(graph: torch.cuda.CUDAGraph, generators: Sequence[torch.Generator]) -> None:
    """Let the graph draw from `generators`; newer versions of torch do so anyway, and warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for generator in generators:
            graph.register_generator_state(generator)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


class Replay:
    """See `Engine`: all seeds at once, where a GPU can replay what `recorder` makes for a training.

    The seeds share the device, so the seconds of an epoch are those of all of them, and dropout's
    random numbers depend on which seeds train together. No single step can be told of.
    `channels_last`: filters and images have the channels of a pixel side by side; which layout a
    GPU prefers, `python -m bench --gpu` measures.
    """

    def __init__(
        self, recorder: Callable[[], Recorder] = CudaGraphs, *, channels_last: bool = False
    ) -> None:
        self._recorder = recorder
        self._channels_last = channels_last

    def runs_on(self, device: torch.device) -> bool:
        """Where there are CUDA graphs."""
        return device.type == "cuda"

    def train(
        self,
        networks: Mapping[int, Network],
        program: Program,
        data: TrainingData,
        *,
        epochs: int | None,
        budget_seconds: float,
        on_step: Callable[[int, Step], None],
    ) -> Training:
        """See `Engine`. Raises NotRecordableError before the first epoch."""
        yield dict.fromkeys(networks, Began("CUDA graph", len(networks)))
        recipe = program.recipe
        lay_out = as_it_is
        if self._channels_last:
            lay_out = layout.channels_last
            for network in networks.values():
                layout.apply(network)
        recording = _Recording(networks, recipe, data, self._recorder(), lay_out)
        last = min(epochs or recipe.epochs, recipe.epochs)
        stopping = {
            seed: Stopping(recipe, member.update.tell) for seed, member in recording.members.items()
        }
        going_on = list(networks)
        for number in range(1, last + 1):
            epoch_by_seed = recording.epoch(number)
            done = {seed: epoch_by_seed[seed] for seed in going_on}
            answers = (yield done) or {}
            endings: dict[int, Ending] = {}
            for seed, epoch in done.items():
                ended = stopping[seed].after(epoch, answers.get(seed))
                overdue = recording.seconds > budget_seconds * len(networks) and number < last
                if ended is None and overdue:
                    ended = Ending(
                        finished=False,
                        stopped_because=f"its {budget_seconds:,.0f} s were over "
                        f"with epoch {number}",
                        out_of_time=True,
                    )
                if ended is None and number == last:
                    ended = Ending(finished=True)
                if ended is not None:
                    endings[seed] = recording.after(seed, ended, data.second_look)
            if endings:
                yield endings
            going_on = [seed for seed in going_on if seed not in endings]
            if not going_on:
                break


class _Recording:
    """All seeds' networks in training, and the recorded steps."""

    def __init__(
        self,
        networks: Mapping[int, Network],
        recipe: Recipe,
        data: TrainingData,
        recorder: Recorder,
        lay_out: Callable[[Tensor], Tensor] = as_it_is,
    ) -> None:
        check_steps(recipe, len(data.train_images))
        self._device = next(iter(networks.values())).device
        self._seeds = list(networks)
        images = _Images(data, self._device)
        before = list(chain.from_iterable(map(_distinct, networks.values())))
        values = [tensor.detach().clone() for tensor in before]
        try:
            with repeatable(self._device, 0):
                self.members = {
                    seed: _Member(network, recipe, images, seed, lay_out)
                    for seed, network in networks.items()
                }
                self._record(recorder, recipe, len(data.train_images))
        finally:
            with torch.no_grad():
                for tensor, value in zip(before, values, strict=True):
                    tensor.copy_(value)
        self.seconds = 0.0

    def epoch(self, number: int) -> dict[int, Epoch]:
        """Train every seed for one epoch, then look at the test images."""
        for member in self.members.values():
            member.begin(number)
        with repeatable(self._device, seeds(self._seeds[0], number).dropout):
            synchronize(self._device)
            started = time.perf_counter()
            self.train()
            synchronize(self._device)
            trained = time.perf_counter()
            self._evaluate()
            synchronize(self._device)
        self.seconds += trained - started
        evaluation = time.perf_counter() - trained
        return {
            seed: member.end(number, trained - started, evaluation)
            for seed, member in self.members.items()
        }

    def after(self, seed: int, ending: Ending, look: Look | None) -> Ending:
        """The same ending, with the second look of that seed where its run is finished.

        It comes once, so it is not worth a recording.
        """
        if not ending.finished or look is None:
            return ending
        images = torch.tensor(look.images, device=self._device)
        with repeatable(self._device, seed), torch.no_grad():
            logits = self.members[seed].look(images, look.batch_sizes)
        return dataclasses.replace(ending, second_look=logits.cpu())

    def train(self) -> None:
        """Replay the steps of one epoch."""
        for augment_ahead, steps in self._lots:
            augment_ahead()
            for step in steps:
                step()

    def _record(self, recorder: Recorder, recipe: Recipe, images: int) -> None:
        """Record what an epoch repeats.

        Images made ahead, a step, a shorter last step, the look at the test images.
        """
        sizes = [len(batch) for batch in epoch_batches(recipe, images, 0, 1)]
        ahead = _batches_ahead(recipe.batch_size)
        lots = [tuple(sizes[begin : begin + ahead]) for begin in range(0, len(sizes), ahead)]
        members = list(self.members.values())
        generators = [member.generator for member in members]

        def recorded(work: Callable[[_Member], None]) -> Work:
            branches = [partial(work, member) for member in members]
            for _ in range(WARM_UPS):
                for member in members:
                    member.rewind()
                recorder.run(branches)
            synchronize(self._device)
            for member in members:
                member.rewind()
            return recorder.record(branches, generators)

        augmented = {
            lot: recorded(partial(_Member.augment_ahead, sizes=lot)) for lot in dict.fromkeys(lots)
        }
        steps = {size: recorded(partial(_Member.step, size=size)) for size in dict.fromkeys(sizes)}
        self._lots: list[tuple[Work, list[Work]]] = []
        for lot in lots:
            self._lots.append((augmented[lot], [steps[size] for size in lot]))
        self._evaluate = recorded(_Member.evaluate)
        for member in members:
            member.update.reset()


def _batches_ahead(batch_size: int) -> int:
    return max(1, AUGMENTED_AHEAD // batch_size)


def _distinct(network: Network) -> list[Tensor]:
    return list({id(tensor): tensor for tensor in network.weights.values()}.values())


class _Images:
    """All images on the device; all seeds share them."""

    def __init__(self, data: TrainingData, device: torch.device) -> None:
        self.shape = data.image_shape
        self.train = torch.tensor(data.train_images, device=device)
        self.labels = torch.tensor(data.train_labels, device=device)
        self.test = torch.tensor(data.test_images, device=device)
        self.batch_sizes = data.batch_sizes


class _Member:
    """One seed's network and all that its step reads and writes, in memory that does not move."""

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        images: _Images,
        seed: int,
        lay_out: Callable[[Tensor], Tensor],
    ) -> None:
        device = network.device
        self._network = network
        self._lay_out = lay_out
        self._recipe = recipe
        self._images = images
        self._seed = seed
        self._augment = augment.build(recipe.augmentations, image_shape=images.shape)
        self._prepare = augment.evaluation(recipe.augmentations, image_shape=images.shape)
        self._loss = loss_function(recipe.loss, device)
        self.generator = torch.Generator(device)
        self._order = torch.arange(len(images.train), device=device)
        self._rows = torch.arange(
            recipe.batch_size * _batches_ahead(recipe.batch_size), device=device
        )
        self._ahead = torch.zeros((len(self._rows), *self._augment.output_shape), device=device)
        self._answers = torch.zeros(len(self._rows), dtype=torch.int64, device=device)
        self._position = torch.zeros((), dtype=torch.int64, device=device)
        self._place = torch.zeros((), dtype=torch.int64, device=device)
        self._number = torch.zeros((), dtype=torch.int64, device=device)
        self._losses = torch.zeros((), dtype=torch.float64, device=device)
        self._correct = torch.zeros((), dtype=torch.int64, device=device)
        self._logits = torch.zeros(0)
        self._parameters = [tensor for tensor in _distinct(network) if tensor.requires_grad]
        self._learned = self._which_learn()
        self.update = Update(recipe, network.weights, self._learned)

    def begin(self, number: int) -> None:
        """Before that epoch: its order, its random numbers' start, its place in the schedule."""
        begin = seeds(self._seed, number)
        shuffled = torch.cat(
            epoch_batches(self._recipe, len(self._images.train), self._seed, number)
        )
        self._order[: len(shuffled)].copy_(shuffled)
        self.generator.manual_seed(begin.augmentation)
        self.rewind()
        self._number.fill_((number - 1) * self._recipe.steps_per_epoch)
        self._network.train()

    def rewind(self) -> None:
        """Stand before the first image, with nothing counted."""
        for counter in (self._position, self._place, self._number, self._losses, self._correct):
            counter.zero_()

    @torch.no_grad()
    def augment_ahead(self, sizes: Sequence[int]) -> None:
        """Gather and augment the next batches, of these sizes."""
        count = sum(sizes)
        chosen = self._order[self._position + self._rows[:count]]
        self._ahead[:count].copy_(
            self._augment.batches(self._images.train[chosen], sizes, self.generator)
        )
        self._answers[:count].copy_(self._images.labels[chosen])
        self._position += count
        self._place.zero_()

    def step(self, size: int) -> None:
        """Forward, backward, clip, update; and count."""
        self._network.train()
        loss, right = self._forward(size)
        gradients = torch.autograd.grad(self._with_penalties(loss), self._learned)
        self.update.step(gradients, self._number)
        with torch.no_grad():
            images = size if self._recipe.loss.reduction == "mean" else 1
            self._losses.add_(loss, alpha=images)
            self._correct += right
            self._place += size
            self._number += 1

    @torch.no_grad()
    def evaluate(self) -> None:
        """Logits of all test images, from the eval graph."""
        logits = self.look(self._images.test, self._images.batch_sizes)
        if not len(self._logits):
            self._logits = torch.empty_like(logits)
        self._logits.copy_(logits)

    def look(self, images: Tensor, sizes: Sequence[int]) -> Tensor:
        """Logits of all `images`, from the eval graph."""
        self._network.eval()
        batches = in_batches(images, sizes)
        parts = [self._network(self._lay_out(self._prepare(batch))) for batch in batches]
        return torch.cat(parts).float()

    def end(self, number: int, seconds: float, evaluation_seconds: float) -> Epoch:
        """What the epoch of that number came to."""
        images = int(self._position)
        step = int(self._number) - 1
        return Epoch(
            epoch=number,
            images=images,
            train_loss=float(self._losses) / images,
            train_accuracy=int(self._correct) / images,
            learning_rate=self.update.learning_rate(step),
            momentum=self.update.momentum(step),
            seconds=seconds,
            evaluation_seconds=evaluation_seconds,
            logits=self._logits.cpu().clone(),
        )

    def _forward(self, size: int) -> tuple[Tensor, Tensor]:
        """Loss and number of right answers of the next `size` images that were made ahead."""
        batch = self._place + self._rows[:size]
        labels = self._answers[batch]
        logits = self._network(self._lay_out(self._ahead[batch]))
        loss = self._loss(logits, labels)
        return loss, (logits.detach().argmax(1) == labels).sum()

    def _with_penalties(self, loss: Tensor) -> Tensor:
        return penalties.add(loss, self._recipe.penalties, self._network.weights)

    def _which_learn(self) -> list[Tensor]:
        """The trainable parameters that the loss depends on.

        torch.optim leaves the others alone, and so do we.
        """
        self._network.train()
        size = min(self._recipe.batch_size, len(self._order))
        self.augment_ahead([size])
        loss, _ = self._forward(size)
        must_learn(loss)
        whole = self._with_penalties(loss)
        gradients = torch.autograd.grad(whole, self._parameters, allow_unused=True)
        return [
            item
            for item, gradient in zip(self._parameters, gradients, strict=True)
            if gradient is not None
        ]
