"""Temporary folders that a killed run does not leave behind for ever.

In: nothing. Out: a folder that is ours for as long as this process lives. Each holds a file that is
locked while its process is there: the kernel lets go of the lock with the process, however that
ended. The next run removes the folders whose lock nobody holds, and no others.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from grader.sandbox import removal

try:
    import fcntl
except ImportError:  # Windows: there nothing is locked, so nothing is swept
    fcntl = None  # type: ignore[assignment]

PREFIX = "grader-"
MARKER = ".held-by-grader"

_held: dict[Path, int] = {}
"""The descriptor that holds each folder's lock."""


def make(place: Path | None = None, *, prefix: str = PREFIX) -> Path:
    """A new folder in `place` (the temporary folder), and our claim to it.

    `remove` gives both back.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    if fcntl is not None:
        # A folder without the claim's own name is never swept: it gets that name when it is locked.
        unnamed = folder / f"{MARKER}.new"
        descriptor = os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unnamed.rename(folder / MARKER)
            _held[folder] = descriptor
        except OSError:  # a file system without locks: the folder is only not swept
            os.close(descriptor)
    return folder


def remove(folder: Path) -> None:
    """Remove a folder of `make`, whatever it holds."""
    removal.remove(folder)
    descriptor = _held.pop(folder, None)
    if descriptor is not None:
        os.close(descriptor)


@contextlib.contextmanager
def folder(place: Path | None = None, *, prefix: str = PREFIX) -> Iterator[Path]:
    """A folder for a `with`."""
    made = make(place, prefix=prefix)
    try:
        yield made
    finally:
        remove(made)


def sweep(place: Path | None = None, *, prefix: str = PREFIX) -> list[Path]:
    """Remove the folders that killed runs of this user have left in `place`; returns them."""
    if fcntl is None:
        return []
    swept = []
    with contextlib.suppress(OSError), os.scandir(place or tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and _is_abandoned(Path(entry.path)):
                removal.remove(Path(entry.path))
                swept.append(Path(entry.path))
    return swept


def _is_abandoned(place: Path) -> bool:
    """Whether it is a folder of ours, made here, whose process has ended."""
    try:
        found = place.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            return False
        descriptor = os.open(place / MARKER, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        claim = os.fstat(descriptor)
        if not stat.S_ISREG(claim.st_mode) or claim.st_uid != os.getuid():
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # it is held: its process lives
        return False
    finally:
        os.close(descriptor)
    return True
