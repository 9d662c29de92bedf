"""The whole journey of one submission: file → Program → analyses → checks (which train) → Report.

Student code runs in `capture`, in a child process; everything after it reads data. A mistake in the submission ends the
journey with a report that says so; it never raises.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

import torch

from grader import behaviour, environment, judge, network, plugin, report, trial
from grader.analysis import proof, summary
from grader.assignment import Assignment
from grader.errors import GraderError, SubmissionError
from grader.render.progress import TrainingProgress
from grader.report import CheckResult, Hint, Problem, Report, Verdict
from grader.sandbox.capture import Captured, capture
from grader.submission import Submission
from grader.training import device as devices
from grader.training.data import TRAIN_IMAGES, Data, Source

WATCHED_IMAGES = 200
"""Training images that the untrained network is watched on."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to grade, from the command line. `seeds` None: as many as it takes to be sure."""

    device: str = "auto"
    static: bool = False
    epochs: int | None = None
    seeds: int | None = None
    train_anyway: bool = False


def grade(
    submission: Submission, assignment: Assignment, images: Source, options: Options, progress: TrainingProgress
) -> Report:
    """Grade one submission. Never raises for what a submission does; Ctrl-C before training passes through."""
    clock = Clock()
    try:
        if submission.problem:
            raise submission.problem
        progress.stage("Reading the network")
        with clock.measure("capture"):
            captured = capture_submission(submission, assignment, images, options)
        progress.stage("Proving its structure")
        with clock.measure("analysis"):
            findings = find(captured, assignment, images, options, progress)
        checks = plugin.run(findings.for_checks(), progress.check)
    except SubmissionError as error:
        return unfinished(submission, assignment, Problem(fault="submission", message=error.message, line=error.line))
    except GraderError as error:
        return unfinished(submission, assignment, Problem(fault="grader", message=str(error)))
    return finished(submission, assignment, captured, findings, checks, clock)


def capture_submission(submission: Submission, assignment: Assignment, images: Source, options: Options) -> Captured:
    """The submission as data, checked to run by itself. Raises SubmissionError."""
    seeds = range(max(2, options.seeds or assignment.most_seeds))  # two networks show which weights are random
    name = submission.path.name if submission.path.name.isascii() else f"{submission.name}.py"
    captured = capture(submission.source, name, assignment, train_images=images.train_images, seeds=seeds)
    network.check_size(captured.program, assignment.limits)
    network.check_shapes(captured.program)
    return captured


@dataclass(frozen=True)
class Findings:
    """What the analyses found, and the trial that runs when a check first asks for it."""

    analysis: summary.Analysis
    behaviour: behaviour.Behaviour
    train: Callable[[], trial.Trial]
    started: list[trial.Trial]
    assignment: Assignment
    options: Options

    def for_checks(self) -> plugin.Findings:
        """The same, by the names that the checks know."""
        return plugin.Findings(
            assignment=self.assignment,
            parameters=self.analysis.parameters,
            structure=self.analysis.structure,
            receptive_field=self.analysis.receptive_field,
            behaviour=self.behaviour,
            recipe=self.analysis.program.recipe,
            training=self.train,
            accuracy=lambda: self.train().accuracy,
            skip_training="static checks only (--static)" if self.options.static else "",
            train_anyway=self.options.train_anyway,
        )


def find(
    captured: Captured, assignment: Assignment, images: Source, options: Options, progress: TrainingProgress
) -> Findings:
    """Everything that is known before training; training itself is only prepared."""
    program = captured.program
    weights = network.build(program, captured.values[program.seeds[0]]).weights
    analysis = summary.analyse(program, proof.measure(program.eval, weights))
    data = cache(images.read)
    started: list[trial.Trial] = []
    failed: list[SubmissionError | GraderError] = []

    @cache
    def train() -> trial.Trial:
        if failed:
            raise failed[0]  # every check that asks is told so: nothing is trained twice in vain
        progress.stage("Loading the images")
        judged = judge.Judge(data().test_labels, classes=program.classes)
        progress.stage("Training")
        device = devices.choose(options.device)
        run = partial(trial.run, captured, assignment, data().training, judged, device=device, progress=progress)
        try:
            started.append(run(seeds=options.seeds, epochs=options.epochs))
        except (SubmissionError, GraderError) as error:
            failed.append(error)
            raise
        return started[0]

    return Findings(analysis, watch(captured, data()), train, started, assignment, options)


def watch(captured: Captured, data: Data) -> behaviour.Behaviour:
    """What the untrained network does with some training images."""
    images = torch.from_numpy(data.training.train_images[:WATCHED_IMAGES].copy()).float() / 255
    labels = torch.from_numpy(data.training.train_labels[:WATCHED_IMAGES].copy())
    return behaviour.observe(captured.program, captured.values, images, labels)


class Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC)
        self.seconds: dict[str, float] = {}

    def measure(self, stage: str) -> _Stage:
        """Measure what happens inside a `with`."""
        return _Stage(self.seconds, stage)


@dataclass
class _Stage:
    seconds: dict[str, float]
    stage: str
    began: float = 0.0

    def __enter__(self) -> None:
        self.began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds[self.stage] = time.perf_counter() - self.began


def finished(
    submission: Submission,
    assignment: Assignment,
    captured: Captured,
    findings: Findings,
    checks: Sequence[CheckResult],
    clock: Clock,
) -> Report:
    """The report of a submission whose checks have run."""
    done = findings.started[0] if findings.started else None
    program = captured.program
    return Report(
        submission=submission.name,
        path=submission.display,
        sha256=submission.sha256,
        assignment=assignment.name,
        assignment_title=assignment.title,
        verdict=plugin.overall(checks),
        points=sum(check.points for check in checks),
        max_points=sum(check.max_points for check in checks),
        checks=tuple(checks),
        layers=findings.analysis.layers,
        analysis=summary.to_json(findings.analysis, assignment),
        training=done.training if done else None,
        left_out=tuple(Hint(text=f"{item.text} ({item.reason})", line=item.line) for item in program.left_out),
        flags=findings.analysis.flags,
        notes=findings.analysis.notes,
        quick_look=done.quick_look if done else "",
        interrupted=done.interrupted if done else False,
        environment=environment.describe(device=done.device if done else "none", isolation=captured.isolation),
        seconds=clock.seconds | ({"training": done.seconds} if done else {}),
        started=clock.started.isoformat(timespec="seconds"),
    )


def analyse(submission: Submission, assignment: Assignment) -> dict[str, Any]:
    """The JSON analysis of a submission, without images and training. Raises SubmissionError."""
    if submission.problem:
        raise submission.problem
    source = Source("mnist", practice=False, train_images=TRAIN_IMAGES.shape[0])
    captured = capture_submission(submission, assignment, source, Options())
    weights = network.build(captured.program, captured.values[captured.program.seeds[0]]).weights
    return summary.to_json(summary.analyse(captured.program, proof.measure(captured.program.eval, weights)), assignment)


def unfinished(submission: Submission, assignment: Assignment, problem: Problem) -> Report:
    """The report of a submission that could not be graded: no points when it is at fault, "broken" when we are."""
    return Report(
        submission=submission.name,
        path=submission.display,
        sha256=submission.sha256,
        assignment=assignment.name,
        assignment_title=assignment.title,
        verdict=Verdict.FAILED if problem.fault == "submission" else Verdict.BROKEN,
        points=0,
        max_points=assignment.points,
        checks=(),
        problem=problem,
        environment=environment.describe(device="none", isolation="1 process"),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


EXIT = {Verdict.PASSED: 0, Verdict.BORDERLINE: 0, Verdict.FAILED: 1, Verdict.SKIPPED: 1, Verdict.BROKEN: 3}


def exit_code(reports: Sequence[report.Report], assignments: dict[str, Assignment]) -> int:
    """0 when every required check passed, 1 when some failed, 3 when the grader could not grade."""
    codes = [EXIT[item.verdict] for item in reports]
    codes += [
        1
        for item in reports
        if item.verdict is Verdict.BORDERLINE and not assignments[item.assignment].borderline_earns_points
    ]
    return max(codes, default=0)
