"""Keep finished reports: `grades/<assignment>/<name>/report.json` and `model_analysis_results.json` beside it.

In: a Report and a folder. A file is there whole or not at all.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from grader.errors import GraderError
from grader.report import Report

REPORT = "report.json"
ANALYSIS = "model_analysis_results.json"


def write(report: Report, output: Path) -> Path:
    """Write both files for one submission; returns its folder. Raises GraderError when the folder cannot be written."""
    folder = output / report.assignment / report.submission
    write_whole(folder / REPORT, report.model_dump_json(indent=2) + "\n")
    if report.analysis is not None:
        write_whole(folder / ANALYSIS, json.dumps(report.analysis, indent=2, ensure_ascii=True) + "\n")
    return folder


def write_whole(file: Path, text: str) -> None:
    """Write `file` under another name first, so that nobody ever reads half of it. Raises GraderError."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise GraderError(
            f"{file} cannot be written: {error.strerror or error}. "
            "Free some space, or name another folder with --output."
        ) from error
