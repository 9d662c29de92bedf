"""Who is in the class, and whose a piece of work is. In: an instructor's CSV. Out: a `Roster`.

The lists of Canvas, Moodle, Gradescope, GitHub Classroom and Classroom 50 are read as they are
exported, any other by the names of its columns. Nobody is guessed: a work belongs to a student by a
number, an address or a login of his, or by his whole name where no other student has it.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from grader.printable import printable
from grader.submission.submission import UsageError

Work = TypeVar("Work")

COLUMNS = {
    "name": ("name", "student", "full name", "student name"),
    "first": ("first name", "first_name", "given name"),
    "last": ("last name", "last_name", "surname", "family name"),
    "number": ("id", "identifier", "canvas id", "user id", "participant"),
    "student_id": ("sis user id", "sid", "student id", "student_id", "matriculation number"),
    "email": ("email", "email address", "e-mail", "mail"),
    "login": ("sis login id", "login", "username", "user name", "github_username", "github"),
    "section": ("section", "group", "class"),
}
"""What each fact is called in lists that are known, in lower case."""

LARGEST = 10_000_000
"""Bytes of a list; a class of 10,000 has one."""

WHAT_TO_WRITE = (
    "Give it the columns name, id, email and login, as far as you have them, or the list that your "
    "learning platform exports."
)


@dataclass(frozen=True, slots=True)
class Student:
    """One line of the list. What it does not say is empty; `row` is the line as it stands."""

    name: str
    number: str = ""
    student_id: str = ""
    email: str = ""
    login: str = ""
    section: str = ""
    row: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a work says of whose it is: a person's `name`, and the platform's `number` for him.

    `logins` are what may be a login in the name of a clone: of "mnist-8k-ada" "8k-ada" and "ada".
    """

    name: str
    number: str = ""
    logins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Roster:
    """The students, and the heading of the list that they came from."""

    students: tuple[Student, ...]
    columns: tuple[str, ...] = ()

    def find(self, who: Identity) -> Student | None:
        """Whose it is; None where nobody fits, or several do."""
        keys = (_by_number, _by_address, _by_name, _by_run_together_name, _by_clone)
        for fits in keys:
            found = [student for student in self.students if fits(student, who)]
            if found:
                return found[0] if len(found) == 1 else None
        return None


def read(path: Path) -> Roster:
    """The list in a CSV file. Raises UsageError where it is none, or says nobody's name."""
    name = printable(str(path), 200)
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{name} is larger than 10 MB: no list of students is.")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{name} is not UTF-8 text. Save it as CSV (UTF-8), not as a spreadsheet."
        ) from error
    return parse(text, name)


def parse(text: str, name: str) -> Roster:
    """The same from the text of the file called `name`."""
    lines = csv.DictReader(io.StringIO(text), dialect=_dialect(text))
    columns = tuple(lines.fieldnames or ())
    known = {column.strip().casefold(): column for column in columns}
    places = {fact: _first_of(names, known) for fact, names in COLUMNS.items()}
    if not any(places[fact] for fact in ("name", "last", "number", "email", "login")):
        shown = printable(", ".join(columns), 200) or "none"
        raise UsageError(f"{name} has no column that names a student: {shown}. {WHAT_TO_WRITE}")
    students = tuple(_students(lines, places))
    if not students:
        raise UsageError(f"{name} names no student. {WHAT_TO_WRITE}")
    return Roster(students, columns)


def _first_of(names: Sequence[str], known: Mapping[str, str]) -> str:
    """The column that has one of these names, as the list writes it."""
    return next((known[name] for name in names if name in known), "")


def _dialect(text: str) -> type[csv.Dialect]:
    """Commas, or what a spreadsheet in another language writes in their place."""
    head = text.partition("\n")[0]
    separator = max(",;\t", key=head.count)

    class Found(csv.excel):
        delimiter = separator

    return Found


def _students(lines: csv.DictReader[str], places: Mapping[str, str]) -> Iterator[Student]:
    for row in lines:
        said = {
            fact: (row.get(column) or "").strip() if column else ""
            for fact, column in places.items()
        }
        first, last = said.pop("first"), said.pop("last")
        said["name"] = _turned(said["name"]) or " ".join(filter(None, (first, last)))
        if said["name"].casefold() == "points possible":  # Canvas's second line
            continue
        if any(said[fact] for fact in ("name", "number", "email", "login")):
            said["number"] = said["number"].removeprefix("Participant ")
            yield Student(**said, row={key: value or "" for key, value in row.items() if key})


def _turned(name: str) -> str:
    """What a list writes as "Doe, Jane": Jane Doe."""
    last, comma, first = name.partition(",")
    return f"{first.strip()} {last.strip()}" if comma else name


def _by_number(student: Student, who: Identity) -> bool:
    return bool(who.number) and who.number == student.number


def _by_address(student: Student, who: Identity) -> bool:
    """By what is one person's alone: a login, an e-mail address, a student's number."""
    given = who.name.casefold()
    own = (student.login, student.email, student.student_id, student.email.partition("@")[0])
    return bool(given) and given in (fact.casefold() for fact in own if fact)


def _by_name(student: Student, who: Identity) -> bool:
    return bool(student.name) and _folded(student.name) == _folded(who.name)


def _by_run_together_name(student: Student, who: Identity) -> bool:
    """As Canvas writes it into file names, "doejane", or a file "jane_doe.py"."""
    words = _folded(student.name).split()
    joined = "".join(_folded(who.name).split())
    return bool(words) and joined in ("".join(words), words[-1] + "".join(words[:-1]))


def _by_clone(student: Student, who: Identity) -> bool:
    """As GitHub Classroom calls a repository: the assignment, and the login."""
    return bool(student.login) and student.login.casefold() in map(str.casefold, who.logins)


def _folded(name: str) -> str:
    """Without accents, case and punctuation: what people and platforms do not agree on."""
    plain = unicodedata.normalize("NFKD", name.casefold().replace("ß", "ss"))
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return " ".join(re.findall(r"[^\W_]+", letters))


@dataclass(frozen=True, slots=True)
class Joined(Generic[Work]):
    """The works of a class beside its list.

    `owners` are students with their one work. `unknown` are works of nobody on the list, `several`
    those of a student who has more than one, `missing` the students who have none.
    """

    owners: tuple[tuple[Student, Work], ...]
    unknown: tuple[Work, ...]
    several: tuple[tuple[Student, tuple[Work, ...]], ...]
    missing: tuple[Student, ...]


def join(roster: Roster, works: Sequence[tuple[Identity, Work]]) -> Joined[Work]:
    """Each work to its student."""
    by_student: dict[int, list[Work]] = {}
    unknown = []
    for who, work in works:
        student = roster.find(who)
        if student is None:
            unknown.append(work)
        else:
            by_student.setdefault(roster.students.index(student), []).append(work)
    found = [(student, by_student.get(n, [])) for n, student in enumerate(roster.students)]
    return Joined(
        owners=tuple((student, own[0]) for student, own in found if len(own) == 1),
        unknown=tuple(unknown),
        several=tuple((student, tuple(own)) for student, own in found if len(own) > 1),
        missing=tuple(student for student, own in found if not own),
    )
