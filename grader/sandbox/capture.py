"""Ask a child for the Program of a submission.

In: a submission's source and its assignment. Out: `Captured`, checked: nothing in it needs to be believed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grader import program
from grader.errors import SubmissionError
from grader.sandbox import child, strict_json, weights_file

if TYPE_CHECKING:
    from grader.assignment import Assignment
    from grader.program import Program, Recipe
    from grader.sandbox.isolation import Sandbox
    from grader.sandbox.outcome import Limits


@dataclass(frozen=True, slots=True)
class Captured:
    """A Program, and the initial weights for each of its seeds (safetensors)."""

    program: Program
    values: dict[int, bytes]


def capture(
    source: bytes,
    filename: str,
    assignment: Assignment,
    *,
    train_images: int,
    seeds: Sequence[int],
    limits: Limits | None = None,
    sandbox: Sandbox | None = None,
) -> Captured:
    """Capture `source`, shown to the student as `filename`, for training on `train_images` images.

    Where the recipe follows a metric, the assignment may hold some of them back.
    `sandbox` is where it runs: one of `isolation.choose()` for all submissions, or a fresh process for this one alone.
    Raises SubmissionError when it cannot be captured, GraderError when the sandbox fails.
    """
    request = {
        "source": _text(source),
        "filename": filename,
        "input_shape": assignment.input_shape,
        "classes": assignment.classes,
        "seeds": list(seeds),
        "train_images": train_images,
        "validation_images": assignment.validation_images(train_images),
        "most_steps": assignment.limits.steps,
        "default_recipe": assignment.recipe.model_dump(mode="json"),
    }
    parts = sandbox.run(request, limits) if sandbox else child.run(request, limits)
    found = checked(parts, tuple(seeds))
    if (found.input_shape, found.classes) != (assignment.input_shape, assignment.classes):
        raise SubmissionError("The captured network does not belong to this assignment: its shapes are others.")
    _check_steps(found.recipe, assignment, train_images)
    return Captured(found, dict(zip(seeds, parts[1:], strict=True)))


def _check_steps(recipe: Recipe, assignment: Assignment, train_images: int) -> None:
    """The child has counted them too, but nothing that it says is believed."""
    images = train_images - (assignment.validation_images(train_images) if recipe.follows_metric else 0)
    if recipe.steps_per_epoch != math.ceil(images / recipe.batch_size) or recipe.steps > assignment.limits.steps:
        raise SubmissionError(
            f"The captured network does not belong to this assignment: {recipe.steps:,} steps of training."
        )


def _text(source: bytes) -> str:
    try:
        return source.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SubmissionError(f"The file is not UTF-8 text: {error.reason} at byte {error.start}.") from error


def checked(parts: tuple[bytes, ...], seeds: tuple[int, ...]) -> Program:
    """The Program in a reply, when the reply holds what was asked for. Raises SubmissionError."""
    if len(parts) != 1 + len(seeds):
        raise SubmissionError("The captured network does not belong to this run: it has weights for other seeds.")
    try:
        said = strict_json.read(parts[0])
    except ValueError as error:
        raise _refused(error) from error
    for values in parts[1:]:
        checked_weights(values)
    shown = strict_json.visible(said)
    found = program.read(parts[0] if shown == said else json.dumps(shown))
    if found.seeds != seeds:
        raise SubmissionError("The captured network does not belong to this run: it names other seeds.")
    return found


def checked_weights(values: bytes) -> None:
    """Raises SubmissionError unless `values` is a plain safetensors file."""
    try:
        weights_file.check(values)
    except ValueError as error:
        raise _refused(error) from error


def _refused(error: ValueError) -> SubmissionError:
    return SubmissionError(f"The network was captured, but the result cannot be accepted: {error}.")
