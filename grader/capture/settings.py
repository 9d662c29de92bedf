"""Look up what a student's file says about training, and hold each number to what it may be.

In: the file's definitions and the assignment's default recipe. Out: checked values. Runs in the
child.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import FunctionType
from typing import Any

from grader.capture.load import Definitions
from grader.capture.missing import Missing
from grader.errors import SubmissionError


@dataclass(frozen=True)
class Asker:
    """Looks a setting up in the file, else in the assignment, and remembers which were missing.

    `found` has the line of each that the file sets. `methods` are settings that the network itself
    has, with their lines. With `default_only` the file is not asked.
    """

    definitions: Definitions
    default: Mapping[str, Any]
    missing: list[str]
    found: dict[str, int] = field(default_factory=dict)
    methods: Mapping[str, tuple[Any, int]] = field(default_factory=dict)
    default_only: bool = False

    def __call__(self, name: str, key: str) -> Any:
        """The file's `name`, else the default's `key`."""
        value = None if self.default_only else self.definitions.names.get(name)
        if isinstance(value, Missing):
            raise SubmissionError(_named(value.why, name), line=value.line)
        if value is None and name in self.methods:
            value = self.methods[name][0]
        if value is None:
            if key not in self.missing:
                self.missing.append(key)
            return self.default.get(key)
        self.found[key] = self.line(name) or 1
        return value

    def line(self, name: str) -> int | None:
        """Where the file defines `name`."""
        line = self.definitions.lines.get(name)
        return self.methods[name][1] if line is None and name in self.methods else line


def _named(why: str, name: str) -> str:
    """What is missing for a setting is not the network's."""
    if name == "train_transform":
        why = why.replace("write that part with torch alone", "use torchvision.transforms instead")
    return why.replace("The network uses", f"{name} uses", 1)


def whole_number(ask: Asker, name: str, key: str, *, most: int, shown: int | None = None) -> int:
    """The setting as a number from 1 to `most`, or the limit to be `shown`.

    Raises SubmissionError.
    """
    value = ask(name, key)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise SubmissionError(
            f"{name} is {short(value)}; it must be a whole number from 1 to {shown or most:,}.",
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


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """` Did you mean "best"?` where one of the choices is much like the word, else nothing."""
    close = get_close_matches(word, choices, n=1)
    return f' Did you mean "{close[0]}"?' if close else ""


def short(value: Any) -> str:
    """The value as an error message shows it."""
    try:
        if isinstance(value, FunctionType):
            return f"the function {value.__name__}"
        return re.sub(r" at 0x[0-9a-f]+", "", repr(value))[:80]  # else it differs each time
    except Exception:  # a hostile __repr__ must not hide the setting's name
        return f"a {type(value).__name__}"
