"""A page of a whole class. In: Reports, what resembles what, who leads. Out: one HTML text.

The page loads nothing: its style and its script stand in it, and it forbids everything else by
their hashes. Without the script all of it is shown, one part below the other; with it the parts are
tabs and the table can be sorted and filtered. Every text passes `printable` and jinja2's escaping.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from grader.classroom import leaderboard, listed
from grader.classroom.class_record import ClassRecord, WorkRow
from grader.classroom.leaderboard import Board
from grader.classroom.similarity import Group
from grader.printable import printable
from grader.render import class_facts, histogram, notices, scatter, words
from grader.render.class_facts import Row
from grader.render.histogram import Histogram
from grader.report import Report

LONGEST_TEXT = 4000
FIRST_PLACES = 10
"""Lines of a board that are seen at once; the others can be unfolded."""
MOST_NAMES = 24
"""Members of a group that are named at once."""
KINDS = {
    "text": "Texts that are alike",
    "network and recipe": "The same network and the same recipe",
    "network": "The same network",
    "nearly the same network": "Nearly the same network",
    "recipe": "The same recipe",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One assignment of the class. `groups` is None where nobody compared the works."""

    anchor: str
    title: str
    reports: Sequence[Report]
    rows: Sequence[Row]
    groups: Sequence[Group] | None
    boards: Sequence[Board]
    rows_by_name: Mapping[str, Row]
    record: ClassRecord | None = None

    @property
    def beside_list(self) -> Sequence[tuple[str, Sequence[str]]]:
        """Who of the class's list has not one work that can be graded, and who is not on it."""
        if self.record is None or self.record.roster is None:
            return ()
        return listed.beside(self.record.roster, self.record.works)


def render(
    reports: Sequence[Report],
    *,
    groups: Mapping[str, Sequence[Group]] | None = None,
    boards: Mapping[str, Sequence[Board]] | None = None,
    records: Mapping[str, ClassRecord] | None = None,
    page_of: Callable[[Report], str] | None = None,
) -> str:
    """The page of a class; an assignment each has a part of its own.

    `groups`, `boards` and `records` are by the assignment's name. Without `groups` the page says
    that nobody compared the works; the names in a group are those of the reports' `submission`.
    Without `boards` they are made here, with the names that people know. A record says who is late
    and who is missing. `page_of` gives the path of a work's own page, relative to this one and with
    "/" between folders, or "".
    """
    pieces = []
    ordered = sorted(reports, key=lambda report: report.assignment)
    by_assignment = itertools.groupby(ordered, key=lambda report: report.assignment)
    for number, (name, found) in enumerate(by_assignment, 1):
        works = sorted(found, key=lambda one: (notices.name(one).casefold(), one.submission))
        shown = boards or {}
        ranked = shown.get(name)
        if ranked is None:
            ranked = leaderboard.boards(works, names=leaderboard.own_name)
        alike = None if groups is None else groups.get(name, ())
        record = (records or {}).get(name)
        pieces.append(_part(number, works, alike, ranked, record, page_of))
    return _page(pieces)


def _part(
    number: int,
    reports: Sequence[Report],
    groups: Sequence[Group] | None,
    boards: Sequence[Board],
    record: ClassRecord | None,
    page_of: Callable[[Report], str] | None,
) -> Part:
    rows, by_name = [], {}
    late = {work.submission: _late(work) for work in (record.works if record else ())}
    for place, report in enumerate(reports, 1):
        page = _address(page_of(report)) if page_of else ""
        said = late.get(report.submission, "")
        row = class_facts.row(report, anchor=f"work-{number}-{place}", page=page, late=said)
        rows.append(row)
        by_name[report.submission] = row
    title = reports[0].assignment_title
    return Part(f"part-{number}", title, reports, rows, groups, boards, by_name, record)


def _late(work: WorkRow) -> str:
    """That a work is late, and by whose word; "" where it is not, or nobody says so."""
    if not work.late:
        return ""
    when = work.handed_in.removesuffix(":00+00:00").replace("T", " ")
    if work.late_says == "commit":
        return f"late by the clock of its last commit: {when} UTC"
    return f"late: handed in {when} UTC" if when else "late"


def _address(path: str) -> str:
    """A relative address that cannot be anything else, whatever the folders are called."""
    return f"./{quote(path.encode('utf-8', 'replace'))}" if path else ""


def accuracies(reports: Sequence[Report]) -> Histogram | None:
    """How the class's accuracies are spread; None where nobody was trained and graded."""
    graded = [found for found in map(class_facts.graded, reports) if found]
    scores = [found.score for found in graded if found.score is not None]
    if not scores:
        return None
    threshold = graded[-1].threshold
    return histogram.of_accuracies(scores, scatter.levels(scores, threshold), threshold)


def points(reports: Sequence[Report]) -> Histogram | None:
    """How the class's points are spread."""
    most = max(report.max_points for report in reports)
    return histogram.of_points([report.points for report in reports], most)


def sizes(reports: Sequence[Report]) -> Histogram | None:
    """How the class's networks are spread below and above the limit; None where it is not known."""
    found = [size for size in map(class_facts.parameters, reports) if size is not None]
    limit = class_facts.limit(reports)
    if limit is None:
        return None
    within = [size for size in found if limit.allows(size)]
    return histogram.of_sizes(within, len(found) - len(within), limit.number)


def _page(pieces: Sequence[Part]) -> str:
    style, script = _ours("class_page.css"), _ours("class_page.js")
    environment = jinja2.Environment(
        autoescape=True,
        finalize=_finalized,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    works = words.several(sum(len(piece.reports) for piece in pieces), "submission")
    title = pieces[0].title
    if len(pieces) > 1:
        title = f"{works} of {len(pieces)} assignments"
    return environment.from_string(_ours("class_page.html")).render(
        parts=pieces,
        title=title,
        style=Markup(style),  # noqa: S704 - our own file; the hash is about its very characters
        script=Markup(script),  # noqa: S704 - the same
        style_hash=_hash(style),
        script_hash=_hash(script),
        kinds=KINDS,
        first_places=FIRST_PLACES,
        most_names=MOST_NAMES,
        facts=class_facts,
        scatter=scatter,
        accuracies=accuracies,
        points=points,
        sizes=sizes,
        histogram_height=histogram.HEIGHT,
        words=words,
    )


def _ours(name: str) -> str:
    return files("grader.render").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _finalized(value: object) -> object:
    """What the template may print: strings made harmless, and the markup of its own."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(str(value), LONGEST_TEXT)
    return value
