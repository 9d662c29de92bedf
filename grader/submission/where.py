"""Say of every line in a report where people find it: in which cell, in which file.

In: a Report whose lines are numbers of the listing. Out: one whose lines are those of their part.
"""

from __future__ import annotations

from typing import TypeVar

from grader.program.listing import Listing
from grader.report import CheckResult, Placed, RecipeReport, Report

Somewhere = TypeVar("Somewhere", bound=Placed)


def in_places(report: Report, listing: Listing) -> Report:
    """The report with every line, also those within texts, in its place."""
    if len(listing.parts) == 1:
        return report
    return report.model_copy(
        update={
            "checks": tuple(_check(check, listing) for check in report.checks),
            "problem": report.problem and _placed(report.problem, listing),
            "layers": tuple(_placed(row, listing) for row in report.layers),
            "left_out": tuple(_placed(hint, listing) for hint in report.left_out),
            "claims": tuple(_placed(claim, listing) for claim in report.claims),
            "stated": tuple(_placed(one, listing) for one in report.stated),
            "recipe": report.recipe and _recipe(report.recipe, listing),
            "flags": tuple(map(listing.in_words, report.flags)),
            "notes": tuple(map(listing.in_words, report.notes)),
        }
    )


def _placed(item: Somewhere, listing: Listing) -> Somewhere:
    changes: dict[str, object] = {
        name: listing.in_words(getattr(item, name))
        for name in ("text", "message")
        if hasattr(item, name)
    }
    if item.line is not None:
        changes |= listing.place(item.line).model_dump()
    return item.model_copy(update=changes)


def _check(check: CheckResult, listing: Listing) -> CheckResult:
    hints = tuple(_placed(hint, listing) for hint in check.hints)
    return check.model_copy(update={"hints": hints, "detail": listing.in_words(check.detail)})


def _recipe(recipe: RecipeReport, listing: Listing) -> RecipeReport:
    changes = {
        "facts": tuple(_placed(fact, listing) for fact in recipe.facts),
        "obstacles": tuple(_placed(hint, listing) for hint in recipe.obstacles),
        "differences": tuple(_placed(hint, listing) for hint in recipe.differences),
    }
    return recipe.model_copy(update=changes)
