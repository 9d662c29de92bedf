"""The short scorecard: what a student needs on one screen of 80 x 24. In: a Report. Out: rich.

Verdict, points, whose recipe, what did not pass with its first hint, where the report is, and what
to type next. The whole scorecard is `grader.render.terminal`; the last lines say how to see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.constrain import Constrain
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grader.printable import printable, printable_path
from grader.render import card_checks, figures, header, journey, next_step, notices, recipe, words
from grader.render.card_checks import Detail
from grader.render.marks import spaced
from grader.render.plain import Plain
from grader.report import CheckResult, Report, Verdict

WIDEST = 100
USUAL_HEIGHT = 24
"""Lines of a screen, where there is none to ask."""

KEPT_FREE = 3
"""Lines, for the prompt and a little more; for the prompt alone where nox says a lot."""

NAME_WIDTH = 11
"""Columns before the text of a fact."""

MOST_FLAGS = 2

FEW = 3
"""Checks: where not so many have room, the other lines are made fewer; where not even one less,
fewer still."""


class Layout(NamedTuple):
    """How much is said.

    `airy`: empty lines between the parts. `most`: so many checks that did not pass, where there is
    a limit. `lean`: only what is needed to go on. `recipe`: whose it is. `meaning`: of the notes.
    """

    detail: Detail
    airy: bool = False
    most: int | None = None
    lean: bool = False
    recipe: bool = True
    meaning: bool = True

    @property
    def brief(self) -> bool:
        """Whether the last lines are as few as can be."""
        return self.detail < Detail.LINE


def draw(report: Report, saved: Path | None = None) -> RenderableType:
    """The short scorecard; `saved` is the file that holds the report."""
    return Plain(Constrain(_Fitted(report, saved), WIDEST))


class _Fitted:
    """The first layout that fits the screen: less and less of each check, then fewer of them."""

    def __init__(self, report: Report, saved: Path | None) -> None:
        self._report = report
        self._saved = saved

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Measured at the width at hand."""
        height = console.size.height if console.is_terminal else USUAL_HEIGHT
        failed = self._report.verdict not in (Verdict.PASSED, Verdict.PASSED_SO_FAR)
        below = next_step.lines_of_nox(int(failed), console.size.width)
        room = height - max(KEPT_FREE, below + 1)
        for layout in _layouts(self._report):
            parts = _parts(self._report, self._saved, layout, options.max_width, room)
            drawn = spaced(parts) if layout.airy else Group(*parts)
            lines = console.render_lines(drawn, options.update(height=None), pad=False)
            if len(lines) <= room:
                break
        yield drawn


def _layouts(report: Report) -> Iterator[Layout]:
    """From the one that says most to the one that needs the least room."""
    yield Layout(Detail.REASON, airy=True)
    yield Layout(Detail.LINE, airy=True)
    yield Layout(Detail.LINE)
    yield Layout(Detail.WORDS)
    found, _ = card_checks.opened(report)
    yield Layout(Detail.SENTENCE)
    for most in range(len(found) - 1, FEW - 1, -1):
        yield Layout(Detail.SENTENCE, most=most)
    lean = Layout(Detail.SENTENCE, lean=True)
    for most in range(len(found), FEW - 2, -1):
        yield lean._replace(most=most)
    for most in range(len(found), FEW - 2, -1):
        yield lean._replace(most=most, recipe=False)
    for most in range(len(found), 0, -1):
        yield lean._replace(most=most, recipe=False, meaning=False)


def _parts(
    report: Report, saved: Path | None, layout: Layout, width: int, room: int
) -> list[RenderableType]:
    parts: list[RenderableType] = [header.draw(report)]
    if facts := list(_facts(report, layout)):
        parts.append(_table(facts))
    if report.problem is not None:
        parts.append(_problem(report, width, room))
    if report.checks:
        parts.append(
            card_checks.draw(report, layout.detail, width, most=layout.most, lean=layout.lean)
        )
    return [*parts, _table(_ways(report, saved, width - NAME_WIDTH, layout))]


def _table(rows: Sequence[tuple[str, Text]]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True, min_width=NAME_WIDTH - 3)
    grid.add_column(ratio=1, overflow="fold")
    for name, text in rows:
        grid.add_row(name, text)
    return Padding(grid, (0, 0, 0, 1))


def _facts(report: Report, layout: Layout) -> Iterator[tuple[str, Text]]:
    """What the result stands on: notices, recipe, network, accuracy."""
    for title, text in notices.banners(report):
        why = f" · {text}" if layout.meaning else ""
        yield "note", Text(title, style="bold yellow").append(why, style="not bold")
    if layout.recipe and not report.steps:
        yield from _recipe(report, brief=layout.detail is Detail.SENTENCE)
    elif (
        not report.steps and report.recipe and report.recipe.obstacles
    ):  # however little room there is
        yield "recipe", Text("the assignment's: yours could not be used", style="yellow")
    if report.steps:
        yield from journey.facts(report)
    elif report.training is not None:
        yield "accuracy", _accuracy(report)
    for flag in report.flags[:MOST_FLAGS] if not layout.brief else ():
        yield "look at", Text(printable(flag, 200), style="yellow")


def _recipe(report: Report, *, brief: bool) -> Iterator[tuple[str, Text]]:
    """Whose it is, and the first reason why it is not the student's, if there is one."""
    if whose := recipe.in_short(report, brief=brief):
        style = "yellow" if report.recipe and report.recipe.obstacles else ""
        yield "recipe", Text(whose, style=style)
        for hint in report.recipe.obstacles[:1] if report.recipe else ():
            yield "", card_checks.hint_text(report, hint)


def _accuracy(report: Report) -> Text:
    """The score that counts, and the curve of the first run."""
    training = report.training
    assert training is not None
    score = next(score for score in figures.scores(training) if score.counts)
    text = Text(score.value, style="bold").append(f" {score.name}", style="not bold")
    if score.remarks:
        text.append(f" · {score.remarks[0]}", style="not bold")
    if shape := figures.climb(training):
        text.append(f"  {shape}", style="not bold cyan")
    return text


def _problem(report: Report, width: int, room: int) -> RenderableType:
    assert report.problem is not None
    title, advice = notices.problem(report.problem)
    style = "magenta" if report.problem.fault == "grader" else "red"
    lines: list[RenderableType] = [Text(title, style=f"bold {style}")]
    if report.problem.line is not None:
        lines.append(card_checks.place_text(report, report.problem))
    text = Text(printable(report.problem.message, 4000, lines=True))
    lines.append(card_checks.first_lines(text, width - 2, max(room - 12, 3)))
    lines.append(Text(advice, style="dim"))
    return Padding(Group(*lines), (0, 0, 0, 1))


def _ways(report: Report, saved: Path | None, width: int, layout: Layout) -> list[tuple[str, Text]]:
    """Where the report is, how to see all of it, and what to type next."""
    rows: list[tuple[str, Text]] = []
    hidden = _hidden(report, layout)
    if saved is not None:
        rows.append(("report", Text(printable_path(saved), style="cyan")))
    if saved is not None and not hidden:
        step = next_step.more(report, saved)
        rows.append(("more", _step(step, width, brief=layout.brief)))
    steps = next_step.steps(report)
    for number, step in enumerate(steps[-1:] if layout.lean else steps):
        name = "" if number else "next"
        rows.append((name, _step(step, width, brief=layout.brief)))
    if hidden:
        rows.append(("more", _rest(hidden, report, saved)))
    return rows


def _hidden(report: Report, layout: Layout) -> list[CheckResult]:
    """The checks that did not pass and are not shown."""
    found, _ = card_checks.opened(report)
    return [] if layout.most is None else found[layout.most :]


def _rest(hidden: Sequence[CheckResult], report: Report, saved: Path | None) -> Text:
    """How to see the checks that are not shown."""
    failed = all(check.verdict is Verdict.FAILED for check in hidden)
    what = words.several(len(hidden), "failed check" if failed else "check")
    text = Text(f"{what}: ", style="dim")
    if saved is not None:
        text.append(next_step.more(report, saved).command, style="not dim bold")
        text.append(", or ")
    return text.append("--details", style="not dim bold")


def _step(step: next_step.Step, width: int, *, brief: bool = False) -> Text:
    """A command with its use after it, or below it (not where `brief`) on a line of its own."""
    text = Text(step.command, style="bold")
    fits = text.cell_len + len(step.use) + 3 <= width
    if brief and step.command and not fits:
        return text
    gap = "   " if fits else "\n"
    return text.append(gap if step.command else "").append(step.use, style="not bold dim")
