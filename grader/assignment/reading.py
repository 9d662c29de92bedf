"""Read assignments from a project folder, and say every mistake in one.

In: a folder that an instructor wrote (trusted, but people mistype). Out: Assignments, or an
AssignmentError that names the file, the key, what was found there and what would be accepted.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from inspect import isclass
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from grader.assignment.rules import Assignment
from grader.assignment.words import did_you_mean, sentence
from grader.checks import own
from grader.checks.limits import Table
from grader.errors import AssignmentError, GraderError, in_words

FILE = "assignment.toml"

Mistake = tuple[tuple[int | str, ...], str]
"""Where it is, as keys and places in lists, and what to say."""


def load_all(root: Path) -> dict[str, Assignment]:
    """Every assignment of the project folder `root` by name, in alphabetical order.

    Raises GraderError.
    """
    known, broken = load_each(root)
    for error in broken.values():
        raise error
    return known


def load_each(root: Path) -> tuple[dict[str, Assignment], dict[str, AssignmentError]]:
    """The assignments of the project folder by name, and why the others cannot be read.

    Raises GraderError where there is none.
    """
    files = sorted((root / "assignments").glob(f"*/{FILE}"))
    if not files:
        raise GraderError(
            f"{root / 'assignments'} holds no assignment: each is a folder with an {FILE} in it."
        )
    known: dict[str, Assignment] = {}
    broken: dict[str, AssignmentError] = {}
    for file in files:
        try:
            known[file.parent.name] = load(file.parent)
        except AssignmentError as error:
            broken[file.parent.name] = error
    return known, broken


def load(folder: Path) -> Assignment:
    """The assignment in `folder`. Raises AssignmentError, naming every mistake in its file."""
    file = folder / FILE
    own_checks = own.read(folder)
    assignment = parsed(_read(file), own_checks)
    wrong = [str(one) for one in own_checks.mistakes if one.fatal]
    if isinstance(assignment, list):
        lines = [text for _, text in assignment]
        count = "a mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
        listed = "\n".join(f"  {line}" for line in lines)
        wrong.append(f"{file} has {count}:\n{listed}")
    if wrong or isinstance(assignment, list):
        raise AssignmentError("\n".join(wrong))
    if assignment.name != folder.name:
        raise AssignmentError(
            f"{file}: name = {assignment.name!r}, but its folder is {folder.name!r}: "
            "they must be equal."
        )
    return assignment


def parsed(table: dict[str, Any], own_checks: own.OwnChecks) -> Assignment | list[Mistake]:
    """The assignment that a table of TOML describes, with its own checks.

    Or every mistake in the table: where it is, as keys and places in lists, and what to say.
    """
    try:
        # By way of JSON, where pydantic's strict mode takes a list for a tuple, but no "5" for a 5.
        assignment = Assignment.model_validate_json(
            json.dumps(table, default=str), strict=True, context={"own_checks": own_checks.names}
        )
    except ValidationError as error:
        details = error.errors(include_url=False)
        return [(_place(detail), _explain(detail)) for detail in details]
    assignment._own_checks = own_checks
    return assignment


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise AssignmentError(f"{file} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise AssignmentError(f"{file} is not valid TOML: {error}.") from error


def _explain(error: ErrorDetails) -> str:
    """One mistake in a line: the key, what was found there, what would be accepted."""
    path = _place(error)
    key = ".".join(str(part) for part in path)
    if error["type"] == "missing":
        if path[0] == "input_shape":
            return "input_shape needs three numbers: channels, rows, columns, as in [1, 28, 28]."
        return f"{key} is missing."
    if error["type"] == "extra_forbidden":
        return _explain_unknown(key, str(path[-1]), _keys_at(path[:-1]))
    details = error.get("ctx", {})
    choices = details.get("known") or re.findall(r"'([^']*)'", details.get("expected", ""))
    if path != error["loc"] and choices:
        return _explain_unknown(key, str(path[-1]), choices)
    message = sentence(in_words(error))
    of_a_table = isinstance(error["input"], dict) and "settings" not in path
    if error["type"] == "value_error" and of_a_table and path:
        return f"{key}: {message}"  # which names what is wrong inside
    if choices:
        message = (
            f"known choices: {', '.join(choices)}.{did_you_mean(str(error['input']), choices)}"
        )
    return f"{key} = {json.dumps(error['input'], default=str)}; {message}" if path else message


def _place(error: ErrorDetails) -> tuple[int | str, ...]:
    return tuple(part for part in error["loc"] if part != "[key]")


def _explain_unknown(key: str, word: str, known: Sequence[str]) -> str:
    return f"{key} is not a known key; known: {', '.join(known)}.{did_you_mean(word, known)}"


def _keys_at(path: tuple[int | str, ...]) -> list[str]:
    """The keys that the table at that place of the file may have."""
    kind: Any = Assignment
    for part in path:
        kind = _inside(kind, part)
    return list(kind.model_fields)


def _inside(kind: Any, part: int | str) -> Any:
    """The type of what a table (or an array or dictionary of tables) holds under that key."""
    if isclass(kind) and issubclass(kind, Table):
        kind = kind.model_fields[str(part)].annotation
    else:
        kind = get_args(kind)[0 if isinstance(part, int) else -1]
    return get_args(kind)[0] if NoneType in get_args(kind) else kind
