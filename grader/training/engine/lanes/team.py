"""Threads that do each their part of one piece of work after the other.

They are Python's, and wait for work on a lock; what they call into lets go of the interpreter.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

Part = Callable[[int], None]
"""The work of the thread of that number."""


class Team:
    """`threads` of them, of which the caller is the first."""

    def __init__(self, threads: int) -> None:
        self._part: Part | None = None
        self._errors: list[BaseException] = []
        self._begin = [threading.Semaphore(0) for _ in range(1, threads)]
        self._end = threading.Semaphore(0)
        self._threads = [
            threading.Thread(target=self._work, args=(number,), daemon=True)
            for number in range(1, threads)
        ]
        for thread in self._threads:
            thread.start()

    def run(self, part: Part) -> None:
        """Let every thread do its part; returns when all are done, and raises what one raised."""
        self._part = part
        for begin in self._begin:
            begin.release()
        try:
            part(0)
        finally:
            for _ in self._begin:
                self._end.acquire()
        if self._errors:
            raise self._errors.pop()

    def close(self) -> None:
        """End the threads."""
        self._part = None
        for begin in self._begin:
            begin.release()
        for thread in self._threads:
            thread.join()
        self._begin.clear()

    def _work(self, number: int) -> None:
        begin = self._begin[number - 1]
        while True:
            begin.acquire()
            part = self._part
            if part is None:
                return
            try:
                part(number)
            except BaseException as error:
                self._errors.append(error)
            self._end.release()
