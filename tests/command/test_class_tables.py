"""A class's gradebook and its boards, by the command that an instructor types."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import report_examples as examples
from tests.render.test_class_summary import record

ROOT = Path(__file__).parents[2]
CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section
"Liddell, Alice",1001,S1,alice,A
"Doe, Jane",1002,S2,jane,A
"""


@pytest.fixture
def grades(tmp_path):
    folder = tmp_path / "grades" / "mnist_8k" / "alice"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(examples.passed().model_dump_json())
    (tmp_path / "students.csv").write_text(CANVAS)
    return tmp_path


def run(folder, *arguments):
    command = [sys.executable, "-m", "grader", *map(str, arguments)]
    path = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(folder)}
    return subprocess.run(command, cwd=folder, env=path, capture_output=True, text=True, timeout=60)


def test_a_gradebook_has_the_class_in_it_and_says_who_is_not(grades):
    done = run(grades, "gradebook", "grades", "--roster", "students.csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.reader(io.StringIO(done.stdout)))
    assert rows[2] == ["Liddell, Alice", "1001", "S1", "alice", "A", "100"]
    assert "no work (1): Jane Doe" in done.stderr


def test_it_is_written_where_it_is_wanted(grades):
    done = run(grades, "gradebook", "grades", "--roster", "students.csv", "--output", "canvas.csv")
    assert (done.returncode, done.stdout) == (0, "")
    assert "Alice" in (grades / "canvas.csv").read_text()


def test_a_list_that_is_not_there_is_a_sentence(grades):
    done = run(grades, "gradebook", "grades", "--roster", "nobody.csv")
    assert done.returncode == 2
    assert "nobody.csv cannot be read" in done.stderr


def test_moodle_wants_its_worksheet(grades):
    done = run(grades, "gradebook", "grades", "--roster", "students.csv", "--format", "moodle")
    assert done.returncode == 2
    assert "Download grading worksheet" in done.stderr


def test_boards_are_shown_and_written(grades):
    shown = run(grades, "leaderboard", "grades")
    assert shown.returncode == 0, shown.stderr
    assert "Fewest parameters" in shown.stdout
    assert "1.  alice" in shown.stdout
    written = json.loads(run(grades, "leaderboard", "grades", "--format", "json").stdout)
    assert written["parameters"] == [{"rank": 1, "name": "alice", "value": 6260.0}]


def test_an_empty_board_says_who_would_be_on_it(grades):
    file = grades / "grades" / "mnist_8k" / "alice" / "report.json"
    file.write_text(examples.practice().model_dump_json())
    shown = run(grades, "leaderboard", "grades").stdout
    assert "Nobody yet: here are all that were trained and graded." in " ".join(shown.split())


def test_pseudonyms_leave_the_names_out(grades):
    done = run(grades, "leaderboard", "grades", "--format", "markdown", "--pseudonyms")
    assert done.returncode == 0, done.stderr
    assert "alice" not in done.stdout
    assert "participant 1" in done.stdout


def test_a_board_has_the_names_of_the_list(grades):
    (grades / "students.csv").write_text("name,login\nAlice Liddell,alice\n")
    done = run(grades, "leaderboard", "grades", "--roster", "students.csv", "--format", "json")
    assert json.loads(done.stdout)["parameters"][0]["name"] == "Alice Liddell"


def test_a_board_names_people_as_the_class_was_last_named(grades):
    folder = grades / "grades" / "mnist_8k"
    row = {"submission": "alice", "name": "Alice Liddell"}
    known = record(1)
    work = known.works[0].model_copy(update=row)
    (folder / "class.json").write_text(
        known.model_copy(update={"works": (work,)}).model_dump_json()
    )
    shown = run(grades, "leaderboard", "grades").stdout
    assert "1.  Alice Liddell" in shown
    (folder / "class.json").write_text("{}")
    assert "1.  alice" in run(grades, "leaderboard", "grades").stdout


def test_what_stays_out_of_the_gradebook_goes_by_the_names_of_the_list(grades):
    file = grades / "grades" / "mnist_8k" / "alice" / "report.json"
    file.write_text(
        examples.practice().model_copy(update={"display_name": "alice"}).model_dump_json()
    )
    done = run(grades, "gradebook", "grades", "--roster", "students.csv")
    assert "Alice Liddell: no grade is written: " in done.stderr
