"""A saved report, shown again: on the terminal, or as a page in the browser.

In: a name, or a path. Out: the whole scorecard, or `report.html` beside the report, opened where
there is a browser.
"""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path

from rich.console import Console

from grader.printable import printable, printable_path
from grader.render import card, export, html, terminal
from grader.render.called import called
from grader.report import Report
from grader.storage.atomic import write_whole
from grader.storage.reports import REPORT, UNFINISHED
from grader.submission.submission import UsageError

PAGE = "report.html"
MOST_NAMED = 10


def show(name: str, output: Path, *, opened: bool) -> int:
    """Print the report of that name, or (`opened`) write its page and open it.

    Raises UsageError where there is no such report, or several; GraderError where the page cannot
    be written.
    """
    file = find(name, output)
    report = export.read(file)
    if not opened:
        console = Console()
        console.width = max(console.width, terminal.NARROWEST)
        console.print(terminal.details(report))
        Console().print(card.draw(report, file))
        return 0
    page = file.with_name(PAGE)
    write_whole(page, html.render([report]))
    said = printable_path(page)
    if not _open(page):
        said += "\nNo browser could be opened here: open this file in one."
    sys.stdout.write(f"{said}\n")
    return 0


def find(name: str, output: Path) -> Path:
    """The report that is meant: a file, a folder that holds one, or a name in `output`."""
    path = Path(name)
    if path.is_file():
        return path
    folders = [path] if path.is_dir() else _named(name, output)
    files = [file for file in map(_in, folders) if file is not None]
    if len(files) == 1:
        return files[0]
    if files:
        places = ", ".join(printable_path(file.parent) for file in files)
        raise UsageError(f"{printable(name, 100)} has several reports. Name one of {places}.")
    known = sorted(file.parent.name for file in output.glob(f"*/*/{REPORT}"))
    more = ", ..." if len(known) > MOST_NAMED else ""
    names = ", ".join(printable(one, 100) for one in known[:MOST_NAMED])
    there = f"There are {names}{more}." if known else f"`{called('grade', 'FILE')}` writes them."
    raise UsageError(
        f"There is no report on {printable(name, 100)} in {printable_path(output)}. {there}"
    )


def _named(name: str, output: Path) -> list[Path]:
    """A submission is also found by its file, or by the name that people have for it."""
    folders = [folder for folder in sorted(output.glob("*/*")) if folder.is_dir()]
    meant = (name, Path(name).stem)
    exact = [folder for folder in folders if folder.name in meant]
    whose, _, step = name.partition("/")
    if step and not exact:  # a step of a work has its folder in that of the work
        inside = [folder / step for folder in folders if folder.name == whose]
        exact = [folder for folder in inside if ".." not in folder.parts and folder.is_dir()]
    return exact or [folder for folder in folders if _is_called(folder, name)]


def _is_called(folder: Path, name: str) -> bool:
    file = _in(folder)
    if file is None:
        return False
    try:
        report: Report = export.read(file)
    except UsageError:
        return False
    return name in (report.display_name, report.path)


def _in(folder: Path) -> Path | None:
    for name in (REPORT, UNFINISHED):
        if (folder / name).is_file():
            return folder / name
    return None


def _open(page: Path) -> bool:
    """Whether a browser took it. One in the terminal (lynx, say) is not asked: it takes the screen.

    Without a display, Linux has only such ones.
    """
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not (display or os.environ.get("BROWSER")):
        return False
    try:
        return webbrowser.open(page.resolve().as_uri())
    except (webbrowser.Error, OSError):
        return False
