"""Run the other files of a submission when they are imported, every line at its number.

In: the pieces of a listing. Out: a finder for `sys.meta_path`.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any

from grader.capture import siblings
from grader.capture.rehearsal.pieces import Pieces
from grader.program.listing import Part


class Others(siblings.Finder):
    """All files but the main one; those that a cell of a notebook writes are there after it ran.

    `note` is told of what works on some machines only.
    """

    def __init__(self, pieces: Pieces, note: Callable[[str], object]) -> None:
        listing = pieces.listing
        self._pieces = pieces
        self._parts: dict[str, list[Part]] = {}
        self._later: list[str] = []
        for part in listing.parts:
            if part.file == listing.main:
                continue
            if part.cell is None:
                self._parts.setdefault(part.file, []).append(part)
            else:
                self._later.append(part.file)
        super().__init__(siblings.Files(list(self._parts), listing.main, note), pieces.name)

    def write(self, part: Part) -> None:
        """A cell writes a file: from now on, it can be imported."""
        goes_on = part.text.lstrip().startswith("%%writefile -a")
        before = self._parts.get(part.file, []) if goes_on else []
        self._parts[part.file] = [*before, part]
        self.files.add(part.file)
        self._ran.discard(part.file)  # importlib.reload() reads the new text

    def execute(self, file: str, module: types.ModuleType) -> None:
        """Run a file as a module."""
        self.run(file, module.__dict__)

    def run(self, file: str, names: dict[str, Any]) -> None:
        """Run a file of the submission in a namespace."""
        for part in self._parts.get(file, ()):
            exec(self._pieces.code(part), names)  # noqa: S102 - what this process is for

    def knows(self, file: str) -> bool:
        """Whether there is such a file, now."""
        return file in self._parts

    @property
    def top_names(self) -> frozenset[str]:
        """Names that an import may begin with: files and folders of the submission."""
        names = {name for file in (*self._parts, *self._later) for name in _names(file)}
        return frozenset(names)


def _names(file: str) -> Iterator[str]:
    path = PurePosixPath(file)
    yield path.stem
    yield from path.parent.parts
