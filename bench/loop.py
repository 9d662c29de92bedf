"""The loop of a student who edits and grades again: `python -m bench.loop [CHECKOUT ...]`. Linux.

Each contender is a checkout of the grader; without any, this one. In every round each takes its
turn, so that whatever else the machine does meets them alike. Timed: `grade --static` on a file
that has not changed, on one that has, and on one that has changed again while the sandbox stays
ready; and `watch` from a save to the new report, of another network and of the same one trained
otherwise. CPU time is that of all processes, also of those in
the box, which the shell's `time` does not see: this process reaps them. It varies less than wall
time, but not on a machine whose cores share a unit with others. Out: Markdown.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated

import typer

ROOT = Path(__file__).parents[1]
SUBMISSION = Path("reference", "mnist_8k", "sub_8k.py")
_SUBREAPER = 36
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_MOST_SECONDS = 120.0
STAYED = "changed, sandbox ready"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds on the clock, and of all processors; of the grader's own process without the box."""

    wall: float
    cpu: float
    own_cpu: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What one checkout took, round by round."""

    checkout: str
    what: str
    timings: tuple[Timing, ...]


def measure(checkouts: Sequence[Path], *, rounds: int) -> list[Row]:
    """Time all contenders in turn."""
    found: dict[tuple[str, str], list[Timing]] = {}
    with tempfile.TemporaryDirectory() as name:
        places = [_place(checkout, Path(name)) for checkout in checkouts]
        for place in places:
            place.grade()  # what is remembered from one command to the next is, before the first
        for _ in range(rounds):
            for what, time_it in _WAYS.items():
                for place in places:
                    if place.can(what):
                        key = (place.checkout.name, what)
                        found.setdefault(key, []).extend(time_it(place))
    return [Row(name, what, tuple(timings)) for (name, what), timings in found.items()]


@dataclass(slots=True)
class _Place:
    """A checkout, a submission of its own and a folder for its reports."""

    checkout: Path
    file: Path
    output: Path
    edits: int = 0
    width: int = 10

    @property
    def report(self) -> Path:
        return self.output / "mnist_8k" / self.file.stem / "report.json"

    def can(self, what: str) -> bool:
        """Whether this grader can do that: older ones cannot watch, nor stay."""
        if what.endswith("watched"):
            return (self.checkout / "grader" / "command" / "resident.py").exists()
        return what != STAYED or (self.checkout / "grader" / "sandbox" / "kept.py").exists()

    def line(self, command: str, *options: str) -> list[str]:
        line = [sys.executable, "-m", "grader", command, str(self.file), *options]
        return [*line, "--assignment", "mnist_8k", "--output", str(self.output)]

    def edit(self, *, network: bool = True) -> None:
        """Another width of the network; or the same one, trained with another batch size."""
        self.edits += 1
        if network:
            self.width += 1
        text = (ROOT / SUBMISSION).read_text(encoding="utf-8")
        for old, new in (
            ("Conv2d(16, 16, 3,", f"Conv2d(16, {self.width}, 3,"),
            ("norm5 = nn.BatchNorm2d(16)", f"norm5 = nn.BatchNorm2d({self.width})"),
            ("Conv2d(16, 10, 1)", f"Conv2d({self.width}, 10, 1)"),
            ("BATCH_SIZE = 128", f"BATCH_SIZE = {128 + self.edits}"),
        ):
            if old not in text:
                raise RuntimeError(f"{SUBMISSION} has no {old!r} any more")
            text = text.replace(old, new)
        self.file.write_text(text, encoding="utf-8")

    def grade(self) -> Timing:
        line = self.line("grade", "--static")
        return _timed(line, self.checkout)


def _place(checkout: Path, folder: Path) -> _Place:
    own = folder / f"{len(list(folder.iterdir()))}"
    own.mkdir()
    place = _Place(checkout.resolve(), own / "sub.py", own / "grades")
    place.edit()
    return place


def _unchanged(place: _Place) -> list[Timing]:
    return [place.grade()]


def _changed(place: _Place) -> list[Timing]:
    place.edit()
    return [place.grade()]


def _stayed(place: _Place) -> list[Timing]:
    """The keeper becomes a child of this process, which counts it, its zygote and what that forks.

    What the box has ended besides, such as bubblewrap itself, was ended when the zygote started.
    """
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    _run(place, "--no-stay")  # one that somebody else has left
    before = set(_children())
    place.edit()
    _run(place, "--stay")
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass  # what bubblewrap has left behind
    keeper = max(set(_children()) - before, key=_used)
    timings = []
    for _ in range(3):
        place.edit()
        used = _used(keeper)
        wall, own = _run(place, "--stay")
        timings.append(Timing(wall, own + _used(keeper) - used, own))
    _run(place, "--no-stay")
    os.waitpid(keeper, 0)
    return timings


def _run(place: _Place, option: str) -> tuple[float, float]:
    """Seconds by the clock, and of the processor in the grader's own process."""
    line = place.line("grade", "--static", option)
    began = time.perf_counter()
    nothing = subprocess.DEVNULL
    child = subprocess.Popen(line, cwd=place.checkout, stdout=nothing, stderr=nothing)  # noqa: S603 - ours
    _, status, own = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - began, own.ru_utime + own.ru_stime


def _children() -> list[int]:
    return [
        int(child)
        for thread in Path("/proc/self/task").iterdir()
        for child in (thread / "children").read_text().split()
    ]


def _saved(place: _Place) -> list[Timing]:
    with _watching(place) as process:
        return [_save(place, process.pid) for _ in range(3)]


def _retrained(place: _Place) -> list[Timing]:
    with _watching(place) as process:
        return [_save(place, process.pid, network=False) for _ in range(3)]


_WAYS: dict[str, Callable[[_Place], list[Timing]]] = {
    "unchanged": _unchanged,
    "changed": _changed,
    STAYED: _stayed,
    "saved, watched": _saved,
    "only trained otherwise, watched": _retrained,
}


def _timed(line: list[str], folder: Path) -> Timing:
    """Run a command below a process that reaps all that descends from it, and counts it."""
    reads, writes = os.pipe()
    process = os.fork()
    if process == 0:
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
        began = time.perf_counter()
        nothing = subprocess.DEVNULL
        child = subprocess.Popen(line, cwd=folder, stdout=nothing, stderr=nothing)  # noqa: S603 - ours
        _, _, own = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)
        whole = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = (wall, whole.ru_utime + whole.ru_stime, own.ru_utime + own.ru_stime)
        os.write(writes, " ".join(map(str, seconds)).encode())
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as said:
        wall, cpu, own_cpu = map(float, said.read().split())
    os.waitpid(process, 0)
    return Timing(wall, cpu, own_cpu)


@contextlib.contextmanager
def _watching(place: _Place) -> Iterator[subprocess.Popen[str]]:
    line = place.line("watch")
    # A shell lets what it starts with & ignore SIGINT, and a child would go on ignoring it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        line, cwd=place.checkout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        _wait_for("Watching", process.stderr)
        _save(place, process.pid)  # the first capture loads torchvision, once
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _wait_for(word: str, lines: IO[str]) -> None:
    for line in lines:
        if word in line:
            return
    raise RuntimeError(f"it ended before it said {word!r}")


def _save(place: _Place, process: int, *, network: bool = True) -> Timing:
    before, used = place.report.stat().st_mtime_ns, _used(process)
    began = time.perf_counter()
    place.edit(network=network)
    while place.report.stat().st_mtime_ns == before:
        if time.perf_counter() - began > _MOST_SECONDS:
            raise RuntimeError("nothing was graded after a save")
        time.sleep(0.005)
    wall = time.perf_counter() - began
    time.sleep(0.3)  # it shows the scorecard
    return Timing(wall, _used(process) - used)


def _used(process: int) -> float:
    """CPU seconds of a process, all below it, and all that they have waited for."""
    folder = Path("/proc", str(process))
    facts = (folder / "stat").read_text().rpartition(")")[2].split()
    seconds = sum(map(int, facts[11:15])) / _TICKS
    for thread in (folder / "task").iterdir():
        children = (thread / "children").read_text().split()
        seconds += sum(_used(int(child)) for child in children)
    return seconds


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The rows as Markdown: medians, with their range in brackets."""
    yield "| grader | file | wall s | CPU s, all processes | of these without the box |"
    yield "| --- | --- | --- | --- | --- |"
    for row in rows:
        wall = _range([one.wall for one in row.timings])
        cpu = _range([one.cpu for one in row.timings])
        own = _range([one.own_cpu for one in row.timings if one.own_cpu is not None])
        yield f"| {row.checkout} | {row.what} | {wall} | {cpu} | {own} |"


def _range(seconds: list[float]) -> str:
    if not seconds:
        return ""
    return f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"


def main(
    checkouts: Annotated[list[Path] | None, typer.Argument(help="this one if none")] = None,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
) -> None:
    """Measure and print."""
    for line in table(measure(checkouts or [ROOT], rounds=rounds)):
        typer.echo(line)
    typer.echo(f"\n{rounds} rounds, each in turn; load {os.getloadavg()[0]:.1f} at the end.")


if __name__ == "__main__":
    typer.run(main)
