"""Find the strongest sandbox that this machine gives, and prove it.

In: the least level that is required. Out: a sandbox whose level was tried just now. A level counts
only when every attack that it promises to block was tried and blocked; else the next lower level is
used, and says why. Whether an honest network can be captured in it is tried before anything is held
against a submission, which most never come to; where it cannot, the next lower level is used.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

from grader.errors import GraderError, SubmissionError
from grader.sandbox import box, child, kept, lock, nursery, probes, temporary
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


@dataclass(slots=True)
class Proven:
    """A sandbox, and the level that it was shown to keep just now.

    `lower` gives the next lower level, and takes the reason; None where there is nothing to show:
    at level 1, and once an honest network was captured.
    """

    sandbox: Fresh | Zygote
    isolation: Isolation
    lower: Callable[[str], Proven] | None = None

    def run(
        self,
        request: Mapping[str, Any],
        limits: Limits | None = None,
        *,
        prepare: Sequence[str] = (),
        kind: str = "capture",
        blobs: Sequence[bytes] = (),
    ) -> tuple[bytes, ...]:
        """As the sandbox answers, which may first become one of a lower level.

        Raises GraderError where that is not enough.
        """
        if kind == "rehearse":  # it does not fail: what a lock spoils would look like the training
            while self._try_honest():
                pass
        try:
            return self.sandbox.run(request, limits, prepare=prepare, kind=kind, blobs=blobs)
        except (SubmissionError, GraderError):
            if not self._try_honest():
                raise
        return self.run(request, limits, prepare=prepare, kind=kind, blobs=blobs)

    def _try_honest(self) -> bool:
        """Capture an honest network, once; whether that failed, so that this is a lower level."""
        lower, self.lower = self.lower, None
        if lower is None:
            return False
        try:
            self.sandbox.run({}, _PROBE_LIMITS, kind="warm")
        except SubmissionError as error:
            reason = f"an honest network cannot be captured in it ({error.message})"
        except GraderError as error:
            reason = str(error)
        else:
            return False
        self.lower = lower  # where the next level is refused, this one is still of no use
        found = lower(reason)
        self.sandbox, self.isolation, self.lower = found.sandbox, found.isolation, found.lower
        return True


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
        yield _Choice(require, begun, stack).strongest(most)


def begin(most: int = 3, *, stays: bool = False) -> Zygote | None:
    """Start the strongest sandbox that may work, and return at once.

    It gets ready while the grader loads torch. What killed runs have left is removed first. Where
    it `stays`, the next grading finds it ready, and this one what an earlier one has left.
    """
    temporary.sweep()
    for level in range(most, 1, -1):
        if not _missing(level):
            boxed = level == 3
            if stays and (lent := kept.borrowed(boxed=boxed) or kept.started(boxed=boxed)):
                return lent
            zygote = Zygote(boxed=boxed)
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


@dataclass(frozen=True, slots=True)
class _Choice:
    """What is looked for: at least level `require`. `stack` ends what is started."""

    require: int | None
    begun: Zygote | None
    stack: contextlib.ExitStack

    def strongest(self, most: int, reasons: tuple[str, ...] = ()) -> Proven:
        """The first level from `most` down that keeps its promises; `reasons`: why none above.

        Raises GraderError when it is below what is required.
        """
        found = None
        for level in range(most, 1, -1):
            found, reason = self._tried(level, reasons)
            if found is not None:
                break
            if reason not in reasons:
                reasons = (*reasons, reason)
        if found is None:
            found = fresh("; ".join(reasons))
        _refuse_below(self.require, found.isolation)
        return found

    def _tried(self, level: int, reasons: tuple[str, ...]) -> tuple[Proven | None, str]:
        """A sandbox of that level, started and probed; else None, and why not."""
        boxed = level == 3
        ready = self.begun if self.begun is not None and self.begun.boxed == boxed else None
        reason = "" if ready else _missing(level)  # `begin` has looked already
        if reason:
            return None, reason
        zygote = ready or Zygote(boxed=boxed)
        found = _kept(zygote, level, self.stack)
        if found.reason:
            return None, f"level {NAMES[level]}: {found.reason}"

        def lower(reason: str) -> Proven:
            zygote.close()
            return self.strongest(level - 1, (*reasons, f"level {NAMES[level]}: {reason}"))

        return Proven(zygote, Isolation(level, "; ".join(reasons), found.probes), lower), ""


def _kept(zygote: Zygote, level: int, stack: contextlib.ExitStack) -> Isolation:
    """Start a zygote and probe it. Where it fails, it is ended here, and the reason says why."""
    with contextlib.ExitStack() as attempt:
        try:
            attempt.enter_context(zygote)
            probed = tried(zygote)
        except GraderError as error:
            return Isolation(1, str(error))
        found = Isolation(level, _failure(probed, level), probed)
        if not found.reason:
            stack.push(attempt.pop_all())
        return found


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
