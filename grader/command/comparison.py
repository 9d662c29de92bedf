"""`grader compare A B`: what changed from one work to another, and whether that is more than luck.

In: two saved reports, or two works, which are graded first. Out: the difference of the networks
and of the recipes in words, both curves, and how many seeds it would take to know.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from grader.analysis import changes
from grader.command import journey, session
from grader.command.workroom import Workroom
from grader.options import Options
from grader.printable import printable, printable_path
from grader.render import export, saved, versus
from grader.report import Report, Verdict
from grader.storage.reports import REPORT
from grader.submission.submission import UsageError
from grader.submission.walk import TAKEN


def compare(first: str, second: str, options: Options, *, as_json: bool) -> int:
    """Print how the second differs from the first; 0 when that could be said, else 1.

    What is no report is graded, as `options` say. Raises UsageError and GraderError.
    """
    session.speak_any_encoding()
    known = [_saved(name, options.output) for name in (first, second)]
    with Workroom(options.require_isolation, trains=not options.static) as room:
        before, after = (
            found or _graded(room, name, options)
            for name, found in zip((first, second), known, strict=True)
        )
    for name, report in ((first, before), (second, after)):
        if report.interrupted:
            return 130
        if report.problem is not None:
            text = f"{printable(name, 200)} cannot be compared: {report.problem.message}"
            session.say(printable(text, 4000), style="red")
            return 3 if report.verdict is Verdict.BROKEN else 1
    changed = changes.between(before, after)
    helped = journey.helps(before.training, after.training)
    found = versus.Versus(before, after, changed.network, changed.recipe, helped)
    if as_json:
        sys.stdout.write(json.dumps(versus.facts(found), indent=2, ensure_ascii=False) + "\n")
    else:
        Console().print(versus.draw(found))
    return 0


def _saved(name: str, output: Path) -> Report | None:
    """The report that a name means; None for a work that is to be graded."""
    path = Path(name)
    is_report = path.suffix == ".json" or (path.is_dir() and (path / REPORT).exists())
    if not is_report and path.exists():
        return None
    if not is_report and path.suffix in TAKEN:
        raise UsageError(f"There is no file or folder {printable_path(path)}.")
    return export.read(saved.find(name, output))


def _graded(room: Workroom, name: str, options: Options) -> Report:
    """The report of a work, which is graded, or was before and has not changed since."""
    asked = replace(options, paths=(Path(name),), quiet=True)
    reports: list[Report] = []
    with contextlib.redirect_stdout(io.StringIO()):  # its summary
        session.grade_in(room, asked, reports)
    if len(reports) != 1:
        raise UsageError(
            f"{printable(name, 200)} holds {len(reports)} works: compare takes two single ones."
        )
    return reports[0]
