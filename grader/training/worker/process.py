"""One training process: start it, speak with it, end it; and say in words how it ended.

In: messages (`grader.training.worker.wire`). Out: messages, or a SubmissionError or GraderError. No
torch here.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from grader.errors import GraderError, SubmissionError
from grader.printable import last_line
from grader.sandbox import same_code
from grader.sandbox.ending import by_signal
from grader.training.worker.wire import Inbox, Message, send

PROGRAM = Path(__file__).with_name("worker.py")

KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "MALLOC_TOP_PAD_": str(2**26),
}
"""glibc hands freed memory back to the system and fetches it again, page by page, 4,000 times a
step: a fifth of the time. So it keeps what it has; 2**25 is the largest threshold that it takes.
Other C libraries ignore these names."""
LARGE_PAGES = "glibc.malloc.hugetlb=1"
"""And it asks for pages of 2 MiB (glibc 2.35 and later)."""
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "10000"}
"""OpenMP's threads watch for work for a moment, then sleep. Watching for long, as they do by
default, they take the cores from each other as soon as another process runs: some 300 ms a step
instead of 110. See docs/speed.md."""


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """The environment of a training process, from the grader's own; what the user set stays."""
    tunables = [text for text in (given.get("GLIBC_TUNABLES"), LARGE_PAGES) if text]
    return {**KEEP_MEMORY, **WAITING, **given, "GLIBC_TUNABLES": ":".join(tunables)}


class Process:
    """A process that runs `program` and has not yet said that it is ready.

    It is alone in its session, so that Ctrl-C reaches the grader and not this process.
    """

    def __init__(self, program: Path = PROGRAM) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
            [sys.executable, "-I", "-B", "-W", "ignore", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(os.environ),
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._stdin = self._process.stdin
        self._inbox = Inbox(self._process.stdout)
        self._tail = _Tail(self._process.stderr)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def wait_until_ready(self, seconds: float) -> None:
        """Wait until it has started. Raises GraderError when it does not, or runs other code."""
        try:
            first = self._inbox.get(timeout=seconds)
        except TimeoutError:
            raise GraderError(
                f"The training process did not start within {seconds:,.0f} s."
            ) from None
        except (EOFError, ValueError):
            first = None
        if first is None or first.kind != "ready":
            raise GraderError(f"The training process did not start: it {self._ending()}.")
        same_code.check(first.facts)

    def say(self, message: Message) -> None:
        """Send a message. That the process is gone is noticed by who waits for the answer."""
        with contextlib.suppress(OSError):
            send(self._stdin, message)

    def hear(self, seconds: float) -> Message:
        """The next message, which must come within `seconds`.

        Raises SubmissionError when there is none, the process has died, or it says that training
        cannot go on; GraderError when it says that the fault is the grader's.
        """
        try:
            message = self._inbox.get(timeout=seconds)
        except TimeoutError:
            raise SubmissionError(
                f"Training did nothing for {seconds:,.0f} s and was stopped: not one step, or one "
                "look at the test images, was done in that time. Make the network or its batches "
                "smaller."
            ) from None
        except EOFError:
            raise self._death() from None
        except ValueError as error:
            raise SubmissionError(
                f"The training process answered nonsense and was stopped ({error})."
            ) from error
        if message.kind == "error":
            raise _reported(message)
        return message

    def end(self) -> None:
        """Kill it, wait for it, and close its pipes. May be called again."""
        self._process.kill()
        self._process.wait()
        self._inbox.close()
        self._tail.close()
        with contextlib.suppress(OSError):  # what was still to be sent has no reader
            self._stdin.close()

    def _death(self) -> SubmissionError:
        return SubmissionError(
            f"The training process {self._ending()}. The grader trains one submission in one "
            "process; this one took it down: look for layers, batches or indices that are far too "
            "large."
        )

    def _ending(self) -> str:
        """How it ended, after "it"."""
        try:
            status = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "closed its pipe"
        last = self._tail.last_line()
        said = f": {last}" if last else ""
        if status < 0:
            return f"was ended by {by_signal(-status)}{said}"
        return f"ended early (status {status}){said}"


def _reported(message: Message) -> SubmissionError | GraderError:
    text, line = str(message.facts.get("message")), message.facts.get("line")
    if message.facts.get("fault") == "submission":
        known = type(line) is int and line > 0  # True is an int to isinstance
        own_line = line if known else None
        return SubmissionError(text[:4000], line=own_line)
    return GraderError(f"The training process failed: {text[:4000]}")


class _Tail:
    """Reads a pipe to its end in a thread, and remembers its last bytes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._kept = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def last_line(self) -> str:
        """The last line that is not empty."""
        self._thread.join(timeout=1)
        return last_line(self._kept)

    def close(self) -> None:
        """Wait for the end, which the process must have reached."""
        self._thread.join()
        self._stream.close()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while block := self._stream.read1(2**12):  # type: ignore[attr-defined] # buffered
                self._kept = (self._kept + block)[-(2**12) :]
