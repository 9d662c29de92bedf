"""Remove a folder that untrusted code has filled, whatever it holds.

In: a folder. Out: nothing of it is left. `shutil.rmtree` calls itself for each folder in a folder:
ten thousand of them end it, and their names together are longer than a path may be. Here no path is
longer than two steps.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def remove(folder: Path) -> None:
    """Remove `folder` and all that is in it; links are not followed.

    What the system refuses to remove stays.
    """
    trash, count = [str(folder)], 0
    while trash:
        place = trash[-1]
        inner = []
        for entry in _entries(place):
            count += 1
            if entry.is_dir(follow_symlinks=False):
                inner += _raised(entry.path, f"{folder}.{count}")
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)  # noqa: PTH108 - pathlib may change an odd name
        with contextlib.suppress(OSError):
            os.rmdir(place)  # noqa: PTH106 - as above
        trash.pop()
        trash += inner


def _entries(place: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(place) as found:
            return list(found)
    except OSError:
        return []


def _raised(place: str, beside: str) -> list[str]:
    """Move a folder out of the one that it is in, to a place next to the top.

    Returns where it is now, or nothing if that fails.
    """
    try:
        os.chmod(place, 0o700)  # noqa: PTH101 - as above
        os.rename(place, beside)  # noqa: PTH104 - as above
    except OSError:
        return []
    return [beside]
