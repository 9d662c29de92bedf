"""Ask git what a pull request changes, without checking any of it out.

In: a folder of a repository, and names of commits. Out: changes, files and bytes, as git has stored
them; whose commits they are. Names and contents come from strangers: git is told to take paths word
for word and to run nothing of theirs (no filters, no external diff), and no more bytes are read
than are asked for.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from grader.errors import GraderError
from grader.printable import last_line, printable, printable_path
from grader.submission.submission import UsageError

SYMBOLIC_LINK = "120000"
SUBMODULE = "160000"
SECONDS = 300
MOST_RENAMES = 500
"""Files that are compared to find out what was renamed; beyond, it is a removal and an addition."""


class Author(NamedTuple):
    """Whom git's history names for a commit. Anybody can write any name there."""

    name: str
    email: str

    def may_be(self, other: Author) -> bool:
        """Whether name or address are the same, but for capitals."""
        pairs = zip(self, other, strict=True)
        return any(own and own.casefold() == their.casefold() for own, their in pairs)


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a path: "A" added, "D" deleted, "M" and "T" changed, "R" renamed.

    `before` is the path that it had, where it was renamed.
    """

    status: str
    path: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file as git has stored it. `size` is in bytes; 0 for what is not a file."""

    path: str
    mode: str
    name: str
    size: int


class Repository:
    """The repository that `folder` is in. Raises UsageError where that is none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            found = self._ask("rev-parse", "--is-shallow-repository", "--show-prefix")
        except GraderError as error:
            raise UsageError(
                f"{printable_path(folder.absolute())} is not in a git repository that can be read, "
                f"so nobody can say what a pull request changes there: {error}"
            ) from error
        shallow, prefix = found.decode().split("\n")[:2]
        self.prefix = prefix
        """The path of the folder within the repository: "" or "course/"."""
        if shallow == "true":
            raise UsageError(
                "This clone holds only the latest commits, so what a pull request changes and who "
                "handed in what before cannot be seen. Fetch all of it: `fetch-depth: 0` for "
                'actions/checkout, `GIT_DEPTH: "0"` for GitLab, `git fetch --unshallow` elsewhere.'
            )

    def commit(self, name: str) -> str:
        """The hash of a commit by any of its names. Raises UsageError where there is none."""
        try:
            if name.startswith("-"):
                raise GraderError("it begins with a dash")
            found = self._ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        except (GraderError, ValueError) as error:  # ValueError: a NUL in the name
            raise UsageError(
                f"There is no commit {printable(name, 100)!r} in this clone. Fetch it first: "
                "`git fetch origin NAME`."
            ) from error
        return found.decode().strip()

    def common(self, base: str, head: str) -> str:
        """The commit that both began from. Raises UsageError where they have none in common."""
        try:
            return self._ask("merge-base", base, head).decode().strip()
        except GraderError as error:
            raise UsageError(
                f"{base[:10]} and {head[:10]} have no commit in common, so what was changed cannot "
                "be said. Fetch the whole history of both, or begin the branch from the base again."
            ) from error

    def changes(self, before: str, after: str) -> list[Change]:
        """Every path that differs between two commits, in git's order."""
        found = self._ask(
            "diff-tree",
            "-r",
            "-z",
            "--raw",
            "--no-ext-diff",
            "--no-textconv",
            "--no-relative",
            "--ignore-submodules=none",
            "--find-renames",
            f"-l{MOST_RENAMES}",
            before,
            after,
        )
        return list(_changes(found.split(b"\0")))

    def files(self, commit: str, path: str) -> list[Stored]:
        """All that lies at a path of a commit, or below it. Empty where nothing does."""
        found = self._ask("ls-tree", "-r", "-z", "-l", "--full-tree", commit, "--", path)
        return [_stored(entry) for entry in found.split(b"\0") if entry]

    def names(self, commit: str, folder: str) -> list[str]:
        """The names in a folder of a commit ("" for the top). Empty where there is none."""
        inside = [f"{folder}/"] if folder else []
        arguments = ("ls-tree", "-z", "--name-only", "--full-tree", commit, "--", *inside)
        found = self._ask(*arguments).split(b"\0")
        return [os.fsdecode(entry).rpartition("/")[2] for entry in found if entry]

    def read(self, stored: Stored, most: int) -> bytes:
        """At most so many bytes of a file. Raises GraderError where git cannot give them."""
        command = self._command("cat-file", "blob", stored.name)
        with subprocess.Popen(  # noqa: S603 - git itself, with a hash
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
        ) as git:
            assert git.stdout is not None
            content = git.stdout.read(most)
            if len(content) >= most:
                git.kill()
                return content
        if git.returncode or len(content) != stored.size:
            raise GraderError(f"git cannot read {printable(stored.path)} ({stored.name[:10]})")
        return content

    def committed(self, commit: str) -> str:
        """When the commit says that it was made, as in "2026-11-28T11:20:00+01:00".

        Whoever made it chose that clock.
        """
        return self._ask("show", "--no-patch", "--format=%cI", commit).decode().strip()

    def authors(self, commits: str, path: str | None = None) -> list[Author]:
        """Whose commits those are that touch a path, the latest first, each person once.

        `commits` is a hash, for it and all before it, or "HASH..HASH".
        """
        wanted = [] if path is None else [path]
        arguments = ("log", "--no-merges", "--format=%aN%x00%aE%x00", commits, "--", *wanted)
        fields = self._ask(*arguments).decode("utf-8", "replace").split("\0")
        names, emails = fields[::2], fields[1::2]
        pairs = zip(names, emails, strict=False)
        return list(dict.fromkeys(Author(name.strip(), email) for name, email in pairs))

    def _ask(self, *arguments: str) -> bytes:
        """What git prints. Raises GraderError where it fails."""
        try:
            done = subprocess.run(  # noqa: S603 - git itself; paths come after "--"
                self._command(*arguments),
                capture_output=True,
                check=False,
                env=environment(),
                stdin=subprocess.DEVNULL,
                timeout=SECONDS,
            )
        except FileNotFoundError as error:
            raise GraderError("git is missing: install it.") from error
        except subprocess.TimeoutExpired as error:
            raise GraderError(f"git did not answer within {SECONDS} s.") from error
        if done.returncode:
            raise GraderError(f"git says: {printable(last_line(done.stderr) or 'no', 200)}")
        return done.stdout

    def _command(self, *arguments: str) -> Sequence[str]:
        # Renames are found by comparing contents: not those of files that are huge.
        settings = ("core.bigFileThreshold=4m", "core.fsmonitor=false", "log.showSignature=false")
        chosen = chain.from_iterable(("-c", setting) for setting in settings)
        where = ("-C", str(self._folder))
        return ("git", *where, "--no-pager", "--literal-pathspecs", *chosen, *arguments)


def environment() -> dict[str, str]:
    """Git without questions, fetching and replaced objects."""
    settings = {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }
    return {**os.environ, **settings}


def _changes(fields: Sequence[bytes]) -> Iterator[Change]:
    r"""Of `:100644 100755 HASH HASH M\0path\0`; a rename has two paths."""
    found = iter(fields)
    for facts in found:
        if not facts:
            continue
        status = facts.decode().split()[-1][:1]
        path = os.fsdecode(next(found))
        if status == "R":
            yield Change(status, os.fsdecode(next(found)), path)
        else:
            yield Change(status, path)


def _stored(entry: bytes) -> Stored:
    r"""Of `100644 blob HASH    1234\tpath`."""
    facts, _, path = entry.partition(b"\t")
    mode, _, name, size = facts.decode().split()
    return Stored(os.fsdecode(path), mode, name, int(size) if size.isdigit() else 0)
