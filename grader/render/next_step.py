"""What to type next, as the user called the grader. In: a Report. Out: commands, each with its use.

Nothing here is run; the paths in it are `printable`.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from grader.printable import printable
from grader.render.called import called
from grader.report import Report, Verdict

OPEN = (Verdict.FAILED, Verdict.UNKNOWN, Verdict.BORDERLINE)
IN_CELLS = "this notebook"
"""The path of a report on the cells of a notebook."""

NEEDS_TRAINING = (
    "accuracy",
    "steady",
    "time_budget",
    "robust_noise",
    "robust_shift",
    "per_class",
    "calibrated",
    "gradients_flow",
    "stable",
    "no_overfit",
)


class Step(NamedTuple):
    """A command, empty where there is none to type, and what it is for."""

    command: str
    use: str


def lines_of_nox(exit_code: int, width: int) -> int:
    """How many lines nox writes below what the grader says, on a terminal of that width."""
    if not os.environ.get("NOX_CURRENT_SESSION"):
        return 0
    if exit_code == 0:
        return 1
    words = " ".join(shlex.quote(argument) for argument in sys.argv[1:])
    failed = f"nox > Command {_PYTHON_OF_NOX} -m grader {words} failed with exit code {exit_code}"
    return 1 + -(-len(failed) // width)


_PYTHON_OF_NOX = ".nox/grader/bin/python"


def again(report: Report, *options: str) -> str:
    """The command that grades the same work; in a notebook, the call."""
    if report.self_check:
        return _call(report, options)
    asked = [] if f"/{report.assignment}/" in report.path else ["--assignment", report.assignment]
    return called("grade", report.path, *asked, *options)


def _call(report: Report, options: Sequence[str]) -> str:
    """What a cell takes in place of a command: `grader.check(Net)`."""
    name = report.display_name
    what = repr(report.path)
    if report.path == IN_CELLS:
        what = "" if name == IN_CELLS else name
    if "--static" in options:
        return printable(f"grader.check({what})", 400)
    given = [what] if what else []
    given += ["data='FOLDER'"] if "--data" in options else []
    return printable(f"grader.grade({', '.join(given)})", 400)


def more(report: Report, saved: Path) -> Step:
    """How to see the whole scorecard and the page."""
    usual = saved.parent == Path("grades") / report.assignment / report.submission
    name = report.submission if usual else str(saved.parent)
    return Step(called("report", name), "layers, accuracy, recipe; --open: as a page")


def steps(report: Report) -> list[Step]:
    """One or two, the most useful first."""
    if report.problem is not None:
        if report.problem.fault == "submission":
            return [Step(again(report, "--static"), "after the change; seconds")]
        return [Step("", "show this to your instructor: it is not your fault")]
    if report.verdict is Verdict.BROKEN:
        return [Step("", "show this report to your instructor: it is not your fault")]
    opened = [check for check in report.checks if check.required and check.verdict in OPEN]
    if opened and report.steps:
        row = next((step for step in report.steps if step.name == opened[0].name), None)
        shown = [] if row is None else [Step(called("report", row.report), f"all of {row.title}")]
        use = "after a change; a step that has not changed is not trained again"
        return [*shown, Step(again(report), use)]
    if opened:
        name = opened[0].name
        trained = name in NEEDS_TRAINING
        shell = "!" if report.self_check else ""
        explain = Step(shell + called("explain", name), "what it asks, with examples")
        options = () if trained else ("--static",)
        use = "after a change; trains" if trained else "after the change; seconds"
        return [explain, Step(again(report, *options), use)]
    if report.training is not None and report.training.practice:
        return [Step(again(report, "--data", "FOLDER"), "where the real images are")]
    if report.verdict is Verdict.PASSED_SO_FAR:
        return [Step(again(report), "trains it, for the points that are left")]
    return [Step("", "nothing: everything that is required has passed")]
