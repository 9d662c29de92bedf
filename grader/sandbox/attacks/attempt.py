"""An attack before it is run: its name, and what blocking it promises from which level on."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from grader.sandbox import kernel

REFUSALS = {errno.EPERM, errno.EACCES, errno.ENOSYS}


@dataclass(frozen=True, slots=True)
class Target:
    """What to aim at: a file next to the child's folder, one of the grader's, the user's home.

    `descriptors` (from 0) is how many the child should hold, `environment` the names of variables
    that it should not.
    """

    planted: Path
    host_file: Path
    home: Path
    descriptors: int
    environment: frozenset[str]

    def to_request(self) -> dict[str, Any]:
        """The same as JSON, for the child that runs the probes."""
        return {
            "planted": str(self.planted),
            "host_file": str(self.host_file),
            "home": str(self.home),
            "descriptors": self.descriptors,
            "environment": sorted(self.environment),
        }

    @classmethod
    def from_request(cls, request: Mapping[str, Any]) -> Self:
        """What `to_request` wrote."""
        return cls(
            planted=Path(request["planted"]),
            host_file=Path(request["host_file"]),
            home=Path(request["home"]),
            descriptors=request["descriptors"],
            environment=frozenset(request["environment"]),
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """`run` returns normally when the attack works, and raises when it is blocked."""

    name: str
    promise: str
    level: int
    run: Callable[[Target], None]


class Blocked(Exception):  # noqa: N818 - it is the good outcome
    """The attack did not work."""


def attack(level: int) -> Callable[[Callable[[Target], None]], Attempt]:
    """Make an Attempt of a function, which gives its name and, as a docstring, its promise."""
    return lambda function: Attempt(
        function.__name__.replace("_", " "), function.__doc__ or "", level, function
    )


def asked(name: str, *arguments: Any) -> None:
    """Make a system call with arguments that cannot succeed.

    It is blocked when it is refused before they are looked at.
    """
    try:
        kernel.call(name, *arguments)
    except OSError as error:
        if error.errno in REFUSALS:
            raise Blocked from error
