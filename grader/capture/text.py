"""The text of a student's file, or of a notebook's cells, as Python can read it.

In: source text. Out: text with every line at its number, and a syntax tree. Nothing runs here.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from grader.capture import magics
from grader.errors import SubmissionError
from grader.program.listing import Listing, Part
from grader.program.program import LeftOut


def listed(*parts: Part) -> str:
    """The text of parts, every line at its number in the listing."""
    return Listing(main=parts[0].file, parts=parts).whole


def without_magics(source: str, filename: str, cells: Sequence[Part]) -> tuple[str, list[LeftOut]]:
    """Blank out notebook lines (`!pip install`, `%matplotlib`), keeping the line numbers.

    Of a notebook, cells that do not parse are left out.
    """
    if not cells:
        text, blanked = magics.python(source)
        return text, [LeftOut(line=item.line, text=item.text, reason=_A_MAGIC) for item in blanked]
    left_out, parts = [], []
    for cell in cells:
        text, blanked = magics.cell(cell.text)
        for item in blanked:
            line = cell.first + item.line - 1
            left_out.append(LeftOut(line=line, text=item.text, reason=_A_MAGIC))
        try:
            ast.parse(text, filename)
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            line = cell.first + (getattr(error, "lineno", None) or 1) - 1
            first = cell.text.strip().split("\n")[0][:200]
            left_out.append(LeftOut(line=line, text=first, reason="the cell is not valid Python"))
            text = ""
        parts.append(cell.model_copy(update={"text": text}))
    return listed(*parts), left_out


_A_MAGIC = "a notebook command, not Python"


def parse(source: str, filename: str, shown: str) -> ast.Module:
    """The file's syntax tree; `shown` is its name for people. Raises SubmissionError."""
    try:
        return ast.parse(source, filename)
    except SyntaxError as error:
        end = "" if error.msg.endswith("?") else "."  # "Perhaps you forgot a comma?"
        name = "The file" if shown == filename else shown
        raise SubmissionError(
            f"{name} is not valid Python: {error.msg}{end} Run "
            f"`python {shown}` to see the place, and fix it first.",
            line=error.lineno,
        ) from error
    except (ValueError, MemoryError, RecursionError) as error:
        raise SubmissionError(
            f"Python cannot read the file ({type(error).__name__}): expressions are nested too "
            "deeply, or it holds bytes that are not text. Write the network as ordinary, readable "
            "code."
        ) from error
