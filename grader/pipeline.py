"""The whole journey of one submission: file → Program → analyses → checks (which train) → Report.

Student code runs in `capture`, in a child process; everything after it reads data. A mistake in the submission ends the
journey with a report that says so; it never raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from grader import findings, network, outcome, plugin, workload
from grader.analysis import summary
from grader.assignment import Assignment
from grader.clock import Clock
from grader.findings import Findings
from grader.render.progress import TrainingProgress
from grader.report import Report
from grader.sandbox.capture import Captured, capture
from grader.sandbox.isolation import Sandbox
from grader.submission import Submission
from grader.training.data import TRAIN_IMAGES, Source


@dataclass(frozen=True, slots=True)
class Options:
    """How to grade, from the command line. `seeds` None: as many as it takes to be sure, from `first_seed` on."""

    device: str = "auto"
    static: bool = False
    epochs: int | None = None
    seeds: int | None = None
    first_seed: int = 0
    train_anyway: bool = False
    require_isolation: int | None = None

    @property
    def quick_look(self) -> str:
        """The option that asks for less than a grading, or ""."""
        return "--static" if self.static else f"--epochs {self.epochs}" if self.epochs else ""


def grade(
    submission: Submission,
    assignment: Assignment,
    images: Source,
    options: Options,
    progress: TrainingProgress,
    sandbox: Sandbox,
) -> Report:
    """Grade one submission. Raises nothing but KeyboardInterrupt, and that only before training began."""
    clock = Clock()
    try:
        if submission.problem:
            raise submission.problem
        progress.stage("Reading the network")
        with clock.measure("capture"):
            captured = capture_submission(submission, assignment, images, sandbox, options)
        progress.stage("Proving its structure")
        with clock.measure("analysis"):
            found = Findings(captured, assignment, images, options, progress, clock)
            answers = found.for_checks()
        checks = plugin.run(answers, progress.check)
    except Exception as error:  # whatever it is, it ends this submission's journey and nobody else's
        return outcome.unfinished(submission, assignment, error, sandbox.isolation, options.quick_look)
    return outcome.finished(submission, assignment, captured, found, checks, clock, sandbox.isolation)


def capture_submission(
    submission: Submission, assignment: Assignment, images: Source, sandbox: Sandbox, options: Options
) -> Captured:
    """The submission as data, checked to run by itself. Raises SubmissionError."""
    most = max(2, options.seeds or assignment.most_seeds)  # two networks show which weights are random
    wanted = range(options.first_seed, options.first_seed + most)
    name = submission.path.name if submission.path.name.isascii() else f"{submission.name}.py"
    captured = capture(
        submission.source, name, assignment, train_images=images.train_images, seeds=wanted, sandbox=sandbox
    )
    network.check_size(captured.program, assignment.limits)
    network.check_shapes(captured.program)
    workload.check(captured.program, assignment.limits)
    return captured


def analyse(submission: Submission, assignment: Assignment, sandbox: Sandbox) -> dict[str, Any]:
    """The JSON analysis of a submission, without images and training. Raises SubmissionError."""
    if submission.problem:
        raise submission.problem
    source = Source("mnist", practice=False, train_images=TRAIN_IMAGES.shape[0])
    captured = capture_submission(submission, assignment, source, sandbox, Options())
    return summary.to_json(findings.analyse(captured), assignment)
