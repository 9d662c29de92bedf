"""A submission on its way to another of the grader's own processes: JSON, never pickle.

In: a Submission. Out: bytes, and from them an equal Submission.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel

from grader.errors import SubmissionError
from grader.program.listing import Listing
from grader.program.recipe import Remark
from grader.submission.claims import Claims
from grader.submission.submission import LeftOut, Submission
from grader.submission.write_up import WriteUp


class _Carried(BaseModel):
    """`path` is the bytes of the path as hexadecimal digits: names need not be UTF-8."""

    path: str
    name: str
    display: str
    assignment: str
    listing: Listing
    sha256: str
    problem: tuple[str, int | None] | None
    shown: str
    claims: Claims
    notes: tuple[Remark, ...]
    left_out: tuple[LeftOut, ...]
    write_up: WriteUp
    step: str
    steps: tuple[_Carried, ...]


def to_json(item: Submission) -> bytes:
    """The submission as JSON."""
    return _carried(item).model_dump_json().encode()


def _carried(item: Submission) -> _Carried:
    problem = item.problem
    return _Carried(
        path=os.fsencode(item.path).hex(),
        name=item.name,
        display=item.display,
        assignment=item.assignment,
        listing=item.listing,
        sha256=item.sha256,
        problem=None if problem is None else (problem.message, problem.line),
        shown=item.shown,
        claims=item.claims,
        notes=item.notes,
        left_out=item.left_out,
        write_up=item.write_up,
        step=item.step,
        steps=tuple(map(_carried, item.steps)),
    )


def from_json(text: bytes) -> Submission:
    """The submission that `to_json` wrote. Raises pydantic.ValidationError for anything else."""
    return _submission(_Carried.model_validate_json(text))


def _submission(carried: _Carried) -> Submission:
    problem = None
    if carried.problem is not None:
        message, line = carried.problem
        problem = SubmissionError(message, line=line)
    return Submission(
        path=Path(os.fsdecode(bytes.fromhex(carried.path))),
        name=carried.name,
        display=carried.display,
        assignment=carried.assignment,
        listing=carried.listing,
        sha256=carried.sha256,
        problem=problem,
        shown=carried.shown,
        claims=carried.claims,
        notes=carried.notes,
        left_out=carried.left_out,
        write_up=carried.write_up,
        step=carried.step,
        steps=tuple(map(_submission, carried.steps)),
    )
