"""What a class came to, on one screen. In: a `ClassRecord`. Out: at most 30 lines of 80 columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from grader.classroom import listed
from grader.classroom.class_record import ClassRecord, Middle
from grader.printable import printable
from grader.render import words
from grader.render.marks import MARKS

MOST_CHECKS = 6
MOST_NAMED = 3
LONGEST_NAME = 16


def draw(record: ClassRecord, following: str) -> RenderableType:
    """The summary; `following` is the next command."""
    grid = Table.grid(padding=(0, 2, 0, 1))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in _facts(record):
        grid.add_row(name, text)
    for name, path in record.files.items():
        grid.add_row(name, Text(path))
    if following:
        grid.add_row("next", Text(following, style="bold"))
    number = words.several(len(record.works), "submission")
    took = f" in {words.duration(record.seconds)}"
    title = Text(printable(record.assignment_title, 60), style="bold")
    return Group(title.append(f": {number}{took}", style=""), grid)


def _facts(record: ClassRecord) -> Iterator[tuple[str, Text]]:
    yield "verdicts", _verdicts(record)
    if record.quick_look:
        yield "not final", Text(f"no points are a grade: {record.quick_look}", style="yellow")
    elif reasons := Counter(work.not_final for work in record.works if work.not_final):
        reason, number = reasons.most_common(1)[0]
        text = f"{reasons.total():,} without a grade, of them {number:,}: {printable(reason, 60)}"
        yield "not final", Text(text, style="yellow")
    yield from _exceptions(record)
    most = max((work.max_points for work in record.works), default=0.0)
    if record.points is not None:
        yield "points", Text(f"{_middle(record.points)} of {words.points(most)}")
    if record.accuracy is not None:
        mean, median = map(words.percent, (record.accuracy.mean, record.accuracy.median))
        yield "accuracy", Text(f"mean {mean}, median {median}")
    for place, check in enumerate(record.checks[:MOST_CHECKS]):
        opened = f", {check.opened} open" if check.opened else ""
        text = f"{check.name}: {check.failed} of {check.asked} failed{opened}"
        yield "" if place else "checks", Text(text)
    if record.roster is not None:
        yield from _roster(record)
    yield "similarity", Text(_similarity(record))


def _verdicts(record: ClassRecord) -> Text:
    parts = []
    for verdict, number in record.verdicts.items():
        mark = MARKS[verdict]
        parts.append(Text(f"{mark.symbol} {number:,} {mark.words}", style=mark.style))
    return Text(", ").join(parts)


def _exceptions(record: ClassRecord) -> Iterator[tuple[str, Text]]:
    """Who could not be graded, who is late, what was not graded anew, what was left out."""
    problems = [work.name for work in record.works if work.problem]
    if problems:
        yield "no network", Text(f"{len(problems):,} could not be graded: {_named(problems)}")
    if record.late:
        late = [work.name for work in record.works if work.late]
        by_clock = sum(work.late is True and work.late_says == "commit" for work in record.works)
        yield "late", Text(f"{record.late:,}: {_named(late)}{_clocks(by_clock)}")
    if kept := sum(work.kept for work in record.works):
        yield "kept", Text(f"{kept:,} unchanged since they were graded")
    if record.left_out:
        text = f"{len(record.left_out):,} of what was handed in, each with its reason in class.json"
        yield "left out", Text(text)


def _clocks(number: int) -> str:
    return f" ({number:,} by the clock of a commit)" if number else ""


def _middle(found: Middle) -> str:
    return f"mean {found.mean:.1f}, median {words.points(found.median)}"


def _roster(record: ClassRecord) -> Iterator[tuple[str, Text]]:
    """The works beside the class's list."""
    assert record.roster is not None
    found = record.roster
    yield "roster", Text(words.several(found.students, "student"))
    for what, who in listed.beside(found, record.works):
        yield "", Text(f"{len(who):,} {what}: {_named(who)}")


def _similarity(record: ClassRecord) -> str:
    if not record.similarity:
        return "no two works stand out as alike"
    kinds = Counter(group.kind for group in record.similarity)
    counted = ", ".join(f"{number} by {kind}" for kind, number in kinds.items())
    groups = words.several(len(record.similarity), "group")
    return f"{groups} for a person to judge ({counted})"


def _named(names: Sequence[str]) -> str:
    shown = [printable(name, LONGEST_NAME) for name in names[:MOST_NAMED]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")
