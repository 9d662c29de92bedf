"""Which folder of `grades/` is a file's own, also where another command graded another `model.py`.

In: a Submission and the folder of the reports. Out: the same, with the name of its folder. The
plain name belongs to the file that came first, for as long as that is there; later ones have a hash
of their place in theirs, by which each finds its own again.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from grader.storage import reports
from grader.submission import archive, people
from grader.submission.submission import Submission


def own(item: Submission, output: Path, *, root: Path, secret: bytes) -> Submission:
    """The submission, under the name that its reports have had, or under one that is free."""
    folder = output / item.assignment
    place = people.address(item.path, root)
    known = sorted(entry.name for entry in folder.glob(f"*-{place}") if entry.is_dir())
    if known:
        return replace(item, name=known[0])
    stem = item.path.stem
    if item.name.endswith(f"-{place}"):
        owner = reports.path_of(folder / stem, secret)
        return replace(item, name=stem) if owner == item.display else item
    owner = reports.path_of(folder / item.name, secret)
    if owner in (None, item.display) or archive.at(root / owner) is None:
        return item  # nobody's, its own, or of a file that is gone: it may be this one, moved
    shown = f"{item.path.parent.name}/{item.shown}" if item.shown == stem else item.shown
    return replace(item, name=f"{item.name}-{place}", shown=shown)
