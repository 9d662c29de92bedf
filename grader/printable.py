"""Make text from a submission harmless to print.

In: any text, hostile included. Out: bounded, visible text.

A submission chooses its module names, file names and messages. Printed raw, they could move the
cursor, recolour a verdict, reverse the reading direction or speak to a CI runner. Shown through
`printable` they are only characters.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control, format, surrogate, private use, unassigned; line and paragraph separators."""

INVISIBLE = frozenset(
    # Fillers that draw nothing.
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, range(0xFE00, 0xFE10)))  # variation selectors
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)

MOST_MARKS = 2
"""Combining marks that one character may carry; more paint over the lines above and below."""

SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

RUNNER_COMMANDS = {"::": ":\\x3a", "##": "#\\x23"}
"""`::error::` and `##[error]` at the start of a line are orders to CI runners; wrapping can start a
line anywhere."""


def printable(text: str, limit: int = 300, *, lines: bool = False) -> str:
    r"""`text` with everything that a terminal would obey shown as an escape (`\x1b`, `\u202e`).

    At most `limit` characters come back, the last one "…" where text was cut. Newlines are kept
    where `lines` asks. Rich markup is not touched: put the result into a `rich.text.Text`, which
    interprets none.
    """
    head = text[: limit + 1]  # every character becomes at least one, so the rest cannot be seen
    shown = "".join(_visible(head, lines=lines))
    for command, harmless in RUNNER_COMMANDS.items():
        shown = shown.replace(command, harmless)
    return shown if len(shown) <= limit else shown[: max(limit - 1, 0)] + "…"[:limit]


def printable_path(path: Path) -> str:
    r"""The whole path for people, with `\x` and `\u` escapes for what does not print."""
    text = path.as_posix().replace("\\", "\\\\")
    return "".join(map(_escape_invisible, text))


def visible(value: Any) -> Any:
    r"""The same JSON value; each character of a text that does not print is written as `\x1b`."""
    if isinstance(value, str):
        return value if value.isprintable() else "".join(map(_escape_invisible, value))
    if isinstance(value, list):
        return [visible(item) for item in value]
    if isinstance(value, dict):
        return {key: visible(item) for key, item in value.items()}
    return value


def last_line(printed: bytes) -> str:
    """The last line of what a process printed, at most 300 characters, for a message about it."""
    lines = printed.decode("utf-8", "replace").strip().splitlines()
    if not lines:
        return ""
    shown = [letter if letter.isprintable() else " " for letter in lines[-1][:300]]
    return "".join(shown).strip()


def _escape_invisible(letter: str) -> str:
    return letter if letter.isprintable() else ascii(letter)[1:-1]


def _visible(text: str, *, lines: bool) -> list[str]:
    shown, marks = [], 0
    for character in text:
        category = unicodedata.category(character)
        is_mark = unicodedata.combining(character) or category in {"Me", "Mn"}
        marks = marks + 1 if is_mark else 0
        unsafe = category in UNSAFE_CATEGORIES or character in INVISIBLE or marks > MOST_MARKS
        if unsafe and not (lines and character == "\n"):
            shown.append(_escape(character))
        else:
            shown.append(character)
    return shown


def _escape(character: str) -> str:
    code = ord(character)
    if character in SHORT:
        return SHORT[character]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
