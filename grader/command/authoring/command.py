"""`grader check-assignment`: say what is wrong with an assignment before a class finds it.

In: names or folders. Out: the findings on standard output, and an exit code: 1 with a mistake.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from grader.assignment import FILE, Assignment, did_you_mean, load
from grader.command.authoring import findings, inspection, trying
from grader.command.authoring.findings import Finding
from grader.command.authoring.writing import Writer
from grader.command.project import Project
from grader.command.workroom import Workroom
from grader.printable import printable, printable_path
from grader.render import words
from grader.storage.atomic import write_whole
from grader.submission.submission import UsageError


def check(named: Sequence[str], project: Project, *, runs: bool = True, anew: bool = False) -> int:
    """Inspect each, all of the project where none is named. Raises UsageError and GraderError.

    `runs`: the starter and the examples are captured, too, in the sandbox. `anew`: brief and
    starter are written from the rules first, over what is there.
    """
    folders = [_folder(name, project) for name in named] or _all(project)
    if anew and not named:
        raise UsageError(
            "--write-brief takes the place of README.md and starter.py: name the assignment that "
            "is meant."
        )
    mistakes = 0
    if anew:
        for folder in folders:
            _refuse_steps(load(folder))
            in_clone = (folder.parents[1] / "noxfile.py").exists()
            writer = Writer(load(folder), in_clone=in_clone)
            write_whole(folder / "README.md", writer.brief())
            write_whole(folder / "starter.py", writer.starter())
    with Workroom() as room:
        for folder in folders:
            found = inspected(folder, room if runs else None)
            sys.stdout.write(told(folder, found) + "\n")
            sys.stdout.flush()
            mistakes += sum(not one.advice for one in found)
    return 1 if mistakes else 0


def _refuse_steps(asked: Assignment) -> None:
    if asked.steps:
        raise UsageError(
            f"{asked.name} is an assignment in steps: its brief and its starter are written by "
            "hand, so --write-brief cannot be used with it."
        )


def inspected(folder: Path, room: Workroom | None) -> list[Finding]:
    """All findings on one folder. Raises GraderError."""
    asked, found = inspection.inspect(folder)
    stops = any(one.fatal for one in asked.own_checks.mistakes) if asked else True
    if asked is not None and room is not None and not stops and asked.name == folder.name:
        found += trying.attempt(folder, asked, room)
    return findings.in_order(found)


def told(folder: Path, found: Sequence[Finding]) -> str:
    """The findings in words, and their sum in the last line."""
    parts = [one.text(folder.parent) for one in found]
    wrong = sum(not one.advice for one in found)
    counts = []
    if wrong:
        counts.append(words.several(wrong, "mistake"))
    if wrong < len(found):
        counts.append(f"{len(found) - wrong} to consider")
    said = ", ".join(counts) or "nothing is wrong that could be found"
    return "\n\n".join([*parts, f"{printable(folder.name, 100)}: {said}."])


def _folder(name: str, project: Project) -> Path:
    """The folder of an assignment: by its path, or by its name in the project."""
    for folder in (Path(name), project.root / "assignments" / name):
        if (folder / FILE).is_file():
            return folder.absolute()
    if Path(name).is_dir():
        raise UsageError(
            f"{printable_path(Path(name))} holds no {FILE}: that is what makes a folder an "
            "assignment. Name the folder that has one."
        )
    known = [folder.name for folder in _all(project)]
    raise UsageError(
        f"There is no assignment {printable(name, 100)!r}; known: {', '.join(known)}."
        f"{did_you_mean(name, known)}"
    )


def _all(project: Project) -> list[Path]:
    files = sorted((project.root / "assignments").glob(f"*/{FILE}"))
    return [file.parent.absolute() for file in files]
