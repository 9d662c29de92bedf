"""What an instructor got wrong: where, what was found, why it matters, what to do.

In: what the inspections saw. Out: `Finding`s, and their text for a terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.printable import printable, printable_path


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; or, where it is `advice`, that may well be.

    `line` is from 1, None where the file as a whole is meant; `key` is the one of `assignment.toml`
    that it is about.
    """

    file: Path
    line: int | None
    key: str
    found: str
    why: str
    do: str
    advice: bool = False

    def text(self, home: Path) -> str:
        """Four lines, with the path from `home` on."""
        file = self.file
        if file.is_relative_to(home):
            file = file.relative_to(home)
        place = f"{printable_path(file)}:{self.line}" if self.line else printable_path(file)
        head = f"{place}  {self.key}".rstrip()
        if self.advice:
            head += "  (to consider)"
        lines = [head]
        for word, said in (("found", self.found), ("why", self.why), ("do", self.do)):
            lines.append(f"  {word + ':':<7}{printable(said, 1000)}")
        return "\n".join(lines)


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Mistakes first, then what is to consider; by file and line, each once."""
    return sorted(
        dict.fromkeys(findings), key=lambda one: (one.advice, str(one.file), one.line or 0)
    )


@dataclass(frozen=True, slots=True)
class Contradiction:
    """`key` of the file: what was `found` there, why that matters, and what to `do`."""

    key: str
    found: str
    why: str
    do: str
    advice: bool = False
