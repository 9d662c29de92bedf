"""Where forward() decides by the number of images: the line, which torch.export does not know.

In: an export that fails for this reason. Out: the line of the student's file. Runs in the child.

The export runs a second time, only to fail again, and each condition on a size that torch notes
("guard") is tried with other numbers of images. The first that does not hold for all of them is
the one, and the frames on the stack while it is noted say which line asked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from torch.fx.experimental.symbolic_shapes import ShapeEnv

SIZES = (2, 3, 4, 5, 7, 8, 16, 63, 64, 66, 100, 128, 199, 200, 500, 501, 1000)
"""Numbers of images that a condition is tried with."""


def line(export: Callable[[], Any], filename: str) -> int | None:
    """The line that asks something of the number of images which not every number fulfils."""
    found: list[int] = []
    original = ShapeEnv.evaluate_expr

    def evaluate(shapes: ShapeEnv, *arguments: Any, **keywords: Any) -> Any:
        known = len(shapes.guards)
        try:
            return original(shapes, *arguments, **keywords)
        finally:
            if not found and any(map(_fails_for_some, (one.expr for one in shapes.guards[known:]))):
                found.extend(_lines(filename))

    ShapeEnv.evaluate_expr = evaluate  # type: ignore[method-assign,assignment] # for this export
    try:
        export()
    except Exception:  # the one that is explained
        return found[0] if found else None
    finally:
        ShapeEnv.evaluate_expr = original  # type: ignore[method-assign]
    return None


def _fails_for_some(condition: Any) -> bool:
    symbols = list(condition.free_symbols)
    if len(symbols) != 1:
        return False
    return any(condition.subs(symbols[0], size) == False for size in SIZES)  # noqa: E712 - sympy's


def _lines(filename: str) -> list[int]:
    """Of the frames on the stack, the innermost of the student's file."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == filename:
            return [frame.f_lineno]
        frame = frame.f_back
    return []
