"""Two works side by side: what changed, both curves, and whether the difference is more than luck.

In: two Reports, and what was found of both. Out: rich, or JSON values.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grader.render import figures, journey, notices, words
from grader.render.marks import bullets, section, spaced
from grader.render.plain import Plain
from grader.report import Helped, Report, Training

WIDEST = 100
MOST_EPOCHS = 20
"""Lines of the curves; of longer trainings, every so manieth epoch and the last."""

UNTRAINED = "Not known: {who} not trained. Leave out --static; --train-anyway trains what failed."
FIGURES = ("parameters", "receptive field", "multiply-adds", "accuracy")
OTHER_IMAGES = "Not known: they were not trained on the same images."


@dataclass(frozen=True, slots=True)
class Versus:
    """The two reports, the changes from the first to the second, and whether they helped."""

    before: Report
    after: Report
    network: tuple[str, ...] | None
    recipe: tuple[str, ...] | None
    helped: Helped | None


def draw(found: Versus) -> RenderableType:
    """Figures of both, changes of network and recipe, curves, and what the difference means."""
    parts = [
        Group(section("Two works"), Padding(_figures(found), (0, 0, 0, 1))),
        _changes("Network", found.network, journey.SAME_NETWORK),
        _changes("Recipe", found.recipe, journey.SAME_RECIPE),
    ]
    if found.before.training is not None and found.after.training is not None:
        parts.append(Group(section("Curves"), Padding(_curves(found), (0, 0, 0, 1))))
    verdict = Padding(Text(meaning(found)), (0, 0, 0, 1))
    return Plain(Constrain(spaced([*parts, Group(section("Beyond noise?"), verdict)]), WIDEST))


def meaning(found: Versus) -> str:
    """Whether the second is better or worse by more than chance, in sentences."""
    if found.helped is not None:
        protocol = found.after.training.protocol if found.after.training else ""
        text = journey.helped(found.helped, protocol)
        more = ""
        if found.helped.answer != "within noise" and found.helped.seeds is not None:
            more = f" {found.helped.seeds} seeds of each would have shown it, four times in five."
        if found.helped.answer == "within noise":
            return f"The difference is {text}"
        return f"The second is {text}{more}"
    missing = [report for report in (found.before, found.after) if not _has_runs(report.training)]
    if len(missing) == 2:
        return UNTRAINED.format(who="both works were")
    if missing:
        return UNTRAINED.format(who=f"{notices.name(missing[0])} was")
    return OTHER_IMAGES


def _has_runs(training: Training | None) -> bool:
    return training is not None and any(run.epochs for run in training.runs)


def _figures(found: Versus) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("", notices.name(found.before), notices.name(found.after)):
        table.add_column(name, justify="right" if name else "left", overflow="fold")
    sides = zip(FIGURES, _cells(found.before), _cells(found.after), strict=True)
    for row in sides:
        table.add_row(*row)
    return table


def _cells(report: Report) -> tuple[str, ...]:
    analysis = report.analysis or {}
    counted, adds = analysis.get("total_parameters"), analysis.get("multiply_adds")
    fields = [row.receptive_field for row in report.layers if row.receptive_field]
    score = "–"
    if report.training is not None and report.training.score is not None:
        score = f"{words.percent(report.training.score)}, n = {len(report.training.runs)}"
    return (
        f"{counted:,}" if isinstance(counted, int) else "–",
        f"{words.pair(fields[-1])} px" if fields else "–",
        words.large(adds) if isinstance(adds, int) else "–",
        score,
    )


def _changes(name: str, said: Sequence[str] | None, same: str) -> RenderableType:
    if said is None:
        lines = bullets("", [Text("not known", style="dim")])
    elif not said:
        lines = bullets("", [Text(same)])
    else:
        lines = bullets("·", [Text(journey.listed([one])) for one in said])
    return Group(section(name), Padding(lines, (0, 0, 0, 1)))


def _curves(found: Versus) -> RenderableType:
    """The mean test accuracy over the seeds after each epoch, of both, and the difference."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("epoch", "first", "second", "second − first"):
        table.add_column(name, justify="right")
    rows = curves(found)
    every = -(-len(rows) // MOST_EPOCHS)
    for epoch, before, after in rows:
        if epoch % every == 0 or epoch == len(rows):
            shown = ["–" if value is None else words.percent(value) for value in (before, after)]
            apart = "–"
            if before is not None and after is not None:
                apart = f"{100 * (after - before):+.2f}".replace("-", "−")
            table.add_row(str(epoch), *shown, apart)
    return table


def curves(found: Versus) -> list[tuple[int, float | None, float | None]]:
    """Of each epoch (from 1) the mean accuracy of both, 0 to 1; None after the end of one."""
    sides = [_means(report.training) for report in (found.before, found.after)]
    rows = enumerate(zip_longest(*sides), start=1)
    return [(epoch, before, after) for epoch, (before, after) in rows]


def _means(training: Training | None) -> list[float]:
    runs = [figures.accuracies(run) for run in training.runs] if training else []
    longest = max((len(run) for run in runs), default=0)
    means = []
    for epoch in range(longest):
        means.append(statistics.fmean(run[epoch] for run in runs if epoch < len(run)))
    return means


def facts(found: Versus) -> dict[str, Any]:
    """The same as JSON values; accuracies are 0 to 1."""
    return {
        "first": _facts(found.before),
        "second": _facts(found.after),
        "network": found.network,
        "recipe": found.recipe,
        "curves": [
            {"epoch": epoch, "first": before, "second": after}
            for epoch, before, after in curves(found)
        ],
        "difference": None if found.helped is None else found.helped.model_dump(mode="json"),
        "meaning": meaning(found),
    }


def _facts(report: Report) -> dict[str, Any]:
    training = report.training
    return {
        "name": notices.name(report),
        "path": report.path,
        "assignment": report.assignment,
        "parameters": (report.analysis or {}).get("total_parameters"),
        "accuracy": training.score if training else None,
        "seeds": len(training.runs) if training else 0,
    }
