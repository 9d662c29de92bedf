"""Find the strongest sandbox that this machine gives, and prove it.

In: the least level that is required. Out: a sandbox whose level was tried just now. A level counts
only when every attack that it promises to block was tried and blocked, and an honest network could
be captured; else the next lower level is used, and says why.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

from grader.errors import GraderError, SubmissionError
from grader.sandbox import box, child, lock, nursery, probes, temporary
from grader.sandbox.attacks.attempt import Target
from grader.sandbox.ending import Limits
from grader.sandbox.level import NAMES, Isolation, broken
from grader.sandbox.probes import Probe
from grader.sandbox.zygote import Zygote

_PROBE_LIMITS = Limits(seconds=60)
_SET_BY_OTHERS = ("KMP_", "OMP_", "TORCH", "LC_", "PWD")


class Sandbox(Protocol):
    """Where student code runs: `run` answers one request; `isolation` says how it is locked in."""

    @property
    def isolation(self) -> Isolation:
        """The level that was reached, and what proves it."""
        ...

    def run(
        self,
        request: Mapping[str, Any],
        limits: Limits | None = None,
        *,
        prepare: Sequence[str] = (),
        kind: str = "capture",
        blobs: Sequence[bytes] = (),
    ) -> tuple[bytes, ...]:
        """The parts of the answer.

        `prepare` names packages that may be imported beforehand; `kind` says what is asked for, and
        `blobs` are bytes that it is about. Raises SubmissionError where the fault is the
        submission's, GraderError where it is ours.
        """
        ...


class Fresh:
    """Level 1: a new process for each request. Nothing is left between two of them."""

    isolation = Isolation()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Every process has ended with its request."""

    def run(
        self,
        request: Mapping[str, Any],
        limits: Limits | None = None,
        *,
        prepare: Sequence[str] = (),  # a process that ends cannot be prepared
        kind: str = "capture",
        blobs: Sequence[bytes] = (),
    ) -> tuple[bytes, ...]:
        """The parts that a fresh child answers with. Raises SubmissionError and GraderError."""
        return child.run(request, limits, kind=kind, blobs=blobs)


@dataclass(frozen=True, slots=True)
class Proven:
    """A sandbox, and the level that it was shown to keep just now."""

    sandbox: Fresh | Zygote
    isolation: Isolation

    def run(
        self,
        request: Mapping[str, Any],
        limits: Limits | None = None,
        *,
        prepare: Sequence[str] = (),
        kind: str = "capture",
        blobs: Sequence[bytes] = (),
    ) -> tuple[bytes, ...]:
        """As the sandbox answers."""
        return self.sandbox.run(request, limits, prepare=prepare, kind=kind, blobs=blobs)


@contextlib.contextmanager
def choose(
    require: int | None = None, *, most: int = 3, begun: Zygote | None = None
) -> Iterator[Proven]:
    """The strongest sandbox up to level `most`, started and probed; it ends with the `with`.

    Use it in the thread that calls this: a box ends with the thread that started it. `begun` is
    what `begin` returned. Raises GraderError when the level is below `require`.
    """
    with contextlib.ExitStack() as stack:
        if begun is not None:
            stack.callback(begun.close)
        sandbox = _strongest(most, begun, stack)
        _refuse_below(require, sandbox.isolation)
        yield sandbox


def begin(most: int = 3) -> Zygote | None:
    """Start the strongest sandbox that may work, and return at once.

    It gets ready while the grader loads torch. What killed runs have left is removed first.
    """
    temporary.sweep()
    for level in range(most, 1, -1):
        if not _missing(level):
            zygote = Zygote(boxed=level == 3)
            zygote.start()
            return zygote
    return None


def fresh(reason: str = "") -> Proven:
    """Level 1, probed where there are probes for the system."""
    sandbox = Fresh()
    if not sys.platform.startswith("linux"):
        return Proven(sandbox, Isolation(1, reason))
    found = tried(sandbox)
    reasons = filter(None, (reason, _failure(found, 1)))
    return Proven(sandbox, Isolation(1, "; ".join(reasons), found))


def _missing(level: int) -> str:
    return lock.missing() or (box.missing() if level == 3 else "")


def _strongest(most: int, begun: Zygote | None, stack: contextlib.ExitStack) -> Proven:
    """The first level from `most` down that keeps its promises; `stack` ends its process."""
    reasons: list[str] = []
    for level in range(most, 1, -1):
        boxed = level == 3
        ready = begun if begun is not None and begun.boxed == boxed else None
        reason = "" if ready else _missing(level)  # `begin` has looked already
        if not reason:
            zygote = ready or Zygote(boxed=boxed)
            found = _kept(zygote, level, stack)
            if not found.reason:
                return Proven(zygote, Isolation(level, "; ".join(reasons), found.probes))
            reason = f"level {NAMES[level]}: {found.reason}"
        if reason not in reasons:
            reasons.append(reason)
    return fresh("; ".join(reasons))


def _kept(zygote: Zygote, level: int, stack: contextlib.ExitStack) -> Isolation:
    """Start a zygote and prove it. Where it fails, it is ended here, and the reason says why."""
    with contextlib.ExitStack() as attempt:
        try:
            attempt.enter_context(zygote)
            found = prove(zygote, level)
        except GraderError as error:
            return Isolation(1, str(error))
        if not found.reason:
            stack.push(attempt.pop_all())
        return found


def prove(zygote: Zygote, level: int) -> Isolation:
    """Probe a zygote for `level`; the `reason` says which promise it does not keep, if any."""
    found = tried(zygote)
    reason = _failure(found, level)
    if not reason:
        try:
            zygote.run({}, _PROBE_LIMITS, kind="warm")
        except SubmissionError as error:
            reason = f"an honest network cannot be captured in it ({error.message})"
    return Isolation(level, reason, found)


def tried(sandbox: Fresh | Zygote, *, without: Iterable[str] = ()) -> tuple[Probe, ...]:
    """Every probe, run in the sandbox now.

    `without` leaves guards of a zygote's lock out, to see what opens.
    """
    with temporary.folder() as folder:
        host_file = folder / nursery.PLANTED
        host_file.write_text(nursery.PLANTED_TEXT)
        hidden = os.environ.keys() - child.environment(folder).keys()
        planted = host_file if isinstance(sandbox, Fresh) else sandbox.planted
        target = Target(
            planted=planted,
            host_file=host_file,
            home=Path.home(),
            descriptors=5,
            environment=frozenset(name for name in hidden if not name.startswith(_SET_BY_OTHERS)),
        )
        ask = sandbox.run
        if isinstance(sandbox, Zygote):
            ask = partial(sandbox.run, without=without)
        try:
            (answer,) = ask(target.to_request(), _PROBE_LIMITS, kind="probes")
        except SubmissionError:
            answer = b""
        return probes.read(answer)


def _failure(found: tuple[Probe, ...], level: int) -> str:
    failed = broken(found, level)
    if not failed:
        return ""
    names = ", ".join(probe.name for probe in failed[:3]) + (", ..." if len(failed) > 3 else "")
    return f"{len(failed)} of {len(found)} probes were not blocked: {names}"


def _refuse_below(require: int | None, found: Isolation) -> None:
    if require is None or found.level >= require:
        return
    raise GraderError(
        f"cannot grade here: isolation level {NAMES[require]} is required, and this machine gives "
        f"{found.name}: {found.reason or 'no higher level was asked for'}. Grade on Linux with "
        "bubblewrap, or require less."
    )
