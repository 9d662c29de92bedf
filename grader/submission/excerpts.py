"""The lines that hints are about, to be shown beside them when the file is elsewhere.

In: a Report whose lines are in their places, and the listing. Out: the same report with `excerpts`,
of bounded size. Nothing runs here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain

from grader.program.listing import Listing, Part
from grader.report import Excerpt, Placed, Report, Verdict

AROUND = 2
"""Lines shown before and after."""

MOST_LINES = 120
LONGEST_LINE = 160
Key = tuple[str, int | None]


def with_excerpts(report: Report, listing: Listing) -> Report:
    """The report with the lines around each thing that is said about a line."""
    wanted: dict[Key, set[int]] = defaultdict(set)
    for place in _places(report):
        if place.line is not None:
            near = range(max(1, place.line - AROUND), place.line + AROUND + 1)
            wanted[place.file, place.cell].update(near)
    several = len(listing.files) > 1
    found: list[Excerpt] = []
    left = MOST_LINES
    for part in listing.parts:
        key = (part.file if several else "", part.cell)
        if key in wanted:
            for excerpt in _excerpts(part, key, sorted(wanted.pop(key))):
                found.append(excerpt.model_copy(update={"lines": excerpt.lines[:left]}))
                left = max(0, left - len(excerpt.lines))
    kept = tuple(excerpt for excerpt in found if any(map(str.strip, excerpt.lines)))
    return report.model_copy(update={"excerpts": kept})


def _places(report: Report) -> Iterable[Placed]:
    """All that is said about lines and has to be mended."""
    open_checks = [check for check in report.checks if check.verdict is not Verdict.PASSED]
    places: Iterable[Placed] = chain.from_iterable(check.hints for check in open_checks)
    if report.problem is not None:
        places = chain(places, [report.problem])
    if report.recipe is not None:
        places = chain(places, report.recipe.obstacles)
    return places


def _excerpts(part: Part, key: Key, numbers: list[int]) -> Iterator[Excerpt]:
    """Lines that follow each other stand in one excerpt."""
    lines = part.text.split("\n")
    numbers = [number for number in numbers if number <= len(lines)]
    file, cell = key
    start = 0
    for place, number in enumerate(numbers):
        if place + 1 == len(numbers) or numbers[place + 1] != number + 1:
            run = numbers[start : place + 1]
            text = tuple(lines[one - 1][:LONGEST_LINE] for one in run)
            yield Excerpt(first=run[0], lines=text, cell=cell, file=file)
            start = place + 1
