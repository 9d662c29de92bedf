"""One seed's training, from a Program to a `TrainingRun`.

In: a Program, the values of its initial weights, images. Out: everything that happened, also when Ctrl-C cut it short.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import torch

from grader import network
from grader.errors import SubmissionError
from grader.program import Program
from grader.training import augment
from grader.training import device as devices
from grader.training.data import TrainingData
from grader.training.loop import train
from grader.training.records import Ending, Epoch, Feedback, Step, TrainingRun

INTERRUPTED = Ending(finished=False, stopped_because="interrupted")


def run(
    program: Program,
    values: bytes,
    data: TrainingData,
    *,
    seed: int,
    device: torch.device | str = "cpu",
    epochs: int | None = None,
    budget_seconds: float = math.inf,
    after_epoch: Callable[[Epoch], Feedback | None] = lambda epoch: None,
    on_step: Callable[[Step], None] | None = None,
) -> TrainingRun:
    """Train a Program from the initial weights in `values`, safetensors bytes.

    `after_epoch` is called after each epoch, and must return Feedback where `loop.wants_feedback` of the recipe. Ctrl-C
    ends training with `INTERRUPTED` and keeps the epochs that were finished. The other arguments are those of
    `loop.train`. Raises SubmissionError for a recipe or weights that do not fit, GraderError for data that do not.
    """
    _check(program)
    place = torch.device(device)
    devices.reset_peak_memory(place)
    trained = network.build(program, values, place)
    before = {name: tensor.detach().clone() for name, tensor in trained.weights.items() if tensor.requires_grad}
    done: list[Epoch] = []
    training = train(
        trained, program.recipe, data, seed=seed, epochs=epochs, budget_seconds=budget_seconds, on_step=on_step
    )
    try:
        ending = _drive(training, done, after_epoch)
    except KeyboardInterrupt:
        ending = INTERRUPTED
    return TrainingRun(
        seed=seed,
        device=devices.describe(place),
        epochs=tuple(done),
        ending=ending,
        parameters_moved=any(not torch.equal(tensor, trained.weights[name]) for name, tensor in before.items()),
        peak_memory_bytes=devices.peak_memory_bytes(place),
    )


def _check(program: Program) -> None:
    shape = augment.build(program.recipe.augmentations).output_shape
    if shape != program.input_shape:
        given, taken = (" x ".join(str(size) for size in sizes) for sizes in (shape, program.input_shape))
        raise SubmissionError(
            f"train_transform gives images of {given}, but the network takes {taken}. "
            "End the transform with a Resize or CenterCrop to the assignment's size."
        )
    weight = program.recipe.loss.weight
    if weight is not None and len(weight) != program.classes:
        raise SubmissionError(f"criterion has weights for {len(weight)} classes; there are {program.classes}.")


def _drive(
    training: Generator[Epoch, Feedback | None, Ending],
    done: list[Epoch],
    after_epoch: Callable[[Epoch], Feedback | None],
) -> Ending:
    """Run `training` to its end, adding every epoch to `done`."""
    answer: Any = None
    while True:
        try:
            epoch = training.send(answer)
        except StopIteration as stop:
            ending: Ending = stop.value
            return ending
        done.append(epoch)
        answer = after_epoch(epoch)
