"""Read a folder that holds one person's work. Links are not followed, nothing is executed."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from grader.submission.contents import NOBODYS, Contents, why_not_enter
from grader.submission.source import read_bytes

MOST_DEPTH = 8


def gather(folder: Path) -> Contents:
    """What the folder holds, in the order of names. What cannot be read is among the rest."""
    contents = Contents()
    _look(folder, "", contents)
    return contents


def of_files(files: dict[str, Path]) -> Contents:
    """Files that belong together under names of their own."""
    contents = Contents()
    for name, file in files.items():
        contents.take(name, 0, partial(read_bytes, file))
    return contents


def _look(folder: Path, inside: str, contents: Contents) -> None:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        contents.skipped[f"{inside}./"] = f"it cannot be read: {error.strerror}"
        return
    for entry in entries:
        name = f"{inside}{entry.name}"
        if entry.name in NOBODYS:
            continue
        if not contents.has_room():
            return
        if entry.is_symlink():
            contents.skipped[name] = "a symbolic link"
        elif entry.is_dir(follow_symlinks=False):
            _enter(Path(entry.path), f"{name}/", contents)
        else:
            contents.take(name, _size(entry), partial(read_bytes, Path(entry.path)))


def _size(entry: os.DirEntry[str]) -> int:
    """The size that is told; 0 where the file is gone, which reading it will say."""
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0


def _enter(folder: Path, name: str, contents: Contents) -> None:
    reason = why_not_enter(folder.name)
    # Path.exists raises where a folder may not be looked into.
    if os.path.exists(folder / "pyvenv.cfg"):  # noqa: PTH110 - as said
        reason = "an environment, not the work"
    elif name.count("/") > MOST_DEPTH:
        reason = f"more than {MOST_DEPTH} folders deep"
    if reason:
        contents.skipped[name] = reason
        return
    _look(folder, name, contents)
