"""The cells that a notebook has run so far, as the notebook that could be handed in.

In: the texts that were run, in order, and the class that is meant. Out: an .ipynb file's bytes,
where a cell's number is that of `In [7]`. Of what was run twice, or rewritten, the newest counts:
the file is to read as the notebook does. The grader's own lines are left out. Nothing is executed.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Sequence

from grader.submission import main_file

_OURS = re.compile(r"[ \t]*%(?:(?:re)?load_ext\s+grader|grader)\b.*")
_DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def as_notebook(inputs: Sequence[str], model: str = "") -> bytes:
    """A notebook of the `inputs`, the first of which is cell 1; `model` names the class to grade.

    What is left out leaves an empty cell behind, so that every number stays what it is; at the end,
    where there is none to keep, it leaves nothing.
    """
    texts = newest([without_ours(text) for text in inputs])
    while texts and not texts[-1].strip():
        texts.pop()
    if model:
        texts.append(f"MODEL = {model}")
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": text} for text in texts]
    return json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}).encode()


def newest(texts: Sequence[str]) -> list[str]:
    """The same cells, empty where a later one has the same text, or defines all that it defines."""
    kept: list[str] = []
    later_texts: set[str] = set()
    later_names: list[set[str]] = []
    for text in reversed(texts):
        names = _defined(text)
        rewritten = bool(names) and any(names <= later for later in later_names)
        if rewritten or text.strip() in later_texts:
            kept.append("")
            continue
        kept.append(text)
        later_texts.add(text.strip())
        later_names.append(names)
    return kept[::-1]


def without_ours(text: str) -> str:
    """The text of a cell without the lines that call the grader; the others keep their numbers."""
    lines = ["" if _OURS.fullmatch(line) else line for line in text.split("\n")]
    tree = main_file.parse("\n".join(lines))
    if tree is None:
        return "\n".join(lines)
    ours = {"grader"}
    for node in tree.body:
        if _is_ours(node, ours):
            first, last = node.lineno - 1, node.end_lineno or node.lineno
            lines[first:last] = [""] * (last - first)
    return "\n".join(lines)


def _is_ours(node: ast.stmt, ours: set[str]) -> bool:
    """Whether a statement calls the grader and does nothing else.

    `ours` holds the names of it, and gets those that the statement imports. Imports stay: a call in
    a loop stays too, and does nothing where the cells are rehearsed.
    """
    if isinstance(node, ast.Import):
        ours |= {alias.asname or alias.name for alias in node.names if alias.name == "grader"}
    if isinstance(node, ast.ImportFrom) and node.module == "grader":
        ours |= {alias.asname or alias.name for alias in node.names}
    if isinstance(node, ast.Expr | ast.Assign):
        return _root(node.value) in ours
    return False


def _root(value: ast.expr) -> str:
    """The first name of a call: `grader` in `grader.check(Net).report`."""
    called = False
    while isinstance(value, ast.Call | ast.Attribute):
        called |= isinstance(value, ast.Call)
        value = value.func if isinstance(value, ast.Call) else value.value
    return value.id if called and isinstance(value, ast.Name) else ""


def _defined(text: str) -> set[str]:
    """The classes and functions that a cell defines at its top level."""
    tree = main_file.parse(text)
    body: Iterable[ast.stmt] = tree.body if tree else ()
    return {node.name for node in body if isinstance(node, _DEFINITIONS)}
