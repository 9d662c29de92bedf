"""Keep reports: `grades/<assignment>/<name>/report.json` and `model_analysis_results.json` beside it.

In: Reports and a folder. Out: files, each whole or not at all; and the report of an earlier run that still stands. A
report that says nothing final never takes the place of one that does.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from grader import key, report
from grader.report import Report, Verdict
from grader.whole import cannot_write, write_whole

REPORT = "report.json"
UNFINISHED = "report.unfinished.json"
ANALYSIS = "model_analysis_results.json"


def write(result: Report, output: Path, *, secret: bytes) -> Path:
    """Write the files of a sealed report; returns the report's own. Raises GraderError when they cannot be written.

    That is `REPORT`, except for one that is not final where `REPORT` is a final report on the same file: `UNFINISHED`.
    """
    folder = output / result.assignment / result.submission
    text = result.model_dump_json(indent=2) + "\n"
    if not is_final(result) and _stands(folder / REPORT, result.sha256, secret):
        write_whole(folder / UNFINISHED, text)
        return folder / UNFINISHED
    _write_analysis(result, folder / ANALYSIS)
    write_whole(folder / REPORT, text)  # the last: where it is, everything is
    _remove(folder / UNFINISHED)
    return folder / REPORT


def kept(name: str, assignment: str, output: Path, *, address: str, secret: bytes) -> Report | None:
    """The final report of an earlier run at that address, as this grader wrote it; else None."""
    found = _read(output / assignment / name / REPORT)
    if found is None or not is_final(found) or found.key.partition(".")[0] != address:
        return None
    return found if key.is_genuine(found, secret) else None


def _stands(file: Path, sha256: str, secret: bytes) -> bool:
    """Whether there is a final report on the submission of that hash."""
    found = _read(file)
    return found is not None and found.sha256 == sha256 and is_final(found) and key.is_genuine(found, secret)


def is_final(result: Report) -> bool:
    """Whether grading again could only repeat it: not interrupted, no quick look, nothing of the grader's broken."""
    broken = Verdict.BROKEN in (result.verdict, *(check.verdict for check in result.checks))
    return not (result.interrupted or result.quick_look or broken)


def check_writable(output: Path) -> None:
    """Find out before hours of training whether reports can be written. Raises GraderError."""
    probe = output / ".writable"
    write_whole(probe, "")
    _remove(probe)


def _read(file: Path) -> Report | None:
    try:
        return report.read(file.read_bytes())
    except (OSError, ValidationError):  # none, half of one, or one of another version
        return None


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
