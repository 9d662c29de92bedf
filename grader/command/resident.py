"""Grade a submission statically each time that it is saved: a small resident process.

In: one path. Out: a scorecard after each save, and an exit code. The sandbox stays ready between
two of them: the grader forks a fresh locked child for each capture, as always. The files are looked
at ten times a second: that works on every system and every kind of disk, costs a hundredth of what
a scorecard does, and needs no package.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from grader.assignment import FILE
from grader.command import session
from grader.command.workroom import Workroom
from grader.errors import GraderError
from grader.options import Options
from grader.printable import printable_path
from grader.sandbox import same_code
from grader.submission.submission import UsageError

LOOK_EVERY = 0.1
"""Seconds between two looks."""
SETTLED_AFTER = 0.03
"""What was saved is graded once it has stayed the same for so long. Editors write a file at once;
where one is caught half written, the rest of it is the next save."""
GONE_SECONDS = 60.0
"""An editor may move a file away while it saves; one that stays away so long is not coming back."""
IDLE_SECONDS = 1800.0
MOST_FILES = 2_000
"""That are looked at in a folder."""
_WATCHED = {".py", ".ipynb", ".toml", ".md", ".txt"}

Seen = tuple[tuple[str, int, int, int], ...]
"""Path, time of the last change, size and number of each file."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from: tests have their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def watch(
    options: Options, *, idle_seconds: float = IDLE_SECONDS, clock: Clock | None = None
) -> int:
    """Grade `options.paths`, one path, statically now and after each save, until nobody saves.

    The exit code is that of the last grading; 2 where it could not be graded as it was asked for.
    Raises UsageError where there is nothing to watch, and GraderError.
    """
    (path,) = options.paths
    if not path.exists():
        raise UsageError(f"{printable_path(path)} does not exist.")
    options = replace(options, static=True)
    clock = clock or Clock()
    code = same_code.source_now()
    with Workroom(options.require_isolation) as room:
        room.begin()
        status = 0
        try:
            found = look(path, options.root)
            status = _graded(room, options)
            _get_ready(room)
            session.say(f"Watching {printable_path(path)}; Ctrl-C ends it.")
            while True:
                found = _next(path, options.root, found, idle_seconds, clock)
                if not found:
                    why = "it is gone" if not path.exists() else "nothing was saved for a while"
                    session.say(f"No longer watching {printable_path(path)}: {why}.")
                    return status
                if same_code.source_now() != code:
                    raise GraderError("it was updated meanwhile. Start it again.")
                status = _graded(room, options)
        except KeyboardInterrupt:
            session.say(f"No longer watching {printable_path(path)}.")
            return status


def _get_ready(room: Workroom) -> None:
    """Load and prove what a grading needs, where the first one found its report and needed none."""
    from grader import pipeline  # noqa: F401 - loaded for its effect

    _ = room.sandbox


def _graded(room: Workroom, options: Options) -> int:
    """The exit code of one grading. What the next save may mend does not end the watch."""
    try:
        return session.grade_in(room, options)
    except UsageError as error:
        session.say(str(error), style="red")
        return 2
    except GraderError as error:
        session.say(f"The grader cannot work here: {error}", style="red")
        return 3


def _next(path: Path, root: Path, known: Seen, idle_seconds: float, clock: Clock) -> Seen:
    """The files once they differ from `known` and stay so for a look; () when it is over."""
    began = last_there = clock.now()
    before, cost, pause = known, 0.0, LOOK_EVERY
    while True:
        clock.sleep(max(pause, 20 * cost))  # a large folder is looked at more seldom
        looked = clock.now()
        found = look(path, root)
        now = clock.now()
        cost = now - looked
        if path.exists():
            last_there = now
            if found != known and found == before:
                return found
        if now - last_there >= GONE_SECONDS or now - began >= idle_seconds:
            return ()
        pause = LOOK_EVERY if found == before else SETTLED_AFTER
        before = found


def look(path: Path, root: Path) -> Seen:
    """The state of all that a grading of `path` reads: it, what lies beside it, the assignments."""
    folder = path if path.is_dir() else path.parent
    inside = folder.rglob("*") if path.is_dir() else folder.glob("*")
    files = [path, *sorted((root / "assignments").glob(f"*/{FILE}"))]
    for number, file in enumerate(inside):
        if number >= MOST_FILES:
            break
        if file.suffix in _WATCHED:
            files.append(file)
    seen = []
    for file in files:
        try:
            facts = file.stat()
        except OSError:  # removed between the two
            continue
        seen.append((str(file), facts.st_mtime_ns, facts.st_size, facts.st_ino))
    return tuple(sorted(seen))
