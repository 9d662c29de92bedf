"""docs/authoring.md, followed to the letter: each block is run, written or found in what is said.

A block's first line says what it is: `sh` is run, `text` was said by the commands above, any other
with a path is the file, or (of TOML) the lines that are changed in it.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from grader.checks.names import fixture_names
from grader.training.datasets import DATASETS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "authoring.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def run(place, line):
    command = [sys.executable, "-m", "grader", *shlex.split(line)[1:]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    environment["GRADER_DATA"] = str(place / "no_data")
    return subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, timeout=600
    )


def edited(text, lines):
    """A TOML text with these lines: in place of those of the same key, else below their table."""
    table = ""
    for line in lines.splitlines():
        if line.startswith("["):
            table = line
            continue
        key = line.partition(" = ")[0]
        pattern = rf"(?m)^{key} = [^\n]*$"
        if not table:
            assert re.search(pattern, text), f"{key} is not in the file"
            text = re.sub(pattern, line, text, count=1)
        else:
            assert table in text
            text = text.replace(f"{table}\n", f"{table}\n{line}\n", 1)
    return text


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """What was said and which blocks were found in it, after following the page in a folder."""
    place = tmp_path_factory.mktemp("course")
    said, missing, codes = "", [], {}
    for kind, path, text in BLOCKS:
        if kind == "sh":
            said = ""
            for line in text.splitlines():
                done = run(place, line)
                codes[line] = (done.returncode, done.stderr)
                said += done.stdout + done.stderr
        elif kind == "text":
            if " ".join(text.split()) not in " ".join(said.split()):
                missing.append((text, said))
        else:
            file = place / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if kind == "toml":
                text = edited(file.read_text(encoding="utf-8"), text)
            file.write_text(text, encoding="utf-8")
    return missing, codes, place


def test_what_the_page_shows_is_what_is_said(followed):
    missing, _, _ = followed
    assert missing == []


def test_every_command_ends_as_it_should(followed):
    _, codes, _ = followed
    first_check = "grader check-assignment clothes"
    failed = {line: code for line, code in codes.items() if code[0] != 0 and line != first_check}
    assert failed == {}
    assert len(codes) >= 9


def test_the_check_earns_its_points_in_the_csv_and_stands_in_the_report(followed):
    *_, place = followed
    (row,) = csv.DictReader(run(place, "grader export grades --format csv").stdout.splitlines())
    assert (row["points"], row["max_points"]) == ("65", "105")  # nothing was trained
    report = json.loads((place / "grades/clothes/example/report.json").read_text(encoding="utf-8"))
    assert report["checks"][0]["name"] == "small_batches"


def test_no_block_is_left_out():
    fences = re.findall(r"^```(?=\w)", PAGE, re.MULTILINE)
    assert len(BLOCKS) == len(fences)
    assert all(kind in ("sh", "text", "toml", "python", "markdown") for kind, _, _ in BLOCKS)
    assert all(path for kind, path, _ in BLOCKS if kind not in ("sh", "text"))


def test_every_fixture_and_data_set_is_named():
    assert set(fixture_names()) <= set(re.findall(r"`(\w+)`", PAGE))
    assert set(DATASETS) <= set(re.findall(r"`(\w+)`", PAGE))
