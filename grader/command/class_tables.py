"""Tables of a class out of its saved reports: a gradebook, and boards of who is first.

In: folders of reports, an instructor's list. Out: text, printed or in a file; an exit code.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from grader.classroom import class_record, gradebook, leaderboard, listed, roster
from grader.classroom.leaderboard import Board
from grader.render import export
from grader.render.marks import section, spaced
from grader.render.plain import Plain
from grader.report import Report
from grader.storage import seal
from grader.storage.atomic import write_whole
from grader.submission.submission import UsageError

OTHERS = {
    "moodle": gradebook.moodle,
    "nbgrader": gradebook.nbgrader,
    "otter": gradebook.otter,
}
"""By the name of a platform: what writes its table, where nothing but the list is needed."""


def write_gradebook(
    paths: Sequence[Path], students: Path, platform: str, *, column: str, output: Path | None
) -> int:
    """Write the gradebook of one assignment; what is not in it goes to standard error.

    Raises UsageError and GraderError.
    """
    reports = export.read_all(paths)
    known = roster.read(students)
    if platform == "canvas":
        book = gradebook.canvas(reports, known, column=column)
    else:
        book = OTHERS[platform](reports, known)
    messages = Console(stderr=True)
    for remark in book.remarks:
        messages.print(Plain(Text(remark, style="yellow")), soft_wrap=True)
    _write(book.text, output)
    return 0


def show_leaderboard(
    paths: Sequence[Path],
    form: str,
    *,
    students: Path | None,
    pseudonyms: bool,
    output: Path | None,
) -> int:
    """Show or write the boards of one assignment. Raises UsageError and GraderError."""
    reports = _called(paths, students)
    names = sorted({report.assignment for report in reports})
    if len(names) > 1:
        raise UsageError(
            f"A leaderboard is one assignment's, and these reports are of {', '.join(names)}. "
            f"Name the folder of one, grades/{names[0]}."
        )
    hidden = leaderboard.pseudonyms(reports, seal.secret())
    boards = leaderboard.boards(reports, names=hidden if pseudonyms else leaderboard.own_name)
    if form == "table" and output is None:
        Console().print(spaced(part for board in boards for part in _drawn(board)))
    elif form == "json":
        _write(leaderboard.to_json(boards), output)
    else:
        _write(leaderboard.markdown(boards), output)
    return 0


def _called(paths: Sequence[Path], students: Path | None) -> list[Report]:
    """The reports, under the names of the class's list, or as the class was last called."""
    if students is not None:
        reports = export.read_all(paths)
        return listed.by_list(reports, gradebook.join(reports, roster.read(students)))
    found: list[Report] = []
    names: dict[Path, dict[str, str]] = {}
    for file in export.files_of(paths):
        folder = file.absolute().parents[1]
        if folder not in names:
            record = class_record.read(folder)
            names[folder] = {work.submission: work.name for work in record.works} if record else {}
        found += listed.renamed([export.read(file)], names[folder])
    return found


def _drawn(board: Board) -> tuple[RenderableType, RenderableType]:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    table.add_column(justify="right")
    for place in board.places:
        table.add_row(f"{place.rank}.", Text(place.name), place.shown)
    who = board.note[:1].lower() + board.note[1:].rstrip(".")
    nobody = Text(f" Nobody yet: here are {who}.")
    return section(board.title.capitalize()), table if board.places else nobody


def _write(text: str, output: Path | None) -> None:
    if output:
        write_whole(output, text)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
