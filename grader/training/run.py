"""Training under one or more seeds, from a Task to `TrainingRun`s.

In: a Task, and initial weights for each seed. Out: everything that happened, also when Ctrl-C cut
it short. Here is chosen which engine trains. All of them give the same up to rounding.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field

import torch
from torch import Tensor

from grader import network
from grader.errors import GraderError, SubmissionError
from grader.network import Network
from grader.program.program import Program
from grader.training import augment
from grader.training.device import describe, peak_memory_bytes, reset_peak_memory
from grader.training.engine import in_place, one_image
from grader.training.engine.eager import Eager
from grader.training.engine.engine import Began, CannotTrainError, Engine, News
from grader.training.engine.lanes.lanes import Lanes
from grader.training.engine.replay import Replay
from grader.training.flow import Watch
from grader.training.records import INTERRUPTED, Ending, Epoch, TrainingRun
from grader.training.task import Task, Values

FAST_ENGINES: tuple[Engine, ...] = (Replay(), Lanes())
"""Tried in this order, where they run at all; `Eager` trains what none of them can."""


def train_seeds(task: Task, values: Values) -> tuple[TrainingRun, ...]:
    """One run for each seed in `values`, from its initial weights.

    Ctrl-C ends training with `INTERRUPTED` and keeps the epochs that were finished; seeds that had
    not begun have no run. Raises SubmissionError for a recipe or weights that do not fit,
    GraderError for data that do not.
    """
    _check(task.program, task.data.image_shape)
    images = len(task.data.train_images)
    one_image.refuse(task.program, task.program.recipe.learned_from(images))
    place = torch.device(task.device)
    reset_peak_memory(place)
    seeds = []
    for number, blob in values.items():
        built = in_place.apply(network.build(task.program, blob, place))
        watch = Watch(built, task.program, task.data.train_images) if task.flow else None
        seeds.append(_Seed(number, built, watch))
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
    watch: Watch | None = None
    engine: str = ""
    why_not_faster: str = ""
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

    def hear(self, news: Began | Epoch | Ending) -> None:
        """Note what the engine says of this seed."""
        if isinstance(news, Began):
            self.engine, self.side_by_side = news.engine, news.side_by_side
            self.began = time.perf_counter()
        elif isinstance(news, Ending):
            finished = self.watch is not None and news.finished
            flow = self.watch.flow() if self.watch and finished else None
            self.ending = dataclasses.replace(news, flow=flow)
        else:
            self._add(news)

    def _add(self, epoch: Epoch) -> None:
        if not self.epochs:
            elapsed = time.perf_counter() - self.began
            self.preparation_seconds = max(0.0, elapsed - epoch.seconds - epoch.evaluation_seconds)
            if self.watch:
                self.watch.after_first_epoch()
        self.epochs.append(epoch)

    def result(self, device: torch.device) -> TrainingRun:
        weights = self.network.weights
        return TrainingRun(
            seed=self.number,
            device=describe(device),
            epochs=tuple(self.epochs),
            ending=self.ending or INTERRUPTED,
            parameters_moved=any(
                not torch.equal(tensor, weights[name]) for name, tensor in self.before.items()
            ),
            peak_memory_bytes=peak_memory_bytes(device),
            engine=self.engine + self.why_not_faster,
            side_by_side=self.side_by_side,
            preparation_seconds=self.preparation_seconds,
        )


def _train(task: Task, seeds: list[_Seed]) -> None:
    """Train by the first engine that can.

    Each run says which, and why the faster ones could not.
    """
    reasons: list[str] = []
    for engine in _wanted(task.engine):
        if engine.runs_on(torch.device(task.device)):
            reason = _why_not(engine, task, seeds)
            if not reason:
                return
            reasons.append(reason)
    if task.engine == "lanes":
        why = "; ".join(reasons) or "this device has none"
        raise GraderError(
            f"--engine lanes trains by machine code of the network's own, and cannot: {why}. Use "
            "--engine auto, which then trains by PyTorch."
        )
    for seed in seeds:
        seed.why_not_faster = f" ({'; '.join(reasons)})" if reasons else ""
    _follow(Eager(), task, seeds)


def _wanted(name: str) -> tuple[Engine, ...]:
    """The engines to try before `Eager`, by a `Task`'s word for them."""
    if name == "torch":
        return ()
    if name == "lanes":
        return tuple(engine for engine in FAST_ENGINES if isinstance(engine, Lanes))
    return FAST_ENGINES


def _why_not(engine: Engine, task: Task, seeds: list[_Seed]) -> str:
    """Train by `engine`; returns "", or why it cannot, and then holds none of its memory."""
    try:
        _follow(engine, task, seeds)
    except (CannotTrainError, torch.OutOfMemoryError) as error:
        if any(seed.epochs for seed in seeds):
            raise
        for seed in seeds:
            seed.engine = ""
        return str(error).splitlines()[0]
    return ""


def _follow(engine: Engine, task: Task, seeds: list[_Seed]) -> None:
    """Hear all that the engine says, and answer every epoch with the feedback that it is given."""
    by_number = {seed.number: seed for seed in seeds}
    training = engine.train(
        {seed.number: seed.network for seed in seeds},
        task.program,
        task.data,
        epochs=task.epochs,
        budget_seconds=task.budget_seconds,
        on_step=task.on_step,
    )
    news: News | None = next(training)
    while news is not None:
        epochs: dict[int, Epoch] = {}
        for number, item in news.items():
            by_number[number].hear(item)
            if isinstance(item, Epoch):
                epochs[number] = item
        answers = {number: task.after_epoch(number, epoch) for number, epoch in epochs.items()}
        try:
            news = training.send(answers)
        except StopIteration:
            news = None


def _check(program: Program, image_shape: tuple[int, int, int]) -> None:
    shape = augment.build(program.recipe.augmentations, image_shape=image_shape).output_shape
    if shape != program.input_shape:
        given = " x ".join(map(str, shape))
        taken = " x ".join(map(str, program.input_shape))
        raise SubmissionError(
            f"train_transform gives images of {given}, but the network takes {taken}. "
            "End the transform with a Resize or CenterCrop to the assignment's size."
        )
    weight = program.recipe.loss.weight
    if weight is not None and len(weight) != program.classes:
        raise SubmissionError(
            f"criterion has weights for {len(weight)} classes; there are {program.classes}."
        )
