"""Walk the folders and archives of a command: which work is one person's, and what is left out.

In: paths. Out: `Walk.found`: files, archives, and folders with their contents. A folder is one
person's work where a learning platform made it so, or where its files import one another. In a
class, each folder is somebody's, and each file beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.assignment import FILE, Step
from grader.errors import SubmissionError
from grader.printable import printable, printable_path
from grader.submission import archive, assembly, folder, kinship, owners, stepwise
from grader.submission.contents import CODE, Contents, why_not_enter
from grader.submission.entries import LINK, Entry
from grader.submission.people import PLATFORM, within
from grader.submission.submission import LeftOut, UsageError

TAKEN = (".py", ".ipynb", ".zip")


@dataclass(slots=True)
class Walk:
    """What the paths of a command hold: what is `found` to grade, and what is left out.

    `found` gives the contents of a folder; of a file or an archive the entry, which is read later.
    `names` are those that are not the file's: of the folder that it was in, of a list of people.
    `root` holds assignments/; paths are shown from `home` on. `training` is the file that the user
    says trains: a folder that holds it is one person's. `steps` are those of the assignment that a
    path is for: what holds files of theirs is one person's, too.
    """

    root: Path
    home: Path
    training: str | None = None
    steps: Callable[[Path], Sequence[Step]] = lambda path: ()
    found: dict[Path, Contents | Entry] = field(default_factory=dict)
    names: dict[Path, str] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)

    def visit(self, path: Path) -> None:
        """Take the path itself; or what could be a submission in it, if it is a folder or a class.

        Raises UsageError.
        """
        entry = _at(path)
        if entry.is_archive:
            self._take_archive(entry, is_named=True)
        elif not entry.is_folder:
            siblings = _beside(entry) if owners.whose(entry) else []
            self._take_file(entry, siblings)
        elif any(one.name == FILE for one in owners.within(entry)):
            self.visit(path / "submissions")
        else:
            self._visit_folder(entry)

    def leave_out(self, entry: Entry, reason: str) -> None:
        """Remember that something is not graded, and why."""
        slash = "/" if entry.is_folder else ""
        shown = f"{printable_path(within(self.home, entry.path))}{slash}"
        self.left_out.append(LeftOut(shown, reason))

    def folders_without_rules(self) -> None:
        """Leave out what stands among the assignments and is none."""
        for entry in _at(self.root / "assignments").entries():
            has_rules = any(one.name == FILE for one in owners.within(entry))
            if entry.is_folder and not _is_furniture(entry) and not has_rules:
                self.leave_out(entry, f"no {FILE} in it")

    def _visit_folder(self, entry: Entry) -> None:
        try:
            entries = entry.entries()
        except OSError as error:
            raise UsageError(
                f"The folder {printable_path(entry.path)} cannot be read: {error.strerror}."
            ) from error
        outer, inside = _inner(entry, entries)
        if self._holds_steps(outer, inside):
            self.found[outer.path] = folder.gather(outer)
        elif not self._take_whole(entry, entries):
            self._take_each(outer, inside)

    def _holds_steps(self, entry: Entry, entries: Sequence[Entry]) -> bool:
        """Whether a folder or an archive holds the steps of one work, as files or as folders."""
        steps = self.steps(entry.path / entry.name)
        names = [one.name for one in entries if one.is_folder or one.suffix in CODE]
        return bool(steps) and bool(stepwise.files_of(names, steps))

    def _take_whole(self, entry: Entry, entries: Sequence[Entry]) -> bool:
        """Take a folder that was named as one person's work, if it is that."""
        beside = _beside(entry)
        if entry.path == self.root or any(one.name == FILE for one in beside):
            return False
        if PLATFORM.fullmatch(entry.name):
            self._hand_in(entry)
            return True
        _, inside = _inner(entry, entries)
        if _is_class(inside) or kinship.are_several(_shown(inside)):
            return False
        contents = folder.gather(entry)
        names = {name.casefold() for name in contents.code}
        chosen = self.training is not None and self.training.casefold() in names
        scripts = assembly.scripts(contents)
        # A class may be kept in a repository too: several files that train are several people's.
        is_clone = owners.is_repository(entry) and sum(one.trains for one in scripts) == 1
        if not (chosen or is_clone or kinship.is_one_work(contents, scripts)):
            return False
        self.found[entry.path] = contents
        return True

    def _take_archive(
        self, entry: Entry, *, is_named: bool = False, is_somebodys: bool = False
    ) -> None:
        """Take an archive as one person's work; or what is in it, if it is a class's.

        One that `is_somebodys`, among those of others, is no class, whatever names are in it.
        """
        try:
            pack = archive.opened(entry)
        except SubmissionError:  # which is said when it is read
            self._take_file(entry, ())
            return
        outer, entries = _inner(pack.root, pack.root.entries())
        shown = _shown(entries)
        is_class = not is_somebodys and (_is_class(entries) or _are_archives(shown))
        if self._holds_steps(outer, entries):
            self._take_file(entry, ())
        elif is_class or (is_named and kinship.are_several(shown)):
            skipped = Contents(skipped=pack.skipped).left_out()
            path = printable_path(within(self.home, entry.path))
            self.left_out += [replace(one, display=f"{path}/{one.display}") for one in skipped]
            self._take_each(outer, entries)
        else:
            self._take_file(entry, ())

    def _take_each(self, outer: Entry, entries: Sequence[Entry]) -> None:
        people = owners.files_of(entries)
        listed = owners.gradescope(entries)
        hand_ins = {entry.path for entry in _hand_ins(entries)}
        is_alone = sum(one.is_archive for one in _shown(entries)) == 1
        for entry in entries:
            if entry.name in listed:
                self._take_listed(entry, listed)
            elif entry.path in hand_ins:
                self._hand_in(entry, "" if PLATFORM.fullmatch(entry.name) else entry.name)
            elif (whose := owners.whose(entry)) and people[whose].first is not None:
                self._take_group(people[whose], entry)
            elif not _is_furniture(entry) and not (listed and entry.name in owners.GRADESCOPE_LIST):
                self._judge(entry, outer, is_alone=is_alone)

    def _take_listed(self, entry: Entry, listed: Mapping[str, str]) -> None:
        """Take a folder of Gradescope's; of somebody who has several, the last."""
        person = listed[entry.name]
        theirs = [name for name, whose in listed.items() if whose == person]
        last = max(theirs, key=lambda name: (len(name), name))  # their numbers grow
        if entry.name == last:
            self._hand_in(entry, person)
        else:
            self.leave_out(entry, f"handed in again: {last} counts")

    def _judge(self, entry: Entry, outer: Entry, *, is_alone: bool) -> None:
        reason = _why_not(entry)
        if entry.is_folder and not reason:
            reason = self._why_not_somebodys(entry, outer)
            if not reason:
                self._hand_in(entry, entry.name)
                return
        if reason:
            self.leave_out(entry, reason)
        elif entry.is_archive:
            self._take_archive(entry, is_somebodys=not is_alone)
        else:
            self._take_file(entry, ())

    def _why_not_somebodys(self, entry: Entry, outer: Entry) -> str:
        """Why a folder beside the hand-ins of others is not somebody's; empty where it is."""
        # What lies in these is the project's, not the work of a class.
        is_project = outer.path in (self.root, self.root / "reference", self.root / "assignments")
        if is_project or kinship.is_part(entry):
            return "a folder: name it, to grade what is in it"
        return why_not_enter(entry.name)

    def _take_file(self, entry: Entry, siblings: Sequence[Entry]) -> None:
        whose = owners.whose(entry)
        group = owners.files_of(siblings).get(whose) if whose else None
        if group is None or entry.is_archive or entry.suffix not in TAKEN:
            self.found.setdefault(entry.path, entry)
        else:
            self._take_group(group, entry)

    def _take_group(self, group: owners.Files, entry: Entry) -> None:
        """Take a person's files among everybody's, once: at the one that stands for all."""
        first = group.first
        for earlier in group.earlier.values():
            if entry in earlier:
                last = next(name for name, found in group.earlier.items() if entry in found)
                self.leave_out(entry, f"handed in again: {last} counts")
        if first is None or entry.path != first.path:
            return
        work = _together(group)
        if isinstance(work, Contents):
            for name, reason in work.skipped.items():
                self.leave_out(group.files[name], reason)
            work.skipped.clear()
        else:
            others = [one for one in group.files.values() if one.path != first.path]
            for one in others:
                self.leave_out(one, _why_beside(one))
        self.found.setdefault(first.path, work)

    def _hand_in(self, entry: Entry, called: str = "") -> None:
        """Take a folder that was made for one person: all of it, or the one file in it."""
        try:
            everything = entry.entries()
        except OSError as error:
            self.leave_out(entry, f"it cannot be read: {error.strerror}")
            return
        entries = _shown(everything)
        taken = [one for one in entries if not one.is_folder and not _why_not(one)]
        archives = [one for one in taken if one.is_archive]
        contents = folder.gather(entry)
        is_alone = len(taken) == 1 and not any(one.is_folder for one in entries)
        if not contents.code and len(archives) == 1:
            self._take_one(archives[0], entries, called)
        elif not contents.code:
            copies = [one for one in everything if one.name == CHECKPOINTS]
            self.leave_out(entry, _without_code([*entries, *copies], archives))
        elif len(contents.code) == 1 and is_alone and not kinship.reads_others(contents):
            self._take_one(taken[0], entries, called)
        else:
            self.found[entry.path] = contents
            self.names[entry.path] = called or entry.name

    def _take_one(self, file: Entry, entries: Sequence[Entry], called: str) -> None:
        self.found[file.path] = file
        if called:
            self.names[file.path] = called
        for one in entries:
            if one.path != file.path:
                self.leave_out(one, _why_beside(one))


def again(entry: Entry) -> Contents | Entry:
    """What is found at an entry: what `Walk.found` held at its path."""
    if entry.is_folder:
        return folder.gather(entry)
    whose = owners.whose(entry)
    group = owners.files_of(_beside(entry)).get(whose) if whose else None
    if group is None or entry.is_archive:
        return entry
    return _together(group)


def _together(group: owners.Files) -> Contents | Entry:
    """All files of a person, or the only one that counts."""
    first = group.first
    if first is not None and (len(group.files) == 1 or first.is_archive):
        return first
    return folder.of_files(group.files)


def _at(path: Path) -> Entry:
    try:
        entry = archive.at(path)
    except SubmissionError as error:
        raise UsageError(error.message) from error
    if entry is None:
        raise UsageError(
            f"There is no file or folder {printable_path(path)}. Check the spelling and the "
            "current folder."
        )
    return entry


def _beside(entry: Entry) -> list[Entry]:
    """All entries of the folder or archive that it is in."""
    outer = _at(entry.path.parent)
    return owners.within(archive.opened(outer).root if outer.is_archive else outer)


def _inner(entry: Entry, entries: Sequence[Entry]) -> tuple[Entry, Sequence[Entry]]:
    """The folder that holds a class, if this one holds nothing else; else this one."""
    outer, found = entry, _shown(entries)
    for _ in range(folder.MOST_DEPTH):
        if len(found) != 1 or not found[0].is_folder or owners.is_hand_in(found[0]):
            break
        outer, inside = found[0], owners.within(found[0])
        found = _shown(inside)
        if _is_class(inside) or kinship.are_several(found) or _are_archives(found):
            return outer, inside
    return entry, entries


def _shown(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if not _is_furniture(entry)]


def _is_furniture(entry: Entry) -> bool:
    """What no one handed in: .DS_Store, __pycache__, __MACOSX, a README of the folder."""
    hidden = entry.name.startswith(".") and entry.suffix not in _KINDS
    return hidden or entry.name in {"__pycache__", "__MACOSX", "README.md"}


def _why_not(entry: Entry) -> str:
    """Why what is in a folder is not taken for a submission; empty where it may be."""
    name = entry.name
    if entry.suffix == ".py":
        if name.startswith(("_", ".")):
            return f"a helper: its name begins with {name[0]}"
        return "a helper of pytest" if name == "conftest.py" else ""
    if entry.kind == LINK:
        return LINK
    if entry.is_folder or (entry.suffix in TAKEN and not name.startswith(".")):
        return ""
    return _KINDS.get(entry.suffix, "not a .py file")


def _why_beside(entry: Entry) -> str:
    if entry.name == CHECKPOINTS:
        return ONLY_COPIES
    if entry.is_folder:
        return "a folder beside the work: it is not needed"
    if entry.kind == LINK:
        return LINK
    return _why_not(entry) or "a second file: it is not needed"


CHECKPOINTS = ".ipynb_checkpoints"
ONLY_COPIES = "copies that Jupyter keeps for itself: hand in the notebook that lay beside them"


def _without_code(entries: Sequence[Entry], archives: Sequence[Entry]) -> str:
    if archives:
        names = ", ".join(one.name for one in archives[:3])
        return printable(f"{len(archives)} archives ({names}): name the one that counts", 300)
    beside = "".join(f"; {one.name}: {_why_beside(one)}" for one in entries[:3])
    return printable(f"a hand-in without a Python file or a notebook{beside}", 300)


_ARCHIVE = "an archive of another kind: pack it as .zip"
_KINDS: Mapping[str, str] = {
    ".py": "a helper",
    ".ipynb": "hidden",
    ".zip": "hidden",
    **dict.fromkeys((".gz", ".tgz", ".tar", ".rar", ".7z"), _ARCHIVE),
    **dict.fromkeys((".pyc", ".pyo"), "compiled code: hand in its source"),
    **dict.fromkeys(
        (".pt", ".pth", ".ckpt", ".safetensors", ".onnx", ".h5"), "weights: hand in the code"
    ),
}


def _is_class(entries: Sequence[Entry]) -> bool:
    """Whether a folder holds several people's hand-ins, by their names."""
    is_listed = bool(owners.gradescope(entries))
    return is_listed or bool(_hand_ins(entries)) or any(map(owners.whose, entries))


def _are_archives(entries: Sequence[Entry]) -> bool:
    """Whether there are archives, one for each person, and nothing else."""
    return len(entries) > 1 and all(entry.is_archive for entry in entries)


def _hand_ins(entries: Sequence[Entry]) -> list[Entry]:
    """The folders among them that are one person's each: a platform's, or clones of GitHub's."""
    folders = [entry for entry in entries if entry.is_folder and not _is_furniture(entry)]
    return owners.classroom(folders) or [one for one in folders if owners.is_hand_in(one)]
