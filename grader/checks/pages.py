"""What each check means, why it matters, and an example that passes and one that fails.

In: the Markdown file of the check, beside the checks. Out: an `Explanation`. Loads no torch. The
examples are graded in the tests: they pass and fail as the files say, and the failing one is told
exactly that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from grader.assignment import did_you_mean
from grader.checks.names import check_names
from grader.submission.submission import UsageError

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Example:
    """A submission (`language` "python"), or a result of training in words ("text")."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything about one check.

    `title` is its line on the scorecard; `meaning` and `why` are Markdown paragraphs. `told` is
    what the scorecard says about `fails`: what was measured, the reason, and each hint with its
    line.
    """

    name: str
    title: str
    meaning: str
    why: str
    passes: Example
    fails: Example
    told: tuple[str, ...]


def load(name: str) -> Explanation:
    """The explanation of the check `name`. Raises UsageError for another name."""
    if name not in check_names():
        known = ", ".join(check_names())
        raise UsageError(
            f"There is no check {name!r}; known: {known}.{did_you_mean(name, check_names())}"
        )
    return parse(name, (FOLDER / f"{name}.md").read_text(encoding="utf-8"))


def parse(name: str, text: str) -> Explanation:
    """The explanation that a Markdown file holds: a title, its meaning, and the three sections."""
    head, why, passes, fails = re.split(
        r"^## (?:Why it matters|Passes|Fails)$", text, flags=re.MULTILINE
    )
    title, _, meaning = head.strip().removeprefix("# ").partition("\n")
    told = [line.removeprefix("> ") for line in fails.splitlines() if line.startswith("> ")]
    return Explanation(
        name, title, meaning.strip(), why.strip(), _example(passes), _example(fails), tuple(told)
    )


def _example(section: str) -> Example:
    language, _, rest = section.partition("```")[2].partition("\n")
    return Example(language, rest.partition("```")[0])
