"""What training came to. In: a Report's Training. Out: chart, scores with the one that counts, figures."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grader.printable import printable
from grader.render import figures
from grader.render.chart import bars, chart
from grader.render.figures import Figure, Score
from grader.render.marks import bullets, section
from grader.report import Training

NAME_WIDTH = 16


def accuracy(training: Training) -> RenderableType:
    """Accuracy per epoch, the scores, then how it was trained; one more line per seed where there are more."""
    parts: list[RenderableType] = [
        section("Accuracy"),
        Text(figures.source(training), style="dim"),
        Text(),
    ]
    if any(run.epochs for run in training.runs):
        parts += [_chart(training), Text()]
    parts.append(_scores(training))
    if found := figures.figures(training):
        parts += [Text(), _figures(found)]
    if len(training.runs) > 1:
        parts += [Text(), _seeds(training)]
    doubts = [doubt for run in training.runs for doubt in figures.doubts(run)]
    if training.feedback:
        parts += [Text(), Text(printable(training.feedback), style="dim")]
    if doubts:
        parts += [Text(), bullets("!", map(Text, doubts), style="yellow")]
    return Group(parts[0], Padding(Group(*parts[1:]), (0, 0, 0, 1)))


def _chart(training: Training) -> Text:
    runs = [figures.accuracies(run) for run in training.runs]
    shown = chart(bars(runs, figures.counted(training)), figures.threshold(training))
    if len(runs) > 1:
        shown.append(f"\n{'':9}█ every seed  ░ some seeds", style="dim")
    return shown


def _scores(training: Training) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, min_width=NAME_WIDTH)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column()
    for score in figures.scores(training):
        grid.add_row(*_score_cells(score))
    if (ends := figures.interval(training)) is not None:
        low, high = ends
        grid.add_row(
            Text("  95 % interval"), Text(low), Text(f"to {high} for the mean over training runs")
        )
    return grid


def _score_cells(score: Score) -> tuple[Text, Text, Text]:
    style = "bold" if score.counts else ""
    return (
        Text(f"{'▸' if score.counts else ' '} {score.name}", style=style),
        Text(score.value, style=style),
        Text("\n".join(score.remarks), style="" if score.counts else "dim"),
    )


def _figures(found: list[Figure]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, min_width=NAME_WIDTH)
    grid.add_column()
    for figure in found:
        text = (
            Text(figure.shape, style="cyan")
            .append("  " if figure.shape else "")
            .append(figure.text, style="default")
        )
        grid.add_row(Text(f"  {figure.name}"), text)
    return grid


def _seeds(training: Training) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    for name in figures.SEED_HEAD:
        table.add_column(
            Text(f"  {name}" if name == "seed" else name, "dim"), justify="right", no_wrap=True
        )
    table.show_header = True
    for run in training.runs:
        table.add_row(*figures.seed_cells(run, figures.threshold(training)))
    return table
