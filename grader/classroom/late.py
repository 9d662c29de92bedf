"""Who handed in late: what a platform or a commit says, and nothing that would have to be guessed.

In: submissions, and the end of the deadline where it is known. Out: late, in time, or not known,
and who says so.

Canvas marks a late file in its name. Gradescope says when each was handed in, a clone when its last
commit was made, by the clock of who made it: both are held against the deadline. The time of a file
in a download is when somebody packed it: it says nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from grader.errors import SubmissionError
from grader.submission import archive, clone
from grader.submission.people import CANVAS
from grader.submission.submission import Submission, UsageError

Says = Literal["", "canvas", "gradescope", "commit"]

_LISTS = ("submission_metadata.yml", "submission_metadata.yaml")
_MOST_LIST = 100 * 2**20
_FOLDER = re.compile(r"(submission_\d+):\s*")
_TIME = re.compile(
    r"  :?created_at:\s*['\"]?(?P<day>\d{4}-\d\d-\d\d)[ T](?P<time>\d\d:\d\d:\d\d)[\d.]*"
    r"\s*(?P<zone>Z|UTC|[+-]\d\d:?\d\d)['\"]?\s*"
)


@dataclass(frozen=True, slots=True)
class Lateness:
    """Whether a work is late (None: nobody says), who says so, and when it was handed in."""

    late: bool | None = None
    says: Says = ""
    when: datetime | None = None


def of(
    items: Sequence[Submission], due: datetime | None, folders: Sequence[Path] = ()
) -> dict[str, Lateness]:
    """Of each submission, by its name, whether it is late.

    `folders` hold the class: a clone is a folder in one of them that holds one submission alone.
    """
    lists: dict[Path, dict[str, datetime]] = {}
    clones = {item.name: _clone(item.path, folders) for item in items} if due else {}
    works = Counter(clones.values())
    found = {}
    for item in items:
        own = clones.get(item.name)
        found[item.name] = _by_platform(item.path, due, lists)
        if due is not None and own is not None and works[own] == 1 and not found[item.name].says:
            when = clone.committed(own)
            found[item.name] = _beside(due, "commit", when)
    return found


def _clone(path: Path, folders: Sequence[Path]) -> Path | None:
    """The clone that a submission is, or lies in, within these folders."""
    above = [Path(folder).absolute() for folder in folders]
    for one in (path, *path.parents):
        if not any(folder in one.parents for folder in above):
            return None
        if clone.is_clone(one):
            return one
    return None


def _by_platform(
    path: Path, due: datetime | None, lists: dict[Path, dict[str, datetime]]
) -> Lateness:
    if found := CANVAS.fullmatch(path.name):
        return Lateness(path.name[found.end("person") :].startswith("_LATE_"), "canvas")
    if due is None:
        return Lateness()
    for folder in (path, path.parent):
        if re.fullmatch(r"submission_\d+", folder.name):
            if folder.parent not in lists:
                lists[folder.parent] = _times(folder.parent)
            return _beside(due, "gradescope", lists[folder.parent].get(folder.name))
    return Lateness()


def _beside(due: datetime, says: Says, when: datetime | None) -> Lateness:
    return Lateness() if when is None else Lateness(when > due, says, when)


def _times(folder: Path) -> dict[str, datetime]:
    """When each of Gradescope's folders was handed in, by the list beside them."""
    for name in _LISTS:
        try:
            entry = archive.at(folder / name)
            if entry is not None and not entry.is_folder:
                return times(entry.read(_MOST_LIST).decode("utf-8", "replace"))
        except (SubmissionError, OSError):
            continue
    return {}


def times(text: str) -> dict[str, datetime]:
    """When each folder was handed in, in Gradescope's own YAML."""
    found, folder = {}, ""
    for line in text.splitlines():
        if start := _FOLDER.fullmatch(line):
            folder = start[1]
        elif folder and folder not in found and (said := _TIME.fullmatch(line)):
            zone = said["zone"].replace("Z", "+00:00").replace("UTC", "+00:00")
            found[folder] = datetime.fromisoformat(f"{said['day']}T{said['time']}{zone}")
    return found


def deadline(text: str) -> datetime:
    """The end of a deadline: "2026-11-30 23:59", in this machine's time zone or with its own.

    Raises UsageError.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"--due {text}: write the day and the time, 2026-11-30T23:59, or with its time zone, "
            "2026-11-30T23:59+01:00."
        ) from error
    return found.astimezone(UTC)
