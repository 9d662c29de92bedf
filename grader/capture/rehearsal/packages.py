"""Stand-ins for packages that only show something, and for those that are not here.

In: imports of the student's. Out: modules whose values are absorbed (see `absorbed`). A progress
bar of tqdm iterates, and sklearn's splitters split (see `selection`).
"""

from __future__ import annotations

import builtins
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from grader.capture import siblings
from grader.capture.rehearsal import absorbed, commands, selection
from grader.capture.rehearsal.absorbed import Absorbed, AbsorbedModule, Guess, UnknownValueError
from grader.capture.rehearsal.shows import DETECTED, REAL, SHOW

BOARD = "torch.utils.tensorboard"
Asked = Literal["library", "student", "ready"]
"""Who imports something: the student's code may be ready for what is missing."""


class Bar:
    """tqdm: it iterates, and takes everything else."""

    def __init__(self, iterable: Any = None, *_: Any, total: Any = None, **__: Any) -> None:
        self.iterable, self.total, self.desc = iterable, total, ""
        self.n = self.last_print_n = 0
        self.format_dict: dict[str, Any] = {}

    def __iter__(self) -> Iterator[Any]:
        return iter(() if self.iterable is None else self.iterable)

    def __len__(self) -> int:
        return self.total if self.iterable is None else len(self.iterable)

    def __bool__(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return _nothing

    def update(self, n: Any = 1) -> None:
        """Count, as a file may read it."""
        self.n += n

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was opened."""

    write = pandas = staticmethod(lambda *_, **__: None)


def _nothing(*_: Any, **__: Any) -> None:
    return None


class BarModule(types.ModuleType):
    """tqdm, and every module in it; `import tqdm; tqdm(...)` is wrong, but shows only."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.tqdm = self.tqdm_notebook = self.tqdm_gui = Bar
        self.trange = self.tnrange = lambda *args, **_: Bar(range(*args))
        self.notebook = self.auto = self.autonotebook = self.std = self
        self.logging_redirect_tqdm = Absorbed("tqdm")
        self.__path__: list[str] = []
        self.__all__ = ["tqdm", "trange", "tqdm_notebook", "tnrange"]

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """As its `tqdm` does."""
        return Bar(*args, **keywords)


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """First for packages that only show (`last` False); last for whatever nobody else finds.

    Only the student's own code is served: libraries try what may be missing, and mean it.
    """

    def __init__(
        self, used: dict[str, bool], asked: Callable[[], Asked], own: frozenset[str], *, last: bool
    ) -> None:
        self._used, self._asked, self._own, self._last = used, asked, own, last

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A stand-in, unless the package is real or the file is ready for its absence."""
        top = name.partition(".")[0]
        shows = (top in SHOW and top not in self._own) or name.startswith(BOARD)
        if shows == self._last or (self._last and _is_real(top)):
            return None
        asked = self._asked()
        if asked == "library" or (asked == "ready" and (self._last or top in DETECTED)):
            return None
        absorbed.imported(top, siblings.asking()[1])
        self._used["tensorboard" if name.startswith(BOARD) else top] = True
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """The stand-in itself."""
        top = spec.name.partition(".")[0]
        if special := _SPECIAL.get(spec.name) or _SPECIAL.get(top):
            return special(spec.name)
        return BarModule(spec.name) if top == "tqdm" else AbsorbedModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing to run."""


def _is_real(top: str) -> bool:
    return top in sys.builtin_module_names or top in sys.stdlib_module_names or top in REAL


def _hydra(name: str) -> types.ModuleType:
    """Hydra calls main() with settings from files, in a way that is its own."""

    def main(*_: Any, config_path: Any = None, config_name: Any = None, **__: Any) -> Any:
        def decorate(_: Any) -> Any:
            return refuse

        def refuse(*_: Any, **__: Any) -> Any:
            where = "/".join(str(item) for item in (config_path, config_name) if item)
            raise UnknownValueError(
                f"hydra gives this function its settings from {where or 'its files'}, and is not "
                "here: write the settings into the file itself"
            )

        return decorate

    module = AbsorbedModule(name)
    vars(module)["main"] = main
    return module


_SPECIAL: dict[str, Callable[[str], types.ModuleType]] = {
    "sklearn": selection.module,
    "hydra": _hydra,
    "fire": commands.fire,
    "click": commands.click,
    "typer": commands.typer,
}
"""Packages, or modules in them, with a stand-in of their own."""


def add(tops: Sequence[str], make: Callable[[str], types.ModuleType]) -> None:
    """Let `make` be what makes the modules of some packages."""
    _SPECIAL.update(dict.fromkeys(tops, make))


def install(
    guess: Guess,
    asked: Callable[[], Asked],
    own: frozenset[str] = frozenset(),
    *,
    yes: bool = False,
) -> dict[str, bool]:
    """Put the stand-ins in; gives a dictionary that will name those that were used.

    `guess` is told of guesses, which are all answered with `yes` or no; `asked` says who imports
    something just now. What the names in `own` stand for is the student's own.
    """
    absorbed.begin(guess, yes=yes)
    used: dict[str, bool] = {}
    shown = SHOW - own
    for name in [item for item in sys.modules if item.partition(".")[0] in shown]:
        del sys.modules[name]
    sys.meta_path.insert(0, Finder(used, asked, own, last=False))
    sys.meta_path.append(Finder(used, asked, own, last=True))
    vars(builtins)["display"] = _nothing
    return used
