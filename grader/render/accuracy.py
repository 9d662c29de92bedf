"""What training came to. In: a Report's Training. Out: chart, scores with the one that counts marked, doubts."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grader.render import words
from grader.render.chart import bars, chart
from grader.render.escape import printable
from grader.render.marks import bullets, section
from grader.report import RunRow, Training

NAMES = {"best": "best epoch", "last": "last epoch", "mean_last_3": "mean of last 3"}
NOTES = {"best": "selected on the test set"}


def accuracy(training: Training) -> RenderableType:
    """Accuracy per epoch, then best, last and mean of the last three; one more line per seed where there are more."""
    parts: list[RenderableType] = [section("Accuracy"), _source(training), Text()]
    if any(run.epochs for run in training.runs):
        parts += [_chart(training), Text()]
    parts.append(_scores(training))
    if len(training.runs) > 1:
        parts += [Text(), _seeds(training)]
    doubts = [doubt for run in training.runs for doubt in _doubts(run)]
    if training.feedback:
        parts += [Text(), Text(printable(training.feedback), style="dim")]
    if doubts:
        parts += [Text(), bullets("!", map(Text, doubts), style="yellow")]
    return Group(parts[0], Padding(Group(*parts[1:]), (0, 0, 0, 1)))


def _source(training: Training) -> Text:
    images = f"{training.train_images:,} images to learn from, {training.test_images:,} to be judged by"
    seeds = f" · {len(training.runs)} seeds" if len(training.runs) > 1 else ""
    return Text(f"{printable(training.dataset, 40)}: {images}{seeds}", style="dim")


def _chart(training: Training) -> Text:
    runs = [_accuracies(run) for run in training.runs]
    shown = chart(bars(runs, _counted(training)), _threshold(training))
    if len(runs) > 1:
        shown.append(f"\n{'':9}█ every seed  ░ some seeds", style="dim")
    return shown


def _accuracies(run: RunRow) -> list[float]:
    return [row.correct / row.total for row in run.epochs]


def _threshold(training: Training) -> float | None:
    """The threshold asks about MNIST; practice digits have none."""
    return None if training.practice else training.threshold


def _counted(training: Training) -> set[int]:
    """The epochs that the protocol looks at; none where the seeds disagree on which they are."""
    longest = max(len(run.epochs) for run in training.runs)
    if any(len(run.epochs) != longest for run in training.runs):
        return set()
    if training.protocol == "mean_last_3":
        return set(range(longest - 2, longest + 1))
    if training.protocol == "last":
        return {longest}
    return {_best_epoch(training.runs[0])} if len(training.runs) == 1 else set()


def _best_epoch(run: RunRow) -> int:
    accuracies = _accuracies(run)
    return accuracies.index(max(accuracies)) + 1


def _scores(training: Training) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column()
    values = {"best": training.best, "last": training.last, "mean_last_3": training.last_3}
    if training.protocol not in values:
        values[training.protocol] = training.score
    for name, value in values.items():
        _add_score(grid, training, name, value)
    if training.interval is not None:
        low, high = (words.percent(end, threshold=_threshold(training)) for end in training.interval)
        grid.add_row(Text("  95 % interval"), Text(low), Text(f"to {high} for the mean over training runs"))
    return grid


def _add_score(grid: Table, training: Training, name: str, value: float | None) -> None:
    counts = name == training.protocol
    doubts = [NOTES[name]] if name in NOTES else []
    images = _where(training, name)
    first = [*_verdict(training, value), *doubts] if counts else [*images, *doubts]
    lines = [first, images] if counts and images else [first]
    grid.add_row(
        Text(f"{'▸' if counts else ' '} {printable(NAMES.get(name, name), 30)}", style="bold" if counts else ""),
        Text(words.percent(value, threshold=_threshold(training)), style="bold" if counts else ""),
        Text("\n".join(" · ".join(line) for line in lines), style="" if counts else "dim"),
    )


def _verdict(training: Training, value: float | None) -> list[str]:
    if training.practice:
        return ["would count on MNIST"]
    if value is None:
        return ["counts, and was not reached"]
    relation = "at least" if value >= training.threshold else "less than"
    return [f"counts: {relation} {words.percent(training.threshold)}"]


def _where(training: Training, name: str) -> list[str]:
    """The images counted, where one epoch of one run says it all."""
    if name not in {"best", "last"} or len(training.runs) != 1 or not training.runs[0].epochs:
        return []
    run = training.runs[0]
    row = run.epochs[_best_epoch(run) - 1] if name == "best" else run.epochs[-1]
    return [f"epoch {row.epoch}, {row.correct:,} of {row.total:,}"]


def _seeds(training: Training) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    for name in ("  seed", "best", "last", "mean of last 3", "epochs", "time"):
        table.add_column(Text(name, style="dim"), justify="right", no_wrap=True)
    table.show_header = True
    for run in training.runs:
        table.add_row(str(run.seed), *_seed_scores(run, _threshold(training)), words.duration(run.seconds))
    return table


def _seed_scores(run: RunRow, threshold: float | None) -> list[str]:
    """Best, last, mean of the last three, epochs: divided once, so that a score on the threshold stays on it."""
    last_3 = run.epochs[-3:]
    images = sum(row.total for row in last_3)
    mean = sum(row.correct for row in last_3) / images if images else None
    values = _accuracies(run)
    scores = (max(values, default=None), values[-1] if values else None, mean)
    return [*(words.percent(score, threshold=threshold) for score in scores), str(len(values))]


def _doubts(run: RunRow) -> list[str]:
    doubts = []
    if not run.finished:
        reason = printable(run.stopped_because, 200) or "no reason given"
        doubts.append(f"seed {run.seed} stopped after {len(run.epochs)} epochs: {reason}")
    diverged = next((row.epoch for row in run.epochs if row.train_loss is None), None)
    if diverged is not None:
        doubts.append(f"seed {run.seed}: the loss is not a number from epoch {diverged} on; try a lower learning rate")
    if not run.parameters_moved:
        doubts.append(f"seed {run.seed}: no parameter changed while training; does the optimizer hold them?")
    return doubts
