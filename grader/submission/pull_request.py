"""What a pull request brings: the works to grade, and what has to be said about the rest.

In: a repository, two commits, and the names of the assignments. Out: `Brought`. Only what lies in
`assignments/NAME/submissions/` is graded; everything else comes from the base and is only named.
Whose a work is, git alone says: by the names of the commits that touched it. Nobody is guessed, and
nobody is proven: anybody can write any name into a commit.
"""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

from grader.assignment import FILE, did_you_mean
from grader.errors import GraderError
from grader.printable import printable, printable_path
from grader.submission import wrong_kind
from grader.submission.contents import CODE
from grader.submission.repository import (
    SUBMODULE,
    SYMBOLIC_LINK,
    Author,
    Change,
    Repository,
    Stored,
)

TAKEN = (*CODE, ".zip")
MOST_NAMED = 20
"""Paths in one remark; the rest is counted."""
MOST_AUTHORS = 3

Level = Literal["error", "warning", "notice"]


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence about the pull request. An error is what has to change before it may pass.

    `path` is where it belongs, "" for the whole.
    """

    level: Level
    title: str
    text: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """One person's work in an assignment's folder: a file, or a folder with all of its `files`."""

    path: str
    assignment: str
    what: str
    files: tuple[Stored, ...]


@dataclass(slots=True)
class Brought:
    """What is graded, and what is said. `base`, `head` and `common` are hashes of commits.

    `committed` is when `head` says that it was made.
    """

    base: str
    head: str
    common: str
    committed: str
    works: list[Work] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Whether something has to change before it may pass."""
        return any(remark.level == "error" for remark in self.remarks)


def read(repository: Repository, assignments: Collection[str], base: str, head: str) -> Brought:
    """What the commits from where `head` left `base` until `head` bring. Raises UsageError."""
    target, last = repository.commit(base), repository.commit(head)
    common, committed = repository.common(target, last), repository.committed(last)
    brought = Brought(target, last, common, committed)
    changes = repository.changes(brought.common, last)
    desk = _Desk(repository, tuple(assignments), brought, changes)
    desk.sort()
    return brought


@dataclass
class _Desk:
    """Where the changes are sorted."""

    repository: Repository
    assignments: Sequence[str]
    brought: Brought
    changes: Sequence[Change]
    _folders: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """Of each folder the names that are one where capitals do not count."""

    def sort(self) -> None:
        touched: dict[str, None] = {}
        outside: list[Change] = []
        for change in self._with_removals():
            if work := self._work(change.path):
                touched[work] = None
            else:
                outside.append(change)
        for path in touched:
            self._take(path)
        self.brought.remarks += self._of_others(outside)

    def _with_removals(self) -> Iterator[Change]:
        """Each change; of a rename also that the old path is gone."""
        for change in self.changes:
            yield change
            if change.before:
                yield Change("D", change.before)

    def _work(self, path: str) -> str:
        """The path of the work that a path belongs to; "" where it is no work's."""
        steps = self._within(path)
        if len(steps) < 4 or steps[0] != "assignments" or steps[2] != "submissions":
            return ""
        if steps[1] not in self.assignments:
            return ""
        return self.repository.prefix + "/".join(steps[:4])

    def _within(self, path: str) -> Sequence[str]:
        """The steps of the path from the folder of the project on; none where it is not in it."""
        prefix = self.repository.prefix
        return path.removeprefix(prefix).split("/") if path.startswith(prefix) else ()

    # A work

    def _take(self, path: str) -> None:
        before = self.repository.files(self.brought.common, path)
        files = self.repository.files(self.brought.head, path)
        renamed = self._renamed(path, gone=not files)
        if before:
            self._say_whose(path, renamed, gone=not files)
        if not files:
            return
        what = "changed" if before else renamed or "added"
        why_not = self._why_not(path, files)
        if why_not is not None:
            self.brought.remarks.append(why_not)
            return
        self._look_for_twin(path)
        assignment = self._within(path)[1]
        self.brought.works.append(Work(path, assignment, what, tuple(files)))

    def _renamed(self, path: str, *, gone: bool) -> str:
        """Which way a work's files went, or came from: "renamed from anna.py"; else ""."""
        for change in self._renames:
            old, new = self._work(change.before), self._work(change.path)
            if old == new:
                continue
            if gone and old == path:
                return f"renamed to {shown(new or change.path)}"
            if not gone and new == path:
                return f"renamed from {shown(old or change.before)}"
        return ""

    @cached_property
    def _renames(self) -> Sequence[Change]:
        return [change for change in self.changes if change.before]

    def _say_whose(self, path: str, renamed: str, *, gone: bool) -> None:
        """Who handed it in before, where that is not who changes it now."""
        brought, repository = self.brought, self.repository
        earlier = repository.authors(brought.common, path)
        commits = f"{brought.common}..{brought.head}"
        now = repository.authors(commits, path) or repository.authors(commits)
        deed = "takes it away" if gone else "changes it"
        deed = f"has it {renamed}" if renamed and gone else deed
        if any(one.may_be(other) for one in now for other in earlier):
            if gone:
                text = f"It was handed in before, and this pull request {deed}. Nothing is graded."
                brought.remarks.append(Remark("notice", "Taken away", text, path))
            return
        if not earlier:  # as after a history was cut
            text = f"It was there before, git does not say by whom; this pull request {deed}."
            brought.remarks.append(Remark("warning", "There before", text, path))
            return
        back = f"git checkout {brought.common[:10]} -- {shlex.quote(shown(path))}"
        text = (
            f"It was handed in by {_people(earlier[::-1])} before, and this pull request {deed}, "
            f"in commits by {_people(now)}. If it is somebody else's, take that back: `{back}`, "
            "and hand in your own work under a name of its own. If both are you, tell your "
            "instructor, or commit under the name that you had before."
        )
        brought.remarks.append(Remark("error", "Somebody handed this in before", text, path))

    def _why_not(self, path: str, files: Sequence[Stored]) -> Remark | None:
        """Why a work cannot be graded; None where it may be."""
        name = PurePosixPath(path).name
        if name.startswith(".") or name == "README.md":
            return Remark("notice", "Ignored", "It is not a hand-in.", path)
        if odd := _odd_name(path, files):
            return Remark("error", "A name that cannot be", odd, path)
        if any(file.mode == SUBMODULE for file in files):
            text = (
                "It is a link to another repository (a submodule), and what that holds is not "
                "here. Hand in the files themselves."
            )
            return Remark("error", "Not files", text, path)
        if not [file for file in files if file.mode != SYMBOLIC_LINK]:
            text = "It is a symbolic link, which is not followed. Hand in the file itself."
            return Remark("error", "Not a file", text, path)
        if files[0].path == path and not path.lower().endswith(TAKEN):
            message = wrong_kind.of(shown(name), self._begins(files[0])).message
            return Remark("error", "The wrong kind of file", message, path)
        return None

    def _begins(self, file: Stored) -> bytes:
        try:
            return self.repository.read(file, 1 << 20)
        except GraderError:
            return b""

    def _look_for_twin(self, path: str) -> None:
        """Two names that are one on Windows and macOS."""
        folder, _, name = path.rpartition("/")
        if folder not in self._folders:
            names = self.repository.names(self.brought.head, folder)
            self._folders[folder] = {}
            for other in names:
                self._folders[folder].setdefault(_folded(other), []).append(other)
        twins = [other for other in self._folders[folder][_folded(name)] if other != name]
        if twins:
            text = (
                f"There is {shown(twins[0])} as well, and on Windows and macOS both are one file: "
                "one of them would be lost. Rename yours."
            )
            self.brought.remarks.append(Remark("error", "A name that is taken", text, path))

    # Everything else

    def _of_others(self, changes: Sequence[Change]) -> Iterator[Remark]:
        ignored: list[str] = []
        misplaced = 0
        for change in changes:
            remark = self._misplaced(change)
            misplaced += remark is not None
            if remark is None:
                ignored.append(change.path)
            elif misplaced <= MOST_NAMED:
                yield remark
        if misplaced > MOST_NAMED:
            text = f"{misplaced - MOST_NAMED:,} more files are in the wrong folder."
            yield Remark("error", "In the wrong folder", text)
        for_grading = [path for path in ignored if self._grades(path)]
        if for_grading:
            text = (
                f"{_listed(for_grading)}: this pull request changes how it is graded. Where the "
                "service runs a workflow as the pull request has it, as GitHub does, a result may "
                "not be the grader's: a person has to look before it counts."
            )
            yield Remark("warning", "The workflow is changed", text)
        others = [path for path in ignored if path not in for_grading]
        if others:
            text = (
                f"{_listed(others)}: only what lies in assignments/NAME/submissions/ is graded. "
                "The grader, the assignments and their checks are those of the base branch, so "
                "these changes have no say here. If you did not mean them, take them back: "
                f"`git checkout {self.brought.common[:10]} -- PATH`."
            )
            yield Remark("warning", "Changed, and ignored", text)

    def _grades(self, path: str) -> bool:
        return path.startswith((".github/", ".gitlab", ".ci/", ".forgejo/", ".gitea/"))

    def _misplaced(self, change: Change) -> Remark | None:
        """What seems to be a hand-in in another folder; None for everything else."""
        steps = self._within(change.path)
        is_new = change.status in "AR" and change.path.lower().endswith(TAKEN)
        if not is_new or not self._may_be_hand_in(steps):
            return None
        homes = [f"assignments/{name}/submissions/" for name in self.assignments]
        said = ""
        if len(steps) > 2 and steps[0].casefold() == "assignments":
            near = did_you_mean(steps[1], self.assignments)
            if steps[1] not in self.assignments:
                said = f" There is no assignment {shown(steps[1])!r} on the base branch.{near}"
            else:
                homes = [f"assignments/{steps[1]}/submissions/"]
        source = shlex.quote(shown(change.path))
        home, which = homes[0], ""
        if len(homes) > 1 and not said:
            home, which = "assignments/NAME/submissions/", ", where NAME is the assignment's"
        text = (
            f"It is not in {' or '.join(homes[:4])}, so it is not graded.{said} Move it: "
            f"`git mv {source} {self.repository.prefix}{home}`{which}."
        )
        return Remark("error", "In the wrong folder", text, change.path)

    def _may_be_hand_in(self, steps: Sequence[str]) -> bool:
        """Not what lies in a folder of the project's own, as a new module of the grader does."""
        if any(step.startswith(".") for step in steps) or (steps and steps[-1] == FILE):
            return False
        if not steps:
            return self.repository.prefix == ""
        if len(steps) == 1 or steps[0].casefold() == "assignments":
            return True
        return steps[0] not in self._top

    @cached_property
    def _top(self) -> Sequence[str]:
        return self.repository.names(self.brought.common, self.repository.prefix.rstrip("/"))


def _odd_name(path: str, files: Sequence[Stored]) -> str:
    """Why git's tree holds a path that no checkout would make; "" where it holds none."""
    for file in files:
        for step in file.path.split("/"):
            if step.casefold() in ("", ".", "..", ".git") or "\0" in step or "\\" in step:
                return f"{shown(file.path)} is a path that no checkout would take. Rename it."
            if len(step.encode("utf-8", "surrogateescape")) > 255:
                return f"{shown(path)} has a name of more than 255 bytes. Rename it."
    return ""


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def shown(path: str) -> str:
    """A path of git's for people: what does not print is escaped."""
    return printable(printable_path(Path(path)), 200)


def _people(authors: Sequence[Author]) -> str:
    """Their names alone: addresses are nobody's business on a page."""
    names = list(dict.fromkeys(printable(one.name, 60) or "nobody" for one in authors))
    more = len(names) - MOST_AUTHORS
    return ", ".join(names[:MOST_AUTHORS]) + (f" and {more} more" if more > 0 else "")


def _listed(paths: Sequence[str]) -> str:
    named = [shown(path) for path in paths[:MOST_NAMED]]
    more = len(paths) - len(named)
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")
