"""`python -m grader export`: reports in another format, and words for what is not a report."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests import report_examples as examples

ROOT = Path(__file__).parents[2]


def export(*arguments, cwd=ROOT):
    command = [sys.executable, "-m", "grader", "export", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, timeout=60)


@pytest.fixture
def grades(tmp_path):
    """A folder as `grade` leaves it."""
    for report in (examples.passed(), examples.failed()):
        folder = tmp_path / "grades" / report.assignment / report.submission
        folder.mkdir(parents=True)
        (folder / "report.json").write_text(report.model_dump_json(indent=2), encoding="utf-8")
        (folder / "model_analysis_results.json").write_text("{}", encoding="utf-8")
    return tmp_path / "grades"


def test_markdown_on_standard_output_unless_told_otherwise(grades):
    done = export(grades / "mnist_8k" / "alice" / "report.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().startswith("## ✓ alice: passed, 100 of 100 points\n")


def test_a_folder_is_searched_for_reports(grades):
    done = export(grades, "--format", "csv")
    names = [
        row["submission"] for row in csv.DictReader(io.StringIO(done.stdout.decode(), newline=""))
    ]
    assert names == ["model_a", "alice"]


@pytest.mark.parametrize("form", ["markdown", "html", "junit", "csv", "annotations"])
def test_a_file_has_the_same_bytes_as_standard_output(grades, tmp_path, form):
    printed = export(grades, "--format", form)
    written = export(grades, "--format", form, "--output", tmp_path / "sub" / "out")
    assert (printed.returncode, written.returncode, written.stdout) == (0, 0, b"")
    assert (tmp_path / "sub" / "out").read_bytes() == printed.stdout


def test_the_xml_on_standard_output_is_well_formed(grades):
    assert len(ET.fromstring(export(grades, "--format", "junit").stdout)) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{}", "is not a report"),
        (b"not json", "is not a report"),
        (b"\xff\xfe", "is not a report"),
        (None, "does not exist"),
    ],
)
def test_what_is_not_a_report_is_named_and_ends_with_2(tmp_path, content, said):
    file = tmp_path / "model.json"
    if content is not None:
        file.write_bytes(content)
    done = export(file)
    message = done.stderr.decode()
    assert done.returncode == 2
    assert "model.json" in message
    assert said in message
    assert "report.json" in message
    assert "Traceback" not in message


def test_a_report_of_the_first_version_is_rendered_with_what_could_not_be_told(tmp_path):
    document = examples.of_version_2(examples.passed())
    document |= {"schema_version": 1, "verdict": "skipped"}
    document["checks"][0] |= {"verdict": "skipped", "detail": "could not tell: a sort moves pixels"}
    (tmp_path / "report.json").write_text(json.dumps(document))
    done = export(tmp_path)
    shown = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    assert shown.startswith("## ? alice: could not tell, 100 of 100 points\n")
    assert "<br>a sort moves pixels" in shown


def test_a_report_of_a_later_version_is_refused_with_what_to_do(tmp_path):
    document = json.loads(examples.passed().model_dump_json()) | {"schema_version": 4}
    (tmp_path / "report.json").write_text(json.dumps(document))
    done = export(tmp_path)
    assert done.returncode == 2
    assert b"schema_version: it must be 3" in done.stderr
    assert b"or grade the submission again." in done.stderr


def test_an_empty_folder_ends_with_2(tmp_path):
    done = export(tmp_path)
    assert done.returncode == 2
    assert b"holds no report.json" in done.stderr


def test_an_unknown_format_ends_with_2(grades):
    assert export(grades, "--format", "pdf").returncode == 2


def test_an_output_that_cannot_be_written_ends_with_3(grades, tmp_path):
    (tmp_path / "file").write_text("")
    done = export(grades, "--output", tmp_path / "file" / "out")
    assert done.returncode == 3
    assert b"cannot be written" in done.stderr


def test_exporting_loads_no_torch():
    code = "import sys, grader.render.export; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
