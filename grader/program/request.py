"""What the child is asked. All the rest crosses the other way."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from grader.program.values import Data


class Request(Data):
    """What the child is asked: one student's file, and how its network will be trained and used.

    All that crosses the other way. `default_recipe` is the `[recipe]` table of the assignment;
    `validation_images` of the `train_images` are held back from a recipe that follows a metric.
    `most_epochs` is the assignment's limit, for messages: a check judges it.
    """

    source: str
    filename: str
    input_shape: tuple[int, ...]
    classes: int
    seeds: tuple[int, ...] = Field(min_length=1, max_length=100)
    train_images: int
    validation_images: int = 0
    most_steps: int
    most_epochs: int | None = None
    default_recipe: dict[str, Any]
