"""Import the other files of a submission, every line at its number in the listing.

In: the pieces of a listing. Out: a finder for `sys.meta_path`. A file is found from the folder of
the main one upwards, as when it is started there or further up; else wherever the submission has
exactly one that fits.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from grader.capture.rehearsal.pieces import Pieces
from grader.program.listing import Part

TOP = "handed_in"
"""The package that the submission's own folder is, for `from .model import Net` in the main file."""
_BETWEEN = ("<frozen importlib", importlib.__file__, str(Path(__file__).parents[2]))
"""Files whose frames stand between an import and the code that asks for it."""


class Files:
    """Which file of a listing a module is.

    `note` is told of what works on some machines only.
    """

    def __init__(self, names: Sequence[str], main: str, note: Callable[[str], object]) -> None:
        self._note = note
        self._folder = PurePosixPath(main).parent
        self.paths = {PurePosixPath(name) for name in names if name.endswith((".py", ".PY"))}

    def add(self, name: str) -> None:
        """A file that a cell of a notebook writes."""
        self.paths.add(PurePosixPath(name))

    def find(self, module: str) -> tuple[PurePosixPath, bool] | None:
        """The file of a module, or its folder and True for a package without `__init__.py`."""
        below = PurePosixPath(*module.split("."))
        if below.parts[0] == TOP:
            return self._at(PurePosixPath(*below.parts[1:]))
        for folder in (self._folder, *self._folder.parents):
            if found := self._at(folder / below):
                return found
        return self._anywhere(below)

    def _at(self, below: PurePosixPath) -> tuple[PurePosixPath, bool] | None:
        names = [below / "__init__.py"]
        if below.name:
            names.append(below.with_name(f"{below.name}.py"))
        for exact in (True, False):
            for path in names:
                if found := self._like(path, exact=exact):
                    return found, False
        folders = {folder for path in self.paths for folder in path.parents}
        return (below, True) if below in folders else None

    def _like(self, path: PurePosixPath, *, exact: bool) -> PurePosixPath | None:
        if exact:
            return path if path in self.paths else None
        found = [item for item in self.paths if str(item).lower() == str(path).lower()]
        if not found:
            return None
        self._note(
            f"The import of {path} finds {found[0]} only where upper and lower case are the same "
            "(Windows, macOS): write the name as the file has it"
        )
        return found[0]

    def _anywhere(self, below: PurePosixPath) -> tuple[PurePosixPath, bool] | None:
        endings = {below.with_name(f"{below.name}.py").parts, (*below.parts, "__init__.py")}
        found = [
            path
            for path in self.paths
            if any(path.parts[-len(ending) :] == ending for ending in endings)
        ]
        return (found[0], False) if len(found) == 1 else None


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a sibling where the student's own code asks for it: no library does so by accident."""

    def __init__(self, pieces: Pieces, note: Callable[[str], object]) -> None:
        listing = pieces.listing
        self._pieces = pieces
        self._parts: dict[str, list[Part]] = {}
        self.written_later: dict[str, list[Part]] = {}
        for part in listing.parts:
            if part.file != listing.main:
                later = part.cell is not None
                place = self.written_later if later else self._parts
                place.setdefault(part.file, []).append(part)
        self.files = Files(list(self._parts), listing.main, note)

    def write(self, part: Part) -> None:
        """A cell writes a file: from now on, it can be imported."""
        goes_on = part.text.lstrip().startswith("%%writefile -a")
        self._parts[part.file] = [*(self._parts.get(part.file, []) if goes_on else []), part]
        self.files.add(part.file)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Where the submission has the module."""
        if asking()[0] != self._pieces.name:
            return None
        found = self.files.find(name)
        if found is None:
            return None
        file, is_folder = found
        is_package = is_folder or file.name.lower() == "__init__.py"
        spec = importlib.machinery.ModuleSpec(name, self, origin=str(file), is_package=is_package)
        if is_package:
            spec.submodule_search_locations = [str(file if is_folder else file.parent)]
        spec.loader_state = None if is_folder else str(file)
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        """An ordinary module."""
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the file."""
        spec = module.__spec__
        if spec is None or spec.loader_state is None:
            return
        module.__file__ = spec.loader_state
        self.run(spec.loader_state, module.__dict__)

    def run(self, file: str, names: dict[str, object]) -> None:
        """Run a file of the submission in a namespace."""
        for part in self._parts.get(file, ()):
            exec(self._pieces.code(part), names)  # noqa: S102 - what this process is for

    def knows(self, file: str) -> bool:
        """Whether there is such a file, now."""
        return file in self._parts

    @property
    def top_names(self) -> frozenset[str]:
        """Names that an import may begin with: files and folders of the submission."""
        paths = [*self.files.paths, *map(PurePosixPath, self.written_later)]
        return frozenset(name for path in paths for name in _names(path))


def _names(path: PurePosixPath) -> Iterator[str]:
    yield path.stem
    yield from path.parent.parts


def asking() -> tuple[str, int]:
    """The file whose code imports something just now, and its line."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_BETWEEN):
            return name, frame.f_lineno
        frame = frame.f_back
    return "", 0
