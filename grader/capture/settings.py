"""Look up what a student's file says about training, and hold each number to what it may be.

In: the file's definitions and the assignment's default recipe. Out: checked values. Runs in the
child.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grader.capture.load import Definitions, Missing
from grader.errors import SubmissionError


@dataclass(frozen=True)
class Asker:
    """Looks a setting up in the file, else in the assignment, and remembers which were missing."""

    definitions: Definitions
    default: Mapping[str, Any]
    missing: list[str]

    def __call__(self, name: str, key: str) -> Any:
        """The file's `name`, else the default's `key`."""
        value = self.definitions.names.get(name)
        if isinstance(value, Missing):
            raise SubmissionError(value.why, line=value.line)
        if value is None:
            self.missing.append(key)
            return self.default.get(key)
        return value

    def line(self, name: str) -> int | None:
        """Where the file defines `name`."""
        return self.definitions.lines.get(name)


def whole_number(ask: Asker, name: str, key: str, *, most: int) -> int:
    """The setting as a number from 1 to `most`. Raises SubmissionError."""
    value = ask(name, key)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise SubmissionError(
            f"{name} is {short(value)}; it must be a whole number from 1 to {most:,}.",
            line=ask.line(name),
        )
    return value


def positive(ask: Asker, name: str, key: str) -> float | None:
    """The setting as a finite number above 0, or None where nobody sets it.

    Raises SubmissionError.
    """
    value = ask(name, key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise SubmissionError(
            f"{name} is {short(value)}; it must be a number above 0.", line=ask.line(name)
        )
    return float(value)


def fraction(ask: Asker, name: str, key: str) -> float | None:
    """The setting as a share above 0 and up to 1, or None where nobody sets it.

    Raises SubmissionError.
    """
    value = positive(ask, name, key)
    if value is not None and value > 1:
        raise SubmissionError(
            f"{name} is {value}; accuracy is a share from 0 to 1, so 99.4 % is 0.994.",
            line=ask.line(name),
        )
    return value


def short(value: Any) -> str:
    """The value as an error message shows it."""
    try:
        return repr(value)[:80]
    except Exception:  # a hostile __repr__ must not hide the setting's name
        return f"a {type(value).__name__}"
