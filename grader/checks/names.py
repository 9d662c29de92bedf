"""Which checks exist: each is a function `test_<name>` beside this file, and its page `<name>.md`.

Imports nothing of the grader.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


@cache
def check_names() -> tuple[str, ...]:
    """The name of every check, in alphabetical order."""
    return tuple(sorted(page.stem for page in FOLDER.glob("*.md")))
