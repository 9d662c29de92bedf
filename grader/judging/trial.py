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
<<<<<<< HEAD
from grader.judging.metric import Metric
from grader.judging.protocols import PROTOCOLS, mean
from grader.judging.qualities import looks
from grader.judging.qualities.looks import Looks
from grader.judging.second_look import SecondLook, Steadiness
from grader.judging.shuffle import Shuffle
=======
from grader.judging.protocols import PROTOCOLS
from grader.judging.runner import Progress, Runner
from grader.judging.second_look import Steadiness
>>>>>>> main
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


<<<<<<< HEAD
@dataclass
class _Runner:
    """The state of one trial while it goes on."""

    captured: Captured
    assignment: Assignment
    told: Metric
    test_judge: Judge
    device: torch.device
    epochs: int | None
    progress: Progress
    trainer: Trainer
    key: bytes
    engine: str
    runs: list[TrainingRun] = field(default_factory=list)
    judged: dict[int, list[int]] = field(default_factory=dict)
    shuffle: Shuffle = field(init=False)
    looks: Looks = field(init=False)
    second_look: SecondLook = field(init=False)
    shown: TrainingData = field(init=False)

    def __post_init__(self) -> None:
        images = self.told.data.test_images
        self.shuffle = shuffle.draw(self.key, len(images))
        self.looks = looks.choose(self.assignment, self.told, self.key)
        self.second_look = second_look.prepare(
            images[: self.told.tests], self.key, list(self.looks.images.values())
        )
        self.shown = dataclasses.replace(
            self.told.data,
            test_images=self.shuffle.apply(images),
            batch_sizes=self.shuffle.batch_sizes,
            second_look=self.second_look.look,
        )

    @property
    def correct(self) -> list[list[int]]:
        """Correct test images after each epoch of each run."""
        return [self.judged.get(run.seed, []) for run in self.runs]

    @property
    def finished(self) -> bool:
        """Whether no run was cut short."""
        return all(run.ending.finished for run in self.runs)

    @property
    def out_of_time(self) -> bool:
        """Whether a run was stopped for its time."""
        return any(run.ending.out_of_time for run in self.runs)

    @property
    def budget(self) -> float:
        """Seconds after which a run is stopped by the assignment's rules."""
        return PATIENCE * self.assignment.limits.seconds

    def train(self, seeds: Sequence[int], most_seconds: float = math.inf) -> None:
        """Train from the initial weights of these seeds, each for at most so many seconds."""
        task = Task(
            self.captured.program,
            self.shown,
            self.device,
            self.epochs,
            budget_seconds=min(self.budget, most_seconds),
            after_epoch=self.after_epoch,
            on_step=self.on_step,
            engine=self.engine,
            flow="gradients_flow" in self.looks.asked,
        )
        done = self.trainer.run(task, {seed: self.captured.values[seed] for seed in seeds})
        self.runs += map(self._in_order, done)

    def _in_order(self, run: TrainingRun) -> TrainingRun:
        """The same run, with the logits of every epoch in the images' own order."""
        epochs = tuple(
            dataclasses.replace(epoch, logits=self.shuffle.undo(epoch.logits))
            for epoch in run.epochs
        )
        return dataclasses.replace(run, epochs=epochs)

    def after_epoch(self, seed: int, epoch: Epoch) -> Feedback | None:
        """Judge the epoch, show it, and tell the recipe where it follows a metric."""
        logits = self.shuffle.undo(epoch.logits)
        correct = self.test_judge.correct(self.told.of_test_images(logits))
        self.judged.setdefault(seed, []).append(correct)
        seconds = epoch.seconds + epoch.evaluation_seconds
        self.progress.epoch(
            seed,
            epoch.epoch,
            correct,
            self.test_judge.total,
            _number(epoch.train_loss),
            epoch.learning_rate,
            seconds,
        )
        return self.told.feedback(logits)

    def on_step(self, seed: int, step: Step) -> None:
        """Show a step; the worker sends one in so many."""
        self.progress.step(seed, step.epoch, step.step, float(step.loss), step.learning_rate)

    def scores(self) -> list[Fraction]:
        """The score of every run that finished an epoch."""
        return [
            judge.score(correct, self.test_judge.total, self.assignment.protocol)
            for correct in self.correct
            if correct
        ]


=======
>>>>>>> main
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
<<<<<<< HEAD


def _least_runs(assignment: Assignment, most: int) -> int:
    """How many runs are made at least: a spread over seeds takes some, however clear the answer."""
    return min(most, assignment.limits.stable.seeds) if "stable" in assignment.checks else 1


def _without_number(runner: _Runner) -> int:
    """Test images with a NaN among their scores after the last epoch of the first run."""
    epochs = next((run.epochs for run in runner.runs if run.epochs), ())
    if not epochs:
        return 0
    return int(runner.told.of_test_images(epochs[-1].logits).isnan().any(dim=1).sum())


def _record(runner: _Runner, judgement: Judgement, threshold: Fraction) -> report.Training:
    judged = [correct for correct in runner.correct if correct]
    last = next((run.epochs[-1] for run in reversed(runner.runs) if run.epochs), None)
    confusion: tuple[tuple[int, ...], ...] = ()
    wrong: tuple[int, ...] = ()
    mistakes: tuple[report.Mistake, ...] = ()
    if last:
        logits = runner.told.of_test_images(last.logits)
        confusion = runner.test_judge.confusion(logits)
        wrong = runner.test_judge.wrong(logits)
        surest = runner.test_judge.surest_mistakes(logits, pictures.MOST_MISTAKES)
        mistakes = pictures.mistakes(surest, runner.told.data.test_images)
    score = None if judgement.score is None else float(judgement.score)
    pairs = zip(runner.runs, runner.correct, strict=True)
    rows = tuple(_run_row(runner, run, correct) for run, correct in pairs)
    peaks = [run.peak_memory_bytes for run in runner.runs if run.peak_memory_bytes is not None]
    return report.Training(
        dataset=runner.told.data.name,
        practice=runner.told.data.practice,
        graded_on=DATASETS[runner.assignment.dataset].title,
        train_images=runner.told.learned_from,
        test_images=runner.test_judge.total,
        protocol=runner.assignment.protocol,
        threshold=float(threshold),
        runs=rows,
        best=_mean(judged, runner, "best"),
        last=_mean(judged, runner, "last"),
        last_3=_mean(judged, runner, "mean_last_3"),
        score=score,
        interval=judgement.interval,
        confusion=confusion,
        wrong=wrong,
        mistakes=mistakes,
        device=", ".join(dict.fromkeys(run.device for run in runner.runs)),
        peak_memory_bytes=max(peaks, default=None),
        feedback=runner.told.words,
        dimmed=_share([row.dimmed for row in rows], runner),
        noisy=_share([row.noisy for row in rows], runner),
    )


def _share(correct: Sequence[int | None], runner: _Runner) -> float | None:
    """The mean accuracy of the runs that had a second look."""
    counts = [Fraction(count, runner.test_judge.total) for count in correct if count is not None]
    return float(mean(counts)) if counts else None


def _mean(judged: list[list[int]], runner: _Runner, protocol: str) -> float | None:
    scores = [judge.score(correct, runner.test_judge.total, protocol) for correct in judged]
    return float(mean(scores)) if scores else None


def _run_row(runner: _Runner, run: TrainingRun, correct: list[int]) -> report.RunRow:
    rows = tuple(
        report.EpochRow(
            epoch=epoch.epoch,
            train_loss=_number(epoch.train_loss),
            correct=count,
            total=runner.test_judge.total,
            learning_rate=epoch.learning_rate,
            seconds=epoch.seconds + epoch.evaluation_seconds,
            momentum=epoch.momentum,
            train_accuracy=_number(epoch.train_accuracy),
        )
        # Ctrl-C may come before the last epoch is judged.
        for epoch, count in zip(run.epochs, correct, strict=False)
    )
    recipe = runner.captured.program.recipe
    schedule = recipe.schedule
    rates = [row.learning_rate for row in rows]
    momenta = [row.momentum for row in rows if row.momentum is not None]
    logits = run.ending.second_look
    dimmed, noisy, qualities = None, None, None
    if logits is not None:
        dimmed, noisy = runner.second_look.correct(logits, runner.test_judge)
        last = runner.told.of_test_images(run.epochs[-1].logits)
        more = runner.second_look.of_more(logits)
        qualities = runner.looks.qualities(run, more, last, runner.test_judge)
    return report.RunRow(
        seed=run.seed,
        epochs=rows,
        seconds=run.seconds,
        images_per_second=run.images_per_second,
        finished=run.ending.finished,
        stopped_because=run.ending.stopped_because,
        parameters_moved=run.parameters_moved,
        seconds_to_99=_seconds_to(Fraction(99, 100), rows),
        learning_rate=_curve(recipe, schedule.learning_rate, rates),
        momentum=_curve(recipe, schedule.momentum, momenta),
        device=run.device,
        engine=run.engine,
        side_by_side=run.side_by_side,
        preparation_seconds=run.preparation_seconds,
        dimmed=dimmed,
        noisy=noisy,
        qualities=qualities,
    )


def _seconds_to(accuracy: Fraction, rows: Sequence[report.EpochRow]) -> float | None:
    """Seconds up to the end of the first epoch of that test accuracy; None without one."""
    seconds = 0.0
    for row in rows:
        seconds += row.seconds
        if Fraction(row.correct, row.total) >= accuracy:
            return seconds
    return None


def _curve(
    recipe: Recipe, scheduled: Sequence[Sequence[Run]], after_epochs: Sequence[float]
) -> report.Curve | None:
    """The first group's values over the steps of the epochs, as scheduled.

    A plateau rule moves them between epochs: there it is those after each epoch.
    """
    if not after_epochs:
        return None
    values = list(after_epochs)
    if scheduled and recipe.plateau is None:
        begins = itertools.accumulate((run.steps for run in scheduled[0]), initial=0)
        steps = len(after_epochs) * recipe.steps_per_epoch
        values = [
            run.value for run, begin in zip(scheduled[0], begins, strict=False) if begin < steps
        ]
    return report.Curve(
        first=values[0], lowest=min(values), highest=max(values), last=after_epochs[-1]
    )


def _number(value: float) -> float | None:
    """JSON has no NaN and no infinity: a diverged loss is None."""
    return value if abs(value) < float("inf") else None
=======
>>>>>>> main
