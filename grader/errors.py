"""The ways grading can end without a verdict: the student's to fix, the instructor's, or ours."""

from __future__ import annotations


class SubmissionError(Exception):
    """The submission cannot be graded as it is; the message tells the student what to do.

    `line` is the line of the student's own file (1-based) that the message is about, where there is
    one.
    """

    def __init__(self, message: str, *, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class GraderError(Exception):
    """The grader cannot work here (no data, a missing tool); never the student's fault."""


class AssignmentError(GraderError):
    """An assignment is not as it can be graded: the instructor's to fix; it stops no other one."""
