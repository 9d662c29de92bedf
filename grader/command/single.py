"""Commands that say something about one submission: what it is, and how it would be trained.

In: a path, and where its assignment is. Out: text; an exit code. Nothing is trained or kept here.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from grader.assignment import Assignment, load_each
from grader.command import stepwise
from grader.command.project import Project, refuse_hidden
from grader.command.session import refuse_all_broken, results, steps, trainings
from grader.command.workroom import Workroom
from grader.errors import SubmissionError
from grader.printable import printable, printable_path
from grader.render import convention, recipe, words
from grader.storage import json_text
from grader.storage.atomic import write_whole
from grader.submission import find
from grader.submission.submission import Submission, UsageError


def show_recipe(
    path: Path, *, assignment: str | None, training: str | None, project: Project, write: bool
) -> int:
    """Print what would be trained, line by line; with `write`, in the convention.

    1 when that cannot be said. Raises UsageError and GraderError.
    """
    found, known = _only(path, assignment, training, project, "recipe")
    with Workroom() as room:
        room.begin()
        from grader import pipeline

        try:
            told = pipeline.recipe(found, known, room.sandbox)
        except SubmissionError as error:
            return _cannot(found, error)
    whose = told.report.recipe
    own = whose is not None and not whose.obstacles
    if write:
        if not own:  # what is pasted must not pass for the student's
            sys.stdout.write(
                "# Your own recipe could not be used: this is the assignment's. Without --write,\n"
                "# this command says what stands in the way of yours.\n"
            )
        sys.stdout.write(
            convention.written(
                told.recipe, told.scheduler, network=told.network, trains_all=told.trains_all
            )
        )
    else:
        for part in recipe.draw(told.report):
            results().print(part)
    return 0 if own else 1


def analyse(
    path: Path,
    *,
    assignment: str | None,
    training: str | None = None,
    output: Path | None,
    project: Project,
) -> int:
    """Write the JSON analysis of one submission; 1 when it cannot be captured.

    Raises UsageError and GraderError.
    """
    found, known = _only(path, assignment, training, project, "analyse")
    try:
        with Workroom() as room:
            room.begin()
            from grader import pipeline

            analysis = pipeline.analyse(found, known, room.sandbox)
    except SubmissionError as error:
        return _cannot(found, error)
    text = json_text.text(analysis, ascii_only=True) + "\n"
    if output:
        write_whole(output, text)
    else:
        sys.stdout.write(text)
    return 0


def _only(
    path: Path, assignment: str | None, training: str | None, project: Project, command: str
) -> tuple[Submission, Assignment]:
    """The one submission at `path`, and its assignment."""
    known, broken = load_each(project.root)
    names = sorted([*known, *broken])
    refuse_hidden(assignment, names, project.root)
    found = find.discover(
        [path],
        names,
        root=project.root,
        home=project.home,
        assignment=assignment,
        training=training,
        trainings=trainings(known),
        steps=steps(known),
    )
    if len(found) != 1:
        raise UsageError(_not_one(path, found, command=command, training=training))
    refuse_all_broken([found[0].assignment], broken)
    asked = known[found[0].assignment]
    stepwise.refuse(asked, found[0], command)
    return found[0], asked.of_step(found[0].step)


def _not_one(path: Path, found: Sequence[Submission], *, command: str, training: str | None) -> str:
    names = ", ".join(submission.display for submission in found[:5])
    more = ", ..." if len(found) > 5 else ""
    unknown = f" None of them is {printable(training, 100)}, which is to train." if training else ""
    return (
        f"{printable_path(path)} holds {words.several(len(found), 'submission')}; {command} takes "
        f"one.{unknown} Name one of {names}{more}; or, where they are one person's work, the one "
        f"that trains: --training {printable(found[0].path.name, 100)}."
    )


def _cannot(submission: Submission, error: SubmissionError) -> int:
    """Print why nothing could be said of a submission; the exit code for that."""
    place = f", {submission.listing.place(error.line)}" if error.line else ""
    text = printable(f"{submission.display}{place}: {error.message}", 4000)
    Console(stderr=True).print(text, markup=False, highlight=False)
    return 1
