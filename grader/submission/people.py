"""What submissions are called: a name for people, and one that is safe for a folder.

In: submissions as they were found. Out: the same ones, named: no two of an assignment alike.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from grader.printable import printable_path
from grader.submission.submission import Submission

PLATFORM = re.compile(r"(?P<person>.+?)_(?P<number>\d+)_assignsubmission_[a-z]+_*")
"""A folder of Moodle's "download all submissions", with everybody's in a folder of their own."""

MOODLE_FILE = re.compile(
    r"(?P<person>.+?)_(?P<number>\d+)_assignsubmission_[a-z]+_(?P<file>[^/]+\.[^/]+)", re.DOTALL
)
"""A file of Moodle's download without folders: everybody's in one."""

CANVAS = re.compile(
    r"(?P<person>[^\W\d_][^\W_]*)(?:_LATE)?_(?P<number>\d{3,})_(?P<upload>\d{3,})_(?P<file>.+)",
    re.DOTALL,
)
"""A file of Canvas's "download submissions": everybody's in one folder."""


def named(submissions: list[Submission], root: Path) -> list[Submission]:
    """The same submissions, each with a name that is safe for a folder and its own, and `shown`."""
    shown = _shown(submissions)
    seen = Counter((one.assignment, one.name.casefold()) for one in submissions)
    return [
        replace(one, shown=printable_path(Path(name)))
        if _is_plain(one.name)
        and seen[one.assignment, one.name.casefold()] == 1
        and _person(one.path) is None
        else replace(one, name=_with_suffix(one, name, root), shown=printable_path(Path(name)))
        for one, name in zip(submissions, shown, strict=True)
    ]


def _shown(submissions: Sequence[Submission]) -> list[str]:
    """The name of each for people. Equal ones are told apart by what differs in their paths."""
    names = [_person(one.path) or one.name for one in submissions]
    names = _apart(submissions, names, _differing)
    names = _apart(submissions, names, _paths)
    counted: Counter[tuple[str, str]] = Counter()
    final = []
    for one, name in zip(submissions, names, strict=True):
        key = one.assignment, _folded(name)
        counted[key] += 1
        number = f" ({counted[key]})" if counted[key] > 1 else ""
        final.append(f"{name}{number}")
    return final


def _apart(
    submissions: Sequence[Submission],
    names: Sequence[str],
    path_parts: Callable[[Sequence[Submission]], Sequence[Sequence[str]]],
) -> list[str]:
    """The same names, but parts of their paths for those that are equal."""
    groups: dict[tuple[str, str], list[int]] = {}
    for place, (one, name) in enumerate(zip(submissions, names, strict=True)):
        groups.setdefault((one.assignment, _folded(name)), []).append(place)
    found = list(names)
    for places in groups.values():
        if len(places) > 1:
            parts = path_parts([submissions[place] for place in places])
            for place, part in zip(places, parts, strict=True):
                found[place] = "/".join(part) or found[place]
    return found


def _differing(group: Sequence[Submission]) -> list[list[str]]:
    """Of each path the steps that not all have, counted from the file upwards."""
    steps = [path[::-1] for path in _paths(group)]
    kept: list[list[str]] = [[] for _ in group]
    for place in range(max(map(len, steps))):
        column = [path[place] if place < len(path) else "" for path in steps]
        if len(set(column)) > 1:
            for own, step in zip(kept, column, strict=True):
                own.extend([step] if step else [])
    return [own[::-1] for own in kept]


def _paths(group: Sequence[Submission]) -> list[list[str]]:
    """Of each the folders after those that all are in, and the file without its ending."""
    common = Path(os.path.commonpath([one.path.parent for one in group]))
    return [[*one.path.parent.relative_to(common).parts, one.path.stem] for one in group]


def _person(path: Path) -> str | None:
    """Whom a learning platform's folder or file is named after."""
    for name in (path.parent.name, path.name):
        if found := PLATFORM.fullmatch(name):
            return found["person"]
    found = MOODLE_FILE.fullmatch(path.name) or CANVAS.fullmatch(path.name)
    return found["person"] if found else None


def within(root: Path, file: Path) -> Path:
    """The path from `root` on, if the file is in it; else the whole path."""
    return file.relative_to(root) if file.is_relative_to(root) else file


def _folded(name: str) -> str:
    """What two names that look the same have in common; "Anna" and "anna" differ."""
    return unicodedata.normalize("NFC", name)


def _is_plain(name: str) -> bool:
    # A name that looks as if it had a suffix gets one too, so that nobody can take another file's.
    plain = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", name)
    return plain is not None and not _SUFFIX.search(name)


_SUFFIX = re.compile(r"-[0-9a-f]{12}\Z")


def address(file: Path, root: Path) -> str:
    """Twelve hexadecimal digits that stand for where the file is (within the project, if it is)."""
    return hashlib.sha256(os.fsencode(within(root, file))).hexdigest()[:12]


def _with_suffix(submission: Submission, shown: str, root: Path) -> str:
    """The plain part of the name, and a hash of the file's place."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", shown[:200]).strip("-")[:40] or "submission"
    return f"{plain}-{address(submission.path, root)}"
