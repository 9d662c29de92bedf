"""The journey of a work in steps: one Report, composed from the reports of its steps.

In: the reports, in the order of the steps. Out: the report of the last step that could be graded,
with a check and a row for each step, the points of all, and what changed from step to step. Nothing
is measured here.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TypeVar

from grader.analysis import changes
from grader.assignment import Assignment, Step
from grader.checks.plugin import overall
from grader.judging import comparing
from grader.report import (
    CheckResult,
    Helped,
    Hint,
    Placed,
    Report,
    StepRow,
    Training,
    Verdict,
)
from grader.submission.submission import Submission

OPEN = (Verdict.FAILED, Verdict.UNKNOWN, Verdict.BROKEN, Verdict.BORDERLINE)
MOST_HINTS = 3
"""Of one step."""

Somewhere = TypeVar("Somewhere", bound=Placed)


def compose(item: Submission, assignment: Assignment, reports: Sequence[Report]) -> Report:
    """The report on the whole work; `reports` are of the first steps, or of all."""
    rows = tuple(_rows(item, assignment, reports))
    checks = tuple(_checks(item, assignment, reports))
    last = _last(reports)
    interrupted = any(report.interrupted for report in reports)
    seconds: Counter[str] = Counter()
    for report in reports:
        seconds.update(report.seconds)
    whole = {
        "submission": item.name,
        "display_name": item.shown,
        "path": item.display,
        "sha256": item.sha256,
        "assignment_title": assignment.title,
        "verdict": overall(checks, interrupted=interrupted),
        "points": sum(check.points for check in checks),
        "max_points": sum(check.max_points for check in checks),
        "checks": checks,
        "problem": None,
        "quick_look": next((one.quick_look for one in reports if one.quick_look), ""),
        "interrupted": interrupted,
        "seconds": dict(seconds),
        "started": reports[0].started,
        "last_trained": None,
        "key": "",
        "flags": tuple(_flags(assignment, reports)),
        "notes": (f"layers, recipe and training are those of {_title(last, item)}", *last.notes),
        "excerpts": (),
        "stated": (),
        "step": "",
        "steps": rows,
    }
    return _in_its_file(last, item).model_copy(update=whole)


def _last(reports: Sequence[Report]) -> Report:
    """The last one with a network, else the last one."""
    read = [report for report in reports if report.analysis is not None]
    return (read or list(reports))[-1]


def _title(last: Report, item: Submission) -> str:
    return next(part.shown for part in item.steps if part.step == last.step)


def _flags(assignment: Assignment, reports: Sequence[Report]) -> Iterator[str]:
    for step, report in zip(assignment.steps, reports, strict=False):
        yield from (f"{step.title}: {flag}" for flag in report.flags)


def _rows(item: Submission, assignment: Assignment, reports: Sequence[Report]) -> Iterator[StepRow]:
    before: Report | None = None
    for step, part, report in zip(assignment.steps, item.steps, reports, strict=False):
        yield _row(step, part, before, report)
        if report.analysis is not None:
            before = report


def _row(step: Step, part: Submission, before: Report | None, report: Report) -> StepRow:
    analysis, training = report.analysis or {}, report.training
    network = recipe = helped = None
    if before is not None and report.analysis is not None:
        changed = changes.between(before, report)
        network, recipe = changed.network, changed.recipe
        helped = helps(before.training, training)
    counted = analysis.get("total_parameters")
    fields = [row.receptive_field for row in report.layers if row.receptive_field]
    found = comparing.scores(training.runs, training.protocol) if training else []
    shown = [float(score) for score in found]
    return StepRow(
        name=step.name,
        title=step.title,
        report=report.submission,
        verdict=report.verdict,
        points=report.points,
        max_points=report.max_points,
        parameters=counted if isinstance(counted, int) else None,
        receptive_field=fields[-1] if fields else None,
        accuracy=training.score if training else None,
        spread=statistics.stdev(shown) if len(shown) > 1 else None,
        seeds=len(shown),
        protocol=training.protocol if training else "",
        threshold=training.threshold if training else None,
        practice=training.practice if training else False,
        claimed=part.write_up.accuracy,
        stated=report.stated,
        network=network,
        recipe=recipe,
        helped=helped,
        problem=report.problem.message if report.problem else "",
    )


def helps(before: Training | None, after: Training | None) -> Helped | None:
    """How much better the later training came out, by its protocol; None where nobody can say.

    That is where one is missing, or they were not on the same images.
    """
    if before is None or after is None:
        return None
    if (before.dataset, before.test_images) != (after.dataset, after.test_images):
        return None
    sides = [comparing.scores(one.runs, after.protocol) for one in (before, after)]
    found = comparing.compare(*sides, images=after.test_images)
    if found is None:
        return None
    return Helped.model_validate(
        {
            "difference": found.difference,
            "margin": found.margin,
            "answer": found.answer.value,
            "seeds": found.seeds,
        }
    )


def _checks(
    item: Submission, assignment: Assignment, reports: Sequence[Report]
) -> Iterator[CheckResult]:
    """One for each step; a step that was not come to is skipped."""
    for place, (step, part) in enumerate(zip(assignment.steps, item.steps, strict=True)):
        asked = assignment.of_step(step.name)
        if place >= len(reports):
            yield CheckResult(
                name=step.name,
                title=step.title,
                verdict=Verdict.SKIPPED,
                required=True,
                points=0,
                max_points=asked.points,
                detail="interrupted before this step",
            )
            continue
        report = reports[place]
        so_far = report.verdict is Verdict.PASSED_SO_FAR
        yield CheckResult(
            name=step.name,
            title=step.title,
            verdict=Verdict.SKIPPED if so_far else report.verdict,
            required=True,
            points=report.points,
            max_points=report.max_points,
            measured=_measured(report),
            asked=f"{asked.limits.parameters} parameters, >= {100 * asked.limits.accuracy:.4g} %",
            detail=_detail(report),
            hints=tuple(_hints(report, part, item))[:MOST_HINTS],
        )


def _measured(report: Report) -> str:
    parts = []
    counted = (report.analysis or {}).get("total_parameters")
    if isinstance(counted, int):
        parts.append(f"{counted:,} parameters")
    training = report.training
    if training is not None and training.score is not None:
        practice = " on practice images" if training.practice else ""
        parts.append(f"{100 * training.score:.2f} %{practice}")
    return ", ".join(parts)


def _detail(report: Report) -> str:
    """Why a step did not pass: what could not be read, or the required checks that it fails."""
    if report.problem is not None:
        return report.problem.message
    found = []
    for check in report.checks:
        if check.required and check.verdict in OPEN:
            why = check.detail or check.measured
            found.append(
                f"{check.title.rstrip('.')}: {check.verdict}" + (f", {why}" if why else "")
            )
    if not found and report.verdict is Verdict.PASSED_SO_FAR:
        skipped = (check for check in report.checks if check.verdict is Verdict.SKIPPED)
        return next((check.detail for check in skipped), "")
    return "\n".join(found)


def _hints(report: Report, part: Submission, item: Submission) -> Iterator[Hint]:
    if report.problem is not None and report.problem.line is not None:
        problem = report.problem
        hint = Hint(text="Here.", line=problem.line, cell=problem.cell, file=problem.file)
        yield _placed(hint, part, item)
    for check in report.checks:
        if check.required and check.verdict in OPEN:
            yield from (_placed(hint, part, item) for hint in check.hints)


def _placed(one: Somewhere, part: Submission, item: Submission) -> Somewhere:
    """With the file that it is in, where the work has several."""
    if one.file or one.line is None or part.listing.main == item.path.name:
        return one
    return one.model_copy(update={"file": part.listing.main})


def _in_its_file(report: Report, item: Submission) -> Report:
    """The report of a step, whose lines say in which file of the whole work they are."""
    part = next(one for one in item.steps if one.step == report.step)
    place = partial(_placed, part=part, item=item)
    recipe = report.recipe
    if recipe is not None:
        names = ("facts", "obstacles", "differences")
        placed = {name: tuple(map(place, getattr(recipe, name))) for name in names}
        recipe = recipe.model_copy(update=placed)
    names = ("layers", "left_out", "claims")
    lines = {name: tuple(map(place, getattr(report, name))) for name in names}
    return report.model_copy(update={**lines, "recipe": recipe})
