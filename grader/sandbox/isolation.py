"""How well student code is locked in on this machine, and the strongest sandbox that can be had here.

In: the least level that is required. Out: a sandbox whose level was proven by probes just now. A level counts only when
every attack that it promises to block was tried and blocked; else the next lower one is used, and says why.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from grader.errors import GraderError, SubmissionError
from grader.sandbox import box, child, lock, nursery, probes
from grader.sandbox.outcome import Limits
from grader.sandbox.probes import Probe
from grader.sandbox.zygote import Zygote

NAMES = {1: "1 process", 2: "2 self-locked", 3: "3 boxed"}


@dataclass(frozen=True, slots=True)
class Isolation:
    """A level that was reached, why it is not a higher one, and every probe that was run."""

    level: int
    reason: str = ""
    probes: tuple[Probe, ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """As on the scorecard: "2 self-locked"."""
        return NAMES[self.level]

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})" if self.reason else self.name


class Sandbox(Protocol):
    """Where student code runs. `run` answers one request; leaving the context ends everything that runs."""

    isolation: Isolation

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def run(self, request: dict[str, Any], limits: Limits | None = None) -> tuple[bytes, ...]: ...
