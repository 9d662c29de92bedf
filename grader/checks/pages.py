"""What each check means, why it matters, and an example that passes and one that fails.

In: the Markdown file of the check, beside the checks. Out: an `Explanation`. Loads no torch. The
examples of the grader's own are graded in the tests: they pass and fail as the files say, and the
failing one is told exactly that. An assignment's own page may leave sections out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.assignment import did_you_mean
from grader.checks.names import check_names
from grader.checks.own import OwnCheck, OwnChecks
from grader.submission.submission import UsageError

FOLDER = Path(__file__).parent
SECTIONS = ("Why it matters", "Passes", "Fails")


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
    meaning: str = ""
    why: str = ""
    passes: Example | None = None
    fails: Example | None = None
    told: tuple[str, ...] = ()


def load(name: str) -> Explanation:
    """The explanation of the check `name` of the grader's. Raises UsageError for another name."""
    if name not in check_names():
        raise UsageError(unknown(name, check_names()))
    return parse(name, (FOLDER / f"{name}.md").read_text(encoding="utf-8"))


def of_own(check: OwnCheck, checks: OwnChecks) -> Explanation:
    """The explanation of a check that an assignment brings along: its page, else its docstring."""
    page = checks.pages.get(check.file.with_name(f"{check.name}.md"))
    if page is None:
        return Explanation(check.name, check.title or check.name, check.meaning)
    return parse(check.name, page)


def unknown(name: str, known: Sequence[str]) -> str:
    """What to say where there is no check of that name."""
    listed = ", ".join(known)
    return f"There is no check {name!r}; known: {listed}.{did_you_mean(name, known)}"


def parse(name: str, text: str) -> Explanation:
    """The explanation that a Markdown file holds: a title, its meaning, and the three sections."""
    head, *parts = re.split(rf"^## ({'|'.join(SECTIONS)})$", text, flags=re.MULTILINE)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    why, passes, fails = (sections.get(section, "") for section in SECTIONS)
    title, _, meaning = head.strip().removeprefix("# ").partition("\n")
    told = [line.removeprefix("> ") for line in fails.splitlines() if line.startswith("> ")]
    return Explanation(
        name, title, meaning.strip(), why.strip(), _example(passes), _example(fails), tuple(told)
    )


def _example(section: str) -> Example | None:
    if "```" not in section:
        return None
    language, _, rest = section.partition("```")[2].partition("\n")
    return Example(language, rest.partition("```")[0])
