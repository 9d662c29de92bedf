"""Which of a submission's files a module is, for a finder in `sys.meta_path`.

In: the names of the files. Out: a module's file. It is looked for from the folder of the main file
upwards, as when that is started there or further up; else wherever the submission has exactly one
file that fits. Runs in the child.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

TOP = "handed_in"
"""The package that the submission's own folder is: its main file may import `.model`."""
_IMPORTLIB = ("<frozen importlib", importlib.__file__)


@dataclass(frozen=True, slots=True)
class Found:
    """The path of a module's file, or of its folder, within the submission."""

    path: PurePosixPath
    is_folder: bool = False

    @property
    def is_package(self) -> bool:
        """Whether other modules are in it."""
        return self.is_folder or self.path.name.lower() == "__init__.py"


class Files:
    """Which file of a listing a module is.

    `note` is told of what works on some machines only.
    """

    def __init__(self, names: Sequence[str], main: str, note: Callable[[str], object]) -> None:
        self._note = note
        self._said: set[str] = set()
        self.folder = PurePosixPath(main).parent
        self.paths = {PurePosixPath(name) for name in names if name.endswith((".py", ".PY"))}

    def add(self, name: str) -> None:
        """A file that a cell of a notebook writes."""
        self.paths.add(PurePosixPath(name))

    def find(self, module: str) -> Found | None:
        """The file of a module, or its folder where a package has no `__init__.py`."""
        below = PurePosixPath(*module.split("."))
        if below.parts[0] == TOP:
            return self._at(PurePosixPath(*below.parts[1:]))
        for folder in (self.folder, *self.folder.parents):
            if found := self._at(folder / below):
                return found
        return self._anywhere(below)

    def _at(self, below: PurePosixPath) -> Found | None:
        names = [below / "__init__.py"]
        if below.name:
            names.append(below.with_name(f"{below.name}.py"))
        for exact in (True, False):
            for path in names:
                if found := self._like(path, exact=exact):
                    return Found(found)
        folders = {folder for path in self.paths for folder in path.parents}
        return Found(below, is_folder=True) if below in folders else None

    def _like(self, path: PurePosixPath, *, exact: bool) -> PurePosixPath | None:
        if exact:
            return path if path in self.paths else None
        found = [item for item in self.paths if str(item).lower() == str(path).lower()]
        if not found:
            return None
        self._say(
            f"The import of {path} finds {found[0]} only where upper and lower case are the same "
            "(Windows, macOS): write the name as the file has it"
        )
        return found[0]

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._note(text)

    def _anywhere(self, below: PurePosixPath) -> Found | None:
        endings = {below.with_name(f"{below.name}.py").parts, (*below.parts, "__init__.py")}
        found = [path for path in self.paths if _ends(path, endings)]
        return Found(found[0]) if len(found) == 1 else None


def _ends(path: PurePosixPath, endings: set[tuple[str, ...]]) -> bool:
    return any(path.parts[-len(ending) :] == ending for ending in endings)


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a sibling where the student's own code asks for it: no library does so by accident.

    `filename` is what all of the student's code was compiled with. A file is one module, under
    however many names it is imported.
    """

    def __init__(self, files: Files, filename: str) -> None:
        self.files, self.filename = files, filename
        self._modules: dict[str, types.ModuleType] = {}
        self._ran: set[str] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Where the submission has the module."""
        if name.partition(".")[0] != TOP and asking()[0] != self.filename:
            return None
        found = self.files.find(name)
        if found is None:
            return None
        file = str(found.path)
        spec = importlib.machinery.ModuleSpec(name, self, origin=file, is_package=found.is_package)
        if found.is_package:
            folder = found.path if found.is_folder else found.path.parent
            spec.submodule_search_locations = [str(folder)]
        spec.loader_state = None if found.is_folder else file
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """The file's module, which may have been imported under another name."""
        file = spec.loader_state
        if not file:
            return types.ModuleType(spec.name)
        if file not in self._modules:
            self._modules[file] = self.make(spec.name)
        return self._modules[file]

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the file, once, if there is one: a folder without `__init__.py` has none."""
        file = module.__spec__ and module.__spec__.loader_state
        if not file or file in self._ran:
            return
        self._ran.add(file)
        module.__file__ = file
        try:
            self.execute(file, module)
        except BaseException:
            self._forget(file)
            raise

    def _forget(self, file: str) -> None:
        """Run it again when it is imported again: it failed, or has another text now."""
        self._ran.discard(file)
        self._modules.pop(file, None)

    def make(self, name: str) -> types.ModuleType:
        """An empty module."""
        return types.ModuleType(name)

    @abstractmethod
    def execute(self, file: str, module: types.ModuleType) -> None:
        """Run a file of the submission as a module."""


def asking() -> tuple[str, int]:
    """The file whose code imports something just now, and its line."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and not frame.f_code.co_filename.startswith(_IMPORTLIB):
        frame = frame.f_back
    while frame is not None and frame.f_code.co_filename.startswith(_IMPORTLIB):
        frame = frame.f_back
    return (frame.f_code.co_filename, frame.f_lineno) if frame is not None else ("", 0)
