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
import linecache
import symtable
import sys
import types
from collections.abc import Iterable, Iterator
from typing import Any

from grader.capture import magics
from grader.capture.statements import (
    Statement,
    bound_by,
    is_main_guard,
    made_again,
    reachable,
    read_by,
)
from grader.errors import SubmissionError
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
)
MODULE_NAME = "submission"


class MissingError(SubmissionError):
    """Something is used that could not be defined."""


class Missing:
    """Stands in for something that could not be defined, and says why when it is used."""

    why: str
    line: int

    def __init__(self, why: str, line: int) -> None:
        self.__dict__["why"] = why
        self.__dict__["line"] = line

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(self.why, self.line)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        why, line = self.why, self.line

        class MissingBase:
            def __init__(self, *_: Any, **__: Any) -> None:
                raise SubmissionError(why, line=line)

        return (MissingBase,)

    def _complain(self, *_: Any, **__: Any) -> Any:
        raise MissingError(self.why, line=self.line)

    __call__ = __iter__ = __len__ = __getitem__ = __bool__ = __int__ = __float__ = __index__ = (
        _complain
    )
    __add__ = __radd__ = __mul__ = __rmul__ = __sub__ = __rsub__ = __truediv__ = __rtruediv__ = (
        _complain
    )
    __lt__ = __gt__ = __le__ = __ge__ = __enter__ = _complain


class Definitions:
    """What a file defines: `names`, and remarks on how the file was read as `notes`."""

    def __init__(self, source: str, filename: str) -> None:
        self._source, self._magics = _without_magics(source)
        self._statements = [Statement(node) for node in _parse(self._source, filename).body]
        self._filename = filename
        self._ran: set[Statement] = set()
        module = types.ModuleType(MODULE_NAME)
        module.__file__ = filename
        sys.modules[MODULE_NAME] = module
        self.names: dict[str, Any] = module.__dict__
        self.notes: list[str] = []

    def define(self, names: Iterable[str]) -> None:
        """Run the definitions of `names` and all that they need, once each, in the file's order."""
        wanted = reachable(self._statements, set(names)) - self._ran
        for statement in self._statements:
            if statement in wanted:
                self._ran.add(statement)
                self._run(statement)

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
        """The file's own classes, in order."""
        return {
            name: value
            for name, value in self.names.items()
            if isinstance(value, type)
            and value.__module__ == MODULE_NAME
            and value.__name__ == name
        }

    @property
    def lines(self) -> dict[str, int]:
        """Where the file binds each name."""
        found: dict[str, int] = {}
        for item in self._statements:
            if not item.changes:
                found |= dict.fromkeys(item.binds, item.node.lineno)
        return found

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
        return tuple(sorted(found, key=lambda item: item.line))

    def _compiled(self, statement: Statement) -> types.CodeType:
        return compile(ast.Module([statement.node], []), self._filename, "exec")

    def _run(self, statement: Statement) -> None:
        try:
            exec(self._compiled(statement), self.names)  # noqa: S102 - what this process is for
        # SystemExit: argparse ends the program when it misses an argument.
        except (Exception, SystemExit) as error:
            why = _why(statement, error)
            for name in self._unbound() if "*" in statement.binds else statement.binds:
                self.names.setdefault(name, Missing(why, statement.node.lineno))

    def _unbound(self) -> set[str]:
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


def read_definitions(source: str, filename: str) -> Definitions:
    """Run the definitions in `source` that a network or a recipe can reach.

    `filename` is the name shown in tracebacks. Raises SubmissionError for a syntax error.
    """
    definitions = Definitions(source, filename)
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    definitions.define({*FACTORIES, *SETTINGS, *definitions.own_classes})
    return definitions


def _without_magics(source: str) -> tuple[str, list[LeftOut]]:
    """Blank out notebook lines (`!pip install`, `%matplotlib`), keeping the line numbers."""
    text, blanked = magics.python(source)
    reason = "a notebook command, not Python"
    return text, [LeftOut(line=item.line, text=item.text, reason=reason) for item in blanked]


def _parse(source: str, filename: str) -> ast.Module:
    try:
        return ast.parse(source, filename)
    except SyntaxError as error:
        raise SubmissionError(
            f"The file is not valid Python: {error.msg}. Run `python {filename}` to see the "
            "place, and fix it first.",
            line=error.lineno,
        ) from error
    except (ValueError, MemoryError, RecursionError) as error:
        raise SubmissionError(
            f"Python cannot read the file ({type(error).__name__}): expressions are nested too "
            "deeply, or it holds bytes that are not text. Write the network as ordinary, readable "
            "code."
        ) from error


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


def missing_module(name: str) -> str:
    """What to tell a student whose network needs the module `name`."""
    if name in sys.builtin_module_names or hasattr(builtins, name):
        return f"{name} cannot be imported here."
    return (
        f"The network uses {name}, which is not installed here. If {name} is a file of yours, "
        "copy what you use into the submission, which is one file; if it is a package, write that "
        "part with torch alone."
    )


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
