"""Which level of isolation was reached, and what proves it. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from grader.sandbox.probes import Probe

NAMES = {1: "1 process", 2: "2 self-locked", 3: "3 boxed"}


@dataclass(frozen=True, slots=True)
class Isolation:
    """A level that was reached, why it is not a higher one, and every probe that was run."""

    level: int = 1
    reason: str = ""
    probes: tuple[Probe, ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """As on the scorecard: "2 self-locked"."""
        return NAMES[self.level]


def broken(probes: tuple[Probe, ...], level: int) -> tuple[Probe, ...]:
    """The probes that were not blocked though `level` promises it."""
    return tuple(probe for probe in probes if probe.level <= level and not probe.blocked)
