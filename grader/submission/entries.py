"""Files and folders as they were handed in, on the disk and in archives alike.

In: a path. Out: `Entry`s with their names, what they are, and ways to read them. Links are not
followed, and nothing is executed.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from grader.submission.source import read_bytes

FILE = "a file"
FOLDER = "a folder"
LINK = "a symbolic link"
SPECIAL = "a special file"
_KINDS = {0: FILE, stat.S_IFREG: FILE, stat.S_IFDIR: FOLDER, stat.S_IFLNK: LINK}


def nothing() -> list[Entry]:
    """The entries of what is not a folder."""
    return []


@dataclass(frozen=True, slots=True)
class Entry:
    """What has a name in a folder or an archive.

    In an archive, `path` is the archive's with the name within. `kind` is one of those above.
    `read` takes the most bytes that are wanted and gives at most one more; it raises
    SubmissionError. `entries` are a folder's, by their names; it raises OSError. `is_packed` says
    that it is in an archive.
    """

    path: Path
    kind: str
    size: int
    read: Callable[[int], bytes]
    entries: Callable[[], list[Entry]] = nothing
    is_packed: bool = False

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.name

    @property
    def suffix(self) -> str:
        """The ending, in small letters: ".py"."""
        return self.path.suffix.lower()

    @property
    def is_folder(self) -> bool:
        """Whether it has entries."""
        return self.kind == FOLDER

    @property
    def is_archive(self) -> bool:
        """Whether it is a file that is called an archive."""
        return self.kind == FILE and self.suffix == ".zip"


def kind_of(mode: int) -> str:
    """What a file is, by its mode; 0, where an archive says none, is a file."""
    return _KINDS.get(stat.S_IFMT(mode), SPECIAL)


def on_disk(path: Path) -> Entry:
    """What is at a path. What is gone seems an empty file: reading it will say what it is."""
    try:
        status = path.lstat()
    except OSError:
        return Entry(path, FILE, 0, partial(read_bytes, path))
    kind, size = kind_of(status.st_mode), status.st_size
    return Entry(path, kind, size, partial(read_bytes, path), partial(_scanned, path))


def _scanned(path: Path) -> list[Entry]:
    return [on_disk(entry) for entry in sorted(path.iterdir())]
