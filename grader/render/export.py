"""Render saved reports again. In: files, folders, a format. Out: text, printed or in a file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from pydantic import ValidationError

from grader import report
from grader.errors import GraderError, in_words
from grader.printable import printable
from grader.render import formats
from grader.render.called import called
from grader.render.formats import PICTURES
from grader.report import Report
from grader.storage.atomic import write_whole
from grader.storage.reports import REPORT
from grader.submission.submission import UsageError


def export_reports(paths: Sequence[Path], form: str, output: Path | None) -> int:
    """Write all reports of `paths` as one text or picture, in the format of that name.

    Raises UsageError for what is not a report, or for a picture on a terminal; GraderError for what
    the disk does not give or take.
    """
    if form in PICTURES and output is None and sys.stdout.isatty():
        raise UsageError(f"A terminal cannot show {form}: add --output picture.{form}.")
    made = formats.encoded(read_all(paths), form)
    if output:
        write_whole(output, made)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(made)  # always UTF-8: the page and the XML say so
    return 0


def read_all(paths: Iterable[Path]) -> list[Report]:
    """Every report in these files and folders. Raises as `read`, and UsageError for none."""
    return [read(file) for file in files_of(paths)]


def files_of(paths: Iterable[Path]) -> Iterator[Path]:
    """The files of `read_all`. Raises UsageError for none."""
    return chain.from_iterable(_files(path) for path in paths)


def _files(path: Path) -> Iterator[Path]:
    """The file itself, or every report of a folder, but those of the steps of a work."""
    if not path.is_dir():
        yield path
        return
    every = sorted(path.rglob(REPORT))
    known = {*every}
    found = [file for file in every if file.parent.parent / REPORT not in known]
    if not found:
        raise UsageError(
            f"{_name(path)} holds no {REPORT}. `{called('grade', 'FILE')}` writes them, into "
            "grades/."
        )
    yield from found


def read(file: Path) -> Report:
    """The report in that file. Raises UsageError where it is none, GraderError on the disk."""
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
            f"{_name(file)} is not a report that this grader can read: {_first(error)}. "
            f"Name a {REPORT} that `{called('grade', 'FILE')}` wrote, or grade the submission "
            "again."
        ) from error


def _first(error: ValidationError) -> str:
    """The first of pydantic's complaints, without the input."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    message = f"{place}: {in_words(first)}" if place else in_words(first)
    return printable(message, 200)


def _name(path: Path) -> str:
    return printable(str(path), 200)
