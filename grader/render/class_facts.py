"""What a class came to, in words and numbers. In: Reports of one assignment. Out: rows and counts.

Nothing here is markup. Texts of a submission pass `printable` on their way into the page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import median
from typing import NamedTuple

from grader.render import figures, notices, words
from grader.render.marks import MARKS
from grader.report import CheckResult, RecipeReport, Report, Training, Verdict

RECIPES = {
    "rehearsed": "own, rehearsed",
    "convention": "own, by name",
    "assignment": "the assignment's",
}
OPEN = (Verdict.BORDERLINE, Verdict.UNKNOWN, Verdict.BROKEN)
"""Answers of a check that are neither a yes nor a no."""


class Opened(NamedTuple):
    """A required check that did not pass."""

    verdict: Verdict
    symbol: str
    name: str


@dataclass(frozen=True, slots=True)
class Row:
    """One work in the table: what is shown, and beside it the numbers to sort by.

    `page` is the address of the work's own page, empty where there is none. `problem` says why
    nothing could be graded; `remarks` why the result is not what it may look like.
    """

    anchor: str
    name: str
    page: str
    verdict: Verdict
    label: str
    points: str
    earned: float
    parameters: int | None
    accuracy: str
    score: float | None
    interval: str
    recipe: str
    opened: tuple[Opened, ...]
    problem: str
    remarks: tuple[str, ...]
    flags: tuple[str, ...]


class Part(NamedTuple):
    """The works of one verdict: how many, and where their piece of the bar lies, in percent."""

    verdict: Verdict
    symbol: str
    words: str
    number: int
    x: float
    width: float


class Failing(NamedTuple):
    """A check over the class. `asked` are the works that it answered for; `share` is in percent."""

    name: str
    title: str
    required: bool
    failed: int
    opened: int
    asked: int

    @property
    def share(self) -> float:
        """Percent of those asked that failed."""
        return round(100 * self.failed / max(self.asked, 1), 1)

    @property
    def open_share(self) -> float:
        """Percent of those asked for whom the answer is open."""
        return round(100 * self.opened / max(self.asked, 1), 1)


def graded(report: Report) -> Training | None:
    """The training whose accuracy is a result: no practice, no quick look, none that was ended."""
    training = report.training
    if training is None or training.score is None or training.practice:
        return None
    looked = report.quick_look or report.interrupted or report.self_check
    return None if looked else training


def parameters(report: Report) -> int | None:
    """How many numbers the network learns, where it could be read."""
    found = (report.analysis or {}).get("total_parameters")
    return found if isinstance(found, int) else None


def limit(reports: Sequence[Report]) -> Limit | None:
    """The parameter limit that the checks name."""
    for check in chain.from_iterable(report.checks for report in reports):
        permitted = check.relation in ("<", "<=") and check.limit is not None and check.limit > 0
        if check.name == "parameter_limit" and check.limit is not None and permitted:
            return Limit(int(check.limit), check.asked, itself=check.relation == "<=")
    return None


class Limit(NamedTuple):
    """How many parameters are permitted: the `number` of "<= 8,000", and whether `itself` is."""

    number: int
    text: str
    itself: bool

    def allows(self, size: int) -> bool:
        """Whether a network of that size keeps the limit."""
        return size < self.number or (self.itself and size == self.number)


def row(report: Report, *, anchor: str, page: str = "", late: str = "") -> Row:
    """The line of one work in the table; `late` says that it is, and by whose word."""
    training = report.training
    ends = figures.interval(training) if training is not None and not training.practice else None
    final = graded(report)
    opened = [check for check in report.checks if check.required and _is_open(check)]
    return Row(
        anchor=anchor,
        name=notices.name(report),
        page=page,
        verdict=report.verdict,
        label=notices.headline(report),
        points=f"{words.points(report.points)} / {words.points(report.max_points)}",
        earned=report.points,
        parameters=parameters(report),
        accuracy=figures.score(training),
        score=final.score if final else None,
        interval=f"{ends[0].removesuffix(' %')}–{ends[1]}" if ends else "",
        recipe=_recipe(report.recipe),
        opened=tuple(_opened(check) for check in opened),
        problem=_first_line(report),
        remarks=(*([late] if late else ()), *_remarks(report)),
        flags=report.flags,
    )


def _first_line(report: Report) -> str:
    """Why nothing could be graded, in short; the work's own page has all of it."""
    if report.problem is None:
        return ""
    return report.problem.message.strip().partition("\n")[0] or "no reason is given"


def _is_open(check: CheckResult) -> bool:
    return check.verdict is not Verdict.PASSED


def _opened(check: CheckResult) -> Opened:
    return Opened(check.verdict, MARKS[check.verdict].symbol, check.name.replace("_", " "))


def _recipe(recipe: RecipeReport | None) -> str:
    if recipe is None:
        return "–"
    if recipe.origin == "assignment" and recipe.obstacles:
        return "the assignment's: own cannot be used"
    return RECIPES[recipe.origin]


def _remarks(report: Report) -> tuple[str, ...]:
    found = [title.partition(":")[0].lower() for title, _ in notices.banners(report)]
    if report.last_trained is not None:
        found.append(f"last trained: {notices.last_trained(report)}")
    return tuple(found)


def parts(reports: Sequence[Report]) -> list[Part]:
    """The class by verdict, in the order of the marks; together they fill the bar."""
    numbers = Counter(report.verdict for report in reports)
    found, x = [], 0.0
    for verdict, mark in MARKS.items():
        if number := numbers[verdict]:
            width = round(100 * number / len(reports), 3)
            found.append(Part(verdict, mark.symbol, mark.words, number, round(x, 3), width))
            x += width
    return found


def middles(reports: Sequence[Report]) -> list[tuple[str, str]]:
    """The medians of the class, each with its name."""
    sizes = [size for size in map(parameters, reports) if size is not None]
    scores = [found.score for found in map(graded, reports) if found and found.score is not None]
    points = words.points(median(report.points for report in reports))
    most = words.points(max(report.max_points for report in reports))
    shown = [("points", f"{points} of {most}")]
    if sizes:
        shown.append(("parameters", f"{median(sizes):,.0f}"))
    if scores:
        shown.append(("accuracy", words.percent(median(scores))))
    return shown


def failing(reports: Sequence[Report]) -> list[Failing]:
    """The checks that somebody failed or that stayed open, those that most failed first."""
    answers: dict[str, Counter[Verdict]] = {}
    known: dict[str, CheckResult] = {}
    for report in reports:
        for check in report.checks:
            known.setdefault(check.name, check)
            answers.setdefault(check.name, Counter())[check.verdict] += 1
    found = []
    for name, numbers in answers.items():
        failed, opened = numbers[Verdict.FAILED], sum(numbers[verdict] for verdict in OPEN)
        asked = numbers.total() - numbers[Verdict.SKIPPED]
        if failed or opened:
            title, required = known[name].title.rstrip("."), known[name].required
            found.append(Failing(name, title, required, failed, opened, asked))
    return sorted(found, key=lambda check: (-check.failed, -check.opened))


def not_drawn(reports: Sequence[Report]) -> str:
    """Why works are missing from the pictures of accuracy: "Not drawn: 3 not trained, ..."."""
    reasons = Counter(filter(None, map(_why_not_drawn, reports)))
    counted = [f"{number:,} {reason}" for reason, number in reasons.most_common()]
    return f"Not drawn: {', '.join(counted)}." if counted else ""


def _why_not_drawn(report: Report) -> str:
    training = report.training
    if report.problem is not None:
        return "not graded"
    if training is None:
        return "not trained"
    if training.practice:
        return "trained on other images"
    if training.score is None:
        return "without a score"
    return "" if graded(report) else "only looked at (quick look, self-check or interrupted)"


def colophon(reports: Sequence[Report]) -> list[str]:
    """When and with what the class was graded; each fact once."""
    days = sorted({report.started[:10] for report in reports})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    where = [report.environment for report in reports]
    facts = [
        ("graded", [when]),
        ("grader", [one.grader for one in where]),
        ("torch", [one.torch for one in where]),
        ("on", [one.processor for one in where]),
        ("trained on", [report.training.device for report in reports if report.training]),
    ]
    found = []
    for name, values in facts:
        shown = ", ".join(sorted(set(filter(None, values))))
        if shown:
            found.append(f"{name} {shown}")
    return found
