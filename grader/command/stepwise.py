"""Grade a work in steps: each step as a work of its own, and the journey out of their reports.

In: a Submission, its Assignment, and how one network is graded. Out: one Report. A work of one
network goes through unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from grader.assignment import Assignment
from grader.report import Report
from grader.submission.submission import Submission, UsageError

GradeOne = Callable[[Submission, Assignment], Report]
"""Grades a work of one network, by the rules that it is for."""


def grade(item: Submission, assignment: Assignment, grade_one: GradeOne) -> Report:
    """The report on a work for that assignment, or for that step of it.

    Where it is one in steps, `grade_one` is asked about each in turn.

    An interrupted step is the last one that is asked about.
    """
    if not item.steps:
        return grade_one(item, assignment)
    from grader.command import journey  # loads what proves networks

    found: list[Report] = []
    for part in parts(item):
        found.append(grade_one(part, assignment.of_step(part.step)))
        if found[-1].interrupted:
            break
    return journey.compose(item, assignment, found)


def parts(item: Submission) -> list[Submission]:
    """The steps of a work, under names of their own: the folder of each is in that of the work."""
    found = []
    for part in item.steps:
        shown = f"{item.shown}: {part.shown}"
        found.append(replace(part, name=f"{item.name}/{part.step}", shown=shown))
    return found


def number(items: Sequence[Submission]) -> int:
    """How many networks the works consist of."""
    return sum(max(1, len(item.steps)) for item in items)


def refuse(assignment: Assignment, item: Submission, command: str) -> None:
    """Raises UsageError for a work in steps where a command is about one network."""
    if assignment.steps and not item.step:
        names = ", ".join(f"{step.name}.py" for step in assignment.steps)
        raise UsageError(
            f"{item.display} is a work in {len(assignment.steps)} steps, and {command} takes one "
            f"network: name the file of one step ({names})."
        )
