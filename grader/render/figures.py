"""What training came to, in words: scores, curves, speed, mistakes. In: a Report's Training. Out: short plain strings.

Every output shows these: none of them decides anew what a number means. Nothing here is markup, and all is `printable`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from grader.printable import printable
from grader.render import words
from grader.report import Curve, EpochRow, RunRow, Training

NAMES = {"best": "best epoch", "last": "last epoch", "mean_last_3": "mean of last 3"}
NOTES = {"best": "selected on the test set"}
BLOCKS = "▁▂▃▄▅▆▇█"
MOST_COLUMNS = 24
MOST_CONFUSIONS = 3
SEED_HEAD = ("seed", "best", "last", "mean of last 3", "epochs", "to 99 %", "time")


@dataclass(frozen=True, slots=True)
class Score:
    """One way to sum up the runs. `counts` where the assignment's protocol names it; `remarks` are lines about it."""

    name: str
    value: str
    counts: bool
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """One more line about training; `shape` is a curve over the epochs in block characters, or empty."""

    name: str
    text: str
    shape: str = ""


def threshold(training: Training) -> float | None:
    """The threshold asks about the assignment's own images; practice digits have none."""
    return None if training.practice else training.threshold


def source(training: Training) -> str:
    """The images, and the seeds: "MNIST: 60,000 images to learn from, 10,000 to be judged by · seed 1"."""
    images = (
        f"{training.train_images:,} images to learn from, {training.test_images:,} to be judged by"
    )
    runs = training.runs
    seeds = f" · {len(runs)} seeds" if len(runs) > 1 else f" · seed {runs[0].seed}" if runs else ""
    return f"{printable(training.dataset, 40)}: {images}{seeds}"


def scores(training: Training) -> list[Score]:
    """Best, last and mean of the last three; and the one that counts, where it is none of them."""
    values = {"best": training.best, "last": training.last, "mean_last_3": training.last_3}
    if training.protocol not in values:
        values[training.protocol] = training.score
    return [_score(training, name, value) for name, value in values.items()]


def score(training: Training | None) -> str:
    """The score in a table of a class."""
    if training is None:
        return "–"
    return (
        "practice"
        if training.practice
        else words.percent(training.score, threshold=training.threshold)
    )


def interval(training: Training) -> tuple[str, str] | None:
    """The ends of the 95 % interval for the mean over training runs, where there is one."""
    if training.interval is None:
        return None
    low, high = (words.percent(end, threshold=threshold(training)) for end in training.interval)
    return low, high


def figures(training: Training) -> list[Figure]:
    """Train accuracy, learning rate and momentum as they were, speed and memory, and what is confused with what."""
    found = [_train_accuracy(training), *_curves(training), _speed(training), _mistakes(training)]
    return [figure for figure in found if figure is not None]


def doubts(run: RunRow) -> list[str]:
    """What makes one run's accuracy hard to believe or to use."""
    found = []
    if not run.finished:
        reason = printable(run.stopped_because, 200) or "no reason given"
        found.append(f"seed {run.seed} stopped after {len(run.epochs)} epochs: {reason}")
    diverged = next((row.epoch for row in run.epochs if row.train_loss is None), None)
    if diverged is not None:
        found.append(
            f"seed {run.seed}: the loss is not a number from epoch {diverged} on; try a lower learning rate"
        )
    if not run.parameters_moved:
        found.append(
            f"seed {run.seed}: no parameter changed while training; does the optimizer hold them?"
        )
    return found


def accuracies(run: RunRow) -> list[float]:
    """Test accuracy (0 to 1) after each epoch."""
    return [row.correct / row.total if row.total else 0.0 for row in run.epochs]


def best_epoch(run: RunRow) -> int:
    """The place (from 1) of the first of the best epochs."""
    values = accuracies(run)
    return values.index(max(values)) + 1


def counted(training: Training) -> set[int]:
    """The epochs that the protocol looks at; none where the seeds disagree on which they are."""
    longest = max(len(run.epochs) for run in training.runs)
    if any(len(run.epochs) != longest for run in training.runs):
        return set()
    if training.protocol == "mean_last_3":
        return set(range(longest - 2, longest + 1))
    if training.protocol == "last":
        return {longest}
    return {best_epoch(training.runs[0])} if len(training.runs) == 1 else set()


def seed_cells(run: RunRow, threshold: float | None) -> list[str]:
    """One run in a table of runs: see `SEED_HEAD`."""
    last_3 = run.epochs[-3:]
    images = sum(row.total for row in last_3)
    # Divided once, so that a mean on the threshold stays on it.
    mean = sum(row.correct for row in last_3) / images if images else None
    values = accuracies(run)
    scores = (max(values, default=None), values[-1] if values else None, mean)
    shown = [words.percent(score, threshold=threshold) for score in scores]
    to_99 = "–" if run.seconds_to_99 is None else words.duration(run.seconds_to_99)
    return [str(run.seed), *shown, str(len(values)), to_99, words.duration(run.seconds)]


def confusions(training: Training) -> list[tuple[int, int, int]]:
    """(images, label, taken for) of every confusion that happened, the most frequent first."""
    found = [
        (images, label, taken)
        for label, row in enumerate(training.confusion)
        for taken, images in enumerate(row)
        if images and label != taken
    ]
    return sorted(found, key=lambda confusion: (-confusion[0], *confusion[1:]))


def sparkline(values: Sequence[float]) -> str:
    """`values` as block characters between their own minimum and maximum, at most `MOST_COLUMNS`; the last is shown."""
    stride = math.ceil(len(values) / MOST_COLUMNS) or 1
    halves = [
        value / 2 for value in values[::-1][::stride][::-1]
    ]  # the difference of two floats may be too large
    low, high = min(halves, default=0.0), max(halves, default=0.0)
    if low == high:
        return BLOCKS[3] * len(halves)
    return "".join(BLOCKS[round(7 * ((value - low) / (high - low)))] for value in halves)


def _score(training: Training, name: str, value: float | None) -> Score:
    counts = name == training.protocol
    notes = [NOTES[name]] if name in NOTES else []
    images = _where(training, name)
    first = [*_verdict(training, value), *notes] if counts else [*images, *notes]
    lines = [first, images] if counts and images else [first]
    shown = words.percent(value, threshold=threshold(training))
    return Score(
        printable(NAMES.get(name, name), 30),
        shown,
        counts,
        tuple(" · ".join(line) for line in lines if line),
    )


def _verdict(training: Training, value: float | None) -> list[str]:
    if training.practice:
        return [f"would count on {printable(training.graded_on, 40)}"]
    if value is None:
        return ["counts, and was not reached"]
    relation = "at least" if value >= training.threshold else "less than"
    return [f"counts: {relation} {words.percent(training.threshold)}"]


def _where(training: Training, name: str) -> list[str]:
    """The images counted, where one epoch of one run says it all."""
    if name not in {"best", "last"} or len(training.runs) != 1 or not training.runs[0].epochs:
        return []
    run = training.runs[0]
    row = run.epochs[best_epoch(run) - 1] if name == "best" else run.epochs[-1]
    return [f"epoch {row.epoch}, {row.correct:,} of {row.total:,}"]


def _first_run(training: Training) -> RunRow | None:
    return next((run for run in training.runs if run.epochs), None)


def _train_accuracy(training: Training) -> Figure | None:
    run = _first_run(training)
    values = (
        [row.train_accuracy for row in run.epochs if row.train_accuracy is not None] if run else []
    )
    if not values:
        return None
    ends = (
        f"{words.percent(values[0])} → {words.percent(values[-1])}"
        if len(values) > 1
        else words.percent(values[0])
    )
    return Figure(
        "train accuracy", f"{ends}, as augmented", sparkline([_halvings(value) for value in values])
    )


def _halvings(accuracy: float) -> float:
    """How often the mistakes were halved: from 98 to 99 % is as far as from 99 to 99.5 %."""
    return -math.log2(max(1 - accuracy, 1e-4))


def _curves(training: Training) -> list[Figure]:
    """Learning rate and momentum over the first run's epochs; a momentum that never moves shares the line."""
    run = _first_run(training)
    if run is None or run.learning_rate is None:
        return []
    rate = _curve("learning rate", run.learning_rate, [row.learning_rate for row in run.epochs])
    if run.momentum is None:
        return [rate]
    momentum = _curve(
        "momentum", run.momentum, [row.momentum for row in run.epochs if row.momentum is not None]
    )
    if momentum.shape:
        return [rate, momentum]
    return [Figure(rate.name, f"{rate.text} · momentum {_number(run.momentum.last)}", rate.shape)]


def _curve(name: str, curve: Curve, after_epochs: Sequence[float]) -> Figure:
    """Where it began, its highest and lowest point where they are no end, where it ended."""
    ends = (curve.first, curve.last)
    peak = [f"peak {_number(curve.highest)}"] if curve.highest > max(ends) else []
    low = [f"low {_number(curve.lowest)}"] if curve.lowest < min(ends) else []
    if not (peak or low) and curve.first == curve.last:
        return Figure(name, f"{_number(curve.first)} throughout")
    return Figure(
        name,
        " → ".join([_number(curve.first), *peak, *low, _number(curve.last)]),
        sparkline(after_epochs),
    )


def _number(value: float) -> str:
    return f"{value:.3g}"


def _speed(training: Training) -> Figure | None:
    runs = [run for run in training.runs if run.epochs]
    facts = [] if training.practice or not runs else [_time_to_99(runs)]
    if runs:
        facts.append(f"{sum(run.images_per_second for run in runs) / len(runs):,.0f} images/s")
    if training.peak_memory_bytes is not None:
        facts.append(f"peak memory {words.memory(training.peak_memory_bytes)}")
    shown = " · ".join(filter(None, facts))
    return Figure("speed", shown) if shown else None


def _time_to_99(runs: Sequence[RunRow]) -> str:
    """Empty where the report does not say: it is older than the field."""
    times = sorted(run.seconds_to_99 for run in runs if run.seconds_to_99 is not None)
    if not times:
        return (
            ""
            if any(_reaches_99(row) for run in runs for row in run.epochs)
            else "99 % not reached"
        )
    span = " to ".join(dict.fromkeys(words.duration(seconds) for seconds in (times[0], times[-1])))
    return f"99 % after {span}" + (
        f" in {len(times)} of {len(runs)} runs" if len(times) < len(runs) else ""
    )


def _reaches_99(row: EpochRow) -> bool:
    return 100 * row.correct >= 99 * row.total > 0


def _mistakes(training: Training) -> Figure | None:
    if not training.confusion and not training.wrong:
        return None
    found = confusions(training)[:MOST_CONFUSIONS]
    return Figure(
        "mistakes",
        " · ".join([f"{len(training.wrong):,} images", *_confused(found[:1]), *_brief(found[1:])]),
    )


def _confused(found: Sequence[tuple[int, int, int]]) -> list[str]:
    return [f"{label} taken for {taken}: {_times(images)}" for images, label, taken in found]


def _brief(found: Sequence[tuple[int, int, int]]) -> list[str]:
    return [f"{label} for {taken}: {images:,}" for images, label, taken in found]


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"
