"""Try to break out, harmlessly: each probe is one thing that student code must not be able to do.

In: a child in the state in which it would run student code, and what to aim at. Out: which attempts
were blocked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from grader.sandbox import strict_json
from grader.sandbox.attacks.attempt import Attempt, Target


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing that was tried: its name, and what blocking it promises from which level on."""

    name: str
    promise: str
    level: int
    blocked: bool


def run(target: Target) -> bytes:
    """Try everything, here and now, and say as JSON which attempts were blocked."""
    return json.dumps(
        {attempt.name: _is_blocked(attempt, target) for attempt in attempts()}
    ).encode()


def read(answer: bytes) -> tuple[Probe, ...]:
    """What `run` answered in a child. A probe that is missing from it counts as open."""
    try:
        found = strict_json.read(answer, most_bytes=2**16)
    except ValueError:
        found = {}
    return tuple(
        Probe(
            attempt.name,
            attempt.promise,
            attempt.level,
            isinstance(found, dict) and found.get(attempt.name) is True,
        )
        for attempt in attempts()
    )


@cache
def attempts() -> tuple[Attempt, ...]:
    """Every attack, in the order in which they are tried. Linux only."""
    from grader.sandbox.attacks import files, kernel_interfaces, processes, resources

    found: list[Attempt] = []
    for module in (files, processes, kernel_interfaces, resources):
        found += (item for item in vars(module).values() if isinstance(item, Attempt))
    return tuple(found)


def _is_blocked(attempt: Attempt, target: Target) -> bool:
    try:
        attempt.run(target)
    except Exception:  # any refusal will do: what counts is that it did not work
        return True
    return False
