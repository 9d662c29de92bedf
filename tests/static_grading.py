"""Grade a file without training and without a child process: the product's own pipeline, with its
one process removed.

What a submission in the tests needs is a verdict in a fraction of a second. These files are ours,
so they may be captured right here; everything else is what `python -m grader grade --static` runs.
"""

from __future__ import annotations

import gc
import logging
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from grader import assignment as assignments
from grader import pipeline
from grader.analysis.untrained import watching
from grader.assignment import Assignment, Check
from grader.capture import capture as in_child
from grader.capture import explain
from grader.options import Options
from grader.pipeline import Workshop
from grader.program.listing import Listing
from grader.program.request import Request
from grader.render.progress import TrainingProgress
from grader.report import CheckResult, Report
from grader.sandbox.ending import Limits
from grader.sandbox.isolation import Fresh
from grader.submission import assembly
from grader.submission.submission import Submission
from grader.training.data import Data, Source
from grader.training.datasets import DATASETS
from grader.training.worker.crew import Crew

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Images:
    """The practice digits, read once, which say that they are as many as MNIST's."""

    train_images: int = DATASETS["mnist"].train_images

    def read(self) -> Data:
        return _digits()


@cache
def _digits() -> Data:
    return Source(DATASETS["practice"], practice=True).read()


@cache
def every_check() -> Assignment:
    """mnist_20k with both questions about the head, and with that for a write-up."""
    asked = assignments.load(ROOT / "assignments" / "mnist_20k")
    more = {
        "gap": Check(required=True, points=10),
        "write_up": Check(required=False, points=5),
    }
    return asked.model_copy(update={"checks": asked.checks | more})


def report(source: str, name: str = "net.py", assignment: Assignment | None = None) -> Report:
    """The report on a file of that text, by the checks of `assignment` (else all), untrained."""
    asked = assignment or every_check()
    listing = Listing.of_file(name, source)
    stated = assembly.of_file(name, source.encode()).write_up
    submission = Submission(
        Path(name), name.removesuffix(".py"), name, asked.name, listing, "", write_up=stated
    )
    workshop = Workshop(Options(static=True), Images(), InThisProcess(), Crew())
    with _apart():
        graded = pipeline.grade(submission, asked, workshop, TrainingProgress(quiet=True))
    return graded.model_copy(update={"checks": plain(graded.checks)})


def plain(checks: Iterable[CheckResult]) -> tuple[CheckResult, ...]:
    """The checks as outside of pytest, which here adds the values of each assert to its message."""
    return tuple(
        check.model_copy(update={"detail": check.detail.partition("\nassert ")[0]})
        for check in checks
    )


class InThisProcess(Fresh):
    """A sandbox without a process: what it is asked to capture and to watch is ours.

    A rehearsal gets a process all the same.
    """

    def run(
        self,
        request: Mapping[str, Any],
        limits: Limits | None = None,
        *,
        kind: str = "capture",
        blobs: Sequence[bytes] = (),
        **others: Any,
    ) -> tuple[bytes, ...]:
        if kind == "rehearse":  # torch is not itself after that
            return super().run(request, limits, kind=kind, **others)
        if kind == "watch":
            return (watching.answer(request, *blobs),)
        with mock.patch.object(sys, "argv", [request["filename"]]):
            try:
                return tuple(in_child.answer(Request.model_validate(request)))
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                raise explain.explained(error, request["filename"]) from error


@contextmanager
def _apart() -> Iterator[None]:
    """As in a process of its own: no warnings or logs, own random numbers, garbage left lying."""
    gc.disable()
    logging.disable()
    try:
        with warnings.catch_warnings(action="ignore"), torch.random.fork_rng(devices=[]):
            yield
    finally:
        logging.disable(logging.NOTSET)
        gc.enable()
