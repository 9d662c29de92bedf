"""Where parameters and multiply-adds go. In: a Report. Out: a row for each layer that has some."""

from __future__ import annotations

from typing import NamedTuple

from grader.printable import printable
from grader.render import words
from grader.report import LayerRow, Report

MOST = 24


class Row(NamedTuple):
    """A layer's part of both; the widths are percentages of the largest part."""

    name: str
    kind: str
    parameters: str
    parameters_width: float
    multiply_adds: str
    multiply_adds_width: float


def rows(report: Report) -> list[Row]:
    """The layers in order; those that spend least are one row where there are too many."""
    spent = [row for row in report.layers if row.parameters > 0 or row.multiply_adds]
    parameters = sum(row.parameters for row in spent) or 1
    multiply_adds = sum(row.multiply_adds for row in spent) or 1

    def weight(row: LayerRow) -> float:
        return row.parameters / parameters + row.multiply_adds / multiply_adds

    large = sorted(spent, key=weight, reverse=True)[: MOST - 1] if len(spent) > MOST else spent
    shown = [
        (printable(row.module, 60), printable(row.kind, 30), row.parameters, row.multiply_adds)
        for row in spent
        if row in large
    ]
    others = [row for row in spent if row not in large]
    if others:
        rest = sum(row.parameters for row in others), sum(row.multiply_adds for row in others)
        shown.append((words.several(len(others), "other layer"), "", *rest))
    most = max((entry[2] for entry in shown), default=0) or 1
    most_adds = max((entry[3] for entry in shown), default=0) or 1
    return [
        Row(
            name,
            kind,
            _said(count, parameters, f"{count:,}"),
            round(100 * count / most, 1),
            _said(adds, multiply_adds, words.large(adds)),
            round(100 * adds / most_adds, 1),
        )
        for name, kind, count, adds in shown
    ]


def _said(part: int, whole: int, text: str) -> str:
    return f"{text} · {words.share(part / whole)}" if part else "–"
