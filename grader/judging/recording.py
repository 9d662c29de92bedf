"""What a trial leaves in the report. In: a Runner whose runs are done, and the judgement on them.

Out: the report's `Training`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

from grader import report
from grader.judging import judge, pictures
from grader.judging.judge import Judgement
from grader.judging.protocols import mean
from grader.judging.runner import Runner, number
from grader.program.recipe import Recipe, Run
from grader.training.datasets import DATASETS
from grader.training.records import TrainingRun


def without_number(runner: Runner) -> int:
    """Test images with a NaN among their scores after the last epoch of the first run."""
    epochs = next((run.epochs for run in runner.runs if run.epochs), ())
    if not epochs:
        return 0
    return int(runner.told.of_test_images(epochs[-1].logits).isnan().any(dim=1).sum())


def of_trial(runner: Runner, judgement: Judgement, threshold: Fraction) -> report.Training:
    """All runs of the trial, and what was judged of them."""
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


def _share(correct: Sequence[int | None], runner: Runner) -> float | None:
    """The mean accuracy of the runs that had a second look."""
    counts = [Fraction(count, runner.test_judge.total) for count in correct if count is not None]
    return float(mean(counts)) if counts else None


def _mean(judged: list[list[int]], runner: Runner, protocol: str) -> float | None:
    scores = [judge.score(correct, runner.test_judge.total, protocol) for correct in judged]
    return float(mean(scores)) if scores else None


def _run_row(runner: Runner, run: TrainingRun, correct: list[int]) -> report.RunRow:
    rows = tuple(
        report.EpochRow(
            epoch=epoch.epoch,
            train_loss=number(epoch.train_loss),
            correct=count,
            total=runner.test_judge.total,
            learning_rate=epoch.learning_rate,
            seconds=epoch.seconds + epoch.evaluation_seconds,
            momentum=epoch.momentum,
            train_accuracy=number(epoch.train_accuracy),
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
        seconds_to_99=seconds_to(Fraction(99, 100), rows),
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


def seconds_to(accuracy: Fraction, rows: Sequence[report.EpochRow]) -> float | None:
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
