"""Lay what a pull request brings out as files, where `grade` finds it: nothing is checked out.

In: works in a repository, and an empty folder. Out: the same paths below that folder, with the
bytes as git has stored them; links and submodules are not made. No more is written than is read
later: what is too large comes one byte too long, so that whoever reads it says so.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from grader.assignment import FILE
from grader.errors import GraderError
from grader.submission.archive import MOST_ARCHIVE_BYTES
from grader.submission.contents import MOST_ENTRIES
from grader.submission.pull_request import Remark, Work
from grader.submission.repository import SUBMODULE, SYMBOLIC_LINK, Repository, Stored
from grader.submission.source import MOST_BYTES, MOST_NOTEBOOK_BYTES

MOST_TOTAL = 1024**3
"""Bytes of one pull request, all files together."""
MOST = {".py": MOST_BYTES, ".ipynb": MOST_NOTEBOOK_BYTES, ".zip": MOST_ARCHIVE_BYTES}
MOST_OF_OTHERS = MOST_BYTES
"""Settings that code may read; of weights and pictures only the names are looked at."""


def lay_out(
    works: Iterable[Work], repository: Repository, folder: Path, root: Path
) -> Iterator[Remark]:
    """Write the works below `folder`, each in its assignment with the rules of `root`.

    Says of each that cannot be written why.
    """
    left = MOST_TOTAL
    for work in works:
        home = folder / repository.prefix / "assignments" / work.assignment
        home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / "assignments" / work.assignment / FILE, home / FILE)
        (home / "submissions").mkdir(exist_ok=True)
        files = [file for file in work.files if file.mode not in (SYMBOLIC_LINK, SUBMODULE)]
        if len(files) > MOST_ENTRIES or sum(map(_size, files)) > left:
            text = (
                f"It is too large: {len(files):,} files, more than {MOST_ENTRIES:,} files or "
                f"{MOST_TOTAL // 2**20:,} MiB of a pull request. Hand in the code alone, without "
                "data, weights and environments."
            )
            yield Remark("error", "Too large", text, work.path)
            continue
        left -= sum(map(_size, files))
        try:
            for file in files:
                _write(file, repository, folder)
        except (OSError, ValueError, GraderError) as error:
            why = getattr(error, "strerror", None) or str(error)
            text = f"It cannot be written to be read here: {why}. Rename it, or hand it in again."
            yield Remark("error", "It cannot be read", text, work.path)


def _size(file: Stored) -> int:
    return min(file.size, _most(file) + 1)


def _most(file: Stored) -> int:
    return MOST.get(PurePosixPath(file.path).suffix.lower(), MOST_OF_OTHERS)


def _write(file: Stored, repository: Repository, folder: Path) -> None:
    place = folder / file.path
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("xb") as stream:  # never over another: two names may be one on this disk
        stream.write(repository.read(file, _most(file) + 1))
