"""The whole journey of one submission: read, prove, watch, check (which trains), report.

Student code runs in `read`, in a locked child process; everything after it works on data. A mistake
in the submission ends the journey with a report that says so; it never raises.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from grader import intake, network
from grader.analysis import summary
from grader.analysis.receptive_field import proof
from grader.analysis.summary import Analysis
from grader.analysis.untrained import behaviour
from grader.analysis.untrained.behaviour import Behaviour
from grader.assignment import Assignment
from grader.checks import plugin
from grader.errors import AssignmentError, GraderError, SubmissionError
from grader.judging import trial
from grader.judging.judge import Judge
from grader.judging.trial import Training, Trial
from grader.options import Options
from grader.program import Captured
from grader.render.progress import TrainingProgress
from grader.report import CheckResult, Environment, Hint, Problem, Report, Verdict
from grader.sandbox.isolation import Sandbox
from grader.sandbox.level import Isolation
from grader.submission import Submission
from grader.training import device, lab_note
from grader.training.data import Data, Source
from grader.training.datasets import DATASETS
from grader.training.lab_note import Clock
from grader.training.task import Trainer

WATCHED_IMAGES = 200
"""Training images that the untrained network is watched on."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What submissions for one data set are graded with.

    The user's options, the images, who captures and who trains.
    """

    options: Options
    images: Source
    sandbox: Sandbox
    trainer: Trainer


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
            analysis = prove(captured)
            data = workshop.images.read()
            seen = watch(captured, data)
        training = Training(lambda: train(captured, assignment, data, workshop, clock, progress))
        checks = check(assignment, workshop.options, analysis, seen, training, progress)
    except Exception as error:
        # Whatever it is, it ends this submission's journey and nobody else's.
        return report_failure(submission, assignment, error, workshop)
    return report(
        submission, assignment, captured, analysis, training.done, checks, clock, workshop
    )


def read(submission: Submission, assignment: Assignment, workshop: Workshop) -> Captured:
    """The submission as data, captured in the sandbox. Raises SubmissionError."""
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


def prove(captured: Captured) -> Analysis:
    """All analyses of a network, its receptive field measured besides."""
    program = captured.program
    weights = network.build(program, captured.values[program.seeds[0]]).weights
    return summary.analyse(program, proof.measure(program.eval, weights))


def watch(captured: Captured, data: Data) -> Behaviour:
    """What the untrained network does with some training images."""
    known = data.training
    images = torch.from_numpy(known.train_images[:WATCHED_IMAGES].copy()).float() / 255
    labels = torch.from_numpy(known.train_labels[:WATCHED_IMAGES].copy())
    return behaviour.observe(captured.program, captured.values, images, labels)


def train(
    captured: Captured,
    assignment: Assignment,
    data: Data,
    workshop: Workshop,
    clock: Clock,
    progress: TrainingProgress,
) -> Trial:
    """Train under as many seeds as it takes, each epoch judged. Starts when a check asks for it."""
    with clock.measure("training", "Training"):
        return trial.conduct(
            captured,
            assignment,
            data.training,
            Judge(data.test_labels, classes=captured.program.classes),
            trainer=workshop.trainer,
            device=device.choose(workshop.options.device),
            seeds=workshop.options.seeds,
            epochs=workshop.options.epochs,
            progress=progress,
        )


def check(
    assignment: Assignment,
    options: Options,
    analysis: Analysis,
    seen: Behaviour,
    training: Training,
    progress: TrainingProgress,
) -> tuple[CheckResult, ...]:
    """The answer of each check that the assignment names."""
    known = plugin.Known(
        assignment=assignment,
        options=options,
        analysis=analysis,
        behaviour=seen,
        training=training,
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
    cut_short = trial.cut_short(program.recipe, options.epochs)
    interrupted = trained is not None and trained.interrupted
    return Report(
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
        analysis=summary.to_json(analysis, assignment),
        training=trained.training if trained else None,
        left_out=tuple(
            Hint(text=f"{item.text} ({item.reason})", line=item.line) for item in program.left_out
        ),
        flags=analysis.flags,
        notes=(*program.notes, *analysis.notes),
        quick_look=options.quick_look if options.static else cut_short,
        interrupted=interrupted,
        environment=_environment(trained.device if trained else "none", workshop.sandbox.isolation),
        seconds=clock.seconds,
        started=clock.started.isoformat(timespec="seconds"),
        display_name=submission.shown,
        dataset_choice=options.dataset,
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
    return Report(
        submission=submission.name,
        path=submission.display,
        sha256=submission.sha256,
        assignment=submission.assignment,
        assignment_title=title,
        verdict=Verdict.FAILED if problem.fault == "submission" else Verdict.BROKEN,
        points=0,
        max_points=points,
        checks=(),
        problem=problem,
        quick_look=options.quick_look,
        environment=_environment("none", isolation),
        started=Clock().started.isoformat(timespec="seconds"),
        display_name=submission.shown,
        dataset_choice=options.dataset,
    )


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


def analyse(submission: Submission, assignment: Assignment, sandbox: Sandbox) -> dict[str, Any]:
    """The JSON analysis of a submission, without images and training. Raises SubmissionError."""
    captured = intake.read(
        submission,
        assignment,
        sandbox,
        train_images=DATASETS[assignment.dataset].train_images,
        seeds=range(max(2, assignment.most_seeds)),
    )
    return summary.to_json(prove(captured), assignment)
