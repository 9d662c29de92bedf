"""What is asked of a locked child that watches the captured network, and what it answers.

In: a Program, its weights and some labelled images. Out: bytes for `watching.py`, and the models
that read its answer. Plain data: loads no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from grader.analysis.idle import Idle
from grader.analysis.receptive_field.proven import Proof
from grader.analysis.untrained.behaviour import Behaviour
from grader.program.program import Captured, Program
from grader.program.recipe import Loss, Optimizer, OptimizerGroup, Recipe, Run, Schedule
from grader.program.values import Data
from grader.report import Inference, Problem

NOTHING = (np.empty(0, dtype=np.uint8), np.empty(0, dtype=np.int64))
"""No images, and no labels: for what can be known without."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What was measured, and what was seen; None where no image was given.

    `proof` is of the receptive field; its masks are those of the final map alone. `idle` names the
    operators that move no score. `inference` is there where it was asked for.
    """

    proof: Proof
    idle: Idle
    behaviour: Behaviour | None
    inference: Inference | None = None


class Answer(Data):
    """What was found, or why it was not."""

    watched: Watched | None = None
    problem: Problem | None = None


def question(
    captured: Captured, images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> list[bytes]:
    """The bytes for `answer`. `images` (N, *input_shape) are bytes, 0 to 255, and `labels` (N,)."""
    text = _before_training(captured.program).to_json().encode()
    return [text, shown(images, labels), *captured.values.values()]


def _before_training(program: Program) -> Program:
    """The same network, with nothing of its training but which parameters are trained.

    Nothing else of it decides what is watched; so the question stays the same where a student
    changes the training alone.
    """
    groups = program.recipe.optimizer.groups
    trained = dict.fromkeys(name for group in groups for name in group.parameters)
    group = OptimizerGroup(parameters=tuple(trained), settings={})
    once = (Run(value=0.0, steps=1),)
    recipe = Recipe(
        epochs=1,
        batch_size=1,
        steps_per_epoch=1,
        optimizer=Optimizer(name="SGD", groups=(group,)),
        schedule=Schedule(learning_rate=(once,)),
        loss=Loss(name="nll"),
    )
    return program.model_copy(update={"recipe": recipe, "left_out": (), "notes": ()})


def shown(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> bytes:
    """Images and labels as `answer` takes them."""
    return safetensors.numpy.save(
        {"images": np.ascontiguousarray(images), "labels": np.ascontiguousarray(labels)}
    )
