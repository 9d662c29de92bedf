"""Grade what a student's own process asks about: the same steps, and never a grade.

In: a Submission and its Assignment. Out: a Report that says `self_check`. Student code still runs
in a locked child, which leaves the process that asks as it was. But that process is the student's:
whoever can change the grader's code in its memory can change its answer.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from rich.console import Console

from grader import pipeline
from grader.assignment import Assignment
from grader.command.workroom import Workroom
from grader.errors import GraderError
from grader.intake import intake, rehearsing
from grader.judging.starting import Training
from grader.options import STATIC, Options
from grader.pipeline import Workshop
from grader.program.program import Captured
from grader.program.rehearsed import Rehearsal, Rehearsed
from grader.render.progress import TrainingProgress
from grader.report import CheckResult, Report, Verdict
from grader.sandbox import loading
from grader.submission.submission import Submission
from grader.training import data
from grader.training.datasets import DATASETS
from grader.training.lab_note import Clock

if TYPE_CHECKING:  # it loads torch
    from grader.judging.trial import Trial

UNTOLD = "Your training was not looked at, to be quick: grader.grade({name}) does that, and trains."
UNTRAINED = "This takes a training: grader.grade({name})"
NO_RECIPE = Rehearsed(Rehearsal())
"""Of a training that was not looked at: nothing of it is read, and nothing is said of it."""


class Bench:
    """Where one notebook's self-checks happen: a sandbox that stays warm, and images read once.

    The first check starts it, which takes seconds, if `begin` has not; `close` ends it.
    """

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._room: Workroom | None = None
        self._last: tuple[object, Report] | None = None

    def begin(self) -> None:
        """Start the sandbox, and return while it gets ready."""
        if self._room is None:
            self._room = self._stack.enter_context(Workroom())
            self._room.begin()

    def close(self) -> None:
        """End the sandbox. The next check starts another."""
        self._room = self._last = None
        self._stack.close()

    def check(self, submission: Submission, assignment: Assignment, folder: Path | None) -> Report:
        """What can be said of the network without its training. Raises GraderError.

        Of what has not changed since the last check, the same as then.
        """
        options = Options(static=True, data=folder)
        workshop = self._workshop(assignment, options)
        asked = (submission, assignment, workshop.images)
        if self._last is not None and self._last[0] == asked:
            return self._last[1]
        with loading.uncollected():  # a notebook holds much, and little of it is garbage
            report = self._checked(submission, assignment, workshop)
        if self._room is not None:  # what the grader did wrong is not kept
            self._last = asked, report
        return report

    def _checked(
        self, submission: Submission, assignment: Assignment, workshop: Workshop
    ) -> Report:
        clock = Clock()
        try:
            with clock.measure("capture"):
                captured = _network_alone(submission, assignment, workshop)
            with clock.measure("analysis"):
                data = workshop.images.read()
                seen = pipeline.watch(captured, assignment, data, workshop)
                analysis = pipeline.prove(captured, seen)
            quiet = TrainingProgress(quiet=True)
            nothing: Training[Trial] = Training(_no_trial)
            checks = pipeline.check(assignment, workshop.options, analysis, seen, nothing, quiet)
            trains = rehearsing.is_rehearsed(submission.listing)
            if trains:
                checks = tuple(_untold(check, captured.program.model) for check in checks)
            report = pipeline.report(
                submission, assignment, captured, analysis, None, checks, clock, workshop
            )
            if trains:
                analysed = dict(report.analysis or {})
                analysed.pop("recipe", None)  # the assignment's, which says nothing of theirs
                changes = {"recipe": None, "analysis": analysed, "left_out": ()}
                report = report.model_copy(update=changes)
        except Exception as error:
            # As in the pipeline: the student reads what is wrong, wherever it happened.
            report = pipeline.report_failure(submission, assignment, error, workshop)
        return self._marked(report)

    def grade(self, submission: Submission, assignment: Assignment, options: Options) -> Report:
        """All checks, with a training. Raises GraderError."""
        workshop = self._workshop(assignment, options)
        console = Console(file=sys.stderr, force_jupyter=False)
        with TrainingProgress(submission.shown, console=console) as progress:
            return self._marked(pipeline.grade(submission, assignment, workshop, progress))

    def _marked(self, report: Report) -> Report:
        problem = report.problem
        if problem is not None and problem.fault == "grader":
            self.close()  # whatever it was, the next check begins anew
        return report.model_copy(update={"self_check": True})

    def _workshop(self, assignment: Assignment, options: Options) -> Workshop:
        self.begin()
        assert self._room is not None
        source = data.resolve(
            DATASETS[assignment.dataset],
            options.data,
            choice=options.dataset,
            fetch=not options.static,
            say=_say,
        )
        trainer = None
        if not options.static:
            from grader.training.worker.crew import Crew  # it loads torch

            trainer = Crew()
        room = self._room
        images = room.held(source)
        return Workshop(options, images, room.sandbox, trainer, seen=room.seen)


def _network_alone(submission: Submission, assignment: Assignment, workshop: Workshop) -> Captured:
    """The network as data, without a rehearsal of its training. Raises SubmissionError."""
    if submission.problem:
        raise submission.problem
    captured = intake.capture_rehearsed(
        submission,
        assignment,
        workshop.sandbox,
        NO_RECIPE if rehearsing.is_rehearsed(submission.listing) else None,
        train_images=workshop.images.train_images,
        seeds=(0, 1),
    )
    intake.check_size(captured.program, assignment.limits)
    return replace(captured, rehearsed=None)


def _untold(check: CheckResult, name: str) -> CheckResult:
    """A check of the recipe says nothing where the student's own recipe was not looked for."""
    if check.detail == STATIC:
        return check.model_copy(update={"detail": UNTRAINED.format(name=name)})
    if check.name != "epochs":
        return check
    unknown = {"verdict": Verdict.SKIPPED, "points": 0, "measured": "", "hints": ()}
    return check.model_copy(update={**unknown, "detail": UNTOLD.format(name=name)})


def _no_trial() -> NoReturn:
    raise GraderError("a check without training asked for a training")


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - for the student, as in a command
