"""When a submission is trained: as soon as a check first asks for it, and once. Loads no torch.

In: how to train it. Out: a `Training`, which holds the trial when there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from grader.errors import GraderError, SubmissionError
from grader.program.recipe import Recipe

Conducted = TypeVar("Conducted")
"""A `grader.judging.trial.Trial`; named there, where torch is loaded."""


class Training(Generic[Conducted]):
    """The training of one submission, which starts when it is first asked for, and runs once.

    `done` is the trial, or None as long as there is none.
    """

    def __init__(self, conduct: Callable[[], Conducted]) -> None:
        self._conduct = conduct
        self._failure: SubmissionError | GraderError | None = None
        self.done: Conducted | None = None

    def trial(self) -> Conducted:
        """The trial. A second check gets the same one, or is told the same failure."""
        if self._failure:
            raise self._failure
        if self.done is None:
            try:
                self.done = self._conduct()
            except (SubmissionError, GraderError) as error:
                self._failure = error
                raise
        return self.done


def cut_short(recipe: Recipe, epochs: int | None) -> str:
    """That only so many `epochs` of a recipe are trained, in words; "" where all of them are."""
    return f"{epochs} of {recipe.epochs} epochs" if epochs and epochs < recipe.epochs else ""
