"""Reports of earlier runs that still stand, and new ones on their way to the disk.

In: a submission, its assignment, what the user asked for. Out: the address of that grading, the
report that is at it, and a new report as it is kept. Loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grader.assignment import Assignment
from grader.errors import GraderError, SubmissionError
from grader.options import Options
from grader.report import Report
from grader.storage import reports, seal
from grader.submission.submission import Submission

if TYPE_CHECKING:
    from grader.training.data import Source


def address(
    item: Submission, assignment: Assignment, options: Options, *, device: str, source: Source
) -> str:
    """Where a report on that submission belongs: see `seal.address`.

    `device` is the kind that trains; `source` are the images.
    """
    choices = {
        **options.deciding,
        "device": device,
        "images": [source.dataset.name, source.practice],
    }
    return seal.address(item, assignment, choices)


def kept(item: Submission, address: str, options: Options, *, secret: bytes) -> Report | None:
    """The report of an earlier run that still stands; None where the user wants a fresh one.

    A problem with reading the work need not be in its bytes: the report must have told of it.
    """
    if options.fresh:
        return None
    found = reports.kept(item.name, item.assignment, options.output, address=address, secret=secret)
    if found is None or (item.problem and not _tells(found, item.problem)):
        return None
    # The same file may have moved.
    return found.model_copy(update={"path": item.display, "display_name": item.shown})


def _tells(found: Report, problem: SubmissionError) -> bool:
    told = found.problem
    return told is not None and (told.message, told.line) == (problem.message, problem.line)


def finished(report: Report, address: str, options: Options, *, secret: bytes) -> Report:
    """The report as it is kept: with the newest training beside it, and sealed."""
    report = reports.told(report, options.output, secret=secret)
    return seal.sealed(report, address, secret)


def written(report: Report, options: Options, *, secret: bytes) -> str:
    """Keep a report that a later run is not to take for a grading; why that failed, or ""."""
    try:
        reports.write(
            finished(report, seal.nowhere(), options, secret=secret), options.output, secret=secret
        )
    except GraderError as error:  # a full disk takes no other report with it
        return str(error)
    return ""
