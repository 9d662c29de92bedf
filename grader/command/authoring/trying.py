"""Whether the starter can be filled in and the examples pass: they are captured as students' files.

In: an assignment that can be read, its folder, a sandbox. Out: `Finding`s. Nothing is trained.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from grader.assignment import FILE, Assignment
from grader.command.authoring.findings import Finding
from grader.command.workroom import Workroom
from grader.options import Options
from grader.report import CheckResult, Report, Verdict
from grader.submission import find
from grader.training.datasets import DATASETS

NOT_WRITTEN = "NotImplementedError"
KEYS = {
    "parameter_limit": "limits.parameters",
    "receptive_field": "limits.receptive_field",
    "epochs": "limits.epochs",
    "accuracy": "limits.accuracy",
    "fast_inference": "limits.fast_inference",
}
"""Where the limit of a check stands; of the others, it is the check itself that is asked."""


def attempt(folder: Path, asked: Assignment, room: Workroom) -> Iterator[Finding]:
    """What the grader says of the starter and of each example.

    The starter of an assignment in steps is that of its first step.
    """
    if asked.steps:
        asked = asked.of_step(asked.steps[0].name)
    starter = folder / "starter.py"
    files = [starter, *sorted((folder / "submissions").glob("example*.py"))]
    for file in files:
        if file.is_file():
            yield from _of_file(file, folder, asked, room)


def _of_file(file: Path, folder: Path, asked: Assignment, room: Workroom) -> Iterator[Finding]:
    report = _graded(file, folder, asked, room)
    if report.problem is not None:
        if file.name == "starter.py" and _says_it_is_unfinished(file, report.problem.message):
            return
        if report.problem.fault != "submission":
            why = "Whether it can be graded is not known."
        elif file.name == "starter.py":
            why = "Whoever fills it in gets this message, too."
        else:
            why = "Students copy what cannot be graded."
        yield Finding(
            file, report.problem.line, "", report.problem.message, why, "Correct the file."
        )
        return
    for check in report.checks:
        if check.required and check.verdict in (Verdict.FAILED, Verdict.UNKNOWN, Verdict.BROKEN):
            yield _failed(file, check, asked)


def _says_it_is_unfinished(file: Path, message: str) -> bool:
    """The starter raises NotImplementedError where a student has to write, and says so."""
    text = file.read_text(encoding="utf-8", errors="replace")
    said = re.findall(r'"([^"\n]{10,})"', text.partition(NOT_WRITTEN)[2])
    return NOT_WRITTEN in text and any(words.strip() in message for words in said[:1])


def _failed(file: Path, check: CheckResult, asked: Assignment) -> Finding:
    key = KEYS.get(check.name, f"checks.{check.name}")
    detail = (check.detail or check.title).split("\n")[0].rstrip(".")
    found = f"it does not pass {check.name}: {detail}"
    if check.verdict is Verdict.BROKEN:
        why = "The check itself breaks, for every submission."
        line = next((one.line for one in asked.own_checks.checks if one.name == check.name), None)
        own = next((one.file for one in asked.own_checks.checks if one.name == check.name), file)
        return Finding(own, line, key, f"{check.name}: {detail}", why, "Correct the check.")
    why = "What students are shown as an example does not pass."
    if file.name == "starter.py":
        why = "The limit is below what the starter needs."
    line = next((hint.line for hint in check.hints if hint.line), None)
    return Finding(file, line, key, found, why, f"Change the file, or {key} in {FILE}.")


def _graded(file: Path, folder: Path, asked: Assignment, room: Workroom) -> Report:
    """The report on one file, without training, on whatever images are here."""
    from grader import pipeline
    from grader.render.progress import TrainingProgress
    from grader.training import data

    options = Options(static=True, quiet=True)
    (submission,) = find.discover(
        [file], [asked.name], root=folder.parent.parent, assignment=asked.name
    )
    source = room.held(data.resolve(DATASETS[asked.dataset], choice="auto", fetch=False))
    workshop = pipeline.Workshop(options, source, room.sandbox, None)
    with TrainingProgress(file.name, quiet=True) as progress:
        return pipeline.grade(submission, asked, workshop, progress)
