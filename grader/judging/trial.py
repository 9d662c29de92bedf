"""Train a submission under one or more seeds and judge every epoch.

In: a captured Program, images, and a Judge (the only one here who knows the test labels). Out: a
`Trial` for the checks and the report. After each round the judge says whether more seeds could
change the answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from grader import report
from grader.assignment import Assignment
from grader.judging import advice, judge, metric, recording, shuffle
from grader.judging.judge import Judge, Judgement
from grader.judging.known import Known
from grader.judging.protocols import PROTOCOLS
from grader.judging.runner import Progress, Runner
from grader.judging.second_look import Steadiness
from grader.judging.starting import cut_short
from grader.judging.time_limit import TimeLimit
from grader.program.program import Captured
from grader.report import Verdict
from grader.training.data import TrainingData
from grader.training.datasets import DATASETS
from grader.training.records import INTERRUPTED, TrainingRun
from grader.training.task import Trainer


@dataclass(frozen=True)
class Trial:
    """All runs and the judgement on them, as the checks and the report need it."""

    runs: tuple[TrainingRun, ...]
    correct: tuple[tuple[int, ...], ...]
    judgement: Judgement
    training: report.Training
    interrupted: bool
    quick_look: str = ""
    hints: tuple[report.Hint, ...] = ()

    @property
    def judged(self) -> tuple[TrainingRun, ...]:
        """The runs that finished an epoch."""
        return tuple(run for run, correct in zip(self.runs, self.correct, strict=True) if correct)

    @property
    def seconds(self) -> float:
        """Mean seconds of one run; what trained side by side shares its seconds."""
        return sum(run.seconds / run.side_by_side for run in self.judged) / max(1, len(self.judged))

    @property
    def out_of_time(self) -> bool:
        """Whether a run was stopped at `PATIENCE` times the budget."""
        return any(run.ending.out_of_time for run in self.runs)

    @property
    def skipped(self) -> str:
        """Why nothing is graded on these runs, or ""."""
        if self.training.practice:
            return f"practice images: graded on {self.training.graded_on} only"
        if self.quick_look:
            return f"quick look, {self.quick_look}: not graded"
        return "training was interrupted" if self.interrupted else ""

    @property
    def device(self) -> str:
        """Where it ran, in words."""
        return self.runs[0].device if self.runs else ""

    @property
    def accuracy(self) -> Accuracy:
        """The line of the scorecard about accuracy."""
        return Accuracy(self)

    @property
    def steadiness(self) -> Steadiness:
        """Whether the accuracy holds on images that are a shade different."""
        return Steadiness(self.training.runs)


@dataclass(frozen=True)
class Accuracy:
    """What the accuracy check asks for."""

    trial: Trial

    @property
    def measured(self) -> str:
        """The score by the assignment's protocol, and what it is."""
        score, runs = self.trial.judgement.score, len(self.trial.judged)
        if score is None:
            return "no score"
        of = f", mean of {runs} runs" if runs > 1 else ""
        protocol = PROTOCOLS[self.trial.training.protocol]
        return f"{100 * float(score):.2f} % ({protocol.words}{of})"

    @property
    def score(self) -> float | None:
        """The score by the assignment's protocol, 0 to 1; None where it was not reached."""
        score = self.trial.judgement.score
        return None if score is None else float(score)

    @property
    def threshold(self) -> float:
        """The least score that passes."""
        return self.trial.training.threshold

    @property
    def asked(self) -> str:
        """The threshold in words."""
        return f">= {100 * self.threshold:.2f} %"

    @property
    def skipped(self) -> str:
        """Why there is no verdict on accuracy, or ""."""
        return self.trial.skipped

    @property
    def borderline(self) -> bool:
        """Whether chance alone could decide."""
        return self.trial.judgement.verdict is Verdict.BORDERLINE

    @property
    def passed(self) -> bool:
        """Whether the score is above the threshold by more than chance."""
        return self.trial.judgement.verdict is Verdict.PASSED

    @property
    def explanation(self) -> str:
        """The judgement in words, and why a run ended early where one did."""
        early = {run.ending.stopped_because for run in self.trial.runs if not run.ending.finished}
        reasons = [f"A run stopped: {reason}." for reason in sorted(early)]
        return " ".join([self.trial.judgement.words, *reasons])

    @property
    def hints(self) -> tuple[report.Hint, ...]:
        """What to try: see `grader.judging.advice`."""
        return self.trial.hints


def conduct(
    captured: Captured,
    assignment: Assignment,
    data: TrainingData,
    test_judge: Judge,
    *,
    trainer: Trainer,
    device: torch.device,
    seeds: int | None,
    epochs: int | None = None,
    most_seconds: float = math.inf,
    progress: Progress,
    key: bytes = shuffle.SECRET,
    engine: str = "auto",
) -> Trial:
    """Train under `seeds` seeds; with None, under as many as it takes to be sure.

    Those are at most the assignment's, and as many as `most_seconds` of all training allow; a close
    call that had no time for more seeds stays one. `epochs` shortens training for a quick look,
    which is never graded. `key` draws the order and the batches in which the test images are looked
    at; `engine` is that of a `Task`. Raises SubmissionError when training cannot run, GraderError
    when there was no time for the first runs.
    """
    recipe = captured.program.recipe
    quick_look = cut_short(recipe, epochs)
    threshold = judge.exact(assignment.limits.accuracy)
    most = seeds or assignment.most_seeds
    if seeds is None and (data.practice or quick_look):
        most = 1
    chosen = captured.program.seeds[:most]
    rounds = judge.rounds(chosen) if seeds is None else [chosen]
    shortened = min(epochs or recipe.epochs, recipe.epochs)
    progress.start(len(rounds[0]), shortened, recipe.steps_per_epoch)
    with trainer:
        told = metric.choose(recipe, assignment, data, test_judge)
        runner = Runner(
            captured, assignment, told, test_judge, device, epochs, progress, trainer, key, engine
        )
        time_limit = TimeLimit(most_seconds)
        for lot in rounds:
            if runner.runs and not time_limit.allows(len(lot)):
                break
            if runner.runs:
                progress.more_seeds(len(runner.runs) + len(lot))
            share = time_limit.share(len(lot))
            runner.train(lot, share)
            time_limit.ended(len(lot))
            if not runner.finished:
                if runner.out_of_time and share < runner.budget:
                    raise time_limit.over()
                break
            scores = runner.scores()
            if len(scores) < _least_runs(assignment, most):
                continue
            if not judge.another_seed(scores, threshold, images=test_judge.total, most_runs=most):
                break
    judgement = judge.verdict(
        runner.scores(),
        threshold,
        images=test_judge.total,
        practice=data.practice,
        graded_on=DATASETS[assignment.dataset].title,
    )
    training = recording.of_trial(runner, judgement, threshold)
    known = Known(
        captured.program,
        training,
        assignment.limits.epochs,
        nan_images=recording.without_number(runner),
        quick_look=bool(quick_look),
    )
    return Trial(
        runs=tuple(runner.runs),
        correct=tuple(tuple(item) for item in runner.correct),
        judgement=judgement,
        training=training,
        interrupted=any(item.ending == INTERRUPTED for item in runner.runs),
        quick_look=quick_look,
        hints=advice.hints(known),
    )


def _least_runs(assignment: Assignment, most: int) -> int:
    """How many runs are made at least: a spread over seeds takes some, however clear the answer."""
    return min(most, assignment.limits.stable.seeds) if "stable" in assignment.checks else 1
