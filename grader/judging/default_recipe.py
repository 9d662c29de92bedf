"""Try an assignment's default recipe once, so that its mistakes are not its students'.

In: an Assignment. Out: nothing, or an AssignmentError. torch and torchvision take seconds to
import: what was tried and is right is remembered in the user's cache folder, and neither is loaded
for it again.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import platformdirs

from grader.assignment import Assignment
from grader.errors import AssignmentError, GraderError
from grader.sandbox import same_code
from grader.sandbox.same_code import own_source
from grader.storage import seal
from grader.storage.atomic import write_whole

PROGRAM = Path(__file__).with_name("recipe_child.py")
SECONDS = 300


def try_recipe(
    assignment: Assignment, *, folder: Path | None = None, cache: Path | None = None
) -> None:
    """Build the optimizer, the scheduler and the transform of the default recipe, and use each.

    With the assignment's `folder` a process of its own does it, so that torch's 700 MB do not stay
    where nothing else needs torch. Raises AssignmentError.
    """
    place = cache or platformdirs.user_cache_path("grader", appauthor=False)
    remembered = place / "tried" / _address(assignment)
    if remembered.exists():
        return
    wrong = None
    if folder is not None and "torch" not in sys.modules:
        wrong = _of_a_child(assignment, folder)
    if wrong is None:
        from grader.judging import building  # it loads torch

        building.build_and_use(assignment)
    elif wrong:
        raise AssignmentError(wrong)
    with suppress(GraderError):
        write_whole(remembered, "")


def _of_a_child(assignment: Assignment, folder: Path) -> str | None:
    """What a child says is wrong, "" for nothing; None where it could not say."""
    command = [sys.executable, "-I", "-B", "-W", "ignore", str(PROGRAM), str(folder.absolute())]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and our own file
            [*command, seal.of_rules(assignment)],
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
        )
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    same_code.check(found)
    return str(found["wrong"])


def _address(assignment: Assignment) -> str:
    """A hash of all that decides whether the recipe works."""
    versions = [importlib.metadata.version(name) for name in ("torch", "torchvision")]
    versions.append(platform.python_version())
    facts = [assignment.model_dump(mode="json"), own_source(), versions]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
