"""What each top-level statement binds and reads, and whether it defines or does something.

In: Python's syntax tree. Out: `Statement`s, and those of them that given names need. Nothing runs
here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from itertools import chain

FILLING = (
    *("append", "extend", "insert", "add", "update", "setdefault", "add_argument"),
    *("add_module", "register_module", "register_buffer", "register_parameter"),
)
"""Methods that go on defining what they are called on: `config.update(...)`,
`parser.add_argument(...)`."""


class Statement:
    """A top-level statement: what it binds and reads, and whether it defines or does something.

    `changes`: it adds to what a name is bound to already, as `config["width"] = 16` does.
    `left_out`: what it would do beside defining names; that has become `pass`.
    """

    def __init__(self, node: ast.stmt) -> None:
        self.node = node
        self.left_out = [Statement(inner) for inner in _take_out(node)]
        self.defines = _defines(node)
        self.binds = frozenset(_bound(node))
        self.changes = _changes(node)
        self.reads = frozenset(
            name.id
            for name in ast.walk(node)
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Load)
        )


def _defines(node: ast.stmt) -> bool:
    if isinstance(node, ast.If | ast.Try):
        inner = chain.from_iterable(_blocks(node))
        return not is_main_guard(node) and (any(_bound(node)) or all(map(_defines, inner)))
    return _filled(node) is not None or isinstance(
        node,
        ast.Import
        | ast.ImportFrom
        | ast.ClassDef
        | ast.FunctionDef
        | ast.AsyncFunctionDef
        | ast.Assign
        | ast.AnnAssign
        | ast.AugAssign
        | ast.Pass,
    )


def _take_out(node: ast.stmt) -> Iterator[ast.stmt]:
    """Replace what an `if` or `try` does besides defining names by `pass`; yield what was there.

    A `raise` stays: it is how the file says why it does not define them, and the stand-in repeats
    that.
    """
    if not isinstance(node, ast.If | ast.Try) or is_main_guard(node) or not any(_bound(node)):
        return
    for block in _blocks(node):
        for index, inner in enumerate(block):
            if _defines(inner):
                yield from _take_out(inner)
            elif not isinstance(inner, ast.Raise):
                block[index] = ast.copy_location(ast.Pass(), inner)
                yield inner


def _blocks(node: ast.If | ast.Try) -> list[list[ast.stmt]]:
    if isinstance(node, ast.If):
        return [node.body, node.orelse]
    return [node.body, *(handler.body for handler in node.handlers), node.orelse, node.finalbody]


def _filled(node: ast.stmt) -> ast.expr | None:
    """What `layers.append(...)` or the like is called on."""
    if (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
    ):
        return node.value.func.value if node.value.func.attr in FILLING else None
    return None


def _changes(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        return not any(
            isinstance(target, ast.Name | ast.Tuple | ast.List) for target in node.targets
        )
    if isinstance(node, ast.If | ast.Try):
        inner = chain.from_iterable(_blocks(node))
        return all(_changes(item) for item in inner if any(_bound(item)))
    return isinstance(node, ast.AugAssign) or _filled(node) is not None


def is_main_guard(node: ast.stmt) -> bool:
    """Whether it is `if __name__ == "__main__"`."""
    return isinstance(node, ast.If) and any(
        isinstance(name, ast.Name) and name.id == "__name__" for name in ast.walk(node.test)
    )


def _bound(node: ast.AST) -> Iterator[str]:
    """Names that a definition binds or changes: `config["lr"] = 1` changes config."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0]
    elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            yield from _target_names(target)
    elif isinstance(node, ast.Expr) and (filled := _filled(node)) is not None:
        yield from _target_names(filled)
    elif isinstance(node, ast.If | ast.Try | ast.ExceptHandler):
        for child in ast.iter_child_nodes(node):
            yield from _bound(child)


def _target_names(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Tuple | ast.List):
        for item in target.elts:
            yield from _target_names(item)
    elif isinstance(target, ast.Attribute | ast.Subscript | ast.Starred):
        yield from _target_names(target.value)


def bound_by(statements: Iterable[Statement]) -> set[str]:
    """Every name that one of them binds."""
    return set[str]().union(*(item.binds for item in statements))


def read_by(statements: Iterable[Statement]) -> set[str]:
    """Every name that one of them reads."""
    return set[str]().union(*(item.reads for item in statements))


def reachable(statements: list[Statement], names: set[str]) -> set[Statement]:
    """The definitions of `names`, and of all that they need, directly or indirectly."""
    wanted: set[Statement] = set()
    imports = ast.Import | ast.ImportFrom
    imported = bound_by(item for item in statements if isinstance(item.node, imports))
    grew = True
    while grew:
        grew = False
        for item in statements:
            changes_import = item.changes and item.binds <= imported
            is_star = isinstance(item.node, ast.ImportFrom) and item.node.names[0].name == "*"
            if (
                item not in wanted
                and item.defines
                and not changes_import
                and (item.binds & names or is_star)
            ):
                wanted.add(item)
                names |= item.reads
                grew = True
    return wanted


def made_again(statements: list[Statement]) -> set[Statement]:
    """What makes or changes values.

    Imports, functions and classes, and what is added to them, stay as they are.
    """
    kinds = ast.Import | ast.ImportFrom | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    once = bound_by(item for item in statements if isinstance(item.node, kinds))
    return {item for item in statements if not item.binds <= once}
