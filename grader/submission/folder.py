"""Read a folder that holds one person's work. Links are not followed, nothing is executed."""

from __future__ import annotations

from collections.abc import Mapping

from grader.submission.contents import NOBODYS, Contents, why_not_enter
from grader.submission.entries import FILE, Entry

MOST_DEPTH = 8


def gather(folder: Entry) -> Contents:
    """What the folder holds, in the order of names. What cannot be read is among the rest."""
    contents = Contents()
    _look(folder, "", contents)
    return contents


def of_files(files: Mapping[str, Entry]) -> Contents:
    """Files that belong together under names of their own."""
    contents = Contents()
    for name, file in files.items():
        contents.take(name, file.size, file.read)
    return contents


def _look(folder: Entry, inside: str, contents: Contents) -> None:
    try:
        entries = folder.entries()
    except OSError as error:
        contents.skipped[f"{inside}./"] = f"it cannot be read: {error.strerror}"
        return
    if inside and any(entry.name == "pyvenv.cfg" for entry in entries):
        contents.skipped[inside] = "an environment, not the work"
        return
    for entry in entries:
        name = f"{inside}{entry.name}"
        if entry.name in NOBODYS:
            continue
        if not contents.has_room():
            return
        if entry.is_folder:
            _enter(entry, f"{name}/", contents)
        elif entry.kind != FILE:
            contents.skipped[name] = entry.kind
        else:
            contents.take(name, entry.size, entry.read)


def _enter(folder: Entry, name: str, contents: Contents) -> None:
    reason = why_not_enter(folder.name)
    if not reason and name.count("/") > MOST_DEPTH:
        reason = f"more than {MOST_DEPTH} folders deep"
    if reason:
        contents.skipped[name] = reason
        return
    _look(folder, name, contents)
