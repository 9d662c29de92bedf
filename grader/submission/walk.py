"""Walk the folders of a command: which work is one person's, and what is left out.

In: paths. Out: `Walk.found`: files, and folders with their contents. A folder is one person's work
where a learning platform made it so, or where its files import one another; else each of its files
is somebody's.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader.assignment import FILE
from grader.printable import printable, printable_path
from grader.submission import assembly, folder, main_file
from grader.submission.contents import SETTINGS, Contents, is_readme
from grader.submission.main_file import Script
from grader.submission.people import CANVAS, PLATFORM, within
from grader.submission.submission import LeftOut, UsageError

TAKEN = (".py", ".ipynb", ".zip")


@dataclass(slots=True)
class Walk:
    """What the paths of a command hold: what is `found` to grade, and what is left out.

    `found` gives the contents of a folder, and None for a file, which is read later. `root` holds
    assignments/; paths are shown from `home` on. `training` is the file that the user says trains:
    a folder that holds it is one person's.
    """

    root: Path
    home: Path
    training: str | None = None
    found: dict[Path, Contents | None] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)

    def visit(self, path: Path) -> None:
        """Take the path itself; or, if it is a folder, what could be a submission in it, sorted.

        Of the folders in it, only those that are hand-ins of one person are looked into.
        """
        if not os.path.lexists(path):
            raise UsageError(
                f"There is no file or folder {printable_path(path)}. Check the spelling and the "
                "current folder."
            )
        if not stat.S_ISDIR(path.lstat().st_mode):
            self.found.setdefault(path, canvas_group(path))
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
        if not self._take_whole(path, entries):
            self._take_each(entries)

    def leave_out(self, path: Path, reason: str) -> None:
        """Remember that something is not graded, and why."""
        slash = "/" if path.is_dir() and not path.is_symlink() else ""
        self.left_out.append(LeftOut(f"{printable_path(within(self.home, path))}{slash}", reason))

    def folders_without_rules(self) -> None:
        """Leave out what stands among the assignments and is none."""
        for entry in sorted((self.root / "assignments").iterdir()):
            if entry.is_dir() and not _is_furniture(entry) and not (entry / FILE).exists():
                self.leave_out(entry, f"no {FILE} in it")

    def _take_whole(self, path: Path, entries: Sequence[Path]) -> bool:
        """Take a folder that was named as one person's work, if it is that."""
        if path == self.root or os.path.isfile(path.parent / FILE):  # noqa: PTH113 - as above
            return False
        if PLATFORM.fullmatch(path.name):
            self._hand_in(path)
            return True
        if _is_class(entries):
            return False
        contents = folder.gather(path)
        names = {name.casefold() for name in contents.code}
        chosen = self.training is not None and self.training.casefold() in names
        scripts = assembly.scripts(contents)
        # A class may be kept in a repository too: several files that train are several people's.
        is_clone = _is_repository(path) and sum(script.trains for script in scripts) == 1
        if not (chosen or is_clone or _is_one_work(contents, scripts)):
            return False
        self.found[path] = contents
        return True

    def _take_each(self, entries: Sequence[Path]) -> None:
        hand_ins = _hand_ins(entries)
        for entry in entries:
            if entry in hand_ins:
                self._hand_in(entry)
            elif not _is_furniture(entry):
                self._judge(entry)

    def _judge(self, entry: Path) -> None:
        reason = _why_not(entry)
        if reason:
            self.leave_out(entry, reason)
            return
        group = canvas_group(entry)
        if group is None or _first_of_group(entry) == entry:
            self.found.setdefault(entry, group)

    def _hand_in(self, path: Path) -> None:
        """Take a folder that was made for one person: all of it, or the one file in it."""
        try:
            entries = [entry for entry in sorted(path.iterdir()) if not _is_furniture(entry)]
        except OSError as error:
            self.leave_out(path, f"it cannot be read: {error.strerror}")
            return
        taken = [entry for entry in entries if not _why_not(entry)]
        archives = [entry for entry in taken if entry.suffix.lower() == ".zip"]
        contents = folder.gather(path)
        if not contents.code and len(archives) == 1:
            self._take_one(archives[0], entries)
        elif not contents.code:
            beside = "".join(f"; {entry.name}: {_why_beside(entry)}" for entry in entries[:3])
            reason = f"a hand-in without a Python file or a notebook{beside}"
            self.leave_out(path, printable(reason, 300))
        elif len(contents.code) == 1 and len(taken) == 1 and not _reads_others(contents):
            self._take_one(taken[0], entries)
        else:
            self.found[path] = contents

    def _take_one(self, file: Path, entries: Sequence[Path]) -> None:
        self.found[file] = None
        for entry in entries:
            if entry != file:
                self.leave_out(entry, _why_beside(entry))


def canvas_group(path: Path) -> Contents | None:
    """All files of the person who handed this one in, by Canvas's names; None where it is one."""
    group = _group(path)
    if len(group) < 2:
        return None
    return folder.of_files(group)


def _group(path: Path) -> dict[str, Path]:
    found = CANVAS.fullmatch(path.name)
    if not found or not path.name.lower().endswith(TAKEN):
        return {}
    group = {}
    for entry in sorted(path.parent.iterdir()):
        other = CANVAS.fullmatch(entry.name)
        if other and other["number"] == found["number"] and entry.suffix.lower() != ".zip":
            # Canvas numbers a file that was handed in again: model-1.py.
            group[re.sub(r"-\d+(?=\.\w+\Z)", "", other["file"])] = entry
    return group


def _first_of_group(path: Path) -> Path:
    """The file that stands for all of a person's, where there are several."""
    code = [file for file in _group(path).values() if file.name.lower().endswith(TAKEN)]
    return min(code, default=path)


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
    if name.lower().endswith(TAKEN) and not name.startswith("."):
        return ""
    return _KINDS.get(entry.suffix.lower(), "not a .py file")


def _why_beside(entry: Path) -> str:
    return _why_not(entry) or "a second file: it is not needed"


_ARCHIVE = "an archive of another kind: pack it as .zip"
_KINDS = {
    ".py": "a helper",
    ".ipynb": "hidden",
    ".zip": "hidden",
    **dict.fromkeys((".gz", ".tgz", ".tar", ".rar", ".7z"), _ARCHIVE),
    **dict.fromkeys((".pyc", ".pyo"), "compiled code: hand in its source"),
    **dict.fromkeys((".pt", ".pth", ".safetensors", ".onnx"), "weights: hand in the code"),
}


def _is_class(entries: Sequence[Path]) -> bool:
    """Whether a folder holds several people's hand-ins."""
    return bool(_hand_ins(entries)) or any(CANVAS.fullmatch(entry.name) for entry in entries)


def _hand_ins(entries: Sequence[Path]) -> set[Path]:
    """The folders among them that are one person's each: a platform's, or clones of GitHub's."""
    folders = [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]
    found = {entry for entry in folders if PLATFORM.fullmatch(entry.name) or _is_repository(entry)}
    shown = [entry for entry in folders if not _is_furniture(entry)]
    # GitHub Classroom calls them assignment-user, and an assignment may have "-" in its name.
    repositories = [entry for entry in shown if "-" in entry.name and _holds_code(entry)]
    first = {entry.name.partition("-")[0] for entry in repositories}
    if len(repositories) > 1 and len(first) == 1 and repositories == shown:
        found.update(shown)
    return found


def _is_repository(path: Path) -> bool:
    # Path.exists raises where a folder may not be looked into.
    return os.path.exists(path / ".git")  # noqa: PTH110 - as said


def _holds_code(path: Path) -> bool:
    try:
        return any(entry.suffix.lower() in (".py", ".ipynb") for entry in path.iterdir())
    except OSError:
        return False


def _is_one_work(contents: Contents, scripts: Sequence[Script]) -> bool:
    """Whether most of the files of a folder hang together by what they import or read."""
    if len(scripts) < 2:
        return len(contents.code) == 1 and _reads_others(contents)
    return 2 * main_file.connected(main_file.imports(scripts)) > len(scripts)


def _reads_others(contents: Contents) -> bool:
    """Whether the code names one of the other files, which then belongs to it."""
    code = b"\n".join(contents.files[name] for name in contents.code)
    others = [name for name in contents.files if name not in contents.code]
    files = [name.rpartition("/")[2] for name in others if name.lower().endswith(SETTINGS)]
    return any(name.encode("utf-8", "replace") in code for name in files if not is_readme(name))
