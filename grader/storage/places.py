"""Which folder of `grades/` is a file's own, also where another command graded another `model.py`.

In: a Submission and the folder of the reports. Out: the same, with the name of its folder. The
plain name belongs to the file that came first, for as long as that is there; later ones have a hash
of their place in theirs, by which each finds its own again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from grader.storage import reports
from grader.submission import archive, people
from grader.submission.submission import Submission


def own_of_all(
    items: Sequence[Submission], output: Path, *, root: Path, secret: bytes
) -> list[Submission]:
    """As `own`, of a class: their folders are looked through once."""
    folders = {item.assignment: output / item.assignment for item in items}
    known = {assignment: _by_place(folder) for assignment, folder in folders.items()}
    return [
        _own(item, folders[item.assignment], known[item.assignment], root, secret) for item in items
    ]


def own(item: Submission, output: Path, *, root: Path, secret: bytes) -> Submission:
    """The submission, under the name that its reports have had, or under one that is free."""
    return own_of_all([item], output, root=root, secret=secret)[0]


def _by_place(folder: Path) -> dict[str, str]:
    """The names of folders by the hash at their end; of two with one hash, the first."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if "-" in entry.name and entry.is_dir())
    except OSError:
        return {}
    return {name.rpartition("-")[2]: name for name in reversed(names)}


def _own(
    item: Submission, folder: Path, known: Mapping[str, str], root: Path, secret: bytes
) -> Submission:
    place = people.address(item.path, root)
    if place in known:
        return replace(item, name=known[place])
    stem = item.path.stem
    if item.name.endswith(f"-{place}"):
        owner = reports.path_of(folder / stem, secret)
        return replace(item, name=stem) if owner == item.display else item
    owner = reports.path_of(folder / item.name, secret)
    if owner in (None, item.display) or archive.at(root / owner) is None:
        return item  # nobody's, its own, or of a file that is gone: it may be this one, moved
    shown = f"{item.path.parent.name}/{item.shown}" if item.shown == stem else item.shown
    return replace(item, name=f"{item.name}-{place}", shown=shown)
