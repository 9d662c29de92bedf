"""How far a whole class is, live on stderr. In: what begins and ends. Out: calm lines.

On a terminal one block is redrawn in place and vanishes at the end; elsewhere each submission that
is done is one plain line. Nothing runs in a thread: the display moves when it is told something.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from grader.printable import printable
from grader.render import notices, words
from grader.render.marks import MARKS
from grader.render.plain import Plain
from grader.report import Report, Verdict

SECONDS_BETWEEN_FRAMES = 0.125
MOST_SHOWN = 16
"""Submissions that are shown while they are graded."""
FAILING = (Verdict.FAILED, Verdict.UNKNOWN)


class ClassProgress:
    """A context manager for `number` submissions, several at once.

    `console` writes to stderr unless given; `quiet` shows nothing; `clock` returns seconds.
    """

    def __init__(
        self,
        number: int,
        *,
        console: Console | None = None,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._number = number
        self._console = console or Console(stderr=True)
        self._quiet = quiet
        self._clock = clock
        self._live: Live | None = None
        self._began: float | None = None
        self._drawn = clock()
        self._running: dict[str, tuple[str, str]] = {}
        self._kept = self._graded = self._failed = self._broken = 0

    def __enter__(self) -> Self:
        if not self._quiet and self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                console=self._console, auto_refresh=False, transient=True, redirect_stdout=False
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def kept(self, number: int) -> None:
        """So many reports of earlier runs still stand."""
        self._kept = number
        if number and self._live is None:
            self._say(f"{number} of {self._number} unchanged since they were graded: kept")

    def running(self, key: str, name: str, stage: str, left: float | None = None) -> None:
        """One submission begins or moves on; `left` are the seconds that its training takes."""
        if self._began is None:  # until now, the sandboxes got ready
            self._began = self._clock()
        rest = "" if left is None else f", {words.duration(left)} left"
        self._running[key] = printable(name, 40), printable(stage, 60) + rest
        if self._clock() - self._drawn >= SECONDS_BETWEEN_FRAMES:
            self.draw()

    def done(self, key: str, report: Report) -> None:
        """One submission is graded."""
        self._running.pop(key, None)
        self._graded += 1
        self._failed += report.verdict in FAILING
        self._broken += report.verdict is Verdict.BROKEN
        if self._live is None:
            place = f"{self._kept + self._graded}/{self._number}"
            mark = MARKS[report.verdict]
            points = f"{words.points(report.points)} / {words.points(report.max_points)}"
            text = f"{place:>9}  {mark.symbol} {notices.name(report)}: {mark.words}, {points}"
            self._say(f"{text}{self._to_go()}")
        self.draw()

    def gone(self, key: str) -> None:
        """Something that is not one of the submissions is no longer looked at."""
        self._running.pop(key, None)
        self.draw()

    def seconds_left(self) -> float | None:
        """For all that are not done, at the pace so far; None before the first is."""
        if not self._graded or self._began is None:
            return None
        left = self._number - self._kept - self._graded
        return (self._clock() - self._began) / self._graded * left

    def draw(self) -> None:
        """Show how far everything is now."""
        if self._live is not None:
            self._live.update(Plain(self._frame()), refresh=True)
        self._drawn = self._clock()

    def _to_go(self) -> str:
        left = self.seconds_left()
        return f" · about {words.duration(left)} to go" if left and left >= 1 else ""

    def _frame(self) -> RenderableType:
        finished = self._kept + self._graded
        facts = [f"{finished:,} of {self._number:,} done", f"{len(self._running)} running"]
        counted = ((self._kept, "kept"), (self._failed, "failed"), (self._broken, "broken"))
        facts += [f"{number:,} {what}" for number, what in counted if number]
        line = Text(" · ".join(facts), style="bold").append(self._to_go(), style="dim")
        bar = ProgressBar(total=self._number, completed=finished, width=40)
        table = Table.grid(padding=(0, 2, 0, 0))
        for name, stage in list(self._running.values())[:MOST_SHOWN]:
            table.add_row(Text(f"  {name}"), Text(stage, style="dim"))
        return Group(line, bar, table) if self._running else Group(line, bar)

    def _say(self, text: str) -> None:
        if not self._quiet:
            self._console.print(Plain(Text(text)), soft_wrap=True)
