"""What every output says above and below the results. In: a Report. Out: titles with their texts.

All of it is `printable`.
"""

from __future__ import annotations

from collections.abc import Iterable

from grader.options import STATIC
from grader.printable import printable
from grader.render import words
from grader.render.marks import MARKS
from grader.report import Environment, Problem, Report, Training, Verdict

PRACTICE = (
    "{title} was not there, so this run learned from 1,797 small practice digits. "
    "Accuracy is neither passed nor failed. "
    "Grade again where {title} can be downloaded, or name its folder with --data."
)
ASKED = (
    "This run learned from 1,797 small practice digits, as it was asked to (--dataset practice). "
    "Accuracy is neither passed nor failed. Grade again without --dataset."
)
OTHER = (
    "This run learned from {dataset} in place of {title}. Accuracy is neither passed nor failed. "
    "Grade again without --dataset."
)
OURS = (
    "This is the grader's own fault: it costs no points. Please show this report to your "
    "instructor."
)
INSTRUCTORS = (
    "This is not the student's fault: it costs no points. The instructor corrects the assignment's "
    "file; then grade again."
)
THEIRS = "Nothing was trained. Change the file and grade it again."

SELF_CHECK = "SELF-CHECK: not a grade"
SELF_CHECKED = (
    "Your own notebook asked, and this is what the grader says of the cells that were run. Hand in "
    "the notebook to have it graded."
)
PARTIAL = "INTERRUPTED: a partial report"

Notice = tuple[str, str]


def banners(report: Report) -> list[Notice]:
    """Why the result is not what it may look like."""
    found = []
    if report.self_check:
        found.append((SELF_CHECK, SELF_CHECKED))
    if report.training is not None and report.training.practice:
        found.append(_practice(report.training, report.dataset_choice))
    if report.interrupted:
        found.append((PARTIAL, "Training was ended with Ctrl-C; no accuracy is final."))
    if report.quick_look and not (report.self_check and report.quick_look == STATIC):
        found.append(("QUICK LOOK: not a graded run", printable(report.quick_look, 300)))
    return found


def _practice(training: Training, choice: str) -> Notice:
    title = printable(training.graded_on, 40)
    text = OTHER
    if training.dataset.startswith("practice"):
        text = ASKED if choice == "practice" else PRACTICE
    said = text.format(title=title, dataset=printable(training.dataset, 40))
    return f"PRACTICE: not graded on {title}", said


def name(report: Report) -> str:
    """The person's name, or the file's: whose report it is, to people."""
    return printable(report.display_name or report.submission, 80)


def headline(report: Report) -> str:
    """Symbol and verdict in words: "✗ failed", "✓ passed so far"."""
    mark = MARKS[report.verdict]
    return f"{mark.symbol} {mark.words}"


def label(report: Report) -> str:
    """Symbol and the verdict's own name, for a table: "≈ borderline", "✓ passed so far"."""
    return f"{MARKS[report.verdict].symbol} {verdict(report.verdict)}"


def verdict(found: Verdict) -> str:
    """A verdict's own name, as words."""
    return found.replace("_", " ")


def last_trained(report: Report) -> str:
    """What the newest trained grading came to: "94.96 %, failed, 3 edits ago (2026-11-28)"."""
    earlier = report.last_trained
    if earlier is None:
        return ""
    edits = f"{words.several(len(earlier.later), 'edit')} ago" if earlier.later else "this version"
    score = words.percent(earlier.score, threshold=earlier.threshold)
    facts = (score, MARKS[earlier.verdict].words, edits)
    return f"{', '.join(facts)} ({printable(earlier.started[:10], 10)})"


def problem(found: Problem) -> Notice:
    """Whose fault it is that nothing could be graded, and what to do."""
    if found.fault == "grader":
        return "The grader could not grade this submission", OURS
    if found.fault == "assignment":
        return "The assignment cannot be graded as it is", INSTRUCTORS
    return "This submission cannot be graded yet", THEIRS


def total(report: Report) -> str:
    """The points: "70 of 100 points"."""
    return f"{words.points(report.points)} of {words.points(report.max_points)} points"


def colophon(report: Report) -> list[Notice]:
    """Time, machine and versions: what a lab note needs."""
    where = report.environment
    stages = [
        f"{printable(stage, 20)} {words.duration(seconds)}"
        for stage, seconds in report.seconds.items()
    ]
    device = "" if where.device == "none" else where.device
    machine = [
        device,
        f"{where.processor}, {where.cores} cores",
        where.platform,
        _isolation(where),
    ]
    versions = [
        f"{name} {getattr(where, name)}" for name in ("grader", "torch", "torchvision", "python")
    ]
    found = {
        "recipe": _recipe(report),
        "time": _joined(stages),
        "machine": _joined(machine),
        "engine": _joined(_engines(report)),
        "versions": _joined(versions),
        "started": _joined([report.started]),
    }
    return [(name, line) for name, line in found.items() if line]


def _engines(report: Report) -> list[str]:
    """What trained, each once; where it was not the fastest there is, also why not."""
    runs = report.training.runs if report.training else ()
    return list(dict.fromkeys(printable(run.engine, 200) for run in runs if run.engine))


def _recipe(report: Report) -> str:
    if report.recipe is not None:  # it has a block of its own
        return ""
    known = (report.analysis or {}).get("recipe")
    if not isinstance(known, dict) or "lines" not in known:  # a report from before it was kept
        return ""
    return printable(words.recipe_origin(known), 400)


def _joined(facts: Iterable[str]) -> str:
    return " · ".join(printable(fact, 100) for fact in facts if fact)


def _isolation(where: Environment) -> str:
    reason = f" ({printable(where.isolation_reason, 200)})" if where.isolation_reason else ""
    return f"isolation {where.isolation}{reason}"
