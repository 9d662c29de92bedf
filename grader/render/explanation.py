"""The explanation of a check, and the list of all. In: its page. Out: rich renderables, printed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.markdown import Markdown
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from grader.checks import pages
from grader.checks.names import check_names
from grader.checks.pages import Example, Explanation
from grader.render.marks import MARKS, bullets, section, spaced
from grader.report import Verdict

WIDEST = 100


def show(check: str | None) -> int:
    """Print the explanation of one check, or a line about each. Raises UsageError."""
    console = Console()
    if check is None:
        console.print(listing([pages.load(name) for name in check_names()]))
    else:
        console.print(page(pages.load(check)))
    return 0


def page(explained: Explanation) -> RenderableType:
    """What the check means, why it matters, two examples, and what the failing one is told."""
    parts: list[RenderableType] = [
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
    return Constrain(Group(spaced(parts), Text()), WIDEST)


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
