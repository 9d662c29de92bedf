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
from contextlib import suppress
from pathlib import Path

import platformdirs

from grader.assignment import Assignment
from grader.errors import GraderError
from grader.sandbox.same_code import own_source
from grader.storage.atomic import write_whole


def try_recipe(assignment: Assignment, *, cache: Path | None = None) -> None:
    """Build the optimizer, the scheduler and the transform of the default recipe, and use each.

    Raises AssignmentError.
    """
    folder = cache or platformdirs.user_cache_path("grader", appauthor=False)
    remembered = folder / "tried" / _address(assignment)
    if remembered.exists():
        return
    from grader.judging import building  # it loads torch

    building.build_and_use(assignment)
    with suppress(GraderError):
        write_whole(remembered, "")


def _address(assignment: Assignment) -> str:
    """A hash of all that decides whether the recipe works."""
    versions = [importlib.metadata.version(name) for name in ("torch", "torchvision")]
    versions.append(platform.python_version())
    facts = [assignment.model_dump(mode="json"), own_source(), versions]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
