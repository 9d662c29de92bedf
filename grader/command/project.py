"""Where a command finds its assignments: a folder of the user's, or those that the grader brings.

In: what was asked for, and the current folder. Out: a `Project`. A grader that is installed (by
`uv tool install`, say) carries its assignments in the package; in a clone they lie beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from grader.assignment import FILE
from grader.options import Options
from grader.sandbox.same_code import PACKAGE


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


def _holds_assignments(folder: Path) -> bool:
    try:
        return any((folder / "assignments").glob(f"*/{FILE}"))
    except OSError:  # a folder above may not be looked into
        return False
