"""The parts of a listing as syntax trees, every line at its number in the listing.

In: a Listing. Out: code to run. Loops of the student's are watched: an error that flies through the
loop that trains ends a training before its end, even where the file catches it further out.
"""

from __future__ import annotations

import ast
import linecache
import types

from grader.capture import magics
from grader.program.listing import Listing, Part

LEFT = "__left_by_an_error__"
"""The name, in builtins, of what a loop calls that an error leaves: its first and last line."""
PROGRAM = "__start_program__"
"""The name, in builtins, of what `!python train.py` becomes."""


class Pieces:
    """The listing, ready to be compiled; `dropped` are the cells that do not parse."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.name = listing.main
        self._caught: list[tuple[int, int]] = []
        self.loops: list[tuple[int, int]] = []
        lines: list[str] = []
        for part in listing.parts:
            lines += [""] * (part.first - 1 - len(lines))
            lines += part.text.split("\n")
        text = [f"{line}\n" for line in lines]
        linecache.cache[self.name] = (sum(map(len, text)), None, text, self.name)

    def code(self, part: Part) -> types.CodeType:
        """What to run for a part. Raises SyntaxError at its line in the listing."""
        is_cell = part.cell is not None and part.file == self.name
        text, _ = magics.cell(part.text) if is_cell else magics.python(part.text)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if is_cell else 0
        try:
            tree = ast.parse(_with_programs(part.text, text), self.name)
            ast.increment_lineno(tree, part.first - 1)
        except SyntaxError as error:
            error.lineno = (error.lineno or 1) + part.first - 1
            raise
        self._caught += _ready_for_missing(tree)
        self.loops += _loops(tree)
        watched = ast.fix_missing_locations(_Watch().visit(tree))
        code: types.CodeType = compile(watched, self.name, "exec", flags, dont_inherit=True)
        return code

    def share_a_loop(self, some: tuple[int, ...], others: tuple[int, ...]) -> bool:
        """Whether a line of `some` and a line of `others` are in one loop."""
        return any(_holds(loop, some) and _holds(loop, others) for loop in self.loops)

    def is_ready_for_missing(self, line: int) -> bool:
        """Whether an import at that line may fail: the file says what to do then."""
        return any(first <= line <= last for first, last in self._caught)


def _holds(loop: tuple[int, int], lines: tuple[int, ...]) -> bool:
    return any(loop[0] <= line <= loop[1] for line in lines)


def _with_programs(source: str, text: str) -> str:
    """`!python train.py` and `%run train.py` start that file of the submission."""
    lines = text.split("\n")
    for number, command in magics.programs(source):
        blank = lines[number - 1].strip()
        if blank in ("", "pass"):
            before = source.split("\n")[number - 1]
            indentation = before[: len(before) - len(before.lstrip())] if blank else ""
            lines[number - 1] = f"{indentation}{PROGRAM}({command!r})"
    return "\n".join(lines)


def _ready_for_missing(tree: ast.Module) -> list[tuple[int, int]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and any(map(_catches_missing, node.handlers)):
            found.append((node.body[0].lineno, node.body[-1].end_lineno or node.body[-1].lineno))
    return found


def _catches_missing(handler: ast.ExceptHandler) -> bool:
    """Whether it catches that a package is missing, and goes on without it."""
    names = (
        {item.id for item in ast.walk(handler.type) if isinstance(item, ast.Name)}
        if (handler.type)
        else {"Exception"}
    )
    ends = any(isinstance(item, ast.Raise) for item in ast.walk(handler))
    return bool(names & {"ImportError", "ModuleNotFoundError", "Exception"}) and not ends


def _loops(tree: ast.Module) -> list[tuple[int, int]]:
    kinds = ast.For | ast.While | ast.AsyncFor
    nodes = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    return [(node.lineno, node.end_lineno or node.lineno) for node in nodes]


class _Watch(ast.NodeTransformer):
    """Puts a `try` around each loop that says when an error leaves it, and lets it go on."""

    def visit_For(self, node: ast.For) -> ast.AST:
        return self._watched(node)

    def visit_While(self, node: ast.While) -> ast.AST:
        return self._watched(node)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        return self._watched(node)

    def _watched(self, node: ast.For | ast.While | ast.AsyncFor) -> ast.AST:
        self.generic_visit(node)
        lines: list[ast.expr] = [ast.Constant(node.lineno), ast.Constant(node.end_lineno)]
        tell = ast.Expr(ast.Call(ast.Name(LEFT, ast.Load()), lines, []))
        handler = ast.ExceptHandler(
            ast.Name("BaseException", ast.Load()), None, [tell, ast.Raise(None, None)]
        )
        watched = ast.Try([node], [handler], [], [])
        for inner in (watched, handler, tell):
            ast.copy_location(inner, node)
        return watched
