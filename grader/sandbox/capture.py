"""Ask a child for the Program of a submission.

In: a submission's source and its assignment. Out: `Captured`, checked: nothing in it needs to be believed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grader import program
from grader.errors import SubmissionError
from grader.sandbox import child

if TYPE_CHECKING:
    from grader.assignment import Assignment
    from grader.program import Program


@dataclass(frozen=True, slots=True)
class Captured:
    """A Program, the initial weights for each of its seeds (safetensors), and the seconds that capturing took."""

    program: Program
    values: dict[int, bytes]
    seconds: float
    isolation: str = child.LEVEL


def capture(
    source: bytes,
    filename: str,
    assignment: Assignment,
    *,
    train_images: int,
    seeds: Sequence[int],
    limits: child.Limits | None = None,
) -> Captured:
    """Capture `source`, shown to the student as `filename`, for training on `train_images` images.

    Raises SubmissionError when it cannot be captured.
    """
    started = time.perf_counter()
    request = {
        "source": source.decode("utf-8"),
        "filename": filename,
        "input_shape": assignment.input_shape,
        "classes": assignment.classes,
        "seeds": list(seeds),
        "train_images": train_images,
        "most_steps": assignment.limits.steps,
        "default_recipe": assignment.recipe.model_dump(mode="json"),
    }
    text, *blobs = child.run(request, limits)
    found = program.read(text)
    if found.seeds != tuple(seeds) or len(blobs) != len(seeds):
        raise SubmissionError("The captured network does not belong to this run: it names other seeds.")
    return Captured(found, dict(zip(seeds, blobs, strict=True)), time.perf_counter() - started)
