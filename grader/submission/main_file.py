"""Which file of a work is the one that trains: the one that is run.

In: the texts of all Python files and notebooks, by name. Out: one name, or none where it is not
clear. The text is read as a syntax tree, never run.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

_COMMAND = re.compile(r"(?m)^[ \t]*(?:[!%?].*|[\w.]+\?{1,2}[ \t]*)$")
_TRAINS = re.compile(r"train|main|run", re.IGNORECASE)
_ONLY_USES = re.compile(r"test|eval|infer|predict|demo|util|helper|visual|plot", re.IGNORECASE)


@dataclass(frozen=True)
class Script:
    """What the text of one file says of its part in the whole."""

    name: str
    text: str
    is_notebook: bool

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree, of as many cells or lines as are Python."""
        return parse(self.text) or ast.Module([], [])

    @cached_property
    def trains(self) -> bool:
        """Whether it takes a step back through a network, or has it done."""
        return any(map(_is_training, ast.walk(self.tree)))

    @cached_property
    def runs(self) -> bool:
        """Whether anything happens when it is run, beyond definitions."""
        return self.is_notebook or any(map(_does_something, self.tree.body))

    @cached_property
    def has_network(self) -> bool:
        """Whether it defines a class of torch's modules."""
        classes = [node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)]
        bases = [base for node in classes for base in node.bases]
        names = (getattr(base, "attr", getattr(base, "id", "")) for base in bases)
        return any(name.endswith("Module") for name in names)

    @cached_property
    def imported(self) -> frozenset[str]:
        """The modules that it imports, in whole: "models.net"."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                found.update({module, *(f"{module}.{alias.name}" for alias in node.names)})
        return frozenset(name.strip(".") for name in found)


def parse(text: str) -> ast.Module | None:
    """The syntax tree of a text, without a notebook's commands; None where it is not Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the student's escapes, which others say
        try:
            return ast.parse(_COMMAND.sub("pass", text))
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return None


def imports(scripts: Iterable[Script]) -> dict[str, set[str]]:
    """Of each file the others that it imports, wherever among them the module is first found."""
    known = list(scripts)
    files = {script.name.casefold(): script.name for script in known if not script.is_notebook}
    found: dict[str, set[str]] = {}
    for script in known:
        targets = (_file_of(module, script.name, files) for module in script.imported)
        found[script.name] = {name for name in targets if name and name != script.name}
    return found


def connected(links: Mapping[str, set[str]]) -> int:
    """How many of the files hang together, in the largest group that imports make."""
    both: dict[str, set[str]] = {name: set(targets) for name, targets in links.items()}
    for name, targets in links.items():
        for target in targets:
            both[target].add(name)
    largest, left = 0, set(both)
    while left:
        group, waiting = set(), [left.pop()]
        while waiting:
            name = waiting.pop()
            group.add(name)
            waiting += both[name] - group
        left -= group
        largest = max(largest, len(group))
    return largest


def candidates(scripts: list[Script]) -> list[str]:
    """The files that may be the one that trains, the best first; one if that is clear."""
    if len(scripts) == 1:
        return [scripts[0].name]
    links = imports(scripts)
    training = _training(scripts, links)
    groups = (
        [script for script in scripts if script.name in training and script.runs],
        [script for script in scripts if script.name in training],
        [script for script in scripts if script.has_network],
        scripts,
    )
    likely = next((group for group in groups if group), [])
    used = {name for targets in links.values() for name in targets}
    points = {script.name: _points(script, links, used) for script in likely}
    best = max(points.values(), default=0)
    first = [name for name, count in points.items() if count == best]
    if len(first) == 1:
        return first
    return [*first, *(name for name in points if name not in first)]


def _training(scripts: list[Script], links: Mapping[str, set[str]]) -> set[str]:
    """Those that train, themselves or by what they import."""
    found = {script.name for script in scripts if script.trains}
    while True:
        more = {name for name, targets in links.items() if targets & found} - found
        if not more:
            return found
        found |= more


def _points(script: Script, links: Mapping[str, set[str]], used: set[str]) -> int:
    name = PurePosixPath(script.name).stem
    says = [
        (4, _TRAINS.search(name) and not _ONLY_USES.search(name)),
        (3, script.runs),
        (2, script.trains),
        (1, links[script.name]),
        (-3, script.name in used),
        (-3, _ONLY_USES.search(name)),
    ]
    return sum(points for points, holds in says if holds)


def _file_of(module: str, importer: str, files: Mapping[str, str]) -> str:
    """The file of a module: beside the one that imports it, above, or at the top."""
    inside = module.replace(".", "/").casefold()
    folder = PurePosixPath(importer).parent
    for place in (folder, *folder.parents):
        for end in (".py", "/__init__.py"):
            found = files.get(str(place / f"{inside}{end}").casefold())
            if inside and found:
                return found
    # Others put a folder of their own on the path first: sys.path.append("../src").
    elsewhere = [file for key, file in files.items() if key.endswith(f"/{inside}.py")]
    return elsewhere[0] if inside and len(elsewhere) == 1 else ""


def _is_training(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute):
        return node.func.attr in ("backward", "fit", "Trainer")
    return isinstance(node.func, ast.Name) and node.func.id == "Trainer"


def _does_something(statement: ast.stmt) -> bool:
    """Whether a statement at the top is more than a definition, an import or a text."""
    if isinstance(statement, ast.If):
        values = (getattr(node, "value", None) for node in ast.walk(statement.test))
        return "__main__" in list(values) or any(map(_does_something, statement.body))
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call)
    return isinstance(statement, (ast.For, ast.While, ast.With))
