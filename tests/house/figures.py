"""Measure a package: how long its files are, who imports whom, how long a breath a line takes.

A folder of Python files goes in, a `House` comes out. The files are read and parsed, never run.
A place reads `grader/analysis/cost.py:12`, a module `grader.analysis.cost`.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from statistics import median
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

COLUMNS = 100
ENTRY = re.compile(r"^if __name__ == ['\"]__main__['\"]:", re.MULTILINE)

Node = TypeVar("Node", bound=ast.AST)
Item = TypeVar("Item")
Function = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
ImportLine = ast.Import | ast.ImportFrom

FUNCTIONS: tuple[type[Function], ...] = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS: tuple[type[Comprehension], ...] = (
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)
IMPORTS: tuple[type[ImportLine], ...] = (ast.Import, ast.ImportFrom)

Arrows = dict[str, set[str]]  # a module, and the modules that it imports


@dataclass(frozen=True, slots=True)
class Module:
    """One file of the package, read and parsed."""

    name: str  # grader.analysis.cost; a package's __init__.py has the package's name
    file: str  # grader/analysis/cost.py
    text: str
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        """Whether the file is an `__init__.py`."""
        return self.file.endswith("/__init__.py")

    @property
    def is_entry(self) -> bool:
        """Whether somebody starts the file by name: Python, or pytest."""
        file = self.file.rpartition("/")[2]
        started = file == "__main__.py" or file.startswith("test_")
        return started or ENTRY.search(self.text) is not None

    @property
    def lines(self) -> list[str]:
        """The lines of the file, as an editor counts them."""
        return [line.rstrip("\n") for line in io.StringIO(self.text)]

    def place(self, line: int) -> str:
        """One line of the file, as editors and terminals write it."""
        return f"{self.file}:{line}"


@dataclass(frozen=True, slots=True)
class Import:
    """One name that one module takes from another module of the package."""

    importer: str
    imported: str  # the module that holds the name
    place: str
    renamed: bool  # `as` another name
    for_types: bool  # beneath `if TYPE_CHECKING:`


@dataclass(frozen=True, slots=True)
class Sized:
    """Something with a place and a length in lines."""

    place: str
    lines: int


@dataclass(frozen=True, slots=True)
class House:
    """What can be counted in a package. `per_100` is per 100 lines that are not empty."""

    files: int
    median_file: float
    largest_file: Sized
    functions: int
    median_function: float
    longest_function: Sized
    top: tuple[str, ...]  # `pipeline.py`, `analysis/`
    cycles: tuple[tuple[str, ...], ...]
    cycles_with_types: tuple[tuple[str, ...], ...]
    lines: int
    filled_lines: int  # those that are not empty
    conditions_per_100: float
    comprehensions_per_100: float
    comments_per_100: float  # lines with a comment
    comment_lines_per_100: float  # lines that are nothing but a comment
    nested_comprehensions: tuple[str, ...]
    several_for: tuple[str, ...]
    conditions_in_calls: tuple[str, ...]
    long_lines: tuple[str, ...]
    own_name: tuple[str, ...]
    renamed_imports: tuple[str, ...]
    never_imported: tuple[str, ...]
    one_line_helpers: tuple[str, ...]

    @property
    def long_line_share(self) -> float:
        """The share of lines over 100 columns, 0 to 1."""
        return len(self.long_lines) / self.lines


def measure(folder: Path) -> House:
    """Measure the package in a folder; a ValueError when it holds no function to measure."""
    modules = read(folder)
    found = imports(modules)
    files = [Sized(module.file, len(module.lines)) for module in modules]
    functions = flat(map(functions_of, modules))
    if not functions:
        raise ValueError(f"{folder} holds no Python function. Name the folder of a package.")
    lines = sum(file.lines for file in files)
    filled = sum(count_filled(module) for module in modules)
    conditions = sum(len(nodes(module.tree, ast.IfExp)) for module in modules)
    comprehensions = sum(len(nodes(module.tree, *COMPREHENSIONS)) for module in modules)
    comments = sum(len(comments_of(module)) for module in modules)
    comment_lines = sum(len(comment_lines_of(module)) for module in modules)
    return House(
        files=len(files),
        median_file=median(file.lines for file in files),
        largest_file=max(files, key=lambda file: file.lines),
        functions=len(functions),
        median_function=median(function.lines for function in functions),
        longest_function=max(functions, key=lambda function: function.lines),
        top=top_names(folder),
        cycles=cycles(arrows(found, with_types=False)),
        cycles_with_types=cycles(arrows(found, with_types=True)),
        lines=lines,
        filled_lines=filled,
        conditions_per_100=100 * conditions / filled,
        comprehensions_per_100=100 * comprehensions / filled,
        comments_per_100=100 * comments / filled,
        comment_lines_per_100=100 * comment_lines / filled,
        nested_comprehensions=flat(map(nested_comprehensions, modules)),
        several_for=flat(map(several_for, modules)),
        conditions_in_calls=flat(map(conditions_in_calls, modules)),
        long_lines=flat(map(long_lines, modules)),
        own_name=tuple(module.name for module in modules if holds_own_name(module)),
        renamed_imports=tuple(one.place for one in found if one.renamed),
        never_imported=never_imported(modules, found),
        one_line_helpers=flat(map(one_line_helpers, modules)),
    )


# Files


def read(folder: Path) -> list[Module]:
    """Read every Python file beneath the folder, whose name is the package's."""
    folder = folder.resolve()
    return [read_file(path, folder.parent) for path in sorted(folder.rglob("*.py"))]


def read_file(path: Path, root: Path) -> Module:
    """Read one file of a package that lies in `root`."""
    text = path.read_text(encoding="utf-8")
    parts = path.relative_to(root).with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    file = path.relative_to(root).as_posix()
    return Module(".".join(parts), file, text, ast.parse(text, filename=file))


def top_names(folder: Path) -> tuple[str, ...]:
    """What stands at the door: the modules, and the folders that hold Python."""
    files = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    rooms = {path.relative_to(folder).parts[0] for path in folder.glob("*/**/*.py")}
    return (*sorted(files), *sorted(f"{room}/" for room in rooms))


# Imports


def imports(modules: list[Module]) -> list[Import]:
    """Every import of one of the modules by another, or by itself."""
    known = {module.name for module in modules}
    return list(flat(imports_of(module, known) for module in modules))


def imports_of(module: Module, known: set[str]) -> Iterator[Import]:
    """The imports of the known modules in one file, in functions too."""
    types = beneath_type_checking(module.tree)
    for node in nodes(module.tree, *IMPORTS):
        source = source_of(node, module)
        for alias in node.names:
            name = f"{source}{alias.name}"
            imported = home(name, known)
            if imported is not None:
                renamed = alias.asname not in (None, alias.name)
                place = module.place(node.lineno)
                yield Import(module.name, imported, place, renamed, node in types)


def source_of(node: ImportLine, module: Module) -> str:
    """What stands before each imported name, up to the dot: nothing for `import x`."""
    if isinstance(node, ast.Import):
        return ""
    parts = []
    if node.level:
        up = node.level - int(module.is_package)  # a package's `.` is the package itself
        own = module.name.split(".")
        parts += own[: len(own) - up]
    if node.module:
        parts.append(node.module)
    return "".join(f"{part}." for part in parts)


def home(name: str, known: set[str]) -> str | None:
    """The module that an imported name is or lives in.

    `from grader import ops` names the module `grader.ops`; `from grader.ops import Operator` names
    something in it. A package counts only when the name is none of its modules.
    """
    for candidate in (name, name.rpartition(".")[0]):
        if candidate in known:
            return candidate
    return None


def beneath_type_checking(tree: ast.Module) -> set[ast.AST]:
    """Every node beneath an `if TYPE_CHECKING:`, but not beneath its `else`."""
    found: set[ast.AST] = set()
    for node in nodes(tree, ast.If):
        if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for statement in node.body:
                found.update(ast.walk(statement))
    return found


def arrows(found: Iterable[Import], *, with_types: bool) -> Arrows:
    """Who imports whom, with or without what only a type checker reads."""
    drawn: Arrows = {}
    for one in found:
        if with_types or not one.for_types:
            drawn.setdefault(one.importer, set()).add(one.imported)
    return drawn


def cycles(drawn: Mapping[str, set[str]]) -> tuple[tuple[str, ...], ...]:
    """The groups of modules that import each other in a circle: a imports b, b c, and c a."""
    reached = {module: reachable(module, drawn) for module in drawn}
    found = set()
    for module, others in reached.items():
        circle = [other for other in others if module in reached.get(other, ())]
        if len(circle) > 1:
            found.add(tuple(sorted(circle)))
    return tuple(sorted(found))


def reachable(start: str, drawn: Mapping[str, set[str]]) -> set[str]:
    """Every module at the end of a way along the arrows; the start too when a way leads back."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = drawn.get(waiting.pop(), set()) - found
        found |= new
        waiting.extend(new)
    return found


def never_imported(modules: Iterable[Module], found: Iterable[Import]) -> tuple[str, ...]:
    """The modules that no other module imports or names as text, and nobody starts.

    Packages are left out. A module that is named as text, "grader.render.html", is loaded by it.
    """
    used = {one.imported for one in found if one.importer != one.imported}
    for module in modules:
        texts = [node.value for node in nodes(module.tree, ast.Constant)]
        used.update(text for text in texts if isinstance(text, str))
    lonely = []
    for module in modules:
        if not (module.is_package or module.is_entry or module.name in used):
            lonely.append(module.name)
    return tuple(lonely)


# Lines and breath


def count_filled(module: Module) -> int:
    """How many lines are not empty."""
    return sum(1 for line in module.lines if line.strip())


def comments_of(module: Module) -> list[tokenize.TokenInfo]:
    """Every comment, alone on its line or after code."""
    tokens = tokenize.generate_tokens(io.StringIO(module.text).readline)
    return [token for token in tokens if token.type == tokenize.COMMENT]


def comment_lines_of(module: Module) -> list[int]:
    """The numbers of the lines that are nothing but a comment."""
    comments = comments_of(module)
    return [token.start[0] for token in comments if token.line.lstrip().startswith("#")]


def long_lines(module: Module) -> list[str]:
    """The places of lines over 100 columns."""
    numbered = enumerate(module.lines, start=1)
    return [module.place(number) for number, line in numbered if len(line) > COLUMNS]


def nested_comprehensions(module: Module) -> list[str]:
    """The places of comprehensions inside another comprehension."""
    found: set[ast.expr] = set()
    for outer in nodes(module.tree, *COMPREHENSIONS):
        found.update(inner for inner in nodes(outer, *COMPREHENSIONS) if inner is not outer)
    return places(module, found)


def several_for(module: Module) -> list[str]:
    """The places of comprehensions with more than one `for`."""
    found = nodes(module.tree, *COMPREHENSIONS)
    return places(module, (one for one in found if len(one.generators) > 1))


def conditions_in_calls(module: Module) -> list[str]:
    """The places of conditional expressions anywhere inside a call's arguments."""
    found: set[ast.expr] = set()
    for call in nodes(module.tree, ast.Call):
        for argument in (*call.args, *call.keywords):
            found.update(nodes(argument, ast.IfExp))
    return places(module, found)


# Functions


def functions_of(module: Module) -> list[Sized]:
    """Every function and method of a file, without its decorators."""
    found = []
    for node in nodes(module.tree, *FUNCTIONS):
        place = f"{module.place(node.lineno)} {node.name}"
        found.append(Sized(place, length(node)))
    return found


def holds_own_name(module: Module) -> bool:
    """Whether a file defines what it is called: `def cost` in `cost.py`."""
    name = module.name.rpartition(".")[2]
    if name.startswith("_"):
        return False
    for node in module.tree.body:
        if isinstance(node, Function | ast.ClassDef) and node.name == name:
            return True
    return False


def one_line_helpers(module: Module) -> list[str]:
    """The places of private functions of one line that their file calls once and uses no more."""
    called = Counter(name_of(call.func) for call in nodes(module.tree, ast.Call))
    used = Counter(name_of(node) for node in nodes(module.tree, ast.Name, ast.Attribute))
    found = []
    for node in nodes(module.tree, *FUNCTIONS):
        private = node.name.startswith("_") and not node.name.endswith("__")
        if private and called[node.name] == used[node.name] == 1 and is_one_line(node):
            found.append(node)
    return places(module, found)


def name_of(node: ast.expr) -> str | None:
    """The last word of a name: `c` for `a.b.c`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return None


def is_one_line(function: Function) -> bool:
    """Whether a function is one statement on one line, its docstring aside."""
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    return len(body) == 1 and length(body[0]) == 1


# Nodes and places


def nodes(root: ast.AST, *kinds: type[Node]) -> list[Node]:
    """The root and everything beneath it that is of one of the kinds."""
    return [node for node in ast.walk(root) if isinstance(node, kinds)]


def length(node: ast.stmt) -> int:
    """How many lines a statement takes."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def places(module: Module, found: Iterable[ast.expr | ast.stmt]) -> list[str]:
    """Where the nodes stand, from the top of the file down."""
    in_order = sorted(found, key=lambda node: node.lineno)
    return [module.place(node.lineno) for node in in_order]


def flat(groups: Iterable[Iterable[Item]]) -> tuple[Item, ...]:
    """One row of all the groups, in their order."""
    return tuple(chain.from_iterable(groups))
