"""On which line of a TOML file a key stands. In: its text. Out: lines by the path of the key.

Python's own parser keeps no lines. This one knows what an `assignment.toml` is made of: tables,
arrays of tables, keys with values on one line or in several. What it does not understand has the
line of the table around it.

For `[limits]` on line 1 and `epochs = 15` on line 2: `("limits",)` is 1, `("limits", "epochs")` 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Path = tuple[int | str, ...]

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(
    r"""\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=(.*)"""
)
_INLINE = re.compile(r"([\w-]+)\s*=")


def lines(text: str) -> dict[Path, int]:
    """The line (from 1) of every key and table."""
    found: dict[Path, int] = {}
    table: Path = ()
    counts: dict[Path, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _split(header[2])
            if header[1] == "[[":
                place = counts.get(table, 0)
                counts[table] = place + 1
                found.setdefault(table, number)
                table = (*table, place)
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            path = (*table, *_split(key[1]))
            found.setdefault(path, number)
            for inner in _inline(key[2]):
                found.setdefault((*path, inner), number)
    return found


def line_of(path: Path, known: dict[Path, int]) -> int | None:
    """The line of the key, or of the nearest table around it; None where there is none."""
    for length in range(len(path), 0, -1):
        if path[:length] in known:
            return known[path[:length]]
    return None


def named_in(message: str, known: dict[Path, int]) -> Path:
    """The first key of the file that a message names, as in "recipe.epochs is 16"; or ()."""
    for word in re.findall(r"[a-z_]\w*(?:\.\w+)*", message):
        path = tuple(int(part) if part.isdigit() else part for part in word.split("."))
        for length in range(len(path), 0, -1):
            if path[:length] in known:
                return path
    return ()


def _split(dotted: str) -> Path:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _inline(value: str) -> Iterator[str]:
    """The keys of an inline table."""
    if value.lstrip().startswith("{"):
        yield from _INLINE.findall(re.sub(r"\"[^\"]*\"|'[^']*'", "", value))
