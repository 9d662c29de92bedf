"""Processes that grade a class side by side: start them, hand out submissions, hear of each.

In: an `Order`, submissions. Out: `News` of them, as it comes. No torch here. A process that dies
takes one submission with it, and another takes its place.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from grader import report
from grader.command.order import Order
from grader.errors import GraderError
from grader.printable import last_line
from grader.report import Report
from grader.sandbox import same_code
from grader.sandbox.ending import by_signal
from grader.submission import carried
from grader.submission.submission import Submission
from grader.training.worker import wire
from grader.training.worker.wire import Message

PROGRAM = Path(__file__).with_name("assistant.py")
SECONDS_BETWEEN_LOOKS = 0.25
"""Without news, one looks at the clock so often."""
END_SECONDS = 15.0
"""That assistants may take to end what they do: a locked child, a training."""


@dataclass(frozen=True, slots=True)
class Task:
    """A submission, and the address of its report; "": a report that is not to be kept."""

    item: Submission
    address: str = ""


@dataclass(frozen=True, slots=True)
class News:
    """What is heard of a task.

    `stage` says what is done now; in training, `left` are the seconds that it still takes. At the
    end there is a `report`, or why there is none: the assistant is `lost`. `unwritten` says why the
    report could not be kept.
    """

    task: Task
    stage: str = ""
    left: float | None = None
    report: Report | None = None
    lost: str = ""
    unwritten: str = ""


class Assistants:
    """A context manager: at its end, however it comes about, all processes have ended."""

    def __init__(self, order: Order, *, threads: int, program: Path = PROGRAM) -> None:
        """`threads` are those of each process; `order.side_by_side` says how many there are."""
        self.isolation: tuple[str, str] = ("", "")
        self._order = order
        self._threads = threads
        self._program = program
        self._news: queue.Queue[tuple[_Assistant, Message | None]] = queue.Queue()
        self._all: list[_Assistant] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in self._all:
            one.dismiss()
        deadline = time.monotonic() + END_SECONDS
        for one in self._all:
            one.end(max(0.0, deadline - time.monotonic()))
        self._all.clear()

    def grade(self, tasks: Iterable[Task]) -> Iterator[News | None]:
        """Have the tasks graded; None in between, when a while went by without news.

        Raises GraderError where no assistant can work.
        """
        waiting = deque(tasks)
        self._hire(min(self._order.side_by_side, len(waiting)))
        while waiting or any(one.task for one in self._all):
            try:
                who, message = self._news.get(timeout=SECONDS_BETWEEN_LOOKS)
            except queue.Empty:
                yield None
                continue
            if message is None:
                yield from self._replaced(who, waiting)
            elif message.kind == "ready":
                same_code.check(message.facts)
                who.begin(self._order)
                who.take(waiting)
            elif message.kind == "proven":
                self.isolation = str(message.facts["name"]), str(message.facts["reason"])
                who.has_begun = True
            elif message.kind == "cannot":
                raise GraderError(str(message.facts["message"]))
            elif who.task is not None:
                yield _heard(who.task, message)
                if message.kind == "done":
                    who.take(waiting)

    def _hire(self, number: int) -> None:
        for _ in range(number):
            self._all.append(_Assistant(self._program, self._threads, self._news))

    def _replaced(self, who: _Assistant, waiting: deque[Task]) -> Iterator[News]:
        """Let another one go on, where an assistant has died that had begun."""
        self._all.remove(who)
        was_dismissed = who.is_dismissed
        ending = who.end(END_SECONDS)
        if was_dismissed:
            return
        if not who.has_begun:
            raise GraderError(f"A process that grades did not start: it {ending}.")
        if who.task is not None:
            yield News(who.task, lost=f"The process that graded it {ending}.")
        if waiting:
            self._hire(1)


def _heard(task: Task, message: Message) -> News:
    if message.kind == "done":
        found = report.read(bytes(message.blobs[0]))
        return News(task, report=found, unwritten=str(message.facts["unwritten"]))
    if message.kind == "training":
        left = message.facts["left"]
        return News(task, stage="Training", left=None if left is None else float(left))
    return News(task, stage=str(message.facts["text"]))


class _Assistant:
    """One process, alone in its session, so that Ctrl-C reaches the grader and not this one.

    Its `news` are put into a queue, by a thread that reads them: None is the end.
    """

    def __init__(
        self, program: Path, threads: int, news: queue.Queue[tuple[_Assistant, Message | None]]
    ) -> None:
        self.task: Task | None = None
        self.has_begun = False
        self.is_dismissed = False
        with contextlib.ExitStack() as undo:
            self._errors = undo.enter_context(tempfile.TemporaryFile())
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
                [sys.executable, "-I", "-B", "-W", "ignore", str(program)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=_environment(threads),
                start_new_session=True,
            )
            undo.pop_all()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin: IO[bytes] = self._process.stdin
        self._stdout: IO[bytes] = self._process.stdout
        self._news = news
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def begin(self, order: Order) -> None:
        """Tell it what all submissions have in common."""
        self._say(Message("order", order.to_facts()))

    def take(self, waiting: deque[Task]) -> None:
        """Give it the next submission; without one, it may go."""
        self.task = waiting.popleft() if waiting else None
        if self.task is None:
            self.dismiss()
            return
        blob = carried.to_json(self.task.item)
        self._say(Message("grade", {"address": self.task.address}, (blob,)))

    def dismiss(self) -> None:
        """Let it end, whatever it is doing."""
        self.is_dismissed = True
        with contextlib.suppress(OSError):
            self._stdin.close()

    def end(self, seconds: float) -> str:
        """Wait so long for its end, then kill it; how it ended, after "it"."""
        self.dismiss()
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._thread.join()
        self._stdout.close()
        with self._errors:
            self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - 2**12))
            last = last_line(self._errors.read())
        said = f": {last}" if last else ""
        if status < 0:
            return f"was ended by {by_signal(-status)}{said}"
        return f"ended early (status {status}){said}"

    def _say(self, message: Message) -> None:
        """Send a message. That the process is gone is noticed by who reads."""
        with contextlib.suppress(OSError, ValueError):
            wire.send(self._stdin, message)

    def _read(self) -> None:
        with contextlib.suppress(EOFError, ValueError, OSError):
            while True:
                self._news.put((self, wire.receive(self._stdout)))
        self._news.put((self, None))


def _environment(threads: int) -> dict[str, str]:
    """The user's own, with so many threads for whatever computes."""
    own = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)
    )
    return {**own, **os.environ}
