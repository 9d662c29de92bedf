"""Find the strongest sandbox that this machine gives, and prove it.

In: the least level that is required. Out: a sandbox whose level was tried just now. A level counts only when every
attack that it promises to block was tried and blocked, and an honest network could be captured; else the next lower
level is used, and says why.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from grader.errors import GraderError, SubmissionError
from grader.sandbox import box, child, lock, nursery, probes
from grader.sandbox.ending import Limits
from grader.sandbox.level import NAMES, Isolation, broken
from grader.sandbox.probes import Probe
from grader.sandbox.zygote import Zygote

_PROBE_LIMITS = Limits(seconds=60)
_SET_BY_OTHERS = ("KMP_", "OMP_", "TORCH", "LC_", "PWD")


class Sandbox(Protocol):
    """Where student code runs: `run` answers one request; leaving the context ends everything that runs."""

    isolation: Isolation

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...

    def run(self, request: dict[str, Any], limits: Limits | None = None) -> tuple[bytes, ...]:
        """The parts of the answer. Raises SubmissionError."""
        ...


class Fresh:
    """Level 1: a new process for each request."""

    def __init__(self, isolation: Isolation | None = None) -> None:
        self.isolation = isolation or Isolation()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left between requests."""

    def run(
        self, request: dict[str, Any], limits: Limits | None = None, *, kind: str = "capture"
    ) -> tuple[bytes, ...]:
        """The parts that a fresh child answers with. Raises SubmissionError."""
        return child.run(request, limits, kind=kind)


def choose(require: int | None = None, *, most: int = 3, begun: Zygote | None = None) -> Sandbox:
    """The strongest sandbox up to level `most`, started and probed: use it in a `with`, in the thread that calls this.

    `begun` is what `begin` returned. Raises GraderError when the level is below `require`.
    """
    reasons: list[str] = []
    if begun is not None and begun.boxed and most < 3:
        begun.__exit__(None, None, None)
        begun = None
    for level in range(most, 1, -1):
        sandbox, reason = _try(level, begun)
        if sandbox is not None:
            sandbox.isolation = Isolation(level, "; ".join(reasons), sandbox.isolation.probes)
            return _required(sandbox, require)
        if reason not in reasons:
            reasons.append(reason)
    return _required(fresh("; ".join(reasons)), require)


def begin(most: int = 3) -> Zygote | None:
    """Start the strongest sandbox that may work, and return at once: it gets ready while the grader loads torch."""
    for level in range(most, 1, -1):
        if not _missing(level):
            zygote = Zygote(boxed=level == 3)
            zygote.start()
            return zygote
    return None


def fresh(reason: str = "") -> Fresh:
    """Level 1, probed where there are probes for the system."""
    sandbox = Fresh(Isolation(1, reason))
    if sys.platform.startswith("linux"):
        found = tried(sandbox)
        sandbox.isolation = Isolation(
            1, "; ".join(filter(None, (reason, _failure(found, 1)))), found
        )
    return sandbox


def _missing(level: int) -> str:
    return lock.missing() or (box.missing() if level == 3 else "")


def _try(level: int, begun: Zygote | None) -> tuple[Zygote | None, str]:
    """A zygote that keeps the promises of `level`, or the reason why there is none."""
    reason = _missing(level)
    if reason:
        return None, reason
    zygote = (
        begun if begun is not None and begun.boxed == (level == 3) else Zygote(boxed=level == 3)
    )
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(zygote)
            reason = prove(zygote, level)
            if not reason:
                stack.pop_all()
                return zygote, ""
    except GraderError as error:
        reason = str(error)
    return None, f"level {NAMES[level]}: {reason}"


def prove(zygote: Zygote, level: int) -> str:
    """Probe a zygote: why it does not keep the promises of `level`; empty when it does. Its probes are kept in it."""
    found = tried(zygote)
    zygote.isolation = Isolation(1 if broken(found, level) else level, "", found)
    reason = _failure(found, level)
    if not reason:
        try:
            zygote.run({}, _PROBE_LIMITS, kind="warm")
        except SubmissionError as error:
            reason = f"an honest network cannot be captured in it ({error.message})"
    return reason


def tried(sandbox: Fresh | Zygote, *, without: Iterable[str] = ()) -> tuple[Probe, ...]:
    """Every probe, run in the sandbox now; `without` leaves guards of a zygote's lock out, to see what opens."""
    with tempfile.TemporaryDirectory(prefix="grader-") as folder:
        host_file = Path(folder, nursery.PLANTED)
        host_file.write_text(nursery.PLANTED_TEXT)
        given = child.environment(Path(folder))
        request = {
            "host_file": str(host_file),
            "planted": str(host_file if isinstance(sandbox, Fresh) else sandbox.planted),
            "home": str(Path.home()),
            "descriptors": 5,
            "environment": [
                name
                for name in os.environ
                if name not in given and not name.startswith(_SET_BY_OTHERS)
            ],
        }
        try:
            if isinstance(sandbox, Fresh):
                return probes.read(sandbox.run(request, _PROBE_LIMITS, kind="probes")[0])
            return probes.read(
                sandbox.run(request, _PROBE_LIMITS, kind="probes", without=without)[0]
            )
        except SubmissionError:
            return probes.read(b"")


def _failure(found: tuple[Probe, ...], level: int) -> str:
    failed = broken(found, level)
    names = ", ".join(probe.name for probe in failed[:3]) + (", ..." if len(failed) > 3 else "")
    return f"{len(failed)} of {len(found)} probes were not blocked: {names}" if failed else ""


def _required(sandbox: Fresh | Zygote, require: int | None) -> Sandbox:
    found = sandbox.isolation
    if require is None or found.level >= require:
        return sandbox
    sandbox.__exit__(None, None, None)
    raise GraderError(
        f"cannot grade here: isolation level {NAMES[require]} is required, and this machine gives {found.name}: "
        f"{found.reason or 'no higher level was asked for'}. Grade on Linux with bubblewrap, or require less."
    )
