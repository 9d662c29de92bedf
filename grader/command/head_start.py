"""Let the sandbox get ready before it is known whether a grading needs it, which takes seconds.

In: what the user asked for. Out: a workroom, begun where the one file that is named looks as if it
had changed since its report was written. That is a guess from names and times alone: a wrong one
costs a fifth of a second of another core, or the head start. Loads next to nothing.
"""

from __future__ import annotations

import glob
import os
import sys
from pathlib import Path

from grader.command.workroom import Workroom
from grader.options import Options
from grader.sandbox import kept

STAYS = (
    f"The sandbox stays ready for {kept.IDLE_SECONDS / 60:.0f} minutes (about 450 MB), so that the "
    "next check takes half the time; --no-stay ends it."
)


def workroom(options: Options) -> Workroom:
    """Where to grade what was asked for. Where it trains, it begins later: that loads torch."""
    room = Workroom(options.require_isolation, trains=not options.static)
    if options.stay is False:
        kept.end()
    if options.static and len(options.paths) == 1 and _seems_changed(options.paths[0], options):
        stays = _is_at_a_terminal() if options.stay is None else options.stay
        room.begin(stays=stays)
    return room


def _is_at_a_terminal() -> bool:
    """Whether a person is likely to ask again soon."""
    return sys.stdout.isatty() and sys.stderr.isatty() and not os.environ.get("CI")


def _seems_changed(path: Path, options: Options) -> bool:
    """Whether it is a file that was saved after every report that may be on it."""
    if path.suffix not in (".py", ".ipynb") or not path.is_file():
        return False
    try:
        saved = path.stat().st_mtime
        reports = options.output.glob(f"*/{glob.escape(path.stem)}*/report.json")
        return options.fresh or all(report.stat().st_mtime < saved for report in reports)
    except OSError:
        return False
