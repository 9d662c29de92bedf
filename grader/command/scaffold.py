"""Begin a new assignment: a folder that `grade` takes at once, made from one that works.

In: a name, and the assignment to begin with. Out: `assignments/NAME/` with its rules, brief,
starter and an example submission.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from grader.assignment import FILE, did_you_mean, load
from grader.command.project import Project, brought
from grader.printable import printable, printable_path
from grader.storage.atomic import write_whole
from grader.submission.submission import UsageError

NAME = re.compile("[a-z][a-z0-9_]{0,39}")
EXAMPLE = Path("assignments/mnist_8k/submissions/example.py")
"""What an assignment without an example of its own begins with: it fits both that are brought."""


def begin(name: str, model: str, project: Project) -> Path:
    """The folder of the new assignment, beside the user's own, else in the current folder.

    It is what the assignment `model` is, under its own name. Raises UsageError and GraderError.
    """
    if not NAME.fullmatch(name):
        plain = re.sub("[^a-z0-9_]+", "_", name.lower()).strip("_")[:40]
        hint = f" Write {plain}, say." if NAME.fullmatch(plain) else ""
        raise UsageError(
            f"{printable(name, 100)!r} cannot be the name of an assignment: it begins with a small "
            f"letter; small letters, digits and _ follow, at most 40 in all.{hint}"
        )
    source = _source(model, project)
    home = Path.cwd() if project.brought else project.root
    folder = home / "assignments" / name
    if folder.exists():
        raise UsageError(f"{printable_path(folder)} is there already: choose another name.")
    for file in (FILE, "README.md", "starter.py"):
        text = _renamed(source / file, model, name)
        if not (home / "noxfile.py").exists():  # a clone's commands are nox's
            text = re.sub(r"nox -s (\w+) -- ", r"grader \1 ", text)
        write_whole(folder / file, text)
    submissions = folder / "submissions"
    submissions.mkdir()
    own = source / "submissions" / "example.py"
    shutil.copyfile(own if own.exists() else brought() / EXAMPLE, submissions / "example.py")
    load(folder)
    return folder


def next_steps(folder: Path) -> str:
    """What to do with it, for people."""
    shown = printable_path(Path("assignments") / folder.name)
    return (
        f"{shown} is a copy to begin with.\n"
        f"  {shown}/{FILE}  the rules: edit them here\n"
        f"  {shown}/README.md        the brief, in words\n"
        f"  {shown}/starter.py       what students begin with\n"
        f"  {shown}/submissions/     what they hand in; an example is there\n"
        f"Try it: grader grade --assignment {folder.name} --static"
    )


def _source(model: str, project: Project) -> Path:
    """The folder of the assignment to begin with: the user's own, else one that is brought."""
    known: dict[str, Path] = {}
    for root in (brought(), project.root):
        for file in sorted((root / "assignments").glob(f"*/{FILE}")):
            known[file.parent.name] = file.parent
    if model not in known:
        raise UsageError(
            f"There is no assignment {printable(model, 100)!r} to begin with; known: "
            f"{', '.join(known)}.{did_you_mean(model, known)}"
        )
    return known[model]


def _renamed(file: Path, model: str, name: str) -> str:
    """The text of a file, with the new assignment's name and title."""
    text = file.read_text(encoding="utf-8")
    text = re.sub(rf"\b{model}\b", name, text)
    title = name.replace("_", " ").capitalize()
    if file.name == FILE:
        return re.sub(r"(?m)^title = .*$", f'title = "{title}"', text, count=1)
    if file.name == "README.md":
        return re.sub(r"(?m)^# .*$", f"# {title}", text, count=1)
    return text
