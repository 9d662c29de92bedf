"""When the last commit of a clone was made, as the commit itself says.

In: a folder that was cloned. Out: a time, or None. The clone is a stranger's: of it only the name
of the commit and git's store of objects are read. Git runs in an empty repository of ours, so that
no setting, hook or filter of theirs is looked at.
"""

from __future__ import annotations

import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from grader.errors import SubmissionError
from grader.sandbox import temporary
from grader.submission.entries import on_disk
from grader.submission.repository import environment

SECONDS = 20
_MOST_BYTES = 1_000_000
_HASH = re.compile(r"[0-9a-f]{40}")
_BRANCH = re.compile(r"ref: (refs/heads/[^\s~^:?*\[\\]+)")
_COMMITTER = re.compile(rb"^committer .*> (\d{1,11}) [+-]\d{4}$", re.MULTILINE)


def committed(folder: Path) -> datetime | None:
    """When the commit that is checked out there was made, by the clock of who made it.

    None where that cannot be told.
    """
    store = folder / ".git"
    name = _checked_out(store)
    if name is None or not on_disk(store / "objects").is_folder:
        return None
    found = _COMMITTER.search(_commit(store / "objects", name).partition(b"\n\n")[0])
    try:
        return None if found is None else datetime.fromtimestamp(int(found[1]), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def is_clone(folder: Path) -> bool:
    """Whether a folder on the disk has a repository of its own."""
    return on_disk(folder / ".git").is_folder


def _checked_out(store: Path) -> str | None:
    """The hash in HEAD, or that of the branch which HEAD names."""
    head = _text(store / "HEAD")
    branch = _BRANCH.fullmatch(head)
    if branch is None:
        return head if _HASH.fullmatch(head) else None
    if ".." in branch[1]:
        return None
    loose = _text(store / branch[1])
    if _HASH.fullmatch(loose):
        return loose
    line = re.compile(rf"^([0-9a-f]{{40}}) {re.escape(branch[1])}$", re.MULTILINE)
    packed = line.search(_text(store / "packed-refs"))
    return packed[1] if packed else None


def _text(file: Path) -> str:
    """A small file of git's; "" where there is none."""
    try:
        return on_disk(file).read(_MOST_BYTES)[:_MOST_BYTES].decode("utf-8", "replace").strip()
    except (SubmissionError, OSError):
        return ""


def _commit(objects: Path, name: str) -> bytes:
    """The commit as git has stored it; empty where git cannot give it."""
    with temporary.folder() as ours:
        for part in ("objects", "refs"):
            (ours / part).mkdir()
        (ours / "HEAD").write_text("ref: refs/heads/none\n", encoding="utf-8")
        settings = {
            "GIT_DIR": str(ours),
            "GIT_OBJECT_DIRECTORY": str(objects.absolute()),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        try:
            done = subprocess.run(  # noqa: S603 - git itself, with a hash
                ("git", "cat-file", "commit", name),  # noqa: S607 - as the user has it
                capture_output=True,
                check=False,
                cwd=ours,
                env={**environment(), **settings},
                stdin=subprocess.DEVNULL,
                timeout=SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            return b""
    return done.stdout if done.returncode == 0 else b""
