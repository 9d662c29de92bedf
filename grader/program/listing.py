"""What was handed in, as one listing with one numbering of lines, whatever it consists of.

A submission may be a script, a notebook or a folder. Its parts (files, and the cells of notebooks)
stand one after the other in a listing, and a line is its number in there: an int, everywhere in the
grader and in the children. Only what people read names the part: `Listing.place` and
`Listing.in_words`. In a submission of one file, the two numbers are the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

from pydantic import Field

from grader.program.values import Data

MOST_PARTS = 2_000


class Part(Data):
    """A file, or a code cell of a notebook, and the number of its first line in the listing.

    `file` is the path within the submission, with "/"; the cell of a `%%writefile` has the name of
    the file that it writes. `cell` counts the code cells of a notebook from 1.
    """

    file: str = Field(max_length=500)
    cell: int | None = Field(default=None, ge=1)
    first: int = Field(ge=1)
    text: str

    @property
    def last(self) -> int:
        """The number of its last line."""
        return self.first + self.text.count("\n")


class Place(Data):
    """Where a line is, for people: in `file` ("" if there is one), in `cell` of a notebook."""

    line: int
    cell: int | None = None
    file: str = ""

    def __str__(self) -> str:
        parts = [f"cell {self.cell}"] if self.cell else []
        return ", ".join([*([self.file] if self.file else []), *parts, f"line {self.line}"])


class Listing(Data):
    """The parts of a submission in order; `main` is the file that is run (and trains, if any does).

    The parts of `main` come first where it is a script, so that its lines have their own numbers.
    """

    main: str
    parts: tuple[Part, ...] = Field(min_length=1, max_length=MOST_PARTS)

    @classmethod
    def of_file(cls, name: str, text: str) -> Listing:
        """The listing of a single script."""
        return cls(main=name, parts=(Part(file=name, first=1, text=text),))

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The names of all files, `main` included, in order."""
        return tuple(dict.fromkeys(part.file for part in self.parts))

    def source(self, file: str) -> str:
        """The text of one file, at its own line numbers: blank lines stand for all other parts."""
        return _text(part for part in self.parts if part.file == file)

    @property
    def whole(self) -> str:
        """The text of all parts, every line at its number."""
        return _text(self.parts)

    def part(self, line: int) -> Part | None:
        """The part that holds the line, if there is one."""
        return next((part for part in self.parts if part.first <= line <= part.last), None)

    def place(self, line: int) -> Place:
        """Where the line is, for people."""
        part = self.part(line)
        if part is None:
            return Place(line=line)
        file = part.file if len(self.files) > 1 else ""
        return Place(line=line - part.first + 1, cell=part.cell, file=file)

    def in_words(self, text: str) -> str:
        """A message with its "line 41" replaced by the place: "cell 7, line 3"."""
        if len(self.parts) == 1:
            return text
        return re.sub(r"\bline (\d{1,7})\b", lambda found: str(self.place(int(found[1]))), text)


def _text(parts: Iterable[Part]) -> str:
    lines: list[str] = []
    for part in parts:
        lines += [""] * (part.first - 1 - len(lines))
        lines += part.text.split("\n")
    return "\n".join(lines)
