"""What a file of the gallery says will be found in it, and what was: both as lines of a docstring.

    ✗ dropout: 0 layers
        no Dropout layer with p > 0 has an effect on the output
        → line 27: drop (Dropout) has no effect: forward() never calls it.
    · shared weights, counted once: conv1.weight = conv2.weight
    ○ line 40: for epoch in range(20): (it does something instead of defining it)

A mark, the check and what it measured; then the reason, and an arrow for each hint. A file that
cannot be graded has one line, "✗ submission:". ⚑ is a flag for the instructor, · a note, ○ a
statement that was not executed. Checks that are not named pass; flags, notes and statements that
are not named are not there.
"""

from __future__ import annotations

from collections.abc import Iterable

from grader.render.marks import MARKS
from grader.report import CheckResult, Hint, Report, Verdict

SHOWN = ("parameter_limit", "gap_or_fc", "receptive_field")
"""Checks whose measure is worth a line though they pass."""

FLAG, NOTE, LEFT_OUT = "⚑", "·", "○"
STARTS = (*(mark.symbol for mark in MARKS.values()), FLAG, NOTE, LEFT_OUT)
OF_EVERY_BATCH_NORM = "Keras would add"


def docstring(text: str) -> str:
    """The docstring of a file that need not be Python."""
    return text.split('"""')[1]


def expected(text: str) -> list[str]:
    """The expectations in a file, each as one line with its reason and hints."""
    lines = docstring(text).splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith(STARTS)), len(lines))
    items: list[str] = []
    for line in lines[start:]:
        if line.startswith(STARTS):
            items.append(line.rstrip())
        elif line.strip():
            items[-1] += " " + line.strip()
    return items


def found(report: Report, named: Iterable[str]) -> list[str]:
    """The same lines about a report: checks that are `named` or did not pass, and the rest."""
    return [" ".join(map(str.strip, item)) for item in _items(report, set(named))]


def named(items: Iterable[str]) -> set[str]:
    """The checks that expectations name."""
    return {item.split()[1].rstrip(":") for item in items}


def written(report: Report) -> str:
    """The expectations that describe a report, to be put into a docstring."""
    return "\n".join("\n    ".join(item) for item in _items(report, set(SHOWN)))


def _items(report: Report, named: set[str]) -> list[list[str]]:
    items = [_check(check) for check in report.checks if _matters(check, named)]
    if report.problem is not None:
        message = _placed(report.problem.message, report.problem.line)
        items.append([f"{MARKS[report.verdict].symbol} submission: {message}"])
    items += [[f"{FLAG} {flag}"] for flag in report.flags]
    items += [[f"{NOTE} {note}"] for note in report.notes if OF_EVERY_BATCH_NORM not in note]
    return items + [[f"{LEFT_OUT} {_hint(item)}"] for item in report.left_out]


def _matters(check: CheckResult, named: set[str]) -> bool:
    if check.verdict is Verdict.SKIPPED:  # nothing is trained here
        return False
    return check.verdict is not Verdict.PASSED or check.name in named


def _check(check: CheckResult) -> list[str]:
    first = f"{MARKS[check.verdict].symbol} {check.name}: {check.measured}"
    return [first, *filter(None, [check.detail]), *(f"→ {_hint(hint)}" for hint in check.hints)]


def _hint(hint: Hint) -> str:
    return _placed(hint.text, hint.line)


def _placed(text: str, line: int | None) -> str:
    return f"line {line}: {text}" if line else text
