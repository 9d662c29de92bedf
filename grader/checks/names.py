"""Which checks exist: each is a function `test_<name>` beside this file, and its page `<name>.md`.

And which fixtures they may ask for. Imports nothing of the grader.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


@cache
def check_names() -> tuple[str, ...]:
    """The name of every check, in alphabetical order."""
    return tuple(sorted(page.stem for page in FOLDER.glob("*.md")))


@cache
def fixture_names() -> tuple[str, ...]:
    """What a check may ask for: the fixtures of `plugin.py`, which is read, not imported."""
    tree = ast.parse((FOLDER / "plugin.py").read_text(encoding="utf-8"))
    (checker,) = [node for node in tree.body if getattr(node, "name", "") == "Checker"]
    assert isinstance(checker, ast.ClassDef)
    found = []
    for node in checker.body:
        if isinstance(node, ast.FunctionDef):
            decorators = map(ast.unparse, node.decorator_list)
            if "pytest.fixture" in decorators:
                found.append(node.name)
    return tuple(found)
