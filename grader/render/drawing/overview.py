"""The few numbers that a page begins with. In: a Report. Out: tiles."""

from __future__ import annotations

from typing import NamedTuple

from grader.printable import printable
from grader.render import figures, words
from grader.report import CheckResult, Report


class Tile(NamedTuple):
    """A number with its name; `kind` is the verdict of the check about it, or ""."""

    name: str
    value: str
    remark: str
    kind: str


def figures_of(report: Report) -> list[Tile]:
    """Accuracy, parameters, receptive field, multiply-adds: those that are known."""
    checks = {check.name: check for check in report.checks}
    found = [_accuracy(report, checks.get("accuracy"))]
    analysis = report.analysis or {}
    parameters = analysis.get("total_parameters")
    if isinstance(parameters, int):
        found.append(_tile("parameters", f"{parameters:,}", checks.get("parameter_limit")))
    fields = [row.receptive_field for row in report.layers if row.receptive_field]
    if fields:
        shown = f"{words.pair(fields[-1])} px"
        found.append(_tile("receptive field", shown, checks.get("receptive_field")))
    adds = analysis.get("multiply_adds")
    if isinstance(adds, int):
        found.append(Tile("multiply-adds", words.large(adds), "per image", ""))
    return [tile for tile in found if tile is not None]


def _tile(name: str, value: str, check: CheckResult | None) -> Tile:
    if check is None:
        return Tile(name, value, "", "")
    return Tile(name, value, printable(check.asked, 30), str(check.verdict))


def _accuracy(report: Report, check: CheckResult | None) -> Tile | None:
    training = report.training
    if training is None or training.score is None:
        return None
    value = words.percent(training.score, threshold=figures.threshold(training))
    if training.practice:
        return Tile("accuracy", value, "on practice images", "")
    asked = f">= {words.percent(training.threshold)}"
    return Tile("accuracy", value, asked, str(check.verdict) if check else "")
