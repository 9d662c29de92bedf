"""Training under one or more seeds, from a Task to `TrainingRun`s.

In: a Task, and initial weights for each seed. Out: everything that happened, also when Ctrl-C cut it short. Here is
chosen which engine trains: `replay`, on a GPU, all seeds at once from a recorded CUDA graph; else `loop`, one seed
after the other, step by step. Both give the same up to rounding.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from grader import network
from grader.errors import SubmissionError
from grader.network import Network
from grader.program import Program
from grader.training import augment
from grader.training import device as devices
from grader.training.engine import in_place, layout, loop, replay
from grader.training.records import INTERRUPTED, Ending, Epoch, Feedback, TrainingRun
from grader.training.task import Task, Values


def train_seeds(task: Task, values: Values) -> tuple[TrainingRun, ...]:
    """One run for each seed in `values`, from its initial weights.

    Ctrl-C ends training with `INTERRUPTED` and keeps the epochs that were finished; seeds that had not begun have no
    run. Raises SubmissionError for a recipe or weights that do not fit, GraderError for data that do not.
    """
    _check(task.program, task.data.image_shape)
    place = torch.device(task.device)
    devices.reset_peak_memory(place)
    seeds = [
        _Seed(number, in_place.apply(network.build(task.program, blob, place)))
        for number, blob in values.items()
    ]
    try:
        _train(task, seeds)
    except KeyboardInterrupt:
        for seed in seeds:
            seed.ending = seed.ending or INTERRUPTED
    return tuple(seed.result(place) for seed in seeds if seed.engine)


@dataclass(slots=True)
class _Seed:
    """One seed's network and what has become of it; `engine` is empty until it begins to train."""

    number: int
    network: Network
    engine: str = ""
    side_by_side: int = 1
    began: float = 0.0
    preparation_seconds: float = 0.0
    epochs: list[Epoch] = field(default_factory=list)
    ending: Ending | None = None
    before: dict[str, Tensor] = field(init=False)

    def __post_init__(self) -> None:
        weights = self.network.weights.items()
        self.before = {
            name: tensor.detach().clone() for name, tensor in weights if tensor.requires_grad
        }

    def begin(self, engine: str, side_by_side: int = 1) -> None:
        self.engine, self.side_by_side, self.began = engine, side_by_side, time.perf_counter()

    def add(self, epoch: Epoch) -> None:
        if not self.epochs:
            elapsed = time.perf_counter() - self.began
            self.preparation_seconds = max(0.0, elapsed - epoch.seconds - epoch.evaluation_seconds)
        self.epochs.append(epoch)

    def result(self, device: torch.device) -> TrainingRun:
        weights = self.network.weights
        return TrainingRun(
            seed=self.number,
            device=devices.describe(device),
            epochs=tuple(self.epochs),
            ending=self.ending or INTERRUPTED,
            parameters_moved=any(
                not torch.equal(tensor, weights[name]) for name, tensor in self.before.items()
            ),
            peak_memory_bytes=devices.peak_memory_bytes(device),
            engine=self.engine,
            side_by_side=self.side_by_side,
            preparation_seconds=self.preparation_seconds,
        )


def _train(task: Task, seeds: list[_Seed]) -> None:
    engine = "eager"
    if torch.device(task.device).type == "cuda":
        reason = _why_not_together(task, seeds)
        if not reason:
            return
        engine = f"eager ({reason})"
    _train_in_turn(task, seeds, engine)


def _why_not_together(task: Task, seeds: list[_Seed]) -> str:
    """Train all seeds at once; returns "", or why that cannot be, and holds none of its memory any more."""
    try:
        _train_together(task, seeds)
    except (replay.NotRecordableError, torch.OutOfMemoryError) as error:
        if any(seed.epochs for seed in seeds):
            raise
        for seed in seeds:
            seed.engine = ""
        return str(error).splitlines()[0]
    return ""


def _train_in_turn(task: Task, seeds: list[_Seed], engine: str) -> None:
    """One seed after the other, step by step."""
    fast = layout.pays() and layout.suits(task.program, torch.device(task.device))
    for seed in seeds:
        seed.begin(f"{engine}, channels last" if fast else engine)
        if fast:
            layout.apply(seed.network)
        training = loop.train(
            seed.network,
            task.program.recipe,
            task.data,
            seed=seed.number,
            epochs=task.epochs,
            budget_seconds=task.budget_seconds,
            on_step=partial(task.on_step, seed.number),
            lay_out=layout.channels_last if fast else loop.as_it_is,
        )
        feedback: Feedback | None = None
        while seed.ending is None:
            try:
                epoch = training.send(feedback)
            except StopIteration as stop:
                seed.ending = stop.value
            else:
                seed.add(epoch)
                feedback = task.after_epoch(seed.number, epoch)


def _train_together(task: Task, seeds: list[_Seed]) -> None:
    """All seeds at once, every step recorded and replayed. Raises NotRecordableError before any seed has begun."""
    networks = {seed.number: seed.network for seed in seeds}
    training = replay.train(
        networks,
        task.program.recipe,
        task.data,
        recorder=replay.CudaGraphs(),
        epochs=task.epochs,
        budget_seconds=task.budget_seconds,
    )
    for seed in seeds:
        seed.begin("CUDA graph", len(seeds))
    feedback: dict[int, Feedback | None] | None = None
    running = True
    while running:
        try:
            done = training.send(feedback)
        except StopIteration as stop:
            done, running = {}, False
            endings: dict[int, Ending] = stop.value
        for seed in seeds:
            if seed.number in done:
                seed.add(done[seed.number])
        feedback = {number: task.after_epoch(number, epoch) for number, epoch in done.items()}
    for seed in seeds:
        seed.ending = endings[seed.number]


def _check(program: Program, image_shape: tuple[int, int, int]) -> None:
    shape = augment.build(program.recipe.augmentations, image_shape=image_shape).output_shape
    if shape != program.input_shape:
        given, taken = (
            " x ".join(str(size) for size in sizes) for sizes in (shape, program.input_shape)
        )
        raise SubmissionError(
            f"train_transform gives images of {given}, but the network takes {taken}. "
            "End the transform with a Resize or CenterCrop to the assignment's size."
        )
    weight = program.recipe.loss.weight
    if weight is not None and len(weight) != program.classes:
        raise SubmissionError(
            f"criterion has weights for {len(weight)} classes; there are {program.classes}."
        )
