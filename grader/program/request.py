"""What the child is asked. All the rest crosses the other way."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from grader.program.listing import Part
from grader.program.recipe import Recipe
from grader.program.rehearsed import TrainedNetwork
from grader.program.values import Data


class Request(Data):
    """What the child is asked: one student's file, and how its network will be trained and used.

    All that crosses the other way. `default_recipe` is the `[recipe]` table of the assignment;
    `validation_images` of the `train_images` are held back from a recipe that follows a metric.
    `cells` are those of a notebook, which `source` is then made of: each may fail to parse alone.
    `siblings` are the other files of the submission, which it may import; their lines go on where
    those of `source` end. Where the training was rehearsed, `trained` is the network that was
    trained, and `recipe` how: nothing of the recipe is then read from `source`. With `default_only`
    the recipe is the assignment's, all of it: half a recipe of the student's would be nobody's.
    `most_epochs` is the assignment's limit, for messages: a check judges it.
    """

    source: str
    filename: str
    cells: tuple[Part, ...] = ()
    siblings: tuple[Part, ...] = ()
    trained: TrainedNetwork | None = None
    recipe: Recipe | None = None
    default_only: bool = False
    input_shape: tuple[int, ...]
    classes: int
    seeds: tuple[int, ...] = Field(min_length=1, max_length=100)
    train_images: int
    validation_images: int = 0
    most_steps: int
    most_epochs: int | None = None
    default_recipe: dict[str, Any]
