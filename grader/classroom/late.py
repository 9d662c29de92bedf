"""Who handed in late: what the learning platform says, and nothing that would have to be guessed.

In: submissions, and the end of the deadline where it is known. Out: late, in time, or not known.

Canvas marks a late file in its name. Gradescope says when each was handed in, which is held
against the deadline. The time of a file in a download is when somebody packed it: it says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from grader.errors import SubmissionError
from grader.submission import archive
from grader.submission.people import CANVAS
from grader.submission.submission import Submission, UsageError

_LISTS = ("submission_metadata.yml", "submission_metadata.yaml")
_MOST_LIST = 100 * 2**20
_FOLDER = re.compile(r"(submission_\d+):\s*")
_TIME = re.compile(
    r"  :?created_at:\s*['\"]?(?P<day>\d{4}-\d\d-\d\d)[ T](?P<time>\d\d:\d\d:\d\d)[\d.]*"
    r"\s*(?P<zone>Z|UTC|[+-]\d\d:?\d\d)['\"]?\s*"
)


def of(items: Sequence[Submission], due: datetime | None) -> dict[str, bool | None]:
    """Of each submission, by its name, whether it is late; None where nobody says."""
    lists: dict[Path, dict[str, datetime]] = {}
    return {item.name: _late(item.path, due, lists) for item in items}


def _late(path: Path, due: datetime | None, lists: dict[Path, dict[str, datetime]]) -> bool | None:
    if found := CANVAS.fullmatch(path.name):
        return path.name[found.end("person") :].startswith("_LATE_")
    if due is None:
        return None
    for folder in (path, path.parent):
        if re.fullmatch(r"submission_\d+", folder.name):
            if folder.parent not in lists:
                lists[folder.parent] = _times(folder.parent)
            when = lists[folder.parent].get(folder.name)
            return None if when is None else when > due
    return None


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
