"""Whose recipe is trained: the first block of a scorecard, and what `grader recipe` prints.

In: a Report. Out: a headline, and the recipe line by line with the learning rate as a picture.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grader.printable import printable
from grader.render import check_lines, words
from grader.render.figures import sparkline
from grader.render.marks import section
from grader.report import RecipeFact, RecipeReport, Report

MOST_HINTS = 12


def headline(report: Report) -> str:
    """In one sentence: whose recipe it is, and why it is not the student's where it is not."""
    recipe = report.recipe
    if recipe is None:
        return ""
    if recipe.origin == "rehearsed":
        return (
            "Yours, rehearsed: the training that you handed in was run with stand-ins, and this "
            "is what it does."
        )
    if recipe.obstacles:
        return (
            "Your own recipe could not be used, for the reasons below. The assignment's is trained "
            "instead, all of it."
        )
    known = (report.analysis or {}).get("recipe")
    if recipe.origin == "convention" and isinstance(known, dict):
        return printable(words.recipe_origin(known), 400)
    return "The assignment's: nothing here says how to train the network."


SHORT_FACTS = ("epochs", "optimizer", "schedule")
LONGEST_FACT = 44


def in_short(report: Report, *, brief: bool = False) -> str:
    """Whose recipe it is in a line or two (`brief`: one); "" for reports that do not know it."""
    recipe = report.recipe
    if recipe is None:
        return ""
    if recipe.origin == "rehearsed":
        found = {fact.name: printable(fact.text, LONGEST_FACT) for fact in recipe.facts}
        said = " · ".join(found[name] for name in SHORT_FACTS if name in found)
        return f"yours, as you handed it in: {said}" if said else "yours, as you handed it in"
    if recipe.obstacles:
        number = len(recipe.obstacles)
        which = f", 1 of {number} reasons" if number > 1 else ""
        return f"the assignment's: yours could not be used{which}:"
    known = (report.analysis or {}).get("recipe")
    if recipe.origin == "convention" and isinstance(known, dict):
        return printable(words.recipe_shares(known, brief=brief), 400)
    return "the assignment's: nothing here says how to train the network"


def draw(report: Report) -> list[RenderableType]:
    """The block; nothing for reports that do not know it."""
    recipe = report.recipe
    if recipe is None:
        return []
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(ratio=1, overflow="fold")
    grid.add_column(justify="right", no_wrap=True, style="cyan")
    for name, text, where in rows(recipe):
        grid.add_row(name, text, where)
    parts: list[RenderableType] = [section("Recipe"), Text(headline(report))]
    if recipe.obstacles:
        parts.append(Text(whose_lines(recipe), style="dim"))
    parts.append(grid)
    if recipe.obstacles:
        parts += [Text("What stands in the way of yours:", style="yellow")]
        parts.append(check_lines.hint_lines(report, recipe.obstacles[:MOST_HINTS]))
    if recipe.differences:
        parts += [Text("What the grader does otherwise:", style="dim")]
        parts.append(check_lines.hint_lines(report, recipe.differences[:MOST_HINTS], quote=False))
    return [Group(parts[0], Padding(Group(*parts[1:]), (0, 0, 0, 1)))]


def whose_lines(recipe: RecipeReport) -> str:
    """Above the lines of a recipe that is not used: they are then the student's, if any were."""
    return "What was understood of yours:" if _understood(recipe) else "The assignment's:"


def _understood(recipe: RecipeReport) -> bool:
    """Whether the lines are the student's, though the recipe that is trained is not."""
    return any(fact.line is not None for fact in recipe.facts)


def rows(recipe: RecipeReport) -> Iterator[tuple[str, str, str]]:
    """Name, text and place of each line; the curve of the rate by epoch is one of them."""
    for fact in recipe.facts:
        yield printable(fact.name, 30), printable(fact.text, 400), _place(fact)
    if len(set(recipe.rates)) > 1 and not (recipe.obstacles and _understood(recipe)):
        yield "rate by epoch", sparkline(recipe.rates), ""


def _place(fact: RecipeFact) -> str:
    where = words.line_of(fact)
    return f"line {where}" if where.isdigit() else where
