"""The whole journey of one submission: read, watch, prove, check (which trains), report.

Student code runs in `read`, in a locked child process; everything after it works on data. `watch`
runs the network, in a locked child too, for it may take all time and memory. A mistake
in the submission ends the journey with a report that says so; it never raises.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from grader.analysis import summary
from grader.analysis.summary import Analysis
from grader.analysis.untrained import watched
from grader.analysis.untrained.watched import Watched
from grader.assignment import Assignment
from grader.checks import plugin
from grader.errors import AssignmentError, GraderError, SubmissionError
from grader.intake import intake
from grader.judging import advice, pictures, shuffle, whose_recipe
from grader.judging.starting import Training, cut_short
from grader.options import Options
from grader.program.program import Captured
from grader.program.recipe import Recipe
from grader.program.rehearsed import SchedulerUse, TrainedNetwork
from grader.render.progress import TrainingProgress
from grader.report import CheckResult, Claim, Environment, Problem, Report, Stated, Verdict
from grader.sandbox.isolation import Sandbox
from grader.sandbox.level import Isolation
from grader.submission import excerpts, where
from grader.submission.submission import Submission
from grader.submission.write_up import NOTHING, PARTS, Statement, WriteUp
from grader.training import lab_note
from grader.training.data import Data, Source
from grader.training.datasets import DATASETS
from grader.training.lab_note import Clock

if TYPE_CHECKING:  # they load torch
    from grader.judging.trial import Trial
    from grader.training.task import Trainer

WATCHED_IMAGES = 200
"""Training images that the untrained network is watched on."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What submissions for one data set are graded with.

    The user's options, the images, who captures and who trains (nobody, where nothing is to be
    trained), the installation's own secret, and what was seen of networks: see `intake.watch`.
    """

    options: Options
    images: Source
    sandbox: Sandbox
    trainer: Trainer | None
    secret: bytes = shuffle.SECRET
    seen: dict[bytes, Watched] = field(default_factory=dict)


def grade(
    submission: Submission,
    assignment: Assignment,
    workshop: Workshop,
    progress: TrainingProgress,
) -> Report:
    """Grade one submission. Raises nothing but KeyboardInterrupt, and that only before training."""
    clock = Clock(progress.stage)
    try:
        with clock.measure("capture", "Reading the network"):
            captured = read(submission, assignment, workshop)
        with clock.measure("analysis", "Proving its structure"):
            data = workshop.images.read()
            seen = watch(captured, assignment, data, workshop)
            intake.check_batches(captured.program, assignment, workshop.images.train_images)
            analysis = prove(captured, seen)
        key = shuffle.key(workshop.secret, submission.sha256, data.training.name)
        training = Training(
            lambda: train(captured, assignment, data, workshop, clock, progress, key)
        )
        checks = check(
            assignment, workshop.options, analysis, seen, training, progress, submission.write_up
        )
    except Exception as error:
        # Whatever it is, it ends this submission's journey and nobody else's.
        return report_failure(submission, assignment, error, workshop)
    found = report(
        submission, assignment, captured, analysis, training.done, checks, clock, workshop
    )
    return found.model_copy(update={"inference": seen.inference})


def read(submission: Submission, assignment: Assignment, workshop: Workshop) -> Captured:
    """The submission as data, captured in the sandbox. Raises SubmissionError."""
    if assignment.steps and submission.problem is None:
        raise AssignmentError(in_steps(assignment))
    options = workshop.options
    # Two networks show which weights are random.
    most = max(2, options.seeds or assignment.most_seeds)
    return intake.read(
        submission,
        assignment,
        workshop.sandbox,
        train_images=workshop.images.train_images,
        seeds=range(options.first_seed, options.first_seed + most),
    )


def in_steps(assignment: Assignment) -> str:
    """Why a work for that assignment cannot be taken as one network."""
    names = ", ".join(step.name for step in assignment.steps)
    return (
        f"{assignment.name} is an assignment in steps ({names}), and one network is asked about: "
        f"name the file of one step, such as {assignment.steps[0].name}.py"
    )


def watch(captured: Captured, assignment: Assignment, data: Data, workshop: Workshop) -> Watched:
    """What the untrained network does with some training images. Raises SubmissionError."""
    known = data.training
    images = known.train_images[:WATCHED_IMAGES]
    labels = known.train_labels[:WATCHED_IMAGES]
    return intake.watch(
        captured,
        workshop.sandbox,
        images,
        labels,
        limits=assignment.limits,
        known=workshop.seen,
        timed="fast_inference" in assignment.checks,
    )


def prove(captured: Captured, seen: Watched) -> Analysis:
    """All analyses of a network; the child that ran it has managed them within its limits."""
    return summary.analyse(captured.program, seen.proof, seen.idle)


def train(
    captured: Captured,
    assignment: Assignment,
    data: Data,
    workshop: Workshop,
    clock: Clock,
    progress: TrainingProgress,
    key: bytes = shuffle.SECRET,
) -> Trial:
    """Train under as many seeds as it takes, each epoch judged. Starts when a check asks for it.

    `key` draws how the test images are shown.
    """
    from grader.judging import trial  # it loads torch: static checks do without
    from grader.judging.judge import Judge
    from grader.training import device

    assert workshop.trainer is not None
    with clock.measure("training", "Training"):
        return trial.conduct(
            captured,
            assignment,
            data.training,
            Judge(data.test_labels, classes=captured.program.classes),
            trainer=workshop.trainer,
            device=device.choose(workshop.options.device),
            engine=workshop.options.engine,
            seeds=workshop.options.seeds,
            epochs=workshop.options.epochs,
            most_seconds=60.0 * (workshop.options.minutes or math.inf),
            progress=progress,
            key=key,
        )


def check(
    assignment: Assignment,
    options: Options,
    analysis: Analysis,
    seen: Watched,
    training: Training[Trial],
    progress: TrainingProgress,
    write_up: WriteUp = NOTHING,
) -> tuple[CheckResult, ...]:
    """The answer of each check that the assignment names."""
    known = plugin.Known(
        assignment=assignment,
        options=options,
        analysis=analysis,
        behaviour=seen.behaviour,
        training=training,
        write_up=write_up,
        inference=seen.inference,
    )
    return plugin.run_checks(known, progress.check)


def report(
    submission: Submission,
    assignment: Assignment,
    captured: Captured,
    analysis: Analysis,
    trained: Trial | None,
    checks: Sequence[CheckResult],
    clock: Clock,
    workshop: Workshop,
) -> Report:
    """The report of a submission whose checks have run."""
    program, options = captured.program, workshop.options
    quick_look = cut_short(program.recipe, options.epochs)
    if options.static:
        quick_look = options.quick_look
    training, interrupted, place = None, False, "none"
    if trained:
        training, interrupted, place = trained.training, trained.interrupted, trained.device
    found = Report(
        submission=submission.name,
        path=submission.display,
        sha256=submission.sha256,
        assignment=assignment.name,
        assignment_title=assignment.title,
        verdict=plugin.overall(checks, interrupted=interrupted),
        points=sum(item.points for item in checks),
        max_points=sum(item.max_points for item in checks),
        checks=tuple(checks),
        layers=analysis.layers,
        analysis=summary.for_report(analysis, assignment),
        recipe=whose_recipe.describe(program.recipe, captured.rehearsed),
        training=training,
        left_out=summary.not_executed(program),
        flags=analysis.flags,
        notes=(
            *_own_notes(submission),
            *program.notes,
            *advice.foreseen(program.recipe),
            *analysis.notes,
        ),
        claims=tuple(_claims(submission)),
        stated=tuple(_stated(submission)),
        step=submission.step,
        quick_look=quick_look,
        interrupted=interrupted,
        environment=_environment(place, workshop.sandbox.isolation),
        seconds=clock.seconds,
        started=clock.started.isoformat(timespec="seconds"),
        display_name=submission.shown,
        dataset_choice=options.dataset,
        sample=pictures.picture(workshop.images.read().training.train_images[0]),
    )
    return excerpts.with_excerpts(where.in_places(found, submission.listing), submission.listing)


def _own_notes(submission: Submission) -> list[str]:
    """What was noticed when the work was read, each with its line."""
    return [
        f"{note.text} (line {note.line})" if note.line else note.text for note in submission.notes
    ]


def _claims(submission: Submission) -> Iterator[Claim]:
    """What the work says of itself; the parameters that learn, where it says which do."""
    found = submission.claims
    named = {
        "accuracy": found.accuracy or found.last_accuracy,
        "parameters": found.parameters or found.all_parameters,
        "epochs": found.epochs,
    }
    for name, claim in named.items():
        if claim is not None:
            yield Claim.model_validate(
                {
                    "name": name,
                    "number": claim.number,
                    "quote": claim.quote,
                    "place": claim.place,
                    "line": claim.line,
                }
            )


def _stated(submission: Submission) -> Iterator[Stated]:
    """Target, result and analysis, as far as the work states them."""
    for part in PARTS:
        said: Statement | None = getattr(submission.write_up, part)
        if said is not None:
            yield Stated.model_validate(
                {"part": part, "text": said.text, "place": said.place, "line": said.line}
            )


def report_failure(
    submission: Submission, assignment: Assignment, error: Exception, workshop: Workshop
) -> Report:
    """The report of a submission that could not be graded."""
    return not_graded(
        submission,
        error,
        workshop.options,
        workshop.sandbox.isolation,
        title=assignment.title,
        points=assignment.points,
    )


def not_graded(
    submission: Submission,
    error: Exception,
    options: Options,
    isolation: Isolation,
    *,
    title: str,
    points: float,
) -> Report:
    """The report of a submission that an error ended, by the title and points of its assignment.

    No points when the submission is at fault; "broken" when the assignment or the grader is.
    """
    problem = _problem(error)
    verdict = Verdict.FAILED if problem.fault == "submission" else Verdict.BROKEN
    report = Report(
        submission=submission.name,
        path=submission.display,
        sha256=submission.sha256,
        assignment=submission.assignment,
        assignment_title=title,
        verdict=verdict,
        points=0,
        max_points=points,
        checks=(),
        problem=problem,
        quick_look=options.quick_look,
        environment=_environment("none", isolation),
        started=Clock().started.isoformat(timespec="seconds"),
        display_name=submission.shown,
        dataset_choice=options.dataset,
        stated=tuple(_stated(submission)),
        step=submission.step,
    )
    if submission.problem:
        return report
    return excerpts.with_excerpts(where.in_places(report, submission.listing), submission.listing)


def _environment(device: str, isolation: Isolation) -> Environment:
    return lab_note.describe(
        device=device, isolation=isolation.name, isolation_reason=isolation.reason
    )


def _problem(error: Exception) -> Problem:
    if isinstance(error, SubmissionError):
        return Problem(fault="submission", message=error.message, line=error.line)
    if isinstance(error, AssignmentError):
        return Problem(fault="assignment", message=str(error))
    if isinstance(error, GraderError):
        return Problem(fault="grader", message=str(error))
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
    return Problem(
        fault="grader",
        message=f"{type(error).__name__} at {place}: {error}. "
        "This is a mistake in the grader: please report it.",
    )


@dataclass(frozen=True, slots=True)
class Told:
    """The recipe of a submission, in a report without anything else, and what writes it down.

    `network` and `scheduler` are there where a rehearsal saw which ones a training made; where it
    did not see that it `trains_all` weights, the others stay as they start.
    """

    report: Report
    recipe: Recipe
    scheduler: SchedulerUse | None
    network: TrainedNetwork | None
    trains_all: bool


def recipe(submission: Submission, assignment: Assignment, sandbox: Sandbox) -> Told:
    """How it would be trained, and whose recipe that is. Raises SubmissionError.

    A training that was handed in is rehearsed; its network is not captured.
    """
    if submission.problem:
        raise submission.problem
    images = DATASETS[assignment.dataset].train_images
    rehearsed = intake.rehearse(submission, assignment, sandbox, images)
    found = rehearsed.recipe if rehearsed else None
    if found is None:
        captured = intake.capture_rehearsed(
            submission, assignment, sandbox, rehearsed, train_images=images, seeds=(0,)
        )
        found = captured.program.recipe
    empty = not_graded(
        submission,
        SubmissionError(""),
        Options(static=True),
        sandbox.isolation,
        title=assignment.title,
        points=0,
    )
    told = whose_recipe.describe(found, rehearsed)
    analysis = {"recipe": found.model_dump(mode="json")}
    shown = {"problem": None, "verdict": Verdict.SKIPPED, "recipe": told, "analysis": analysis}
    report = where.in_places(empty.model_copy(update=shown), submission.listing)
    own = rehearsed is not None and rehearsed.recipe is not None
    return Told(
        report,
        found,
        whose_recipe.scheduler(found, rehearsed, assignment),
        rehearsed.trained if rehearsed and own else None,
        trains_all=whose_recipe.trains_all(rehearsed) if rehearsed and own else True,
    )


def analyse(submission: Submission, assignment: Assignment, sandbox: Sandbox) -> dict[str, Any]:
    """The JSON analysis of a submission, without images and training. Raises SubmissionError."""
    train_images = DATASETS[assignment.dataset].train_images
    captured = intake.read(
        submission,
        assignment,
        sandbox,
        train_images=train_images,
        seeds=range(max(2, assignment.most_seeds)),
    )
    seen = intake.watch(captured, sandbox, *watched.NOTHING, limits=assignment.limits)
    intake.check_batches(captured.program, assignment, train_images)
    return summary.to_json(prove(captured, seen), assignment)
