"""Grade a file without training and without a child process: the product's own pipeline, with its one process removed.

What a submission in the tests needs is a verdict in a fraction of a second. These files are ours, so they may be
captured right here; everything else is what `python -m grader grade --static` runs.
"""

from __future__ import annotations

import gc
import logging
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from grader import assignment as assignments
from grader import pipeline, program
from grader.assignment import Assignment, Check
from grader.capture import capture as in_child
from grader.capture import explain
from grader.render.progress import TrainingProgress
from grader.report import CheckResult, Report
from grader.sandbox.capture import Captured
from grader.sandbox.isolation import Fresh
from grader.submission import Submission
from grader.training.data import Data, Source

ROOT = Path(__file__).parents[1]
MNIST_TRAINING_IMAGES = 60_000


@dataclass(frozen=True)
class Images:
    """The practice digits, read once, which say that they are as many as MNIST's."""

    train_images: int = MNIST_TRAINING_IMAGES

    def read(self) -> Data:
        return _digits()


@cache
def _digits() -> Data:
    return Source("practice", practice=True, train_images=0).read()


@cache
def every_check() -> Assignment:
    """mnist_20k with both questions about the head: its own, and the stricter one of mnist_8k."""
    asked = assignments.load(ROOT / "assignments" / "mnist_20k")
    return asked.model_copy(update={"checks": asked.checks | {"gap": Check(required=True, points=10)}})


def report(source: str, name: str = "net.py", assignment: Assignment | None = None) -> Report:
    """The report on a file of that text by the checks of `assignment` (else all) that need no training."""
    content, asked = source.encode(), assignment or every_check()
    submission = Submission(Path(name), name.removesuffix(".py"), name, asked.name, content, "")
    options = pipeline.Options(static=True)
    alone = mock.patch.object(sys, "argv", [name])
    with mock.patch.object(pipeline, "capture", _capture), alone, _apart():
        graded = pipeline.grade(submission, asked, Images(), options, TrainingProgress(quiet=True), Fresh())
    return graded.model_copy(update={"checks": plain(graded.checks)})


def plain(checks: Iterable[CheckResult]) -> tuple[CheckResult, ...]:
    """The checks as outside of pytest, which here adds the values of each assert to its message."""
    return tuple(check.model_copy(update={"detail": check.detail.partition("\nassert ")[0]}) for check in checks)


def _capture(
    source: bytes, filename: str, assignment: Assignment, *, train_images: int, seeds: Sequence[int], **_: Any
) -> Captured:
    request = {
        "source": source.decode(),
        "filename": filename,
        "input_shape": assignment.input_shape,
        "classes": assignment.classes,
        "seeds": list(seeds)[:2],
        "train_images": train_images,
        "most_steps": assignment.limits.steps,
        "default_recipe": assignment.recipe.model_dump(mode="json"),
    }
    try:
        text, *blobs = in_child.capture(request)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise explain.explained(error, filename) from error
    return Captured(program.read(text), dict(zip(request["seeds"], blobs, strict=True)))


@contextmanager
def _apart() -> Iterator[None]:
    """As in a process of its own: no warnings or logs, random numbers that are nobody else's, garbage left lying."""
    gc.disable()
    logging.disable()
    try:
        with warnings.catch_warnings(action="ignore"), torch.random.fork_rng(devices=[]):
            yield
    finally:
        logging.disable(logging.NOTSET)
        gc.enable()
