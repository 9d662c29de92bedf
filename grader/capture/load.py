"""Load the definitions of a student's file without running what the file does.

In: source text. Out: its names, and a list of the statements that were left out. Runs in the child.

Most files train, download or parse arguments when imported. So only definitions run, and only those
that the network or its recipe can reach: imports, classes, functions, assignments, and calls that
fill a list, a dictionary or a network. A loop or any other call at the top level never runs, nor
does it inside an `if` or `try` that defines names. What fails while it is defined (a package that
is missing here, a data set that cannot be downloaded) becomes a stand-in that complains when, and
only when, the network really uses it.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import linecache
import symtable
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from grader.capture import libraries, siblings
from grader.capture.missing import Missing, missing_module
from grader.capture.statements import (
    Statement,
    bound_by,
    is_main_guard,
    made_again,
    reachable,
    read_by,
)
from grader.capture.text import listed, parse, without_magics
from grader.errors import SubmissionError
from grader.program.listing import Part
from grader.program.program import LeftOut

FACTORIES = ("build_model", "create_model", "get_model")
INSTANCES = ("model", "net", "network")
SETTINGS = (
    "MODEL",
    "EPOCHS",
    "BATCH_SIZE",
    "train_transform",
    "criterion",
    "configure_optimizers",
    "GRADIENT_CLIP_NORM",
    "GRADIENT_CLIP_VALUE",
    "STOP_AT_ACCURACY",
    "EPOCHS_AT_ACCURACY",
    "STOP_MONITOR",
    "PATIENCE",
    "MIN_DELTA",
    "PATIENCE_MONITOR",
    "TRAIN_IMAGES",
    "DROP_LAST",
    "L1_PENALTY",
    "L2_PENALTY",
    "NORM_PENALTY",
)
MODULE_NAME = "submission"


class Definitions:
    """What a file defines: `names`, and remarks on how the file was read as `notes`."""

    def __init__(
        self,
        source: str,
        filename: str,
        module: types.ModuleType,
        cells: Sequence[Part] = (),
        shown: str = "",
    ) -> None:
        self._source, self._magics = without_magics(source, filename, cells)
        tree = parse(self._source, filename, shown or filename)
        self._statements = [Statement(node) for node in tree.body]
        self._filename = filename
        self._ran: set[Statement] = set()
        self.names: dict[str, Any] = module.__dict__
        self.notes: list[str] = []
        self.siblings: Siblings | None = None

    def define(self, names: Iterable[str]) -> None:
        """Run the definitions of `names` and all that they need, once each, in the file's order."""
        wanted = reachable(self._statements, set(names)) - self._ran
        for statement in self._statements:
            if statement in wanted:
                self._ran.add(statement)
                self._run(statement)

    def of(self, file: str, name: str) -> Any:
        """What another file of the submission defines by that name, if it does."""
        return self.siblings.defined(file, name) if self.siblings is not None else None

    @property
    def nodes(self) -> list[ast.stmt]:
        """The file's top-level statements."""
        return [item.node for item in self._statements]

    @property
    def read(self) -> set[str]:
        """Every name that what has run so far reads."""
        return read_by(self._ran)

    @property
    def own_classes(self) -> set[str]:
        """Names of the classes that the file writes."""
        return bound_by(item for item in self._statements if isinstance(item.node, ast.ClassDef))

    @property
    def classes(self) -> dict[str, type]:
        """The file's own classes, in order, and those that it imports from its siblings."""
        return {
            name: value
            for name, value in self.names.items()
            if isinstance(value, type)
            and is_students(value)
            and (value.__name__ == name or value.__module__ != MODULE_NAME)
        }

    @property
    def lines(self) -> dict[str, int]:
        """Where the file binds each name; of an imported class, where its own file does."""
        return self.own_lines | (self.siblings.lines(self.classes) if self.siblings else {})

    @property
    def own_lines(self) -> dict[str, int]:
        """Where the file binds each name."""
        found: dict[str, int] = {}
        for item in self._statements:
            if not item.changes:
                found |= dict.fromkeys(item.binds, item.node.lineno)
        return found

    @property
    def binds(self) -> set[str]:
        """Every name that the file binds at its top level, but those with an underscore."""
        return {name for name in bound_by(self._statements) if not name.startswith("_")}

    @property
    def instances(self) -> dict[str, Statement]:
        """Where the file makes a network at its top level: `model = nn.Sequential(...)`.

        `model = model.to(device)` or `model = train(model)` make none.
        """
        found: dict[str, Statement] = {}
        for item in self._statements:
            if isinstance(item.node, ast.Assign) and not item.changes:
                found |= dict.fromkeys(item.binds & set(INSTANCES) - item.reads, item)
        return found

    def instance(self, name: str) -> Any:
        """A new one of the file's `instances`, of new parts, filled as the file later fills it.

        Each time, what it needs runs in the file's order: a part that was made once would have one
        seed's weights.
        """
        maker = self.instances[name]
        place = self._statements.index(maker)
        later = [
            item for item in self._statements[place + 1 :] if item.changes or name not in item.binds
        ]
        own = {maker, *(item for item in later if name in item.binds)}
        statements = [*self._statements[:place], maker, *later]
        needed = reachable(statements, read_by(own) - {name})
        wanted = needed - (self._ran - made_again(statements))
        for item in statements:
            if item in own:
                self._ran.add(item)
                exec(self._compiled(item), self.names)  # noqa: S102 - as in _run
            elif item in wanted:
                self._ran.add(item)
                self._run(item)
        return self.names[name]

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What of the file has not been run, and why."""
        statements: list[Statement] = []
        for item in self._statements:
            statements += (item, *item.left_out)
        skipped = (item for item in statements if item not in self._ran and _worth_a_line(item))
        found = [*self._magics, *(_left_out(item, self._source) for item in skipped)]
        if self.siblings is not None:
            for definitions in self.siblings.read.values():
                found += definitions.left_out
        return tuple(sorted(found, key=lambda item: item.line))

    def _compiled(self, statement: Statement) -> types.CodeType:
        return compile(ast.Module([statement.node], []), self._filename, "exec")

    def _run(self, statement: Statement) -> None:
        try:
            exec(self._compiled(statement), self.names)  # noqa: S102 - what this process is for
        # SystemExit: argparse ends the program when it misses an argument.
        except (Exception, SystemExit) as error:
            why = _why(statement, error)
            for name in self.unbound() if "*" in statement.binds else statement.binds:
                self.names.setdefault(name, Missing(why, statement.node.lineno))

    def unbound(self) -> set[str]:
        """What the file reads and nowhere binds: it must come from `from utils import *`.

        The arguments and local names of functions do not count.
        """
        bound = bound_by(self._statements) | vars(builtins).keys()
        table = symtable.symtable(self._source, self._filename, "exec")
        return set(_globals_read(table)) - bound


def _globals_read(table: symtable.SymbolTable) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (symbol.is_global() or table.get_type() == "module"):
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _globals_read(inner)


def read_definitions(
    source: str, filename: str, *, cells: Sequence[Part] = (), files: Sequence[Part] = ()
) -> Definitions:
    """Run the definitions in `source` that a network or a recipe can reach.

    `filename` is the name shown in tracebacks. `cells` are those of a notebook, which `source` is
    then made of; `files` are the others of the submission, whose definitions run where they are
    imported. Raises SubmissionError for a syntax error.
    """
    module = types.ModuleType(MODULE_NAME)
    module.__file__ = filename
    sys.modules[MODULE_NAME] = module
    definitions = Definitions(source, filename, module, cells)
    sys.meta_path.insert(0, libraries.StandIns(filename))
    names = {*FACTORIES, *SETTINGS, *definitions.own_classes}
    text = source
    if files:
        definitions.siblings = Siblings(filename, files, definitions)
        folder = PurePosixPath(filename).parent.parts
        module.__package__ = ".".join((siblings.TOP, *folder))
        sys.meta_path.insert(0, definitions.siblings)
        names |= definitions.siblings.imported_classes(definitions.nodes)
        text = listed(Part(file=filename, first=1, text=source), *files)
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    definitions.define(names)
    return definitions


class Siblings(siblings.Finder):
    """The other files of the submission: each is read as the main one is, when it is imported.

    `read` are the definitions of those that were, by file.
    """

    def __init__(self, filename: str, files: Sequence[Part], main: Definitions) -> None:
        self._parts: dict[str, list[Part]] = {}
        for part in files:
            self._parts.setdefault(part.file, []).append(part)
        super().__init__(siblings.Files([*self._parts], filename, main.notes.append), filename)
        self._main = main
        self.read: dict[str, Definitions] = {}

    def make(self, name: str) -> types.ModuleType:
        """A module that defines what it is asked for."""
        return _Lazy(name)

    def execute(self, file: str, module: types.ModuleType) -> None:
        """Get ready to define what the module is asked for."""
        module.__name__ = f"{MODULE_NAME}.{module.__name__}"
        sys.modules[module.__name__] = module
        self.read[file] = Definitions(listed(*self._parts[file]), self.filename, module, shown=file)
        vars(module)[_DEFINE] = self._define(self.read[file])

    def _define(self, definitions: Definitions) -> Callable[[str], None]:
        def define(name: str) -> None:
            if name == "__all__":
                definitions.names[name] = [*self._wanted() & definitions.binds]
            else:
                definitions.define({name})

        return define

    def _wanted(self) -> set[str]:
        """What the files read that `from utils import *` may have to bring."""
        files = (self._main, *self.read.values())
        return set[str]().union(*(definitions.unbound() for definitions in files))

    def defined(self, file: str, name: str) -> Any:
        """What a file of the submission defines by that name, if it does."""
        path = PurePosixPath(file)
        inner = path.parent if path.name == "__init__.py" else path.with_suffix("")
        module = importlib.import_module(".".join((siblings.TOP, *inner.parts)))
        return getattr(module, name, None)

    def file(self, node: ast.ImportFrom) -> siblings.Found | None:
        """The file or folder that a statement of the main file imports from."""
        above = [siblings.TOP, *self.files.folder.parts]
        start = above[: len(above) - node.level + 1] if node.level else []
        return self.files.find(".".join([*start, *filter(None, (node.module or "").split("."))]))

    def imported_classes(self, nodes: Iterable[ast.stmt]) -> set[str]:
        """Names of classes that top-level statements import from a sibling."""
        found: set[str] = set()
        for node in nodes:
            if isinstance(node, ast.ImportFrom):
                there = self._classes(node)
                names = {item.name: item.asname or item.name for item in node.names}
                found |= {own for name, own in names.items() if name in there or "*" in there}
        return found

    def _classes(self, node: ast.ImportFrom) -> set[str]:
        found = self.file(node)
        if found is None or found.is_folder:
            return set()
        try:
            tree = ast.parse(listed(*self._parts[str(found.path)]))
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return set()
        statements = [Statement(inner) for inner in tree.body]
        return bound_by(
            item for item in statements if isinstance(item.node, ast.ClassDef | ast.ImportFrom)
        )

    def lines(self, classes: dict[str, type]) -> dict[str, int]:
        """Where the classes stand that are a sibling's."""
        found = {name: self.line(kind) for name, kind in classes.items()}
        return {name: line for name, line in found.items() if line is not None}

    def line(self, kind: type) -> int | None:
        """Where a sibling writes the class, if one does."""
        for definitions in self.read.values():
            if definitions.names["__name__"] == kind.__module__:
                return definitions.own_lines.get(kind.__qualname__)
        return None


_DEFINE = "__define__"


class _Lazy(types.ModuleType):
    """A file whose definitions run when they are asked for."""

    def __getattr__(self, name: str) -> Any:
        define = vars(self).get(_DEFINE)
        if define is not None and (name == "__all__" or not name.startswith("__")):
            define(name)
        if name in vars(self):
            return vars(self)[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


def is_students(kind: type) -> bool:
    """Whether a class is written in the submission."""
    return kind.__module__ == MODULE_NAME or kind.__module__.startswith(f"{MODULE_NAME}.")


def _why(statement: Statement, error: BaseException) -> str:
    node = statement.node
    if isinstance(error, SubmissionError):
        return error.message
    if isinstance(error, ModuleNotFoundError) and error.name:
        return missing_module(error.name)
    if isinstance(node, ast.ImportFrom) and node.level:
        return missing_module("." * node.level + (node.module or ""))
    what = ", ".join(sorted(statement.binds)) or "this line"
    reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    return f"{what} could not be defined: {reason}. The network needs it, so fix this line."


def _worth_a_line(statement: Statement) -> bool:
    node = statement.node
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return False
    if not statement.defines:
        return True
    return isinstance(node, ast.Assign) and any(
        isinstance(item, ast.Call) for item in ast.walk(node)
    )


def _left_out(statement: Statement, source: str) -> LeftOut:
    text = (ast.get_source_segment(source, statement.node) or "").strip().splitlines()
    reason = (
        "not needed to build the network"
        if statement.defines
        else "it does something instead of defining it"
    )
    if is_main_guard(statement.node):
        reason = "runs only when the file is the program"
    first = text[0][:200] if text else ""
    return LeftOut(line=statement.node.lineno, text=first, reason=reason)
