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
from grader.checks.own import OwnChecks
from grader.checks.pages import Example, Explanation
from grader.printable import printable
from grader.render.called import called
from grader.render.marks import MARKS, bullets, section, spaced
from grader.report import Verdict
from grader.submission.submission import UsageError

WIDEST = 100


def show(check: str | None, owned: Sequence[tuple[str, OwnChecks]] = ()) -> int:
    """Print the explanation of one check, or a line about each. Raises UsageError.

    `owned` are the assignments that have checks of their own, with these.
    """
    console = Console()
    if check is None:
        console.print(listing([pages.load(name) for name in check_names()]))
        for assignment, own in owned:
            explanations = [pages.of_own(one, own) for one in own.checks]
            console.print(_table(f"Checks of {assignment}", explanations))
    elif check in check_names():
        console.print(page(pages.load(check)))
    else:
        for part in _of_own(check, owned):
            console.print(part)
    return 0


def _of_own(check: str, owned: Sequence[tuple[str, OwnChecks]]) -> list[RenderableType]:
    """Its page in each assignment that has a check of that name. Raises UsageError."""
    known, found = list(check_names()), list[RenderableType]()
    for assignment, own in owned:
        known += own.names
        for one in own.checks:
            if one.name == check:
                found.append(Text(f"A check of {printable(assignment, 100)}.", style="dim"))
                found.append(page(pages.of_own(one, own)))
    if not found:
        raise UsageError(pages.unknown(check, known))
    return found


def page(explained: Explanation) -> RenderableType:
    """What the check means, why it matters, two examples, and what the failing one is told."""
    parts: list[RenderableType] = [
        section(f"{explained.name}: {explained.title.rstrip('.')}"),
        _indented(Markdown(explained.meaning)),
    ]
    if explained.why:
        parts += [section("Why it matters"), _indented(Markdown(explained.why))]
    if explained.passes:
        title = f"{MARKS[Verdict.PASSED].symbol} passes"
        parts += [section(title), _example(explained.passes)]
    if explained.fails:
        title = f"{MARKS[Verdict.FAILED].symbol} fails"
        parts += [section(title), _example(explained.fails)]
    if explained.told:
        parts.append(_indented(_told(explained.told)))
    return Constrain(Group(spaced(parts), Text()), WIDEST)


def listing(explanations: Sequence[Explanation]) -> RenderableType:
    """One line per check."""
    command = called("explain", "CHECK")
    more = Text(f"{command} says what it means, with examples.", style="dim")
    return Constrain(Group(_table("Checks", explanations), Text(), _indented(more)), WIDEST)


def _table(title: str, explanations: Sequence[Explanation]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    for explained in explanations:
        table.add_row(Text(explained.name, style="bold"), Text(explained.title.rstrip(".")))
    return Constrain(Group(section(title), _indented(table)), WIDEST)


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
    measured, *rest = lines
    style = MARKS[Verdict.FAILED].style
    said = Text.assemble(("The scorecard says: ", "dim"), (measured, style))
    reason = [Text(line) for line in rest[:1]]
    return Group(said, *reason, bullets("→", (Text(hint) for hint in rest[1:])))


def _indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, 1))
