"""What training came to, in words: scores, curves, speed, mistakes. In: a Training. Out: strings.

Every output shows these: none of them decides anew what a number means. Nothing here is markup, and
all is `printable`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from grader.judging.protocols import PROTOCOLS
from grader.printable import printable
from grader.render import qualities, words
from grader.report import Curve, RunRow, Training

BLOCKS = "▁▂▃▄▅▆▇█"
MOST_COLUMNS = 24
MOST_CONFUSIONS = 3
SEED_HEAD = (
    "seed",
    "best",
    "last",
    PROTOCOLS["mean_last_3"].words,
    "epochs",
    "to 99 %",
    "time",
)


@dataclass(frozen=True, slots=True)
class Score:
    """One way to sum up the runs; `remarks` are lines about it.

    `counts` where it is the assignment's protocol.
    """

    name: str
    value: str
    counts: bool
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """One more line about training; `shape` is a curve in block characters, or empty."""

    name: str
    text: str
    shape: str = ""


def threshold(training: Training) -> float | None:
    """The threshold asks about the assignment's own images; practice digits have none."""
    return None if training.practice else training.threshold


def source(training: Training) -> str:
    """The images and the seeds.

    "MNIST: 60,000 images to learn from, 10,000 to be judged on · seed 1"
    """
    learning = f"{training.train_images:,} images to learn from"
    images = f"{learning}, {training.test_images:,} to be judged on"
    return f"{printable(training.dataset, 40)}: {images}{_seeds(training.runs)}"


def _seeds(runs: Sequence[RunRow]) -> str:
    if len(runs) == 1:
        return f" · seed {runs[0].seed}"
    return f" · {words.several(len(runs), 'seed')}" if runs else ""


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
    if training.practice:
        return "practice"
    return words.percent(training.score, threshold=training.threshold)


def interval(training: Training) -> tuple[str, str] | None:
    """The ends of the 95 % interval for the mean over training runs, where there is one."""
    if training.interval is None:
        return None
    low, high = (words.percent(end, threshold=threshold(training)) for end in training.interval)
    return low, high


def facts(training: Training) -> list[Fact]:
    """Train accuracy, learning rate, momentum, speed, memory, and what is confused with what.

    And what checks beyond accuracy have measured.
    """
    found = [_train_accuracy(training), *_curves(training), _speed(training), _mistakes(training)]
    more = [Fact(name, text) for name, text in qualities.lines(training)]
    return [*(fact for fact in found if fact is not None), *more]


def doubts(training: Training) -> list[str]:
    """What makes the accuracy of a run hard to believe or to use."""
    return list(chain.from_iterable(map(_doubts, training.runs)))


def _doubts(run: RunRow) -> list[str]:
    found = []
    if not run.finished:
        reason = printable(run.stopped_because, 200) or "no reason given"
        epochs = words.several(len(run.epochs), "epoch")
        found.append(f"seed {run.seed} stopped after {epochs}: {reason}")
    diverged = next((row.epoch for row in run.epochs if row.train_loss is None), None)
    if diverged is not None:
        found.append(
            f"seed {run.seed}: the loss is not a number from epoch {diverged} on; "
            "try a lower learning rate"
        )
    if not run.parameters_moved:
        found.append(
            f"seed {run.seed}: no parameter changed while training; does the optimizer hold them?"
        )
    return found


def accuracies(run: RunRow) -> list[float]:
    """Test accuracy (0 to 1) after each epoch."""
    return [row.correct / row.total if row.total else 0.0 for row in run.epochs]


def counted(training: Training) -> set[int]:
    """The epochs (from 1) that the protocol looks at; none where the seeds disagree on them.

    None either where the protocol is not one of this grader's: an older report may name another.
    """
    first, *others = [_counted(training.protocol, run) for run in training.runs]
    return first if all(other == first for other in others) else set()


def _counted(protocol: str, run: RunRow) -> set[int]:
    if protocol not in PROTOCOLS or not run.epochs:
        return set()
    places = PROTOCOLS[protocol].places([row.correct for row in run.epochs])
    return {place + 1 for place in places}


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


def climb(training: Training) -> str:
    """The test accuracy of the first run by epoch, in block characters; "" where none was done."""
    run = _first_run(training)
    return sparkline(list(map(_halvings, accuracies(run)))) if run else ""


def _halvings(accuracy: float) -> float:
    """How often the mistakes were halved: from 98 to 99 % is as far as from 99 to 99.5 %."""
    return -math.log2(max(1 - accuracy, 1e-4))


def confusions(training: Training) -> list[tuple[int, int, int]]:
    """(images, label, taken for) of every confusion that happened, the most frequent first."""
    found = []
    for label, row in enumerate(training.confusion):
        for taken, images in enumerate(row):
            if images and label != taken:
                found.append((images, label, taken))
    return sorted(found, key=lambda confusion: (-confusion[0], *confusion[1:]))


def sparkline(values: Sequence[float]) -> str:
    """`values` as block characters between their lowest and highest.

    At most `MOST_COLUMNS` of them are shown, the last one among them.
    """
    stride = math.ceil(len(values) / MOST_COLUMNS) or 1
    shown = values[::-1][::stride][::-1]
    halves = [value / 2 for value in shown]  # the difference of two floats may be too large
    low, high = min(halves, default=0.0), max(halves, default=0.0)
    if low == high:
        return BLOCKS[3] * len(halves)
    return "".join(BLOCKS[round(7 * ((value - low) / (high - low)))] for value in halves)


def _score(training: Training, name: str, value: float | None) -> Score:
    counts = name == training.protocol
    known = PROTOCOLS.get(name)
    title, remark = (known.words, known.remark) if known else (name, "")
    images = _where(training, name)
    if counts:
        lines = [_joined(_compared(training, value), remark), images]
    else:
        lines = [_joined(images, remark)]
    shown = words.percent(value, threshold=threshold(training))
    return Score(printable(title, 30), shown, counts, tuple(filter(None, lines)))


def _joined(*parts: str) -> str:
    return " · ".join(filter(None, parts))


def _compared(training: Training, value: float | None) -> str:
    """The score that counts beside its threshold."""
    if training.practice:
        return f"would count on {printable(training.graded_on, 40)}"
    if value is None:
        return "counts, and was not reached"
    relation = "at least" if value >= training.threshold else "less than"
    return f"counts: {relation} {words.percent(training.threshold)}"


def _where(training: Training, name: str) -> str:
    """The images counted, where one epoch of one run says it all."""
    if len(training.runs) != 1:
        return ""
    epochs = _counted(name, training.runs[0])
    if len(epochs) != 1:
        return ""
    row = training.runs[0].epochs[epochs.pop() - 1]
    return f"epoch {row.epoch}, {row.correct:,} of {row.total:,}"


def _first_run(training: Training) -> RunRow | None:
    return next((run for run in training.runs if run.epochs), None)


def _train_accuracy(training: Training) -> Fact | None:
    run = _first_run(training)
    rows = run.epochs if run else ()
    values = [row.train_accuracy for row in rows if row.train_accuracy is not None]
    if not values:
        return None
    ends = [words.percent(values[0]), words.percent(values[-1])][: len(values)]
    shape = sparkline(list(map(_halvings, values)))
    return Fact("train accuracy", f"{' → '.join(ends)}, while training", shape)


def _curves(training: Training) -> list[Fact]:
    """Learning rate and momentum of the first run; a momentum that never moves shares the line."""
    run = _first_run(training)
    if run is None or run.learning_rate is None:
        return []
    rate = _curve("learning rate", run.learning_rate, [row.learning_rate for row in run.epochs])
    if run.momentum is None:
        return [rate]
    momenta = [row.momentum for row in run.epochs if row.momentum is not None]
    momentum = _curve("momentum", run.momentum, momenta)
    if momentum.shape:
        return [rate, momentum]
    return [Fact(rate.name, f"{rate.text} · momentum {_number(run.momentum.last)}", rate.shape)]


def _curve(name: str, curve: Curve, after_epochs: Sequence[float]) -> Fact:
    """Where it began and ended, and its highest and lowest point between them."""
    ends = (curve.first, curve.last)
    peak = [f"peak {_number(curve.highest)}"] if curve.highest > max(ends) else []
    low = [f"low {_number(curve.lowest)}"] if curve.lowest < min(ends) else []
    if not (peak or low) and curve.first == curve.last:
        return Fact(name, f"{_number(curve.first)} throughout")
    stations = [_number(curve.first), *peak, *low, _number(curve.last)]
    return Fact(name, " → ".join(stations), sparkline(after_epochs))


def _number(value: float) -> str:
    return f"{value:.3g}"


def _speed(training: Training) -> Fact | None:
    runs = [run for run in training.runs if run.epochs]
    facts = [] if training.practice or not runs else [_time_to_99(runs)]
    if runs:
        facts.append(f"{sum(run.images_per_second for run in runs) / len(runs):,.0f} images/s")
    if training.peak_memory_bytes is not None:
        facts.append(f"peak memory {words.memory(training.peak_memory_bytes)}")
    shown = " · ".join(filter(None, facts))
    return Fact("speed", shown) if shown else None


def _time_to_99(runs: Sequence[RunRow]) -> str:
    """Empty where the report does not say: it is older than the field."""
    times = sorted(run.seconds_to_99 for run in runs if run.seconds_to_99 is not None)
    if not times:
        return "" if any(map(_reaches_99, runs)) else "99 % not reached"
    span = " to ".join(dict.fromkeys(words.duration(seconds) for seconds in (times[0], times[-1])))
    some = f" in {len(times)} of {len(runs)} runs" if len(times) < len(runs) else ""
    return f"99 % after {span}{some}"


def _reaches_99(run: RunRow) -> bool:
    return any(100 * row.correct >= 99 * row.total > 0 for row in run.epochs)


def _mistakes(training: Training) -> Fact | None:
    if not training.confusion and not training.wrong:
        return None
    parts = [words.several(len(training.wrong), "image")]
    for place, (images, label, taken) in enumerate(confusions(training)[:MOST_CONFUSIONS]):
        if place > 0:
            parts.append(f"{label} for {taken}: {images:,}")
        else:
            times = "once" if images == 1 else f"{images:,} times"
            parts.append(f"{label} taken for {taken}: {times}")
    return Fact("mistakes", " · ".join(parts))
