"""Keep reports: `grades/<assignment>/<name>/report.json`, with the analysis beside it.

In: Reports and a folder. Out: files, each whole or not at all; and the report of an earlier run
that still stands. A report never takes the place of one on the same file that says more.
"""

from __future__ import annotations

import json
from enum import IntEnum
from pathlib import Path

from pydantic import ValidationError

from grader import report
from grader.report import Report, Verdict
from grader.storage import seal
from grader.storage.atomic import cannot_write, write_whole

REPORT = "report.json"
UNFINISHED = "report.unfinished.json"
ANALYSIS = "model_analysis_results.json"


class Standing(IntEnum):
    """How much a report says: one takes the place of another on the same file that says no more."""

    UNFINISHED = 0
    """Interrupted, or the grader broke: grading again may say more."""
    PARTIAL = 1
    """Not asked for everything: a quick look, or practice images."""
    FULL = 2


def write(result: Report, output: Path, *, secret: bytes) -> Path:
    """Write the files of a sealed report; returns the report's own.

    That is `REPORT`, or `UNFINISHED` where `REPORT` is on the same file and says more. Raises
    GraderError when they cannot be written.
    """
    folder = output / result.assignment / result.submission
    text = result.model_dump_json(indent=2) + "\n"
    earlier = _read(folder / REPORT, secret)
    if earlier and earlier.sha256 == result.sha256 and standing(earlier) > standing(result):
        write_whole(folder / UNFINISHED, text)
        return folder / UNFINISHED
    _write_analysis(result, folder / ANALYSIS)
    write_whole(folder / REPORT, text)  # the last: where it is, everything is
    _remove(folder / UNFINISHED)
    return folder / REPORT


def kept(name: str, assignment: str, output: Path, *, address: str, secret: bytes) -> Report | None:
    """The report of an earlier run at that address, which a new one could only repeat."""
    for file in (REPORT, UNFINISHED):
        found = _read(output / assignment / name / file, secret)
        if found is None or found.key.partition(".")[0] != address:
            continue
        if standing(found) > Standing.UNFINISHED:
            return found
    return None


def standing(result: Report) -> Standing:
    """How much the report says."""
    verdicts = {result.verdict, *(check.verdict for check in result.checks)}
    if result.interrupted or Verdict.BROKEN in verdicts:
        return Standing.UNFINISHED
    practice = result.training is not None and result.training.practice
    return Standing.PARTIAL if result.quick_look or practice else Standing.FULL


def check_writable(output: Path) -> None:
    """Find out before hours of training whether reports can be written. Raises GraderError."""
    probe = output / ".writable"
    write_whole(probe, "")
    _remove(probe)


def _read(file: Path, secret: bytes) -> Report | None:
    """The report in that file, as this grader wrote it."""
    try:
        found = report.read(file.read_bytes())
    except (OSError, ValidationError):  # none, half of one, or one of another version
        return None
    return found if seal.is_genuine(found, secret) else None


def _write_analysis(result: Report, file: Path) -> None:
    if result.analysis is None:
        _remove(file)  # an older file's would look like this one's
    else:
        write_whole(file, json.dumps(result.analysis, indent=2, ensure_ascii=True) + "\n")


def _remove(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(file, error) from error
