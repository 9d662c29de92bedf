"""Make Python of what IPython takes beside it: magics, shell commands and questions.

In: the text of a script or of a cell. Out: text with the same lines at the same numbers, and what
was blanked. Nothing runs here.

    !pip install torchinfo          (blank)
    %time net = Net()               net = Net(), at its column
    files = !ls                     files = []
    net?                            (blank)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

RUNS_PYTHON = ("time", "timeit", "capture", "prun", "python", "python3", "notify", "wandb")
"""Cell magics whose cell is Python all the same."""

_COMMAND = re.compile(r"\s*(!(?!=)|%{1,2}[a-zA-Z])")
_QUESTION = re.compile(r"\s*(\?{1,2}\s*[\w.*]+|[\w.*]+\s*\?{1,2})\s*$")
_TIMED = re.compile(r"(\s*)(%(?:time|prun|timeit)\s+(?:-\w+\s+(?:\d+\s+)?)*)(?=[^\s-])")
_ASSIGNED = re.compile(r"(\s*[\w.,\[\]\"' ]+=\s*)(!(?!=)|%[a-zA-Z])")
_PROGRAM = re.compile(
    r"\s*(?:!\s*(?:python3?|ipython)\s+(?:-u\s+)?|%run\s+(?:-i\s+)?)(\S.*\.py\b.*)"
)
_CELL = re.compile(r"\s*%%(\w+)")
_UNFINISHED = ("\\", "(", ",", "[")
"""After a line that ends so, `%` may be the operator of formatting or modulo."""
_TOKEN = re.compile(r"\"\"\"|'''|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|#.*")


@dataclass(frozen=True, slots=True)
class Blanked:
    """A line (from 1) that is not Python, and its text."""

    line: int
    text: str


def python(source: str) -> tuple[str, list[Blanked]]:
    """`source` without what is not Python, line by line, and what was blanked.

    A command that may be all that an `if` or `except` holds becomes `pass`.
    """
    lines = source.split("\n")
    blanked: list[Blanked] = []
    quote, continued = "", False
    for index, line in enumerate(lines):
        if continued:
            lines[index] = ""
        elif quote or _line_before(lines, index).endswith(_UNFINISHED):
            quote = _open_quote(line, quote)
            continue
        elif (written := _rewritten(lines, index)) != line:
            blanked.append(Blanked(index + 1, line.strip()[:200]))
            lines[index] = written
            if written.strip() not in ("", "pass"):
                continue
        else:
            quote = _open_quote(line, "")
            continue
        continued = line.rstrip().endswith("\\")
    return "\n".join(lines), blanked


def cell(source: str) -> tuple[str, list[Blanked]]:
    """As `python`, for a cell: what IPython forgives a cell is forgiven.

    A cell that begins with another language's `%%magic` is blank, and one that is indented as a
    whole is not.
    """
    lines = source.split("\n")
    first = next((index for index, line in enumerate(lines) if line.strip()), 0)
    magic = _CELL.match(lines[first])
    if magic and magic[1] not in RUNS_PYTHON:
        return "\n" * (len(lines) - 1), [Blanked(first + 1, lines[first].strip()[:200])]
    blanked = []
    if magic:
        blanked.append(Blanked(first + 1, lines[first].strip()[:200]))
        lines[first] = ""
        first = next((index for index, line in enumerate(lines) if line.strip()), 0)
    indentation = _indentation(lines[first])
    if indentation:
        lines = [line.removeprefix(indentation) for line in lines]
    text, more = python("\n".join(lines))
    return text, [*blanked, *more]


def programs(source: str) -> list[tuple[int, str]]:
    """Lines such as `!python train.py --epochs 3` or `%run train.py`, with what they start."""
    found = ((index, _PROGRAM.match(line)) for index, line in enumerate(source.split("\n"), 1))
    return [(line, match[1].strip()) for line, match in found if match]


def _rewritten(lines: list[str], index: int) -> str:
    line = lines[index]
    if timed := _TIMED.match(line):
        return timed[1] + line[timed.end() :]
    if _COMMAND.match(line) or _QUESTION.match(line):
        return _indentation(line) + "pass" if _begins_block(lines, index) else ""
    if assigned := _ASSIGNED.match(line):
        return assigned[1] + "[]"
    return line


def _open_quote(line: str, quote: str) -> str:
    """The triple quote that is open after this line; `quote` is the one that was open before."""
    place = 0
    if quote:
        place = line.find(quote) + 3
        if place < 3:
            return quote
    for token in _TOKEN.finditer(line, place):
        if token.start() < place:
            continue
        if token[0] in ('"""', "'''"):
            end = line.find(token[0], token.end())
            if end < 0:
                return token[0]
            return _open_quote(line[end + 3 :], "")
        if token[0].startswith("#"):
            return ""
    return ""


def _begins_block(lines: list[str], index: int) -> bool:
    """Whether the line is all that an `if`, `try` or the like may hold.

    Elsewhere a `pass` could be wrong: notebooks forgive ` !pip install` its lone space, Python does
    not.
    """
    before = _line_before(lines, index)
    return bool(_indentation(lines[index]) and re.search(r":\s*(#.*)?$", before))


def _line_before(lines: list[str], index: int) -> str:
    """The last line before `index` that is neither blank nor a comment."""
    before = (line.rstrip() for line in reversed(lines[:index]))
    return next((line for line in before if line and line.lstrip()[0] != "#"), "")


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
