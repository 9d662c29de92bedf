"""Where a command finds its assignments: a folder of the user's, or those that the grader brings.

In: what was asked for, and the current folder. Out: a `Project`. A grader that is installed (by
`uv tool install`, say) carries its assignments in the package; in a clone they lie beside it.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from grader.assignment import FILE
from grader.options import Options
from grader.printable import printable_path
from grader.sandbox.same_code import PACKAGE
from grader.submission.submission import UsageError


@dataclass(frozen=True, slots=True)
class Project:
    """`root` holds assignments/; paths are shown to people from `home` on.

    `brought`: they are those that the grader brings; nobody's own are here.
    """

    root: Path
    home: Path
    brought: bool = False


def find(given: Path | None = None) -> Project:
    """The folder that is `given`, else the nearest at or above the current one with assignments/.

    Else what the grader brings.
    """
    if given is not None:
        return Project(given, given)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if _holds_assignments(folder):
            return Project(folder, folder)
    return Project(brought(), here, brought=True)


def placed(options: Options, given: Path | None) -> Options:
    """The options with the folders of the project that is `given`, or found."""
    project = find(given)
    return replace(options, root=project.root, home=project.home)


def brought() -> Path:
    """The folder whose assignments/ come with the grader: the package, or the clone it is in."""
    return PACKAGE if _holds_assignments(PACKAGE) else PACKAGE.parent


def refuse_hidden(name: str | None, known: Collection[str], root: Path) -> None:
    """Raise UsageError for an assignment that the grader brings, where others are graded by.

    The folder with assignments of one's own comes first: it hides those that came along.
    """
    theirs = brought()
    if name is None or name in known or not (theirs / "assignments" / name / FILE).is_file():
        return
    shown = printable_path(root / "assignments")
    raise UsageError(
        f"There is no assignment {name!r} in {shown}; known there: {', '.join(known)}. The one of "
        "that name that comes with the grader is not looked for where a folder has assignments of "
        f"its own. To grade by it, add --root {shlex.quote(printable_path(theirs))}"
    )


def _holds_assignments(folder: Path) -> bool:
    try:
        return any((folder / "assignments").glob(f"*/{FILE}"))
    except OSError:  # a folder above may not be looked into
        return False
