"""The short scorecard: what a student needs on one screen of 80 x 24. In: a Report. Out: rich.

Verdict, points, whose recipe, what did not pass with its first hint, where the report is, and what
to type next. The whole scorecard is `grader.render.terminal`; the last lines say how to see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.constrain import Constrain
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grader.printable import printable, printable_path
from grader.render import check_lines, figures, header, next_step, notices, recipe, source, words
from grader.render.marks import MARKS, bullets, spaced
from grader.render.plain import Plain
from grader.report import CheckResult, Hint, Placed, Report, Verdict

WIDEST = 100
ROOM = 21
"""Lines: a screen of 24 without the prompt and what nox says at the end."""

LAYOUTS = ((2, True), (1, True), (1, False), (0, False), (-1, False))
"""How much is said of each check, and whether there are empty lines between the parts."""

NAME_WIDTH = 11
"""Columns before the text of a fact."""

MOST_FLAGS = 2
MOST_CHECKS = 4
"""In the tightest layout; of the others there are the names."""

LEAST_SAID = 20
"""Columns for what to do, beside a place."""

QUOTED_WORDS = 3
"""Of the student's line, where all of it has no room."""
ORDER = (
    Verdict.BROKEN,
    Verdict.FAILED,
    Verdict.UNKNOWN,
    Verdict.BORDERLINE,
    Verdict.SKIPPED,
    Verdict.PASSED_SO_FAR,
)
"""Of the checks that did not pass, in which they are shown."""


def draw(report: Report, saved: Path | None = None) -> RenderableType:
    """The short scorecard; `saved` is the file that holds the report."""
    return Plain(Constrain(_Fitted(report, saved), WIDEST))


class _Fitted:
    """The first of these layouts that fits into `ROOM` lines: less and less of each check."""

    def __init__(self, report: Report, saved: Path | None) -> None:
        self._report = report
        self._saved = saved

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Measured at the width at hand."""
        for detail, airy in LAYOUTS:
            parts = _parts(self._report, self._saved, detail, options.max_width)
            layout = spaced(parts) if airy else Group(*parts)
            lines = console.render_lines(layout, options.update(height=None), pad=False)
            if len(lines) <= ROOM:
                break
        yield layout


def _parts(report: Report, saved: Path | None, detail: int, width: int) -> list[RenderableType]:
    parts: list[RenderableType] = [header.draw(report)]
    facts = list(_facts(report, detail))
    if facts:
        parts.append(_table(facts))
    if report.problem is not None:
        parts.append(_problem(report, width))
    if report.checks:
        parts.append(_checks(report, detail, width))
    return [*parts, _table(_ways(report, saved, width - NAME_WIDTH, brief=detail <= 0))]


def _table(rows: Sequence[tuple[str, Text]]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True, min_width=NAME_WIDTH - 3)
    grid.add_column(ratio=1, overflow="fold")
    for name, text in rows:
        grid.add_row(name, text)
    return Padding(grid, (0, 0, 0, 1))


def _facts(report: Report, detail: int) -> Iterator[tuple[str, Text]]:
    """What the result stands on: notices, recipe, network, accuracy."""
    for title, text in notices.banners(report):
        yield "note", Text(title, style="bold yellow").append(f" · {text}", style="not bold")
    if whose := recipe.in_short(report):
        style = "yellow" if report.recipe and report.recipe.obstacles else ""
        yield "recipe", Text(whose, style=style)
        for hint in report.recipe.obstacles[:1] if report.recipe else ():
            yield "", _hint(report, hint)
    if report.training is not None:
        yield "accuracy", _accuracy(report)
    for flag in report.flags[:MOST_FLAGS] if detail > 0 else ():
        yield "look at", Text(printable(flag, 200), style="yellow")


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


def _problem(report: Report, width: int) -> RenderableType:
    assert report.problem is not None
    title, advice = notices.problem(report.problem)
    style = "magenta" if report.problem.fault == "grader" else "red"
    lines: list[RenderableType] = [Text(title, style=f"bold {style}")]
    if report.problem.line is not None:
        lines.append(_place(report, report.problem))
    text = Text(printable(report.problem.message, 4000, lines=True))
    lines.append(_first_lines(text, width - 2, ROOM - 12))
    lines.append(Text(advice, style="dim"))
    return Padding(Group(*lines), (0, 0, 0, 1))


def _first_lines(text: Text, width: int, most: int) -> Text:
    """At most so many lines at that width; what is cut off ends in "…"."""
    lines = text.wrap(Console(width=max(width, 10)), max(width, 10), overflow="fold")
    if len(lines) <= most:
        return text
    kept = Text("\n").join(line for line in lines[:most])
    return kept.append(" …")


def _checks(report: Report, detail: int, width: int) -> RenderableType:
    opened = [check for check in report.checks if check.verdict is not Verdict.PASSED]
    opened.sort(key=lambda check: (not check.required, ORDER.index(check.verdict)))
    skipped = [check for check in opened if check.verdict is Verdict.SKIPPED]
    if len(skipped) > 1:  # they wait for the same training: a line for all
        opened = [check for check in opened if check.verdict is not Verdict.SKIPPED]
    shown = opened if detail >= 0 else opened[:MOST_CHECKS]
    parts = [_check(report, check, detail, width) for check in shown]
    if more := opened[len(shown) :]:
        names = ", ".join(printable(check.name.replace("_", " "), 40) for check in more)
        parts.append(Text(f"and {len(more)} more: {names}", style="dim"))
    if len(skipped) > 1:
        parts.append(_skipped(report, skipped))
    return Padding(Group(*parts, check_lines.count(report.checks)), (0, 0, 0, 1))


def _skipped(report: Report, checks: Sequence[CheckResult]) -> RenderableType:
    """What was not asked, and why, where the note has not said it."""
    names = ", ".join(printable(check.name.replace("_", " "), 40) for check in checks)
    why = checks[0].detail if checks[0].detail != report.quick_look else ""
    reason = f" ({printable(why, 200)})" if why else ""
    symbol = MARKS[Verdict.SKIPPED].symbol
    return bullets(symbol, [Text(f"not graded: {names}{reason}")], style="dim")


def _check(report: Report, check: CheckResult, detail: int, width: int) -> RenderableType:
    """Its title with what was measured, then why and the first hint as far as there is room."""
    mark = MARKS[check.verdict]
    quiet = check.verdict is Verdict.SKIPPED or not check.required
    line = Text(printable(check.title.rstrip("."), 120), style="dim" if quiet else "")
    if check.measured:
        line.append(": ").append(printable(check.measured, 60), style=f"not dim {mark.style}")
    if check.asked:
        line.append(f" (asked: {printable(check.asked, 60)})", style="dim")
    if not check.required:
        line.append(" · advisory", style="dim italic")
    below = [] if quiet and detail <= 0 else list(_below(report, check, detail, width - 5))
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(width=1, style=f"bold {mark.style}")
    grid.add_column(ratio=1, overflow="fold")
    grid.add_column(justify="right", no_wrap=True)
    points = f"{words.points(check.points)} / {words.points(check.max_points)}"
    grid.add_row(mark.symbol, line, Text(points if check.max_points else "", style="dim"))
    return Group(grid, Padding(Group(*below), (0, 0, 0, 2))) if below else grid


def _below(report: Report, check: CheckResult, detail: int, width: int) -> Iterator[RenderableType]:
    hints = check.hints[:1]
    failed = check.verdict is Verdict.FAILED
    said = check.detail and check.detail != report.quick_look  # the note has said it
    if said and (detail == 2 or not hints or not failed):
        style = "dim" if check.verdict is Verdict.SKIPPED or not check.required else ""
        text = Text(printable(check.detail, 600, lines=True), style=style)
        yield _first_lines(text, width, 2 if detail > 0 else 1)
    for hint in hints if detail > 0 or failed else ():
        text = _hint(report, hint) if detail > 0 else _short_hint(report, hint, detail, width - 4)
        yield bullets("→", [text])


def _hint(report: Report, hint: Hint) -> Text:
    """The place, the student's own line, and what to do."""
    said = printable(hint.text, 600, lines=True)
    if hint.line is None:
        return Text(said)
    return _place(report, hint).append(f"\n{said}", style="not dim not cyan")


def _short_hint(report: Report, hint: Hint, detail: int, width: int) -> Text:
    """The place with the first words of the line, and a line of what to do; or one line of both."""
    said = printable(hint.text, 600)
    if hint.line is None:
        return _first_lines(Text(said), width, 1)
    text = Text(words.path_place(report, hint), style="cyan")
    quoted = source.quoted(report, hint).split()
    start = " ".join(quoted[:QUOTED_WORDS]) + (" …" if len(quoted) > QUOTED_WORDS else "")
    if detail < 0:
        room = width - text.cell_len - 2
        if room >= LEAST_SAID:
            return text.append("  ").append(_cut(said, room), style="not cyan")
        return text.append("\n").append(_cut(said, width), style="not cyan")
    if start:
        text.append(f"  {start}", style="not cyan dim")
    return text.append("\n").append(_first_lines(Text(said, style="not cyan"), width, 1))


def _cut(said: str, width: int) -> str:
    text = Text(said)
    text.truncate(max(width, 1), overflow="ellipsis")
    return text.plain


def _place(report: Report, where: Placed) -> Text:
    """`path:line`, which a terminal can open, where that is in the file, and the line itself."""
    text = Text(words.path_place(report, where), style="cyan")
    if context := source.context(report, where):
        text.append(f"  {context}", style="not cyan dim")
    if line := source.quoted(report, where):
        text.append(f"\n{where.line} │ {line}", style="not cyan dim")
    return text


def _ways(report: Report, saved: Path | None, width: int, *, brief: bool) -> list[tuple[str, Text]]:
    """Where the report is, how to see all of it, and what to type next."""
    rows: list[tuple[str, Text]] = []
    if saved is not None:
        rows.append(("report", Text(printable_path(saved), style="cyan")))
        rows.append(("more", _step(next_step.more(report, saved), width)))
    for number, step in enumerate(next_step.steps(report)):
        name = "" if number else "next"
        rows.append((name, _step(step, width, brief=brief)))
    return rows


def _step(step: next_step.Step, width: int, *, brief: bool = False) -> Text:
    """A command with its use after it, or below it (not where `brief`) on a line of its own."""
    text = Text(step.command, style="bold")
    fits = text.cell_len + len(step.use) + 3 <= width
    if brief and step.command and not fits:
        return text
    gap = "   " if fits else "\n"
    return text.append(gap if step.command else "").append(step.use, style="not bold dim")
