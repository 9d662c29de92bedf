"""What is found out about one training: facts for people, obstacles, notes, lines of settings.

In: whatever reads a part of a trace. Out: remarks and facts, each said once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from grader.program.recipe import Remark
from grader.program.rehearsed import Fact

MOST = 50
"""Of each: a `Training` holds no more."""
LONGEST = {"remark": 2_000, "fact": 1_000}


@dataclass(slots=True)
class Findings:
    """Grows while a training is read. Nothing is said twice; `lines` are those of a Recipe."""

    facts: list[Fact] = field(default_factory=list)
    obstacles: list[Remark] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)

    def fact(self, name: str, text: str, line: int | None = None) -> None:
        """What was understood, in a few words."""
        if len(self.facts) < MOST:
            self.facts.append(Fact(name=name, text=text[: LONGEST["fact"]], line=line or None))

    def obstacle(self, text: str, line: int | None = None) -> None:
        """Why the grader cannot train so, and what to do."""
        _add(self.obstacles, text, line)

    def note(self, text: str, line: int | None = None) -> None:
        """A small difference between the student's training and the grader's."""
        _add(self.notes, text, line)

    def at(self, setting: str, line: int | None) -> None:
        """The line of a setting of the recipe; the first that is told stays."""
        if line:
            self.lines.setdefault(setting, line)


def _add(remarks: list[Remark], text: str, line: int | None) -> None:
    if len(remarks) < MOST and all(remark.text != text for remark in remarks):
        remarks.append(Remark(text=text[: LONGEST["remark"]], line=line or None))


def count(number: int, what: str) -> str:
    """Such as "1 epoch" or "16,880 steps"."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def short(value: float) -> str:
    """A number as people write it: 0.0047, 1e-05."""
    return f"{value:.2g}" if 0 < abs(value) < 1e-3 else f"{value:.4g}"
