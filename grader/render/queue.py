"""How far a class is: done, running, left, and for how long. In: what begins and ends. Out: a line.

Only what is really graded tells how long the others take: a report that is kept takes no time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from grader.render import words


class Queue:
    """`number` submissions, one after the other; `clock` returns seconds."""

    def __init__(self, number: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._number = number
        self._clock = clock
        self._done = 0
        self._graded: list[float] = []
        self._began = clock()

    @property
    def place(self) -> str:
        """The one that runs, of how many: "3 of 28"; "" where there is only one."""
        return f"{self._done + 1} of {self._number}" if self._number > 1 else ""

    def begin(self) -> None:
        """The next one begins."""
        self._began = self._clock()

    def end(self, *, graded: bool) -> None:
        """It is done; `graded` where it was no report that was kept."""
        if graded:
            self._graded.append(self._clock() - self._began)
        self._done += 1

    def seconds_left(self, of_this_one: float | None = None) -> float | None:
        """For all that is to come; `of_this_one`: what the running one says of itself, if it can.

        None as long as neither it nor an earlier one says how long one takes.
        """
        ran = self._clock() - self._began
        if self._graded:
            each = sum(self._graded) / len(self._graded)
        elif of_this_one is not None:
            each = ran + of_this_one
        else:
            return None
        rest = max(0.0, each - ran) if of_this_one is None else of_this_one
        return rest + each * (self._number - self._done - 1)

    def text(self, of_this_one: float | None = None, *, width: int = 80) -> str:
        """All of it in a line; "" where there is only one.

        "3 of 28 · 2 done · 25 left · about 12 min 30 s to go", or, where that is wider than
        `width`, "3 of 28 · 12 min 30 s to go".
        """
        if self._number == 1:
            return ""
        left = self._number - self._done - 1
        parts = [self.place, f"{self._done} done", f"{left} left"]
        short = [self.place]
        seconds = self.seconds_left(of_this_one)
        if seconds is not None and seconds >= 1:
            parts.append(f"about {words.duration(seconds)} to go")
            short.append(f"{words.duration(seconds)} to go")
        whole = " · ".join(parts)
        return whole if len(whole) <= width else " · ".join(short)
