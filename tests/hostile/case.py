"""A hostile or broken submission, and what the grader must answer.

Data only: nothing here runs anything.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from grader.intake import asking

CANARY = "@CANARY@"
"""In a source: the folder of files that no submission may read or change."""

NETWORK = """
import torch
import torch.nn as nn
import torch.nn.functional as F
{top}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
{init}
        self.stem = nn.Conv2d(1, 8, 5, padding=2)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.05)
        self.conv = nn.Conv2d(8, 16, 5, padding=2)
        self.last = nn.Conv2d(16, 10, 5, padding=2)
{after}

    def forward(self, x):
{forward}
        x = F.max_pool2d(F.relu(self.norm(self.stem(x))), 2)
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        x = self.last(self.drop(x)).mean((2, 3))
{end}
        return x

{bottom}
"""
HUGE = "self.huge = nn.Linear(200, 200)"
USES_HUGE = "x = x + 0 * self.huge(self.huge.bias)[:10]"
"""In `after` and `end`: 40,200 parameters for a network of 7,450, which is too many."""


def net(
    init: str = "",
    *,
    top: str = "",
    after: str = "",
    forward: str = "",
    end: str = "",
    bottom: str = "",
) -> str:
    """An honest network that also runs what it is given: in its constructor, in its forward pass,
    around the class.
    """
    inside = (
        textwrap.indent(textwrap.dedent(part).strip("\n"), " " * 8)
        for part in (init, after, forward, end)
    )
    init, after, forward, end = inside
    around = [textwrap.dedent(part).strip("\n") for part in (top, bottom)]
    return NETWORK.format(
        init=init, after=after, forward=forward, end=end, top=around[0], bottom=around[1]
    )


@dataclass(frozen=True, slots=True)
class Expected:
    """The one right answer.

    `error`: it cannot be graded, and that is its own fault. `failed`: the required checks that
    fail, no others do. `flagged`: an instructor is told. `words` is a regular expression for the
    reason, found in the problem, the reasons and hints of failed checks, the flags, the notes, or
    the lines of the recipe. `recipe` says whose that is ("" where it does not matter).
    """

    error: bool = False
    failed: frozenset[str] = frozenset()
    flagged: bool = False
    words: str = ""
    line: int | None = None
    recipe: str = ""


def error(words: str, *, line: int | None = None) -> Expected:
    """It cannot be graded; the message says why."""
    return Expected(error=True, words=words, line=line)


def fails(*checks: str, words: str, flagged: bool = False) -> Expected:
    """It is graded, and fails these checks."""
    return Expected(failed=frozenset(checks), words=words, flagged=flagged)


def flagged(words: str) -> Expected:
    """It fails nothing, and an instructor is told."""
    return Expected(flagged=True, words=words)


PASSES = Expected()
"""It is graded like the honest network that it is, or that it hides behind: what it tried had no
effect."""


@dataclass(frozen=True, slots=True)
class Case:
    """One submission.

    `answers` is the entry of the catalogue (`tests.hostile.catalogue`) that it stands for.
    `seconds` is the limit it is graded under. `beside` are files in its folder; `environment`
    variables of the grader. `place` puts it into a folder in another way than by writing a file,
    and gives its path. `swapped` is written over the file when it has been read. `seeds` is how
    often the network is built: the product builds it five times, two are enough for most cases.
    `budget` is the processor time for the rehearsals of its training, `waits` the time that each of
    them has by the clock.
    """

    name: str
    answers: str
    source: str | bytes
    expected: Expected
    seconds: float = 60.0
    filename: str = "net.py"
    beside: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    place: Callable[[Path, bytes], Path] | None = None
    swapped: str = ""
    levels: tuple[int, ...] = (2, 3)
    seeds: int = 2
    budget: float = asking.CPU_SECONDS
    waits: float = asking.WALL_SECONDS

    @property
    def content(self) -> bytes:
        """The file's bytes, before the canary has its place."""
        return self.source.encode() if isinstance(self.source, str) else self.source


QUICK = 1.0
"""Seconds given to what never ends."""
EVERYWHERE = (1, 2, 3)
"""The levels at which honest mistakes are graded, too."""
