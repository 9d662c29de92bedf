"""Find the files to grade, and read each of them once.

In: paths from the command line, or the folders of all assignments. Out: a `Submission` for every
file found. The bytes come from students and so do the names: a file that cannot be read as source
becomes a Submission with a `problem`, so that one bad file never stops a class; only a wrong
command is an error (`UsageError`). Nothing is executed here.
"""

from __future__ import annotations

import codecs
import errno
import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grader.assignment import did_you_mean
from grader.errors import SubmissionError
from grader.printable import printable_path

MOST_BYTES = 256 * 1024
"""The largest file that is read. A network and its recipe take 4 to 20 KiB."""


class UsageError(ValueError):
    """The command cannot be carried out as it was given; the message says how to give it."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One student's file.

    `name` is safe for a folder (letters, digits, "_" and "-") and differs from all others of the
    same assignment, also where upper and lower case are one. `display` is the path for people, with
    every invisible character escaped. `source` is all that is ever read of the file, `sha256` its
    hash; both are empty where `problem` says why it could not be read.
    """

    path: Path
    name: str
    display: str
    assignment: str
    source: bytes
    sha256: str
    problem: SubmissionError | None = None


def discover(
    paths: Sequence[Path],
    assignments: Collection[str],
    *,
    root: Path,
    assignment: str | None = None,
) -> list[Submission]:
    """Every submission that `paths` name, each once: files anywhere, or folders of files.

    Without paths: all files of all `assignments` (names) of the project folder `root`, or of the
    one named. The assignment of a file is the one named, else that of its folder. Raises
    UsageError.
    """
    if assignment is not None and assignment not in assignments:
        known = ", ".join(assignments)
        raise UsageError(
            f"There is no assignment {assignment!r}; known: "
            f"{known}.{did_you_mean(assignment, assignments)}"
        )
    root = _absolute(root)
    named = [assignment] if assignment else assignments
    wanted = paths or _folders(root, named)
    files: dict[Path, None] = {}
    for path in wanted:
        files |= dict.fromkeys(_files(_absolute(path)))
    if not files:
        raise UsageError(_nothing_in(wanted))
    return _named(
        [_read(file, assignment or _infer(file, assignments), root) for file in files], root
    )


def _absolute(path: Path) -> Path:
    """The path from the top, with `..` taken out and symbolic links left in.

    Whether it is a link is asked later.
    """
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve would follow the links


def _folders(root: Path, assignments: Collection[str]) -> list[Path]:
    folders = [root / "assignments" / name / "submissions" for name in assignments]
    return [folder for folder in folders if os.path.lexists(folder)]


def _nothing_in(paths: Sequence[Path]) -> str:
    where = (
        " or ".join(printable_path(path) for path in paths) or "any assignment's submissions folder"
    )
    return (
        f"There is no Python file to grade in {where}. Copy an assignment's starter.py to its "
        "submissions folder under a name of your own, or name a file."
    )


def _files(path: Path) -> Iterator[Path]:
    """The path itself; or, if it is a folder, what could be a submission in it, sorted.

    Folders in it are left alone.
    """
    if not os.path.lexists(path):
        raise UsageError(
            f"There is no file or folder {printable_path(path)}. Check the spelling and the "
            "current folder."
        )
    if not stat.S_ISDIR(path.lstat().st_mode):
        yield path
        return
    # Path.is_file raises where a folder may not be looked into.
    if os.path.isfile(path / "assignment.toml"):  # noqa: PTH113 - as said
        yield from _files(path / "submissions")
        return
    try:
        yield from sorted(
            file
            for file in path.iterdir()
            if file.name.endswith(".py")
            and not file.name.startswith(("_", "."))
            and file.name != "conftest.py"
        )
    except OSError as error:
        raise UsageError(
            f"The folder {printable_path(path)} cannot be read: {error.strerror}."
        ) from error


def _infer(file: Path, assignments: Collection[str]) -> str:
    """The assignment whose folder the file is in.

    That is assignments/NAME/submissions, assignments/NAME or reference/NAME.
    """
    folder = file.parent.parent if file.parent.name == "submissions" else file.parent
    if folder.parent.name in {"assignments", "reference"} and folder.name in assignments:
        return folder.name
    raise UsageError(
        f"Which assignment is {printable_path(file)} for? Its folder does not say: add "
        f"--assignment with one of {', '.join(assignments)}."
    )


def _read(file: Path, assignment: str, root: Path) -> Submission:
    shown = printable_path(_within(root, file))
    try:
        source = read_source(file)
    except SubmissionError as problem:
        return Submission(file, file.stem, shown, assignment, b"", "", problem)
    return Submission(
        file, file.stem, shown, assignment, source, hashlib.sha256(source).hexdigest()
    )


def _within(root: Path, file: Path) -> Path:
    """The path from `root` on, if the file is in it; else the whole path."""
    return file.relative_to(root) if file.is_relative_to(root) else file


def read_source(file: Path) -> bytes:
    """The bytes of a Python file, read once, without ever waiting for a writer.

    Raises SubmissionError where it is not a Python file.
    """
    name = printable_path(Path(file.name))
    try:
        _refuse_odd_kinds(name, file.lstat())
        flags = os.O_RDONLY | sum(
            getattr(os, flag, 0)
            for flag in ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_NOCTTY", "O_BINARY")
        )
        with os.fdopen(os.open(file, flags), "rb") as stream:
            # Again: it may have been exchanged in between.
            _refuse_odd_kinds(name, os.fstat(stream.fileno()))
            source = stream.read(MOST_BYTES + 1)
    except OSError as error:
        reason = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise SubmissionError(
            f"{name} cannot be read: {reason}. Hand in a plain, readable file."
        ) from error
    _refuse_no_text(name, source)
    return source


def _refuse_odd_kinds(name: str, status: os.stat_result) -> None:
    kinds = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    if not stat.S_ISREG(status.st_mode):
        kind = kinds.get(stat.S_IFMT(status.st_mode), "a special file")
        raise SubmissionError(f"{name} is {kind}, not a file. Hand in the Python file itself.")


def _refuse_no_text(name: str, source: bytes) -> None:
    if not name.endswith(".py"):
        raise SubmissionError(
            f"{name} is not a .py file. Hand in a Python file; a notebook can be exported as one "
            "(in Jupyter: File, Save and Export Notebook As, Executable Script)."
        )
    if re.match(rb'\s*\{\s*"(cells|metadata|nbformat)"', source.removeprefix(codecs.BOM_UTF8)):
        raise SubmissionError(
            f"{name} is a notebook that was renamed to .py: it holds JSON, not Python. Export it "
            "as one (in Jupyter: File, Save and Export Notebook As, Executable Script)."
        )
    if len(source) > MOST_BYTES:
        raise SubmissionError(
            f"{name} is larger than {MOST_BYTES // 1024} KiB. Hand in the code alone: the grader "
            "trains the network itself and needs no weights, data or output."
        )
    if not source.strip():
        raise SubmissionError(
            f"{name} is empty. Copy the assignment's starter.py and write your network in it."
        )
    try:
        source.decode("utf-8")
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        raise SubmissionError(
            f"{name} is not UTF-8 text: byte {source[error.start]:#04x} in line {line}. Save it "
            "as UTF-8.",
            line=line,
        ) from error
    _refuse_other_encodings(name, source)
    if b"\0" in source:
        line = source.count(b"\n", 0, source.index(b"\0")) + 1
        raise SubmissionError(
            f"{name} holds a NUL byte in line {line}. Save it as plain UTF-8 text.", line=line
        )


def _refuse_other_encodings(name: str, source: bytes) -> None:
    """Refuse a file that Python decodes unlike the grader: `# coding: utf-7` (PEP 263)."""
    for number, line in enumerate(_first_lines(source), start=1):
        declared = _CODING.match(line)
        encoding = declared[1].decode().lower() if declared else "utf-8"
        if encoding in _LIKE_UTF_8 or (encoding in _LIKE_ASCII and source.isascii()):
            continue
        raise SubmissionError(
            f"{name} says in line {number} that it is written in {encoding}. Save it as UTF-8, "
            "and remove that line.",
            line=number,
        )


def _first_lines(source: bytes) -> list[bytes]:
    return source.removeprefix(codecs.BOM_UTF8).split(b"\n", 2)[:2]


_CODING = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_LIKE_UTF_8 = {"utf-8", "utf8", "utf_8", "utf-8-sig", "u8"}
_LIKE_ASCII = {
    "ascii",
    "us-ascii",
    "latin-1",
    "latin1",
    "iso-8859-1",
    "iso-8859-15",
    "cp1252",
    "windows-1252",
}


def _named(submissions: list[Submission], root: Path) -> list[Submission]:
    """The same submissions, each with a name that is safe for a folder and its own."""
    seen = Counter((one.assignment, one.name.casefold()) for one in submissions)
    return [
        one
        if _is_plain(one.name) and seen[one.assignment, one.name.casefold()] == 1
        else replace(one, name=_with_suffix(one, root))
        for one in submissions
    ]


def _is_plain(name: str) -> bool:
    # A name that looks as if it had a suffix gets one too, so that nobody can take another file's.
    plain = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", name)
    return plain is not None and not _SUFFIX.search(name)


_SUFFIX = re.compile(r"-[0-9a-f]{12}\Z")


def _with_suffix(submission: Submission, root: Path) -> str:
    """The plain part of the name, and a hash of the file's place (within the project, if it is)."""
    place = os.fsencode(_within(root, submission.path))
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", submission.name[:200]).strip("-")[:40] or "submission"
    return f"{plain}-{hashlib.sha256(place).hexdigest()[:12]}"
