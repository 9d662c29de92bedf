"""What happens while a submission is graded, live on stderr. In: announcements. Out: calm lines.

On a terminal one block is redrawn in place and vanishes at the end, because the scorecard shows it
all; elsewhere each epoch is one plain line. Nothing runs in a thread: the display moves when it is
told something.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from grader.printable import printable
from grader.render import words
from grader.render.marks import MARKS
from grader.render.plain import Plain
from grader.render.queue import Queue
from grader.report import CheckResult

SECONDS_BETWEEN_FRAMES = 0.125
EPOCHS_SHOWN = 6
COLUMNS = ("seed", "epoch", "accuracy", "loss", "learning rate", "time")
FIRST_LEFT_OUT = ("learning rate", "time", "loss")
"""On a narrow terminal."""

BAR, LEAST_BAR = 28, 8
"""Columns of the bar: usually, and beside the loss."""

GAP = 2
LEAST_OF_NAME = 12
"""Columns, where the rest of the line has no room."""


class TrainingProgress:
    """Shows stages, then training.

    `with TrainingProgress("alice") as progress: progress.stage("Reading the network")`.

    `console` writes to stderr unless given; `quiet` shows nothing; `clock` returns seconds. Several
    seeds may train at once. `queue` knows how many submissions there are, and which one this is.
    """

    def __init__(
        self,
        name: str = "",
        *,
        console: Console | None = None,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
        queue: Queue | None = None,
    ) -> None:
        self._name = printable(name, 40)
        self._queue = queue or Queue(1)
        self._console = console or Console(stderr=True)
        self._quiet = quiet
        self._clock = clock
        self._live: Live | None = None
        self._stage = ""
        self._seeds = self._epochs = self._steps = 0
        self._epoch = 1
        self._done: dict[int, int] = {}
        self._loss: float | None = None
        self._learning_rate = 0.0
        self._rows: list[tuple[str, ...]] = []
        self._began = self._drawn = 0.0

    def __enter__(self) -> Self:
        if not self._quiet and self._console.is_terminal and not self._console.is_dumb_terminal:
            # stdout belongs to --json alone: it is never redirected.
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

    def get_ready(self) -> None:
        """Say, on a terminal alone, that the first stage is about to begin."""
        self._stage = "Getting ready"
        self._draw()

    def stage(self, text: str) -> None:
        """Say what begins now: "Reading the network"."""
        self._stage = printable(text, 120)
        self._seeds = 0
        place = f" ({self._queue.text()})" if self._queue.place else ""
        self._plain(self._stage + place)
        self._draw()

    def check(self, result: CheckResult) -> None:
        """A check is done: one line, which stays. Most are seen long before training ends."""
        if self._quiet:
            return
        mark = MARKS[result.verdict]
        line = Text.assemble(
            (mark.symbol, f"bold {mark.style}"), " ", printable(result.title.rstrip("."), 80)
        )
        if result.measured:
            line.append(f"  {printable(result.measured, 60)}", style="dim")
        self._console.print(Plain(line), soft_wrap=not self._console.is_terminal)

    def start(self, seeds: int, epochs: int, steps_per_epoch: int) -> None:
        """Training begins: `seeds` runs of `epochs` epochs of `steps_per_epoch` batches."""
        self._seeds, self._epochs, self._steps = seeds, epochs, steps_per_epoch
        self._epoch, self._done = 1, {}
        self._loss, self._rows = None, []
        self._began = self._clock()
        self._draw()

    def more_seeds(self, seeds: int) -> None:
        """A close call is given so many seeds in all."""
        self._seeds = seeds

    def step(
        self, seed: int, epoch: int, step: int, loss: float | None, learning_rate: float
    ) -> None:
        """`step` batches (from 1) of `epoch` (from 1) are done. Draws a few times per second."""
        self._move(seed, epoch, step, loss, learning_rate)
        if self._clock() - self._drawn >= SECONDS_BETWEEN_FRAMES:
            self._draw()

    def epoch(
        self,
        seed: int,
        epoch: int,
        correct: int,
        total: int,
        loss: float | None,
        learning_rate: float,
        seconds: float,
    ) -> None:
        """`epoch` is done and read `correct` of `total` test images; it took `seconds`."""
        self._move(seed, epoch, self._steps, loss, learning_rate)
        accuracy, took = words.percent(correct / total), words.duration(seconds)
        self._rows.append(
            (str(seed), str(epoch), accuracy, _loss(loss), f"{learning_rate:.3g}", took)
        )
        name = f"seed {seed}  " if self._seeds > 1 else ""
        rate = f"lr {learning_rate:.3g}"
        self._plain(
            f"{name}epoch {epoch:>2}/{self._epochs}  {accuracy}  loss {_loss(loss)}  {rate}  {took}"
            f"{self._rest()}"
        )
        self._draw()

    def seconds_left(self) -> float | None:
        """How long training still takes at the pace so far; None before the first step."""
        done = self._steps_done()
        if done == 0:
            return None
        pace = (self._clock() - self._began) / done
        return max(0.0, pace * (self._all() - done))

    def _rest(self) -> str:
        """What is left of this training, and of a class."""
        left = self.seconds_left()
        if left is None or left < 1:
            return ""
        everything = self._queue.seconds_left(left) if self._queue.place else None
        of_all = "" if everything is None else f", {words.duration(everything)} for all"
        return f"  ({words.duration(left)} left{of_all})"

    def _steps_done(self) -> int:
        return sum(self._done.values())

    def _all(self) -> int:
        return self._seeds * self._epochs * self._steps

    def _move(
        self, seed: int, epoch: int, step: int, loss: float | None, learning_rate: float
    ) -> None:
        self._done[seed] = (epoch - 1) * self._steps + step
        self._seeds = max(self._seeds, len(self._done))
        self._epoch, self._loss, self._learning_rate = epoch, loss, learning_rate

    def _plain(self, text: str) -> None:
        if self._quiet or self._live is not None:
            return
        name = f"{self._name}: " if self._name else ""
        self._console.print(Plain(Text(name + text)), soft_wrap=True)

    def _draw(self) -> None:
        if self._live is not None:
            self._live.update(Plain(self._frame()), refresh=True)
        self._drawn = self._clock()

    def _frame(self) -> RenderableType:
        """As many lines on a narrow terminal as on a wide one: what moves least is left out."""
        width = self._console.width
        lines: list[RenderableType] = []
        if whole := self._queue.text(self.seconds_left() if self._seeds else None, width=width):
            lines.append(_line(Text(whole, style="dim")))
        doing = self._place(width) if self._seeds else f"{self._stage} …"
        name = Text(self._name, style="bold")
        name.truncate(max(width - len(doing) - 2, LEAST_OF_NAME), overflow="ellipsis")
        lines.append(_line(Text.assemble(name, "  " if name else "", doing)))
        if self._seeds:
            lines.append(self._bar(width))
        if self._seeds and self._rows:
            lines.append(self._table(width))
        return Group(*lines)

    def _place(self, width: int) -> str:
        epoch = f"epoch {self._epoch} of {self._epochs}"
        seeds = f" of {self._seeds} seeds" if self._seeds > 1 else ""
        whole = f"Training: {epoch}{seeds}"
        return whole if len(whole) + GAP + LEAST_OF_NAME <= width else epoch

    def _bar(self, width: int) -> RenderableType:
        """The bar, the loss where there is room, and what is left."""
        done, left = self._steps_done(), self.seconds_left()
        facts = f"loss {_loss(self._loss)}  learning rate {self._learning_rate:.3g}"
        if left is None:
            facts, rest = "", "getting ready to train"
        elif done >= self._all():
            rest = "judging the result"
        else:
            rest = f"{words.duration(left)} left"
        room = width - len(rest) - GAP
        if room < len(facts) + GAP + LEAST_BAR:
            facts = ""
        beside = len(facts) + GAP if facts else 0
        length = min(BAR, max(room - beside, 1))
        bar = ProgressBar(total=self._all(), completed=done, width=length)
        grid = Table.grid(padding=(0, GAP, 0, 0))
        for _ in range(3 if facts else 2):
            grid.add_column(no_wrap=True)
        beside_bar = [Text(facts)] if facts else []
        grid.add_row(bar, *beside_bar, Text(rest, style="dim"))
        return grid

    def _table(self, width: int) -> RenderableType:
        table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="dim")
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in self._rows[-EPOCHS_SHOWN:]]
        names = [name for name in COLUMNS if name != "seed" or self._seeds > 1]
        widths = {name: _widest(name, rows) for name in names}
        for name in FIRST_LEFT_OUT:
            if sum(widths[one] + 3 for one in names) - 3 > width:
                names.remove(name)
        for name in names:
            table.add_column(name, justify="right", no_wrap=True)
        for row in rows:
            table.add_row(*(row[name] for name in names))
        return table


def _line(text: Text) -> Text:
    """It stays one line, whatever is cut off."""
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _loss(loss: float | None) -> str:
    """Four digits; a diverged loss is said to be none."""
    return "none" if loss is None or loss != loss else f"{loss:.4f}"


def _widest(name: str, rows: Sequence[Mapping[str, str]]) -> int:
    """Characters of the widest cell of a column, its head included."""
    return max(len(name), *(len(row[name]) for row in rows))
