"""The formats of `python -m grader export`: one line each here, and one file beside this one.

A format is a module with `render(reports) -> str`: at least one Report in, the whole text out; one
of `PICTURES` gives bytes, one of `OF_ASSIGNMENTS` is a command of its own. The command line takes
its choices and its help from these tables, and no format is loaded before it is asked for. The
scorecard of the terminal is not a format: it is drawn for one width, in colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # pydantic takes a third of a second to import: not for --help
    from grader.report import Report


class Format(NamedTuple):
    """Where a format is made, and what it is `for_people`."""

    module: str
    for_people: str


FORMATS = {
    "markdown": Format("grader.render.markdown", "a scorecard for a pull request"),
    "html": Format("grader.render.html", "a page that loads nothing"),
    "class": Format("grader.render.class_page", "a page of a whole class"),
    "junit": Format("grader.render.junit", "test results for a CI system"),
    "csv": Format("grader.render.spreadsheet", "a class table for a spreadsheet"),
    "svg": Format("grader.render.svg", "pictures of accuracy, rate and receptive field"),
    "annotations": Format("grader.render.annotations", "GitHub's remarks beside the lines"),
    "gitlab": Format("grader.render.gitlab", "GitLab's code quality report"),
    "sarif": Format("grader.render.sarif", "the same for code scanning and editors"),
    "gradescope": Format("grader.render.gradescope", "one submission's results.json"),
    "classroom50": Format("grader.render.classroom50", "one submission's result.json"),
}


PICTURES = {"png": Format("grader.render.png", "svg's pictures (needs resvg-py)")}

OF_ASSIGNMENTS = {
    "gradescope-autograder": Format("grader.command.autograder", "an assignment, packed for it"),
}
"""What is made of an assignment's folder instead of reports."""


def every() -> dict[str, Format]:
    """All that can be asked for by name."""
    return {**FORMATS, **PICTURES, **OF_ASSIGNMENTS}


def described() -> str:
    """All formats in one sentence, for the help."""
    return "; ".join(f"{name}: {form.for_people}" for name, form in every().items()) + "."


def render(reports: Sequence[Report], name: str) -> str:
    """One or more reports in the text format of that name."""
    text: str = import_module(FORMATS[name].module).render(reports)
    return text


def encoded(reports: Sequence[Report], name: str) -> bytes:
    """The same as bytes, also for pictures; texts are UTF-8."""
    if name in FORMATS:
        return render(reports, name).encode()
    made: bytes = import_module(PICTURES[name].module).render(reports)
    return made
