"""The explanation of a check, and the list of all. In: Explanations. Out: rich renderables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.markdown import Markdown
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from grader.render.marks import MARKS, bullets, section
from grader.report import Verdict

if TYPE_CHECKING:
    from grader.checks.pages import Example, Explanation

WIDEST = 100


def page(explained: Explanation) -> RenderableType:
    """What the check means, why it matters, and its two examples with what the failing one is told."""
    parts = [
        section(f"{explained.name}: {explained.title.rstrip('.')}"),
        _indented(Markdown(explained.meaning)),
        section("Why it matters"),
        _indented(Markdown(explained.why)),
        section(f"{MARKS[Verdict.PASSED].symbol} passes"),
        _example(explained.passes),
        section(f"{MARKS[Verdict.FAILED].symbol} fails"),
        _example(explained.fails),
        _indented(_told(explained.told)),
    ]
    return Constrain(Group(*(line for part in parts for line in (part, Text()))), WIDEST)


def listing(explanations: Sequence[Explanation]) -> RenderableType:
    """One line per check."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for explained in explanations:
        table.add_row(Text(explained.name, style="bold"), Text(explained.title.rstrip(".")))
    more = Text("python -m grader explain CHECK says what it means, with examples.", style="dim")
    return Constrain(Group(section("Checks"), _indented(table), Text(), _indented(more)), WIDEST)


def _example(example: Example) -> RenderableType:
    if example.language != "python":
        return _indented(Text(example.text.strip()))
    code = Syntax(
        example.text.rstrip(),
        "python",
        theme="ansi_dark",
        background_color="default",
        line_numbers=True,
    )
    return _indented(code)


def _told(lines: Sequence[str]) -> RenderableType:
    measured, reason, *hints = lines
    style = MARKS[Verdict.FAILED].style
    said = Text.assemble(("The scorecard says: ", "dim"), (measured, style))
    return Group(said, Text(reason), bullets("→", (Text(hint) for hint in hints)))


def _indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, 1))
