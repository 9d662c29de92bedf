"""The ways grading can end without a verdict: the student's to fix, the instructor's, or ours.

`in_words` says what is wrong with a value, in the words of this project instead of pydantic's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class SubmissionError(Exception):
    """The submission cannot be graded as it is; the message tells the student what to do.

    `line` is the line of the student's own file (1-based) that the message is about, where there is
    one.
    """

    def __init__(self, message: str, *, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class GraderError(Exception):
    """The grader cannot work here (no data, a missing tool); never the student's fault."""


class AssignmentError(GraderError):
    """An assignment is not as it can be graded: the instructor's to fix; it stops no other one."""


_WORDS = {
    "int_type": "it must be a whole number",
    "int_parsing": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "float_type": "it must be a number",
    "float_parsing": "it must be a number",
    "finite_number": "it must be a finite number",
    "bool_type": "it must be true or false",
    "bool_parsing": "it must be true or false",
    "string_type": "it must be a text in quotation marks",
    "list_type": "it must be a list in square brackets",
    "tuple_type": "it must be a list in square brackets",
    "dict_type": "it must be a table of keys and values",
    "model_type": "it must be a table of keys and values",
    "model_attributes_type": "it must be a table of keys and values",
    "missing": "it is missing",
    "extra_forbidden": "it is not a known key",
    "json_invalid": "it is not valid JSON",
    "greater_than": "it must be more than {gt}",
    "greater_than_equal": "it must be at least {ge}",
    "less_than": "it must be less than {lt}",
    "less_than_equal": "it must be at most {le}",
    "string_too_short": "it must have at least {min_length} characters",
    "string_too_long": "it must have at most {max_length} characters",
    "literal_error": "it must be {expected}",
    "enum": "it must be {expected}",
    "union_tag_invalid": "it must be one of {expected_tags}",
}
_PATTERNS = {
    "^[a-z][a-z0-9_]{0,39}$": "it must be 1 to 40 lower-case letters, digits and underscores, and "
    "begin with a letter",
}


def in_words(error: ErrorDetails) -> str:
    """Why a value was refused: "it must be a whole number"; our own checks' messages as they are.

    Whoever raises the error names the key and what was found.
    """
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return error["msg"].removeprefix("Value error, ").removesuffix(".")
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], f"it must look like {context['pattern']}")
    if kind in ("too_long", "too_short"):
        long = kind == "too_long"
        limit = context["max_length" if long else "min_length"]
        found = context["actual_length"]
        return f"it must have at {'most' if long else 'least'} {limit} entries, and has {found}"
    words = _WORDS.get(kind)
    if words is None:
        return _plainer(error["msg"])
    return words.format_map({name: _number(value) for name, value in context.items()})


def _plainer(message: str) -> str:
    message = re.sub(r"^Input should ", "it must ", message)
    return message.removesuffix(".")


def _number(value: object) -> object:
    """Without the idle ".0" of a bound."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
