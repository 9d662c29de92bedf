"""How a file ends its training early: whether by a `while`, and the line of its condition.

In: a listing, and a recipe that stops. Out: the lines of its stops, each only where nothing else in
the loop could be meant. Reads the syntax tree, and runs nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from grader.program.listing import Listing
from grader.program.recipe import Recipe

_FLAGS = {"should_stop", "stop_training"}
_FLAG = re.compile("|".join(sorted(_FLAGS)))
_IS_SET = re.compile(rf"({_FLAG.pattern}) = ")
_LOOPS = ast.For | ast.While | ast.AsyncFor
_LEAVES = ast.Break | ast.Return | ast.Raise


def lines(listing: Listing, recipe: Recipe) -> dict[str, int]:
    """The line of "stop_at_accuracy" and of "patience", as far as they can be told."""
    wanted = []
    if recipe.stop_at_accuracy is not None:
        wanted.append("stop_at_accuracy")
    if recipe.patience is not None:
        wanted.append("patience")
    if not wanted:
        return {}
    found = _conditions(listing, recipe.lines.get("epochs"))
    flags = {line for line, text in found.items() if _IS_SET.search(text)}
    if flags:  # `if trainer.should_stop: break` only follows what set it
        found = {
            line: text for line, text in found.items() if line in flags or not _FLAG.search(text)
        }
    if len(found) == 1:  # one condition may ask for both
        return dict.fromkeys(wanted, next(iter(found)))
    if recipe.stop_at_accuracy is None or len(found) != 2:
        return {}
    share = recipe.stop_at_accuracy
    numbers = {share, round(100 * share, 10)}
    named = [line for line, text in found.items() if numbers & _numbers(text)]
    if len(named) != 1:
        return {}
    (other,) = found.keys() - named
    return {"stop_at_accuracy": named[0]} | ({"patience": other} if "patience" in wanted else {})


def has_while(source: str) -> bool:
    """Whether a source has a loop that counts to no end: `while`, or `for epoch in count()`."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return re.search(r"^\s*while\b", source, re.M) is not None
    return any(map(_has_no_end, ast.walk(tree)))


def _has_no_end(node: ast.AST) -> bool:
    if not isinstance(node, ast.For):
        return isinstance(node, ast.While)
    called = ast.unparse(node.iter).partition("(")[0]
    return called.rpartition(".")[2] in {"count", "iter", "cycle", "repeat"}


def _numbers(text: str) -> set[float]:
    return {float(number) for number in re.findall(r"\d+\.?\d*", text)}


def _conditions(listing: Listing, loop: int | None) -> dict[int, str]:
    """Line and text of each condition that ends the loop over epochs, which begins at `loop`."""
    found: dict[int, str] = {}
    for part in listing.parts:
        try:
            tree = ast.parse(part.text)
        except (SyntaxError, ValueError, RecursionError):
            continue  # a cell with magics
        for node in ast.walk(tree):
            before = part.first - 1
            if _is_flag(node) and isinstance(node, ast.stmt):
                found[before + node.lineno] = ast.unparse(node)
            if isinstance(node, _LOOPS) and before + node.lineno == loop:
                for condition in _within(node):
                    found[before + condition.lineno] = ast.unparse(condition)
    return found


def _is_flag(node: ast.AST) -> bool:
    """Such as `trainer.should_stop = True`."""
    if not isinstance(node, ast.Assign):
        return False
    return any(isinstance(item, ast.Attribute) and item.attr in _FLAGS for item in node.targets)


def _within(loop: ast.For | ast.While | ast.AsyncFor) -> Iterator[ast.expr]:
    if isinstance(loop, ast.While) and not isinstance(loop.test, ast.Constant):
        yield loop.test
    for statement in loop.body:
        yield from _leaving(statement, within=None)


def _leaving(node: ast.AST, within: ast.expr | None) -> Iterator[ast.expr]:
    """The innermost conditions around what leaves the loop; inner loops have their own `break`."""
    if isinstance(node, _LEAVES) or _is_exit(node):
        if within is not None:
            yield within
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        return
    if isinstance(node, _LOOPS):
        return
    if not isinstance(node, ast.If):
        for child in ast.iter_child_nodes(node):
            yield from _leaving(child, within)
        return
    for statement in node.body:
        yield from _leaving(statement, node.test)
    for statement in node.orelse:
        yield from _leaving(statement, node.test)


def _is_exit(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("exit", "quit", "sys.exit")
