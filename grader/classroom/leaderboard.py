"""Who is first, in four ways. In: Reports. Out: boards, each a ranked list; Markdown and JSON.

Only a graded training counts, and only a network that reaches its assignment's threshold, or is too
close to it to call, is ranked by size and speed: a small network that learned little is no feat.
Equal values share a rank.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from grader.printable import printable
from grader.render import notices, words
from grader.render.markdown import prose, table
from grader.report import Report, Training, Verdict


@dataclass(frozen=True, slots=True)
class Place:
    """One line of a board: `rank` from 1, the value as a number and for people."""

    rank: int
    name: str
    value: float
    shown: str


@dataclass(frozen=True, slots=True)
class Board:
    """One ranking; `title` is what it ranks by, `note` who is on it."""

    name: str
    title: str
    note: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class _Ranking:
    name: str
    title: str
    value: Callable[[Report, Training], float | None]
    show: Callable[[Report, float], str]
    highest_first: bool = False
    reached: bool = True


def _parameters(report: Report, _: Training) -> float | None:
    return _number(report, "total_parameters")


def _multiply_adds(report: Report, _: Training) -> float | None:
    return _number(report, "multiply_adds")


def _accuracy(_: Report, training: Training) -> float | None:
    return training.score


def _seconds(_: Report, training: Training) -> float | None:
    times = [run.seconds_to_99 for run in training.runs if run.seconds_to_99]
    return min(times) if times else None


def _show_accuracy(report: Report, value: float) -> str:
    training = report.training
    shown = words.percent(value, threshold=training.threshold if training else None)
    if training is None or training.interval is None:
        return shown
    low, high = training.interval
    return f"{shown} ({words.percent(low)} to {words.percent(high)})"


RANKINGS = (
    _Ranking("parameters", "fewest parameters", _parameters, lambda _, value: f"{value:,.0f}"),
    _Ranking(
        "accuracy", "best accuracy", _accuracy, _show_accuracy, highest_first=True, reached=False
    ),
    _Ranking("seconds_to_99", "fastest to 99 %", _seconds, lambda _, value: words.duration(value)),
    _Ranking(
        "multiply_adds",
        "fewest multiply-adds",
        _multiply_adds,
        lambda _, value: words.large(round(value)),
    ),
)


def boards(reports: Sequence[Report], *, names: Callable[[Report], str]) -> list[Board]:
    """All boards of one assignment's reports; `names` says who stands on them."""
    ranked = [(report, report.training) for report in reports]
    counted = [(one, training) for one, training in ranked if training and _counts(one, training)]
    return [_board(ranking, counted, names) for ranking in RANKINGS]


def own_name(report: Report) -> str:
    """The name that people know."""
    return notices.name(report)


def pseudonyms(reports: Sequence[Report], secret: bytes) -> Callable[[Report], str]:
    """Names that say nothing and stay the same from run to run: "participant 07"."""
    keys = sorted({(report.assignment, report.submission) for report in reports})
    order = sorted(keys, key=lambda key: hashlib.blake2b(repr(key).encode(), key=secret).digest())
    digits = len(str(len(order)))
    known = {key: f"participant {number:0{digits}}" for number, key in enumerate(order, 1)}
    return lambda report: known[report.assignment, report.submission]


def markdown(found: Sequence[Board]) -> str:
    """The boards as Markdown tables."""
    parts = []
    for board in found:
        rows = [[str(place.rank), prose(place.name), place.shown] for place in board.places]
        shown = table(["", "who", board.title], "rll", rows) if rows else "Nobody yet."
        parts.append(f"## {board.title.capitalize()}\n\n{board.note}\n\n{shown}\n")
    return "\n".join(parts)


def to_json(found: Sequence[Board]) -> str:
    """The boards as JSON: a list of ranks, names and values by the name of the board."""
    values = {board.name: list(map(_in_json, board.places)) for board in found}
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def _in_json(place: Place) -> dict[str, Any]:
    return {"rank": place.rank, "name": place.name, "value": place.value}


def _counts(report: Report, training: Training) -> bool:
    no_grade = report.quick_look or report.interrupted or report.self_check
    return not (training.practice or no_grade)


def _board(
    ranking: _Ranking,
    counted: Sequence[tuple[Report, Training]],
    names: Callable[[Report], str],
) -> Board:
    found = []
    for report, training in counted:
        value = ranking.value(report, training)
        if value is not None and (_reached(report, training) or not ranking.reached):
            found.append((value, report))
    found.sort(key=lambda item: (-item[0] if ranking.highest_first else item[0], names(item[1])))
    values = [value for value, _ in found]
    places = tuple(
        Place(
            values.index(value) + 1,
            printable(names(report), 80),
            value,
            ranking.show(report, value),
        )
        for value, report in found
    )
    note = "Networks that reach the required accuracy, or are too close to it to call."
    return Board(
        ranking.name,
        ranking.title,
        note if ranking.reached else "All that were trained and graded.",
        places,
    )


def _reached(report: Report, training: Training) -> bool:
    """By the check where the assignment asks for it, else by the score itself."""
    for check in report.checks:
        if check.name == "accuracy":
            return check.verdict in (Verdict.PASSED, Verdict.BORDERLINE)
    return training.score is not None and training.score >= training.threshold


def _number(report: Report, key: str) -> float | None:
    value = (report.analysis or {}).get(key)
    return float(value) if isinstance(value, int | float) else None
