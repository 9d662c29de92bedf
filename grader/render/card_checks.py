"""What did not pass, on the short scorecard. In: a Report, and how much room there is. Out: rich.

Of each check its title with what was measured, and below it the first hint that has a place: the
line in the student's file, and what to do there. The less room, the less of the line is quoted,
but a sentence that is shown is whole, and what is not shown is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import IntEnum

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grader.printable import printable
from grader.render import check_lines, source, words
from grader.render.marks import MARKS, bullets
from grader.report import CheckResult, Hint, Placed, Report, Verdict


class Detail(IntEnum):
    """How much is said below a check."""

    SENTENCE = 0
    """The place and what to do, or why."""
    WORDS = 1
    """The same, and of the student's line what fits beside the place."""
    LINE = 2
    """The same, and the whole line."""
    REASON = 3
    """The same, and why the check failed."""


LEAST_WORDS = 3
"""Of the student's line, where any are shown."""

LEAST_BESIDE = 20
"""Columns for what to do, beside a place."""

USUAL_LINES = 2
MOST_LINES = 4
"""Of one reason or hint: usually, and where a single sentence takes more."""

SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9])")

ORDER = (
    Verdict.BROKEN,
    Verdict.FAILED,
    Verdict.UNKNOWN,
    Verdict.BORDERLINE,
    Verdict.SKIPPED,
    Verdict.PASSED_SO_FAR,
)
"""Of the checks that did not pass, in which they are shown."""


def opened(report: Report) -> tuple[list[CheckResult], list[CheckResult]]:
    """The checks that did not pass, the most urgent first; those that wait for one training."""
    found = [check for check in report.checks if check.verdict is not Verdict.PASSED]
    found.sort(key=lambda check: (not check.required, ORDER.index(check.verdict)))
    skipped = [check for check in found if check.verdict is Verdict.SKIPPED]
    if len(skipped) < 2:
        return found, []
    return [check for check in found if check.verdict is not Verdict.SKIPPED], skipped


def draw(
    report: Report, detail: Detail, width: int, *, most: int | None = None, lean: bool = False
) -> RenderableType:
    """At most so many checks; (not where `lean`) the names of the others, and what is skipped."""
    found, skipped = opened(report)
    shown = found[:most]
    count = check_lines.count(report.checks)
    parts = [_check(report, check, detail, width) for check in shown]
    more = found[len(shown) :]
    if more and not lean:
        parts.append(Text(f"and {len(more)} more: {_names(more)}", style="dim"))
    if skipped and detail is Detail.SENTENCE and not lean:
        count.append(f": {_names(skipped)}", style="dim")
    elif skipped and not lean:
        parts.append(_skipped(report, skipped))
    return Padding(Group(*parts, count), (0, 0, 0, 1))


def hint_text(report: Report, hint: Hint) -> Text:
    """The place, the student's own line, and what to do."""
    said = printable(hint.text, 600, lines=True)
    if hint.line is None:
        return Text(said)
    return place_text(report, hint).append(f"\n{said}", style="not dim not cyan")


def place_text(report: Report, where: Placed) -> Text:
    """`path:line`, which a terminal can open, where that is in the file, and the line itself."""
    text = Text(words.path_place(report, where), style="cyan")
    if context := source.context(report, where):
        text.append(f"  {context}", style="not cyan dim")
    if line := source.quoted(report, where):
        text.append(f"\n{where.line} │ {line}", style="not cyan dim")
    return text


def first_lines(text: Text, width: int, most: int) -> Text:
    """At most so many lines at that width; what is cut off ends in "…"."""
    lines = _wrapped(text, width)
    if len(lines) <= most:
        return text
    kept = Text("\n").join(lines[:most])
    kept.rstrip()
    return kept.append(" …")


def _names(checks: Sequence[CheckResult]) -> str:
    return ", ".join(printable(check.name.replace("_", " "), 40) for check in checks)


def _skipped(report: Report, checks: Sequence[CheckResult]) -> RenderableType:
    """What was not asked, and why, where the note has not said it."""
    why = checks[0].detail if checks[0].detail != report.quick_look else ""
    reason = f" ({printable(why, 200)})" if why else ""
    symbol = MARKS[Verdict.SKIPPED].symbol
    return bullets(symbol, [Text(f"not graded: {_names(checks)}{reason}")], style="dim")


def _check(report: Report, check: CheckResult, detail: Detail, width: int) -> RenderableType:
    """Its title with what was measured, then why and the first hint as far as there is room."""
    mark = MARKS[check.verdict]
    quiet = check.verdict is Verdict.SKIPPED or not check.required
    points = f"{words.points(check.points)} / {words.points(check.max_points)}"
    worth = Text(points if check.max_points else "", style="dim")
    line = _title(check, quiet=quiet)
    if detail is Detail.SENTENCE:
        line = _short_title(check, width - 5 - worth.cell_len, quiet=quiet)
    says_less = quiet and detail < Detail.LINE
    below = [] if says_less else list(_below(report, check, detail, width - 5))
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(width=1, style=f"bold {mark.style}")
    grid.add_column(ratio=1, overflow="fold")
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(mark.symbol, line, worth)
    return Group(grid, Padding(Group(*below), (0, 0, 0, 2))) if below else grid


def _short_title(check: CheckResult, width: int, *, quiet: bool) -> Text:
    """The title where it fits into a line, else the name, without what is asked if need be."""
    for by_name, asked in ((False, True), (True, True), (True, False)):
        line = _title(check, quiet=quiet, by_name=by_name, asked=asked)
        if line.cell_len <= width:
            break
    return line


def _title(check: CheckResult, *, quiet: bool, by_name: bool = False, asked: bool = True) -> Text:
    """What was asked and found; `by_name`: by the short name, which `grader explain` takes."""
    title = check.name.replace("_", " ") if by_name else check.title.rstrip(".")
    line = Text(printable(title, 120), style="dim" if quiet else "")
    if check.measured:
        style = f"not dim {MARKS[check.verdict].style}"
        line.append(": ").append(printable(check.measured, 60), style=style)
    if check.asked and asked:
        line.append(f" (asked: {printable(check.asked, 60)})", style="dim")
    if not check.required:
        line.append(" · advisory", style="dim italic")
    return line


def _below(
    report: Report, check: CheckResult, detail: Detail, width: int
) -> Iterator[RenderableType]:
    hint = _first(check.hints)
    failed = check.verdict is Verdict.FAILED
    said = check.detail and check.detail != report.quick_look  # the note has said it
    if said and (detail is Detail.REASON or hint is None or not failed):
        style = "dim" if check.verdict is Verdict.SKIPPED or not check.required else ""
        text = Text(printable(check.detail, 600, lines=True), style=style)
        most = MOST_LINES if detail is Detail.REASON else USUAL_LINES
        yield _whole_sentences(text, width, most if detail > 0 or failed else 1)
    if hint is not None and (failed or detail > Detail.WORDS):
        yield bullets("→", [_hint(report, hint, detail, width - 2)])


def _first(hints: Sequence[Hint]) -> Hint | None:
    """The first that has a place: the line to look at says more than a rule."""
    placed = [hint for hint in hints if hint.line is not None]
    return next(iter(placed or hints), None)


def _hint(report: Report, hint: Hint, detail: Detail, width: int) -> Text:
    if detail >= Detail.LINE:
        return hint_text(report, hint)
    said = Text(printable(hint.text, 600))
    if hint.line is None:
        return _whole_sentences(said, width, USUAL_LINES)
    place = Text(words.path_place(report, hint), style="cyan")
    if detail is Detail.SENTENCE:
        beside = width - place.cell_len - 2 >= LEAST_BESIDE
        place.append("  " if beside else "\n")
        return _whole_sentences(said, width, USUAL_LINES, after=place)
    if line := source.quoted(report, hint):
        start = _words(line, width - place.cell_len - 2)
        place.append(f"  {start}", style="not cyan dim")
    place.append("\n")
    return place.append_text(_whole_sentences(said, width, USUAL_LINES))


def _words(line: str, width: int) -> str:
    """As many of its words as fit into that width, and "…" for the others; three at least."""
    words = line.split()
    for number in range(len(words), LEAST_WORDS, -1):
        start = " ".join(words[:number]) + (" …" if number < len(words) else "")
        if Text(start).cell_len <= width:
            return start
    return " ".join(words[:LEAST_WORDS]) + (" …" if len(words) > LEAST_WORDS else "")


def _whole_sentences(text: Text, width: int, most: int, *, after: Text | None = None) -> Text:
    """As many of the sentences, `after` something, as fit into so many lines: the first at least.

    A first one of more than `MOST_LINES` is cut.
    """
    start = after or Text()
    ends = [match.start() for match in SENTENCE_END.finditer(text.plain)]
    for end in [len(text), *reversed(ends)]:
        whole = Text.assemble(start, text[:end])
        if len(_wrapped(whole, width)) <= most:
            return whole
    first = Text.assemble(start, text[: ends[0]] if ends else text)
    return first_lines(first, width, max(most, MOST_LINES))


def _wrapped(text: Text, width: int) -> list[Text]:
    room = max(width, 10)
    return list(text.wrap(Console(width=room), room, overflow="fold"))
