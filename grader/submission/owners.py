"""Whose is what in the download of a whole class, by the names that learning platforms give.

In: the entries of one folder. Out: which of them are one person's, and under what name; of what was
handed in several times, the last. Nothing but names is looked at, and Gradescope's list of people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from grader.errors import SubmissionError
from grader.submission.contents import CODE, MOST_SETTINGS_BYTES
from grader.submission.entries import Entry
from grader.submission.people import CANVAS, MOODLE_FILE, PLATFORM

GRADESCOPE_LIST = ("submission_metadata.yml", "submission_metadata.yaml")
_GRADESCOPE = re.compile(r"submission_\d+")
_NUMBER = re.compile(r"-(\d+)(?=\.\w+\Z)")
"""Canvas numbers a file that was handed in again: model-1.py."""


@dataclass(slots=True)
class Files:
    """One person's files among everybody's: the last of each name, and those before it."""

    files: dict[str, Entry] = field(default_factory=dict)
    earlier: dict[str, list[Entry]] = field(default_factory=dict)

    @property
    def first(self) -> Entry | None:
        """The file that stands for all: of the code, else of the archives."""
        for endings in (CODE, (".zip",)):
            found = [entry for entry in self.files.values() if entry.suffix in endings]
            if found:
                return min(found, key=lambda entry: entry.name)
        return None


def files_of(entries: Iterable[Entry]) -> dict[tuple[str, str], Files]:
    """The files of each person, by name and number, of those that are named after people."""
    versions: dict[tuple[str, str], dict[str, list[tuple[int, int, Entry]]]] = {}
    for entry in entries:
        whose, name, order = _read(entry)
        if whose is not None:
            versions.setdefault(whose, {}).setdefault(name, []).append((*order, entry))
    return {whose: _last_of(names) for whose, names in versions.items()}


def whose(entry: Entry) -> tuple[str, str] | None:
    """The person that a file is named after."""
    return _read(entry)[0]


def _read(entry: Entry) -> tuple[tuple[str, str] | None, str, tuple[int, int]]:
    """The person, the name that the person gave the file, and how late it came."""
    if entry.is_folder:
        return None, "", (0, 0)
    if found := MOODLE_FILE.fullmatch(entry.name):
        return (found["person"], found["number"]), found["file"], (0, 0)
    if found := CANVAS.fullmatch(entry.name):
        number = _NUMBER.search(found["file"])
        order = int(number[1][:9]) if number else 0, int(found["upload"][:18])
        return (found["person"], found["number"]), _NUMBER.sub("", found["file"]), order
    return None, "", (0, 0)


def _last_of(names: Mapping[str, list[tuple[int, int, Entry]]]) -> Files:
    found = Files()
    for name, versions in names.items():
        *earlier, last = sorted(versions, key=lambda version: version[:2])
        found.files[name] = last[2]
        if earlier:
            found.earlier[last[2].name] = [version[2] for version in earlier]
    return found


def is_hand_in(entry: Entry) -> bool:
    """Whether a folder is one person's by the name that a platform gave it, or a clone."""
    return entry.is_folder and (PLATFORM.fullmatch(entry.name) is not None or is_repository(entry))


def is_repository(entry: Entry) -> bool:
    """Whether a folder is a clone."""
    return any(one.name == ".git" for one in within(entry))


def within(entry: Entry) -> list[Entry]:
    """The entries of a folder; none where it cannot be read."""
    try:
        return entry.entries()
    except OSError:
        return []


def classroom(folders: Sequence[Entry]) -> list[Entry]:
    """All of these folders, where GitHub Classroom made them: assignment-anna, assignment-ben."""
    repositories = [entry for entry in folders if "-" in entry.name and _holds_code(entry)]
    # An assignment may have "-" in its name as well.
    first = {entry.name.partition("-")[0] for entry in repositories}
    is_one = len(repositories) > 1 and len(first) == 1 and len(repositories) == len(folders)
    return list(folders) if is_one else []


def _holds_code(entry: Entry) -> bool:
    return any(one.suffix in CODE for one in within(entry))


def gradescope(entries: Sequence[Entry]) -> dict[str, str]:
    """Of each of Gradescope's folders whose it is, by its list; empty where this is no export."""
    listed = [entry for entry in entries if entry.name in GRADESCOPE_LIST]
    folders = [one.name for one in entries if one.is_folder and _GRADESCOPE.fullmatch(one.name)]
    if not listed or not folders:
        return {}
    try:
        text = listed[0].read(_MOST_LIST).decode("utf-8", "replace")
    except SubmissionError:
        text = ""
    people = _people(text)
    return {name: people.get(name, name) for name in folders}


_MOST_LIST = 100 * MOST_SETTINGS_BYTES
_FOLDER = re.compile(r"(submission_\d+):\s*")
_SUBMITTERS = re.compile(r"\s*:?submitters:\s*")
_KEY = re.compile(r"  :?\w+:.*")
_PERSON = re.compile(r"\s*(?:- )?:?name:(?P<name>.*)")


def _people(text: str) -> dict[str, str]:
    """Of each folder the names under "submitters". The list is Gradescope's own YAML."""
    found: dict[str, list[str]] = {}
    folder, is_inside = "", False
    for line in text.splitlines():
        if start := _FOLDER.fullmatch(line):
            folder, is_inside = start[1], False
        elif _SUBMITTERS.fullmatch(line):
            is_inside = True
        elif _KEY.fullmatch(line) and not line.startswith("  -"):
            is_inside = is_inside and _PERSON.fullmatch(line) is not None
        if folder and is_inside and (person := _PERSON.fullmatch(line)):
            found.setdefault(folder, []).append(_unquoted(person["name"].strip()))
    return {name: " and ".join(people) for name, people in found.items() if any(people)}


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        inner = text[1:-1]
        return inner.replace("''", "'") if text[0] == "'" else _unescaped(inner)
    return text


def _unescaped(text: str) -> str:
    r"""YAML's escapes in double quotes: \xE9, \u00e9, \"."""

    def character(found: re.Match[str]) -> str:
        return chr(int(found[1] or found[2], 16)) if found[1] or found[2] else str(found[3])

    return re.sub(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|(.))", character, text)
