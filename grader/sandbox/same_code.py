"""Make sure that the grader and its child processes run the same code.

A child begins with what it runs: the folder of its grader and a hash of every Python file in it.
The parent compares that with its own. They could differ where several graders are installed, or
where one is updated while it grades; parent and child would then disagree without a word.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from grader.errors import GraderError

PACKAGE = Path(__file__).resolve().parents[1]


@cache
def own_source() -> str:
    """The same as `source_now` when it was first asked for: of the code that runs."""
    return source_now()


def source_now() -> str:
    """A hash of every Python file of this package: 64 hexadecimal digits, in a few milliseconds."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(PACKAGE).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def own() -> dict[str, str]:
    """What a child says first: which grader it runs."""
    return {"folder": str(PACKAGE), "source": own_source()}


def own_line() -> bytes:
    """The same as one line of JSON."""
    return json.dumps(own()).encode() + b"\n"


def check(said: object) -> None:
    """Raises GraderError unless a child that says so runs the code that runs here."""
    known = said if isinstance(said, Mapping) else {}
    if known.get("source") == own_source():
        return
    raise GraderError(
        f"The grader runs from {PACKAGE}, but the process that it started runs other code, from "
        f"{str(known.get('folder', 'an unknown folder'))[:1000]}. Both must be the same, or they "
        "would grade differently. If two graders are installed, remove one; if the grader was "
        "updated just now, start it again."
    )
