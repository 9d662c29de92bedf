"""JSON that people can read: what fits on one line of 100 columns stays on one.

In: JSON values. Out: text. A curve or a confusion matrix is a few lines and not thousands.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from grader.report import Report

COLUMNS = 100
LONGEST_IN_ROW = 40
"""Characters of an item that others stand beside."""


def of_report(report: Report) -> str:
    """A report, as it is written and as `--json` prints it."""
    return text(report.model_dump(mode="json"))


def text(value: object, *, ascii_only: bool = False) -> str:
    """The value, without a line end after it."""
    return _text(value, "", 0, ascii_only)


def _text(value: object, indent: str, before: int, ascii_only: bool) -> str:
    """`before` columns of the line are taken by a name."""
    line = json.dumps(value, ensure_ascii=ascii_only, allow_nan=False)
    if not isinstance(value, dict | list) or len(indent) + before + len(line) < COLUMNS:
        return line
    inner = f"{indent}  "
    if isinstance(value, dict):
        items = []
        for name, item in value.items():
            head = f"{json.dumps(name, ensure_ascii=ascii_only)}: "
            items.append(f"{inner}{head}{_text(item, inner, len(head), ascii_only)}")
        opening, closing = "{}"
    else:
        items = list(_rows(value, inner, ascii_only))
        opening, closing = "[]"
    body = ",\n".join(items)
    return f"{opening}\n{body}\n{indent}{closing}"


def _rows(values: list[object], indent: str, ascii_only: bool) -> Iterator[str]:
    """The items of a list, as many on a line as fit where none of them holds a list or names."""
    texts = [_text(value, indent, 0, ascii_only) for value in values]
    if any(isinstance(value, dict) for value in values) or max(map(len, texts)) > LONGEST_IN_ROW:
        yield from (f"{indent}{text}" for text in texts)
        return
    row = indent
    for text in texts:
        if len(row) > len(indent) and len(row) + len(text) + 2 > COLUMNS:
            yield row.removesuffix(", ")
            row = indent
        row += f"{text}, "
    yield row.removesuffix(", ")
