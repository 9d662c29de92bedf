"""Find the work to grade, and read each once.

In: paths from the command line, or the folders of all assignments. Out: `Found`: a `Submission` for
every script, notebook, archive and folder of one person, and what was left out, each with its
reason. The bytes come from students and so do the names: work that cannot be read becomes a
Submission with a `problem`, so that one bad file never stops a class; only a wrong command is an
error (`UsageError`). Nothing is executed here.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grader.assignment import FILE, Step, did_you_mean
from grader.errors import SubmissionError
from grader.printable import printable_path
from grader.program.listing import Listing
from grader.program.recipe import Remark
from grader.submission import archive, assembly, stepwise, walk, wrong_kind
from grader.submission.contents import CODE, Contents, grouped
from grader.submission.entries import Entry, on_disk
from grader.submission.people import named, person, within
from grader.submission.source import MOST_BYTES, MOST_NOTEBOOK_BYTES
from grader.submission.submission import LeftOut, Submission, UsageError, Work
from grader.submission.walk import Walk

_NO_TRAININGS: Mapping[str, str] = {}
Steps = Mapping[str, Sequence[Step]]
"""Of the assignments that have some, by name."""
_NO_STEPS: Steps = {}


@dataclass(frozen=True, slots=True)
class Found:
    """What a command is about."""

    submissions: list[Submission]
    left_out: list[LeftOut]


def discover(
    paths: Sequence[Path],
    assignments: Collection[str],
    *,
    root: Path,
    home: Path | None = None,
    assignment: str | None = None,
    training: str | None = None,
    trainings: Mapping[str, str] = _NO_TRAININGS,
    steps: Steps = _NO_STEPS,
) -> list[Submission]:
    """The submissions that `look` finds. Raises UsageError."""
    found = look(
        paths,
        assignments,
        root=root,
        home=home,
        assignment=assignment,
        training=training,
        trainings=trainings,
        steps=steps,
    )
    return found.submissions


def look(
    paths: Sequence[Path],
    assignments: Collection[str],
    *,
    root: Path,
    home: Path | None = None,
    assignment: str | None = None,
    training: str | None = None,
    trainings: Mapping[str, str] = _NO_TRAININGS,
    steps: Steps = _NO_STEPS,
) -> Found:
    """Every submission that `paths` name, each once: files anywhere, or folders.

    Without paths: all of all `assignments` (names) of the project folder `root`, or of the one
    named. The assignment of a file is the one named, else that of its folder. `training` names the
    file that trains in work of several, else `trainings` by the assignment; `steps` are those of
    assignments that have some. Paths are shown from `home` on, which is `root` unless it is given.
    Raises UsageError.
    """
    if assignment is not None and assignment not in assignments:
        known = ", ".join(assignments)
        raise UsageError(
            f"There is no assignment {assignment!r}; known: "
            f"{known}.{did_you_mean(assignment, assignments)}"
        )
    root = _absolute(root)
    asked = [assignment] if assignment else assignments
    wanted = paths or _folders(root, asked)
    home = _absolute(home or root)
    visited = Walk(
        root, home, training, lambda path: steps.get(assignment or above(path) or "", ())
    )
    for path in wanted:
        visited.visit(_absolute(path))
    if not paths and assignment is None:
        visited.folders_without_rules()
    found = []
    for path, content in visited.found.items():
        of = assignment or _infer(path, assignments, visited)
        if of is not None:
            name = visited.names.get(path, path.stem)
            if of in steps:
                one, work = _in_steps(path, name, of, content, home, steps[of])
            else:
                work = _with_what_is_one(path, _read(path, content, training or trainings.get(of)))
                one = _submission(path, name, of, work, home)
            found.append(one)
            shown = printable_path(within(home, path))
            visited.left_out += grouped(work.left_out, shown)
    if not found:
        raise UsageError(_nothing_in(wanted, visited.left_out))
    return Found(named(found, home), visited.left_out)


def again(path: Path, sha256: str) -> Listing | None:
    """The listing of the work at `path`, where it still is the work of that hash."""
    try:
        entry = archive.at(path)
        work = _again(entry, sha256) if entry and sha256 else None
    except (SubmissionError, UsageError, OSError, ValueError):
        return None
    return work.listing if work else None


def _again(entry: Entry, sha256: str) -> Work | None:
    content = walk.again(entry)
    first = _read(entry.path, content, None)
    if first.sha256 == sha256:
        return first
    if isinstance(content, Entry):
        if not content.is_archive:
            return None
        content = archive.whole(archive.opened(content))
    # Someone may have said which of the files trains: the hash tells which it was.
    others = (_read(entry.path, content, name) for name in content.code)
    return next((work for work in others if work.sha256 == sha256), None)


def _absolute(path: Path) -> Path:
    """The path from the top, with `..` taken out and symbolic links left in.

    Whether it is a link is asked later.
    """
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve would follow the links


def _folders(root: Path, assignments: Collection[str]) -> list[Path]:
    folders = [root / "assignments" / name / "submissions" for name in assignments]
    return [folder for folder in folders if os.path.lexists(folder)]


def _nothing_in(paths: Sequence[Path], left_out: Sequence[LeftOut]) -> str:
    where = (
        " or ".join(printable_path(path) for path in paths) or "any assignment's submissions folder"
    )
    others = f" Left out: {', '.join(map(str, left_out))}." if left_out else ""
    if any((path / walk.CHECKPOINTS).is_dir() for path in paths):
        others += f" {walk.CHECKPOINTS} holds {walk.ONLY_COPIES}."
    return (
        f"There is no Python file and no notebook to grade in {where}.{others} Copy an "
        "assignment's starter.py to its submissions folder under a name of your own, or name a "
        "file."
    )


def _infer(path: Path, assignments: Collection[str], found: Walk) -> str | None:
    """The assignment whose folder the work is in; None where it is left out for its folder.

    That is assignments/NAME or reference/NAME, and any folder within.
    """
    if (name := above(path, assignments)) is not None:
        return name
    for folder in path.parents:
        if folder.parent.name == "assignments":
            entry = on_disk(path)
            found.leave_out(entry, f"there is no {FILE} in {printable_path(folder)}")
            return None
    raise UsageError(
        f"Which assignment is {printable_path(path)} for? Its folder does not say: add "
        f"--assignment with one of {', '.join(assignments)}."
    )


def above(path: Path, assignments: Collection[str] | None = None) -> str | None:
    """The assignment (one of these, if any are given) whose folder a path is in, by its name."""
    for folder in path.parents:
        if folder.parent.name in {"assignments", "reference"} and (
            assignments is None or folder.name in assignments
        ):
            return folder.name
    return None


def _read(path: Path, content: Contents | Entry, training: str | None) -> Work:
    """The work at a path: what a folder holds, or a file. Raises nothing."""
    shown = printable_path(Path(path.name))
    if isinstance(content, Contents):
        return assembly.of_contents(shown, content, training=training)
    try:
        if content.suffix == ".zip":
            unpacked = archive.whole(archive.opened(content))
            return assembly.of_contents(shown, unpacked, training=training)
        most = MOST_NOTEBOOK_BYTES if content.suffix == ".ipynb" else MOST_BYTES
        source = content.read(most)
        if content.suffix not in (".py", ".ipynb"):
            raise wrong_kind.of(shown, source)
    except SubmissionError as problem:
        return Work(assembly.blank(path.name), problem=problem)
    return assembly.of_file(path.name, source)


def _in_steps(
    path: Path,
    name: str,
    assignment: str,
    content: Contents | Entry,
    home: Path,
    steps: Sequence[Step],
) -> tuple[Submission, Work]:
    """A work that is divided into steps; or one of them alone, where that is what was named."""
    shown = printable_path(Path(path.name))
    if isinstance(content, Entry) and content.suffix == ".zip":
        try:
            content = archive.whole(archive.opened(content))
        except SubmissionError as problem:
            work = Work(assembly.blank(path.name), problem=problem)
            return _submission(path, name, assignment, work, home), work
    if isinstance(content, Entry):
        alone = stepwise.step_of(path.name, steps)
        work = _read(path, content, None)
        if alone or work.problem is not None:
            one = _submission(path, name, assignment, work, home)
            return replace(one, step=alone), work
        works = stepwise.of_file(path.name, content.read(MOST_NOTEBOOK_BYTES), steps)
    else:
        works = stepwise.of_contents(shown, content, steps)
    whole = stepwise.together(path.name, works)
    one = _submission(path, name, assignment, whole, home)
    parts = []
    for step, work in zip(steps, works, strict=True):
        part = _submission(path, step.name, assignment, work, home)
        display = part.display
        if isinstance(content, Contents) and work.sha256 and path.suffix not in CODE:
            display = f"{display}/{work.listing.main}"
        parts.append(replace(part, step=step.name, shown=step.title, display=display))
    return replace(one, steps=tuple(parts)), whole


def _with_what_is_one(path: Path, work: Work) -> Work:
    """The work with a note on the files of one person that lay among everybody's.

    Learning platforms write whose a file is into its name, and put the files of one hand-in there
    under one number.
    """
    files = sorted(printable_path(Path(file)) for file in work.listing.files)
    whose = person(path)
    if whose is None or path.suffix.lower() not in CODE or len(files) < 2:
        return work
    named = f"{', '.join(files[:-1])} and {files[-1]}"
    text = f"{named} were handed in together, under the number {whose[1]}: they are one work"
    return replace(work, notes=(*work.notes, Remark(text=text)))


def _submission(path: Path, name: str, assignment: str, work: Work, home: Path) -> Submission:
    return Submission(
        path=path,
        name=name,
        display=printable_path(within(home, path)),
        assignment=assignment,
        listing=work.listing,
        sha256=work.sha256,
        problem=work.problem,
        claims=work.claims,
        notes=work.notes,
        left_out=work.left_out,
        write_up=work.write_up,
    )
