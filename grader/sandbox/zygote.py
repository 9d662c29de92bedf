"""One trusted process for a whole session, which forks a locked child for each request.

In: requests. Out: the parts of each reply, or a SubmissionError. Trusts the zygote, and nothing
that a child wrote. The grader hands the zygote open descriptors, so that neither request nor reply
pass through it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from grader.errors import GraderError
from grader.printable import last_line
from grader.sandbox import (
    box,
    child,
    ending,
    frames,
    listening,
    nursery,
    reply,
    same_code,
    temporary,
)
from grader.sandbox.ending import Ending, Limits

START_SECONDS = 180.0
_END_SECONDS = 1.0


class Zygote:
    """A context manager; `run` answers one request at a time.

    `boxed`: inside bubblewrap, which ends with the thread that started it.
    """

    def __init__(self, *, boxed: bool = False) -> None:
        self.boxed = boxed
        self.folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._clean: weakref.finalize[..., Zygote] | None = None
        self._ready = False

    @property
    def planted(self) -> Path:
        """A file next to the children's folders, as they would see it: no child may read it."""
        assert self.folder is not None
        if self.boxed:
            return Path("/tmp", nursery.PLANTED)  # noqa: S108 - the box's own
        return self.folder / "zygote" / nursery.PLANTED

    @property
    def control(self) -> socket.socket:
        """Where requests are sent, once it was started."""
        assert self._control is not None
        return self._control

    def __enter__(self) -> Self:
        if self._control is None:
            self.start()
        self.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the zygote, and return while it still imports torch."""
        self.close()
        self.folder = temporary.make()
        inside = self.folder / "zygote"
        inside.mkdir()
        environment = child.environment(inside)
        command = [sys.executable, "-I", "-B", "-W", "ignore", str(child.PROGRAM), "zygote"]
        if self.boxed:
            command = box.command(command, environment)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, contextlib.ExitStack() as undo, (self.folder / "errors").open("wb") as errors:
            undo.callback(temporary.remove, self.folder)
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
                command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=inside,
                env=environment,
                start_new_session=True,
            )
            undo.pop_all()
        self._control = ours
        self._clean = weakref.finalize(self, _clean, ours, self._process, self.folder)

    def wait(self) -> None:
        """Wait until the zygote can fork. Raises GraderError when it cannot be had."""
        if self._ready:
            return
        assert self._control is not None
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        if not poll.poll(START_SECONDS * 1000):
            raise self._lost(f"it was not ready after {START_SECONDS:.0f} seconds")
        message, _ = nursery.receive(self._control)
        if message is None or message.get("ready") is not True:
            raise self._lost("it ended while it started")
        try:
            same_code.check(message.get("code"))
        except GraderError:
            self.close()
            raise
        self._ready = True

    def run(
        self,
        request: Mapping[str, Any],
        limits: Limits | None = None,
        *,
        prepare: Sequence[str] = (),
        kind: str = "capture",
        blobs: Sequence[bytes] = (),
        without: Iterable[str] = (),
    ) -> tuple[bytes, ...]:
        """The parts that a locked child answers with.

        `prepare` names packages that the zygote imports first, once for all later children.
        `blobs` are bytes that the request is about.
        `without` leaves guards out of the child's lock: for tests. Raises SubmissionError, and
        GraderError when the zygote fails; the next call then starts another.
        """
        limits = limits or Limits()
        if not self._ready:
            self.start()
            self.wait()
        nonce = secrets.token_bytes(reply.NONCE_BYTES)
        order = {
            "kind": kind,
            "nonce": nonce.hex(),
            "seconds": limits.seconds,
            "memory_bytes": limits.memory_bytes,
            "prepare": list(prepare),
            "without": sorted(without),
        }
        try:
            asked = [json.dumps(dict(request)).encode(), *blobs]
            found = self._converse(order, asked, limits)
        except BaseException:  # also Ctrl-C: in the middle of a request, a zygote is of no more use
            self.close()
            raise
        return ending.parts(found, nonce, limits)

    def _converse(self, order: dict[str, Any], request: Sequence[bytes], limits: Limits) -> Ending:
        assert self._control is not None
        said = _memory(request)
        answer, answers = os.pipe()
        printed, prints = os.pipe()
        try:
            try:
                nursery.send(self._control, order, [said, answers, prints])
            except OSError as error:
                raise self._lost("it ended") from error
            finally:
                for descriptor in (said, answers, prints):
                    os.close(descriptor)
            return listening.listen(self._control, order["nonce"], answer, printed, limits)
        except ConnectionError as error:
            raise self._lost(str(error)) from error
        finally:
            os.close(answer)
            os.close(printed)

    def _lost(self, why: str) -> GraderError:
        """The error for a zygote that cannot be used; closes what is left of it."""
        last = ""
        if self.folder:
            with contextlib.suppress(OSError):
                last = last_line((self.folder / "errors").read_bytes())
        self.close()
        text = f"The process that captures submissions cannot be used: {why}."
        if last:
            text += f" Its last words: {last}"
        return GraderError(text)

    def close(self) -> None:
        """End the zygote and every child, and remove its folder.

        At the latest, this happens when Python ends.
        """
        if self._process is not None and not self._ready:
            _kill(self._process)  # it would hear of its end only when it is ready
        self._ready = False
        if self._clean is not None:
            self._clean()
        self._clean = self._control = self._process = self.folder = None


def _memory(parts: Sequence[bytes]) -> int:
    """A descriptor to read a frame from: no file, and no writer that could be kept waiting."""
    descriptor = os.memfd_create("request")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        frames.write(file, parts)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _clean(control: socket.socket, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Let the zygote end itself, which it does when its socket closes; kill it when it does not."""
    control.close()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        _kill(process)
        process.wait()
    temporary.remove(folder)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it and its whole group, which is its own.

    A bwrap that is killed while it begins leaves a child that waits for it for ever: only later is
    that one bound to end with its parent.
    """
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
