"""What a file does that works here and not everywhere: notes, each with the line.

Looks at the syntax tree alone. Runs in the child.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable


def notes(nodes: Iterable[ast.stmt]) -> list[str]:
    """A note on the first `squeeze()` that does not say which dimensions."""
    lines: list[int] = []
    for node in nodes:
        calls = (inner for inner in ast.walk(node) if isinstance(inner, ast.Call))
        lines += [call.lineno for call in calls if _squeezes_all(call)]
    if not lines:
        return []
    return [
        f"squeeze() (line {lines[0]}) without a dimension also takes the batch away where it is a "
        "single image; the grader leaves the batch in place. Write x.flatten(1), or name the "
        "dimensions"
    ]


def _squeezes_all(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "squeeze" or call.keywords:
        return False
    of_torch = isinstance(call.func.value, ast.Name) and call.func.value.id == "torch"
    return len(call.args) == int(of_torch)
