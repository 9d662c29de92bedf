"""Render saved reports again. In: files and folders, and a format. Out: text, on standard output or in a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from grader import report
from grader.errors import GraderError
from grader.printable import printable
from grader.render.annotations import commands
from grader.render.html import html
from grader.render.junit import junit
from grader.render.markdown import markdown
from grader.render.spreadsheet import spreadsheet
from grader.report import Report
from grader.storage.atomic import write_whole
from grader.storage.reports import REPORT
from grader.submission import UsageError

RENDERERS: dict[str, Callable[[Sequence[Report]], str]] = {
    "markdown": markdown,
    "html": html,
    "junit": junit,
    "csv": spreadsheet,
    "annotations": commands,
}


def export(paths: Sequence[Path], form: str, output: Path | None) -> int:
    """Write all reports of `paths` in one text. Raises UsageError for what is no report, GraderError for a bad disk."""
    text = RENDERERS[form]([_read(file) for path in paths for file in _files(path)])
    if output:
        write_whole(output, text)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())  # always UTF-8: the page and the XML say so
    return 0


def _files(path: Path) -> Iterator[Path]:
    """The file itself, or every report of a folder."""
    if not path.is_dir():
        yield path
        return
    found = sorted(path.rglob(REPORT))
    if not found:
        raise UsageError(
            f"{_name(path)} holds no {REPORT}. `python -m grader grade` writes them, into grades/."
        )
    yield from found


def _read(file: Path) -> Report:
    try:
        return report.read(file.read_bytes())
    except FileNotFoundError as error:
        raise UsageError(
            f"{_name(file)} does not exist. Name a {REPORT}, or a folder that holds some."
        ) from error
    except OSError as error:
        raise GraderError(f"{_name(file)} cannot be read: {error.strerror or error}.") from error
    except ValidationError as error:
        raise UsageError(
            f"{_name(file)} is no report of this version of the grader: {_first(error)}. "
            f"Name a {REPORT} that `python -m grader grade` wrote."
        ) from error


def _first(error: ValidationError) -> str:
    """The first of pydantic's complaints, without the input."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return printable(f"{place}: {first['msg']}" if place else first["msg"], 200)


def _name(path: Path) -> str:
    return printable(str(path), 200)
