"""Rehearse a training: stand-ins in, the student's files run, and what was seen comes out as data.

In: a RehearsalRequest. Out: a Rehearsal. Runs in the locked child, once: torch is not itself after.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import math
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import PurePosixPath
from types import FrameType
from typing import Any

from grader.capture import siblings
from grader.capture.rehearsal import (
    absorbed,
    lightning,
    luck,
    packages,
    programs,
    running,
    stand_ins,
    summary,
    trainer,
)
from grader.capture.rehearsal.guesses import Guesses
from grader.capture.rehearsal.others import Others
from grader.capture.rehearsal.pieces import LEFT, PROGRAM, Pieces
from grader.capture.rehearsal.trace import Trace
from grader.program.rehearsed import Rehearsal, RehearsalRequest

PRINTED = 1_000
"""Characters of the end of what the file prints."""
_LOOK = 0.05
"""Seconds after which somebody looks which line is running, and whether the time is over."""
_GRACE = 5.0
"""Seconds of processor time for the summary, and for a file that does not listen."""


def rehearse(request: RehearsalRequest) -> Rehearsal:
    """Run the whole training of `request.listing` against stand-ins, and say what it did."""
    used_by_now, began = time.process_time, time.process_time()  # a file may replace it
    listing = request.listing
    pieces = Pieces(listing)
    trace = Trace(request)
    finder = Others(pieces, trace.note)
    guesses = Guesses(trace, pieces)
    seen: Counter[int | None] = Counter()
    runner = running.Runner(pieces, finder, guesses.add)
    _lay_out(request)
    used = packages.install(guesses.add, lambda: _asked(pieces), finder.top_names, yes=request.yes)
    lightning.install()
    trainer.install(lambda kind, text: _said_by_lightning(trace, kind, text))
    sys.meta_path.insert(0, finder)
    stand_ins.install(trace, request)
    programs.install(runner.trouble_here)
    vars(builtins)[LEFT] = lambda first, last: _left(trace, first, last)
    vars(builtins)[PROGRAM] = runner.start_program
    sys.argv = [PurePosixPath(listing.main).name]
    printed = running.Tail(PRINTED)
    sys.stdout = sys.stderr = runner.printed = printed
    ends = used_by_now() + request.seconds + _GRACE
    luck.install(request.luck, "\n".join(part.text for part in listing.parts))
    _run(runner, request.seconds, ends, lambda: seen.update([trace.where()]), used_by_now)
    guesses.tell()
    found = summary.summarise(trace, request)
    loops = () if found.trainings else (*absorbed.given_weights(), *absorbed.empty_loops())
    more: dict[str, Any] = {
        "guesses": (*found.guesses, *loops)[:100],
        "backwards": trace.backwards,
        "troubles": (*runner.troubles, *found.troubles)[:100],
        "stand_ins": tuple(sorted(used))[:200],
        "printed": printed.text.encode("utf-8", "replace").decode(),
        "cpu_seconds": used_by_now() - began,
        "out_of_time": runner.out_of_time or found.out_of_time,
        "slowest": _slowest(seen) if runner.out_of_time else None,
    }
    return found.model_copy(update=more)


def _asked(pieces: Pieces) -> packages.Asked:
    file, line = siblings.asking()
    if file != pieces.name:
        return "library"
    return "ready" if pieces.is_ready_for_missing(line) else "student"


def _lay_out(request: RehearsalRequest) -> None:
    """Put what the file may read beside it: it is started in its own folder, or further up."""
    listing = request.listing
    folder = PurePosixPath(listing.main).parent
    data = [part for part in listing.parts if part.cell is None and part.file != listing.main]
    for part in data:
        if not part.file.lower().endswith(".py"):
            running.write(part.file, part.text)
            running.write(str(folder / part.file), part.text)
    with contextlib.suppress(OSError):  # an archive may have names that no disk takes
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - below the child's own folder
        os.chdir(folder)


def _slowest(seen: Counter[int | None]) -> int | None:
    """The student's line that was running most often when somebody looked."""
    lines = [line for line, _ in seen.most_common() if line is not None]
    return lines[0] if lines else None


def _run(
    runner: running.Runner,
    seconds: float,
    ends: float,
    look: Callable[[], object],
    used_by_now: Callable[[], float],
) -> None:
    """Run it, for so many seconds of processor time, and `look` from time to time.

    `ends` is when the system ends it.
    """
    until = used_by_now() + seconds

    def out_of_time(_: int, __: FrameType | None) -> None:
        look()
        if used_by_now() >= until:
            raise running.OutOfTimeError

    if not hasattr(signal, "setitimer"):  # Windows: the grader's own clock is the only limit
        runner.run()
        return
    stop = signal.setitimer  # held here: a student's file may replace it
    _end_at(ends)
    signal.signal(signal.SIGPROF, out_of_time)
    stop(signal.ITIMER_PROF, min(_LOOK, seconds), _LOOK)
    try:
        runner.run()
    except running.OutOfTimeError:
        runner.out_of_time = True
    finally:
        signal.signal(signal.SIGPROF, signal.SIG_IGN)
        stop(signal.ITIMER_PROF, 0)
    gc.enable()


def _end_at(seconds: float) -> None:
    """Let the system end a file that goes on though it heard that its time is over."""
    import resource  # not on Windows

    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    limit = math.ceil(seconds)
    # The second limit ends a file that ignores the signal at the first, and cannot be raised.
    if most == resource.RLIM_INFINITY or limit + 1 < most:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))


def _left(trace: Trace, first: int, last: int) -> None:
    """An error flies through a loop: if a training runs in there, it does not come to its end."""
    error = sys.exception()
    if error is None or isinstance(error, GeneratorExit | running.OutOfTimeError):
        return
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return  # `sys.exit()` in the loop ends the training as `break` does
    training = next((item for item in reversed(trace.trainings) if item.steps), None)
    walk = training.walks[-1][0] if training is not None and training.walks else None
    if training is None or walk is None or training.interrupted:
        return
    if error is not None and any(first <= line <= last for line in walk.stack):
        training.interrupted = f"{type(error).__name__}: {running.said(error)}"
        training.interrupted_at = running.line_of(error, trace.filename)


def _said_by_lightning(trace: Trace, kind: str, text: str) -> None:
    """What a Trainer says of the training that is about to begin, or that an error has ended."""
    record = trace.trainings[-1] if trace.trainings else None
    if kind == "note" or record is None:
        trace.note(text)
    elif kind == "obstacle":
        record.obstacles[text] = trace.where()
    elif record.steps and not record.interrupted:
        record.interrupted = text[:400]
