"""An output format is one file and one entry of one table; the command line takes it from there."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import report_examples as examples

ROOT = Path(__file__).parents[2]
POINTS = """
def render(reports):
    return "".join(f"{report.submission} has {report.points:g}\\n" for report in reports)
"""
WITH_POINTS = """
import runpy, sys
from grader.render import formats
formats.FORMATS["points"] = formats.Format("points_alone", "only the points")
sys.argv = ["grader", *sys.argv[1:]]
runpy.run_module("grader", run_name="__main__")
"""


@pytest.fixture
def with_points(tmp_path):
    """The command line of a grader that has one more format."""
    (tmp_path / "points_alone.py").write_text(POINTS)
    (tmp_path / "report.json").write_text(examples.passed().model_dump_json())
    path = f"import sys; sys.path.insert(1, {str(tmp_path)!r})\n"

    def run(*arguments):
        command = [sys.executable, "-c", path + WITH_POINTS, *map(str, arguments)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    return run


def test_one_more_format_is_rendered(with_points, tmp_path):
    done = with_points("export", tmp_path, "--format", "points")
    assert (done.returncode, done.stdout) == (0, "alice has 100\n"), done.stderr


def test_one_more_format_is_in_the_help(with_points):
    shown = " ".join(with_points("export", "--help").stdout.split())
    assert "points: only the points" in shown


def test_an_unknown_format_is_told_all_that_there_are(with_points, tmp_path):
    done = with_points("export", tmp_path, "--format", "pdf")
    assert done.returncode == 2
    said = " ".join(done.stderr.replace("│", " ").split())
    assert "'pdf': write one of markdown, html, class, " in said
    assert ", points, png, gradescope-autograder." in said


def test_the_table_loads_no_format_before_it_is_asked_for():
    code = (
        "import sys; from grader.render import formats; "
        "sys.exit(any(form.module in sys.modules for form in formats.FORMATS.values()) "
        "or 'pydantic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
