"""What one student handed in, as it was read: the record that all others work with.

Nothing of it was executed, and nothing of it is read again: bytes were taken once, and became text.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from grader.errors import SubmissionError
from grader.program.listing import Listing, Part
from grader.program.recipe import Remark
from grader.submission.claims import NO_CLAIMS, Claims
from grader.submission.write_up import NOTHING, WriteUp


class UsageError(ValueError):
    """The command cannot be carried out as it was given; the message says how to give it."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What lies beside the work: the path for people, and why it is not graded."""

    display: str
    reason: str

    def __str__(self) -> str:
        return f"{self.display} ({self.reason})"


@dataclass(frozen=True, slots=True)
class Submission:
    """One student's work: a script, a notebook, a folder or an archive.

    `name` is safe for a folder (letters, digits, "_" and "-") and differs from all others of the
    same assignment, also where upper and lower case are one. `shown` is the person or the file by
    the name that people know, `display` the path: in both, what is invisible is escaped.

    `listing` is all that is ever read of the work. `sha256` is the hash of a single file's bytes,
    of several with their names. Where `problem` says why it could not be read, the listing is blank
    and the hash may be empty. `notes` are what the student should know, `claims` what the work says
    of itself; `left_out` lies in the folder or archive and is no part of the listing. `write_up` is
    what it states in words.

    For an assignment in steps, `steps` are the works that it consists of, one for each step in
    order; in such a work, `step` names the step.
    """

    path: Path
    name: str
    display: str
    assignment: str
    listing: Listing
    sha256: str
    problem: SubmissionError | None = None
    shown: str = ""
    claims: Claims = NO_CLAIMS
    notes: tuple[Remark, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    write_up: WriteUp = NOTHING
    step: str = ""
    steps: tuple[Submission, ...] = ()

    @property
    def source(self) -> str:
        """The text of the main file, at its line numbers in the listing."""
        return self.listing.source(self.listing.main)

    @property
    def siblings(self) -> tuple[Part, ...]:
        """The parts of all other files."""
        main = self.listing.main
        return tuple(part for part in self.listing.parts if part.file != main)


@dataclass(frozen=True, slots=True)
class Work:
    """What is read of a student's work before it has a name: see `Submission`."""

    listing: Listing
    sha256: str = ""
    problem: SubmissionError | None = None
    claims: Claims = NO_CLAIMS
    notes: tuple[Remark, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    write_up: WriteUp = NOTHING
