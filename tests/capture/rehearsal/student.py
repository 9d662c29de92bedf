"""Run a listing in this process as a rehearsal runs it, but with torch as it is."""

from __future__ import annotations

import builtins
import sys
from contextlib import contextmanager
from typing import Any

from grader.capture import siblings
from grader.capture.rehearsal import packages
from grader.capture.rehearsal.others import Others
from grader.capture.rehearsal.pieces import LEFT, PROGRAM, Pieces
from grader.capture.rehearsal.running import Runner
from grader.program.listing import Listing, Part


def folder(files: dict[str, str]) -> Listing:
    """A folder whose first file is the main one."""
    first, parts = 1, []
    for name, text in files.items():
        parts.append(Part(file=name, first=first, text=text))
        first = parts[-1].last + 1
    return Listing(main=parts[0].file, parts=tuple(parts))


def notebook(*cells: str | tuple[str, str]) -> Listing:
    """A notebook's cells; (file, text) is one that writes a file."""
    first, parts = 1, []
    for number, cell in enumerate(cells, 1):
        file, text = ("notebook.ipynb", cell) if isinstance(cell, str) else cell
        parts.append(Part(file=file, cell=number, first=first, text=text))
        first = parts[-1].last + 1
    return Listing(main="notebook.ipynb", parts=tuple(parts))


class Student:
    """What came of a run: `names` of its main module, `notes`, `troubles`, loops left by errors."""

    def __init__(self, listing: Listing) -> None:
        self.notes: list[str] = []
        self.left: list[tuple[int, int]] = []
        pieces = Pieces(listing)
        finder = Others(pieces, self.notes.append)
        self.runner = Runner(pieces, finder)
        sys.meta_path.insert(0, finder)
        vars(builtins)[LEFT] = lambda *lines: self.left.append(lines)
        vars(builtins)[PROGRAM] = self.runner.start_program
        self.runner.run()
        self.names: dict[str, Any] = self.runner.names

    @property
    def troubles(self) -> list[tuple[int | None, str]]:
        return [(remark.line, remark.text) for remark in self.runner.troubles]


@contextmanager
def undone():
    """Leave Python as it was."""
    path, modules, names = list(sys.meta_path), dict(sys.modules), dict(vars(builtins))
    arguments = sys.argv
    try:
        yield
    finally:
        sys.meta_path[:], sys.argv = path, arguments
        ours = (packages.Finder, siblings.Finder)
        for name, module in list(sys.modules.items()):
            spec = getattr(module, "__spec__", None)  # torch cannot be imported twice
            if isinstance(getattr(spec, "loader", None), ours):
                del sys.modules[name]
        sys.modules.update(modules)
        for name in set(vars(builtins)) - set(names):
            del vars(builtins)[name]
        vars(builtins).update(names)
