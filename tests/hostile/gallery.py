"""Files of tests/gallery as hostile cases: written for their exact verdicts, graded here in real
sandboxes as well.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests import gallery_expectations
from tests.hostile.case import Case, Expected

FOLDER = Path(__file__).parents[1] / "gallery"


def from_gallery(name: str, answers: str, *, levels: tuple[int, ...] = (2, 3)) -> Case:
    """The gallery's file of that name, and what its docstring expects."""
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    return Case(
        f"gallery/{name}", answers, text, expected(text), filename=f"{name}.py", levels=levels
    )


def expected(text: str) -> Expected:
    """What a file's docstring says, as far as required checks, flags and the first reason go."""
    lines = gallery_expectations.expected(text)
    failed = [line for line in lines if line.startswith("✗")]
    problem = next((line for line in failed if line.startswith("✗ submission:")), "")
    flags = [line for line in lines if line.startswith(gallery_expectations.FLAG)]
    if problem:
        line, message = re.match(r"✗ submission: (?:line (\d+): )?(.*)", problem).groups()
        return Expected(error=True, words=re.escape(message), line=int(line) if line else None)
    names = gallery_expectations.named(failed)
    words = re.escape(flags[0][2:]) if flags else ""
    return Expected(failed=frozenset(names), flagged=bool(flags), words=words)
