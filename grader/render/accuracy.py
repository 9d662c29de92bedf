"""What training came to. In: a Training. Out: the chart, the scores, and how it was trained."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grader.printable import printable
from grader.render import chart, figures
from grader.render.figures import Fact, Score
from grader.render.marks import bullets, section
from grader.report import Training

NAME_WIDTH = 16


def draw(training: Training) -> RenderableType:
    """Accuracy per epoch, the scores, how it was trained; a line for each seed of several."""
    parts: list[RenderableType] = [
        section("Accuracy"),
        Text(figures.source(training), style="dim"),
        Text(),
    ]
    if any(run.epochs for run in training.runs):
        parts += [_chart(training), Text()]
    parts.append(_scores(training))
    if found := figures.facts(training):
        parts += [Text(), _facts(found)]
    if len(training.runs) > 1:
        parts += [Text(), _seeds(training)]
    doubts = figures.doubts(training)
    if training.feedback:
        parts += [Text(), Text(printable(training.feedback), style="dim")]
    if doubts:
        parts += [Text(), bullets("!", map(Text, doubts), style="yellow")]
    return Group(parts[0], Padding(Group(*parts[1:]), (0, 0, 0, 1)))


def _chart(training: Training) -> Text:
    runs = [figures.accuracies(run) for run in training.runs]
    bars = chart.bars(runs, figures.counted(training))
    shown = chart.draw(bars, figures.threshold(training))
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
        rest = f"to {high} for the mean over training runs"
        grid.add_row(Text("  95 % interval"), Text(low), Text(rest))
    return grid


def _score_cells(score: Score) -> tuple[Text, Text, Text]:
    mark, style, quiet = ("▸", "bold", "") if score.counts else (" ", "", "dim")
    return (
        Text(f"{mark} {score.name}", style=style),
        Text(score.value, style=style),
        Text("\n".join(score.remarks), style=quiet),
    )


def _facts(found: list[Fact]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, min_width=NAME_WIDTH)
    grid.add_column()
    for fact in found:
        text = Text(style="default")
        if fact.shape:
            text.append(f"{fact.shape}  ", style="cyan")
        grid.add_row(Text(f"  {fact.name}"), text.append(fact.text))
    return grid


def _seeds(training: Training) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    first, *others = figures.SEED_HEAD
    for name in (f"  {first}", *others):
        table.add_column(Text(name, "dim"), justify="right", no_wrap=True)
    table.show_header = True
    for run in training.runs:
        table.add_row(*figures.seed_cells(run, figures.threshold(training)))
    return table
