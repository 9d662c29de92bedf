"""Find the files to grade, and read each of them once.

In: paths from the command line, or the folders of all assignments. Out: `Found`: a `Submission` for
every file, and what was left out, each with its reason. The bytes come from students and so do the
names: a file that cannot be read as source becomes a Submission with a `problem`, so that one bad
file never stops a class; only a wrong command is an error (`UsageError`). Nothing is executed here.
"""

from __future__ import annotations

import codecs
import errno
import hashlib
import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.assignment import FILE, did_you_mean
from grader.errors import SubmissionError
from grader.printable import printable, printable_path
from grader.program.listing import Listing

MOST_BYTES = 256 * 1024
"""The largest file that is read. A network and its recipe take 4 to 20 KiB."""


class UsageError(ValueError):
    """The command cannot be carried out as it was given; the message says how to give it."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One student's file.

    `name` is safe for a folder (letters, digits, "_" and "-") and differs from all others of the
    same assignment, also where upper and lower case are one. `shown` is the person or the file by
    the name that people know, `display` the path: in both, what is invisible is escaped. `source`
    is all that is ever read of the file, `sha256` its
    hash; both are empty where `problem` says why it could not be read.
    """

    path: Path
    name: str
    display: str
    assignment: str
    source: bytes
    sha256: str
    problem: SubmissionError | None = None
    shown: str = ""

    @property
    def listing(self) -> Listing:
        """Its parts."""
        return Listing.of_file(self.filename, self.source.decode("utf-8-sig", "replace"))

    @property
    def filename(self) -> str:
        """The name that the child is told."""
        return self.path.name if self.path.name.isascii() else f"{self.name}.py"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a folder holds beside its submissions: the path for people, and why it is not graded."""

    display: str
    reason: str

    def __str__(self) -> str:
        return f"{self.display} ({self.reason})"


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
    assignment: str | None = None,
) -> list[Submission]:
    """The submissions that `look` finds. Raises UsageError."""
    return look(paths, assignments, root=root, assignment=assignment).submissions


def look(
    paths: Sequence[Path],
    assignments: Collection[str],
    *,
    root: Path,
    assignment: str | None = None,
) -> Found:
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
    walk = _Walk(root)
    for path in wanted:
        walk.visit(_absolute(path))
    if not paths and assignment is None:
        walk.folders_without_rules()
    found = []
    for file in walk.files:
        of = assignment or _infer(file, assignments, walk)
        if of is not None:
            found.append(_read(file, of, root))
    if not found:
        raise UsageError(_nothing_in(wanted, walk.left_out))
    return Found(_named(found, root), walk.left_out)


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
    return (
        f"There is no Python file to grade in {where}.{others} Copy an assignment's starter.py to "
        "its submissions folder under a name of your own, or name a file."
    )


@dataclass(slots=True)
class _Walk:
    """What the paths of a command hold: `files` to grade, and what is left out."""

    root: Path
    files: dict[Path, None] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)

    def visit(self, path: Path) -> None:
        """Take the path itself; or, if it is a folder, what could be a submission in it, sorted.

        Of the folders in it, only those that a learning platform makes are looked into.
        """
        if not os.path.lexists(path):
            raise UsageError(
                f"There is no file or folder {printable_path(path)}. Check the spelling and the "
                "current folder."
            )
        if not stat.S_ISDIR(path.lstat().st_mode):
            self.files[path] = None
            return
        # Path.is_file raises where a folder may not be looked into.
        if os.path.isfile(path / FILE):  # noqa: PTH113 - as said
            self.visit(path / "submissions")
            return
        try:
            entries = sorted(path.iterdir())
        except OSError as error:
            raise UsageError(
                f"The folder {printable_path(path)} cannot be read: {error.strerror}."
            ) from error
        for entry in entries:
            self._judge(entry)

    def leave_out(self, path: Path, reason: str) -> None:
        """Remember that something is not graded, and why."""
        folder = "/" if path.is_dir() and not path.is_symlink() else ""
        self.left_out.append(LeftOut(f"{printable_path(_within(self.root, path))}{folder}", reason))

    def folders_without_rules(self) -> None:
        """Leave out what stands among the assignments and is none."""
        for folder in sorted((self.root / "assignments").iterdir()):
            if folder.is_dir() and not _is_furniture(folder) and not (folder / FILE).exists():
                self.leave_out(folder, f"no {FILE} in it")

    def _judge(self, entry: Path) -> None:
        if _is_furniture(entry):
            return
        reason = _why_not(entry)
        if not reason:
            self.files[entry] = None
        elif _PLATFORM.fullmatch(entry.name) and entry.is_dir() and not entry.is_symlink():
            self._hand_in(entry)
        else:
            self.leave_out(entry, reason)

    def _hand_in(self, folder: Path) -> None:
        """Take the one Python file of a folder that a learning platform made for a person."""
        try:
            entries = [entry for entry in sorted(folder.iterdir()) if not _is_furniture(entry)]
        except OSError as error:
            self.leave_out(folder, f"it cannot be read: {error.strerror}")
            return
        files = [entry for entry in entries if not _why_not(entry)]
        if len(files) == 1:
            self.files[files[0]] = None
        for entry in entries:
            if entry not in files and files:
                self.leave_out(entry, _why_not(entry))
        if not files:
            beside = "".join(f"; {entry.name}: {_why_not(entry)}" for entry in entries[:3])
            self.leave_out(folder, printable(f"a hand-in without a Python file{beside}", 300))
        elif len(files) > 1:
            self.leave_out(folder, f"a hand-in of {len(files)} Python files: name the one to grade")


_PLATFORM = re.compile(r"(?P<person>.+?)_(?P<number>\d+)_assignsubmission_[a-z]+_*")
"""A folder of Moodle's "download all submissions", with everybody's in a folder of their own."""


def _is_furniture(entry: Path) -> bool:
    """What no one handed in: .DS_Store, __pycache__, __MACOSX, a README of the folder."""
    name = entry.name
    hidden = name.startswith(".") and entry.suffix.lower() not in _KINDS
    return hidden or name in {"__pycache__", "__MACOSX", "README.md"}


def _why_not(entry: Path) -> str:
    """Why what is in a folder is not taken for a submission; empty where it is."""
    name = entry.name
    if name.lower().endswith(".py"):
        if name.startswith(("_", ".")):
            return f"a helper: its name begins with {name[0]}"
        return "a helper of pytest" if name == "conftest.py" else ""
    if entry.is_symlink():
        return "a symbolic link"
    if entry.is_dir():
        return "a folder: name it, to grade what is in it"
    return _KINDS.get(entry.suffix.lower(), "not a .py file")


_ARCHIVE = "an archive: unpack it"
_KINDS = {
    ".py": "a helper",
    ".ipynb": "a notebook: export it as .py",
    **dict.fromkeys((".zip", ".gz", ".tgz", ".tar", ".rar", ".7z"), _ARCHIVE),
    **dict.fromkeys((".pyc", ".pyo"), "compiled code: hand in its source"),
    **dict.fromkeys((".pt", ".pth", ".safetensors", ".onnx"), "weights: hand in the code"),
}


def _infer(file: Path, assignments: Collection[str], walk: _Walk) -> str | None:
    """The assignment whose folder the file is in; None where it is left out for its folder.

    That is assignments/NAME/submissions, assignments/NAME or reference/NAME; a person's own folder
    from a learning platform may be between.
    """
    folder = file.parent.parent if _PLATFORM.fullmatch(file.parent.name) else file.parent
    folder = folder.parent if folder.name == "submissions" else folder
    if folder.parent.name in {"assignments", "reference"}:
        if folder.name in assignments:
            return folder.name
        if folder.parent.name == "assignments" and folder.name:
            walk.leave_out(file, f"there is no {FILE} in {printable_path(folder)}")
            return None
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
    if not name.lower().endswith(".py"):
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
    """The same submissions, each with a name that is safe for a folder and its own, and `shown`."""
    shown = _shown(submissions)
    seen = Counter((one.assignment, one.name.casefold()) for one in submissions)
    return [
        replace(one, shown=printable_path(Path(name)))
        if _is_plain(one.name)
        and seen[one.assignment, one.name.casefold()] == 1
        and _person(one.path) is None
        else replace(one, name=_with_suffix(one, name, root), shown=printable_path(Path(name)))
        for one, name in zip(submissions, shown, strict=True)
    ]


def _shown(submissions: Sequence[Submission]) -> list[str]:
    """The name of each for people. Equal ones are told apart by what differs in their paths."""
    names = [_person(one.path) or one.name for one in submissions]
    names = _apart(submissions, names, _differing)
    names = _apart(submissions, names, _paths)
    counted: Counter[tuple[str, str]] = Counter()
    final = []
    for one, name in zip(submissions, names, strict=True):
        key = one.assignment, _folded(name)
        counted[key] += 1
        number = f" ({counted[key]})" if counted[key] > 1 else ""
        final.append(f"{name}{number}")
    return final


def _apart(
    submissions: Sequence[Submission],
    names: Sequence[str],
    path_parts: Callable[[Sequence[Submission]], Sequence[Sequence[str]]],
) -> list[str]:
    """The same names, but parts of their paths for those that are equal."""
    groups: dict[tuple[str, str], list[int]] = {}
    for place, (one, name) in enumerate(zip(submissions, names, strict=True)):
        groups.setdefault((one.assignment, _folded(name)), []).append(place)
    found = list(names)
    for places in groups.values():
        if len(places) > 1:
            parts = path_parts([submissions[place] for place in places])
            for place, part in zip(places, parts, strict=True):
                found[place] = "/".join(part) or found[place]
    return found


def _differing(group: Sequence[Submission]) -> list[list[str]]:
    """Of each path the steps that not all have, counted from the file upwards."""
    steps = [path[::-1] for path in _paths(group)]
    kept: list[list[str]] = [[] for _ in group]
    for place in range(max(map(len, steps))):
        column = [path[place] if place < len(path) else "" for path in steps]
        if len(set(column)) > 1:
            for own, step in zip(kept, column, strict=True):
                own.extend([step] if step else [])
    return [own[::-1] for own in kept]


def _paths(group: Sequence[Submission]) -> list[list[str]]:
    """Of each the folders after those that all are in, and the file without its ending."""
    common = Path(os.path.commonpath([one.path.parent for one in group]))
    return [[*one.path.parent.relative_to(common).parts, one.path.stem] for one in group]


def _person(path: Path) -> str | None:
    """Whom a learning platform's folder is named after."""
    found = _PLATFORM.fullmatch(path.parent.name)
    return found["person"] if found else None


def _folded(name: str) -> str:
    """What two names that look the same have in common; "Anna" and "anna" differ."""
    return unicodedata.normalize("NFC", name)


def _is_plain(name: str) -> bool:
    # A name that looks as if it had a suffix gets one too, so that nobody can take another file's.
    plain = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", name)
    return plain is not None and not _SUFFIX.search(name)


_SUFFIX = re.compile(r"-[0-9a-f]{12}\Z")


def place(file: Path, root: Path) -> str:
    """Twelve hexadecimal digits that stand for where the file is (within the project, if it is)."""
    return hashlib.sha256(os.fsencode(_within(root, file))).hexdigest()[:12]


def _with_suffix(submission: Submission, shown: str, root: Path) -> str:
    """The plain part of the name, and a hash of the file's place (within the project, if it is)."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", shown[:200]).strip("-")[:40] or "submission"
    return f"{plain}-{place(submission.path, root)}"
