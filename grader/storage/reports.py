"""Keep reports: `grades/<assignment>/<name>/report.json`, with the analysis beside it.

In: Reports and a folder. Out: files, each whole or not at all; and the report of an earlier run
that still stands. A report never takes the place of one on the same file that says more; and what
came of a training is never lost: where another report takes its place, it moves to `history/`, one
for each version of the file.
"""

from __future__ import annotations

import re
from enum import IntEnum
from pathlib import Path

from pydantic import ValidationError

from grader import report
from grader.errors import GraderError
from grader.report import LastTrained, Report, Verdict
from grader.storage import json_text, seal
from grader.storage.atomic import cannot_write, write_whole

REPORT = "report.json"
UNFINISHED = "report.unfinished.json"
ANALYSIS = "model_analysis_results.json"
HISTORY = "history"
MOST_KEPT = 20
"""Trained reports that a history holds, each on another version of the file."""
MOST_VERSIONS = 1_000
"""Versions that are counted since the last training."""
_VERSION = re.compile("[0-9a-f]{64}")


class Standing(IntEnum):
    """How much a report says: one takes the place of another on the same file that says no more."""

    UNFINISHED = 0
    """Interrupted, or the grader broke: grading again may say more."""
    PARTIAL = 1
    """Not asked for everything: a quick look, or practice images."""
    FULL = 2


def write(result: Report, output: Path, *, secret: bytes) -> Path:
    """Write the files of a sealed report; returns the report's own.

    That is `REPORT`, or `UNFINISHED` where `REPORT`, or one in the history, is on the same file and
    says more. Raises GraderError when they cannot be written, and for a self-check, which is no
    grade.
    """
    if result.self_check:
        raise GraderError("a self-check is not kept as a grade: whoever asked for it can change it")
    folder = output / result.assignment / result.submission
    earlier = _read(folder / REPORT, secret)
    if earlier is None or earlier.sha256 != result.sha256:
        before = _read(_place(folder, result.sha256), secret)
        if before and _same_submission(before, result) and standing(before) > standing(result):
            _put(before, folder, secret)
            earlier = before
    if earlier and earlier.sha256 == result.sha256 and standing(earlier) > standing(result):
        write_whole(folder / UNFINISHED, _text(result))
        return folder / UNFINISHED
    _put(result, folder, secret)
    _remove(folder / UNFINISHED)
    return folder / REPORT


def place(result: Report, output: Path) -> Path:
    """Where the report of that submission is."""
    return output / result.assignment / result.submission / REPORT


def kept(name: str, assignment: str, output: Path, *, address: str, secret: bytes) -> Report | None:
    """The report of an earlier run at that address, which a new one could only repeat.

    One in the history becomes the report again. Raises GraderError where that cannot be written.
    """
    folder = output / assignment / name
    for file in (folder / REPORT, folder / UNFINISHED, *_history(folder)):
        found = _read(file, secret)
        if found is None or found.key.partition(".")[0] != address:
            continue
        if standing(found) > Standing.UNFINISHED:
            if file.parent.name == HISTORY:
                _put(found, folder, secret)
                _remove(folder / UNFINISHED)
            return found
    return None


def told(result: Report, output: Path, *, secret: bytes) -> Report:
    """The same report, which names the newest trained one where it is not trained itself.

    That is the one on the same file, if there is one, else on an earlier version of it.
    """
    if is_trained(result):
        return result
    folder = output / result.assignment / result.submission
    latest = _read(folder / REPORT, secret)
    if latest is not None and not _same_submission(latest, result):
        latest = None
    trained = [latest] if latest is not None and is_trained(latest) else []
    for file in _history(folder):
        found = _read(file, secret)
        if found is not None and _same_submission(found, result):
            trained.append(found)
    if not trained:
        return result
    newest = max(trained, key=lambda one: (one.sha256 == result.sha256, one.started))
    return result.model_copy(update={"last_trained": _named(newest, latest, result)})


def path_of(folder: Path, secret: bytes) -> str | None:
    """The path of the file that the reports in that folder are on; None where there are none."""
    for name in (REPORT, UNFINISHED):
        found = _read(folder / name, secret)
        if found is not None:
            return found.path
    return None


def is_trained(result: Report) -> bool:
    """Whether it says how well the submission does, by training to the end on its own images."""
    training = result.training
    if training is None or training.practice or result.quick_look or result.interrupted:
        return False
    return training.score is not None


def _same_submission(earlier: Report, result: Report) -> bool:
    """Whether both are on one file: `model.py` of two people may have been graded to one name."""
    return earlier.path == result.path or earlier.sha256 == result.sha256


def _named(trained: Report, latest: Report | None, result: Report) -> LastTrained:
    """What a report says of an earlier one. `latest` is the report before this one."""
    assert trained.training is not None
    return LastTrained(
        verdict=trained.verdict,
        score=trained.training.score,
        threshold=trained.training.threshold,
        points=trained.points,
        max_points=trained.max_points,
        sha256=trained.sha256,
        started=trained.started,
        later=_later(trained, latest, result),
    )


def _later(trained: Report, latest: Report | None, result: Report) -> tuple[str, ...]:
    """The versions that were seen since, this one last."""
    if trained.sha256 == result.sha256:
        return ()
    seen: list[str] = []
    if latest is not None:
        before = latest.last_trained
        if before and (before.sha256, before.started) == (trained.sha256, trained.started):
            seen += before.later
        seen.append(_digits(latest))
    others = [digits for digits in seen if digits not in (_digits(trained), _digits(result))]
    return (*dict.fromkeys(others), _digits(result))[-MOST_VERSIONS:]


def _digits(result: Report) -> str:
    return result.sha256[:12]


def _put(result: Report, folder: Path, secret: bytes) -> None:
    """Make it the report. The one before it, where it was trained, moves to the history."""
    _remember(folder, result, secret)
    _write_analysis(result, folder / ANALYSIS)
    write_whole(folder / REPORT, _text(result))  # the last: where it is, everything is


def _remember(folder: Path, successor: Report, secret: bytes) -> None:
    """Keep a trained report that another is about to replace.

    One that this grader did not write (another machine's, say) is kept as well, and never believed.
    """
    earlier = _parsed(folder / REPORT)
    if earlier is None or not is_trained(earlier) or not _VERSION.fullmatch(earlier.sha256):
        return
    if earlier.sha256 == successor.sha256 and is_trained(successor):
        return  # it has been trained again
    place = _place(folder, earlier.sha256)
    known = _read(place, secret)
    if known is not None and (
        not seal.is_genuine(earlier, secret) or known.started >= earlier.started
    ):
        return
    write_whole(place, _text(earlier))
    _prune(folder)


def _prune(folder: Path) -> None:
    """Let go of the oldest beyond `MOST_KEPT`."""
    files = _history(folder)
    if len(files) <= MOST_KEPT:
        return
    found = [(file, _parsed(file)) for file in files]
    dated = sorted((one.started if one else "", file.name, file) for file, one in found)
    for *_, file in dated[:-MOST_KEPT]:
        _remove(file)


def _history(folder: Path) -> list[Path]:
    """The trained reports that others took the place of."""
    files = sorted((folder / HISTORY).glob("*.json"))
    return [file for file in files if _VERSION.fullmatch(file.stem)]


def _place(folder: Path, sha256: str) -> Path:
    return folder / HISTORY / f"{sha256}.json"


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
    found = _parsed(file)
    if found is None or found.self_check or not seal.is_genuine(found, secret):
        return None
    return found


def _parsed(file: Path) -> Report | None:
    """The report in that file, whoever wrote it."""
    try:
        return report.read(file.read_bytes())
    except (OSError, ValidationError):  # none, half of one, or one of another version
        return None


def _text(result: Report) -> str:
    return json_text.of_report(result) + "\n"


def _write_analysis(result: Report, file: Path) -> None:
    analysis = report.whole_analysis(result)
    if analysis is None:
        _remove(file)  # an older file's would look like this one's
    else:
        write_whole(file, json_text.text(analysis, ascii_only=True) + "\n")


def _remove(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(file, error) from error
