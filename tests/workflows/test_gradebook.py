"""gradebook.yml: everything that was merged becomes a page, a table and a gradebook."""

import csv
import json

from tests.class_repository import HAND_INS, NETWORK, ClassRepository
from tests.workflows.runner import Runner

ROSTER = 'Student,ID,SIS User ID,SIS Login ID,Section\n"Liddell, Anna",1001,S1,anna,A\n'


def checked_out(tmp_path, roster):
    course = ClassRepository(tmp_path / "course")
    course.commit({f"{HAND_INS}/bert.py": NETWORK.replace("10, 4", "11, 4")})
    return Runner(course.folder, {"secrets.ROSTER": roster}, options="--static")


def test_one_who_fails_stops_nobody_and_every_file_is_there(tmp_path):
    runner = checked_out(tmp_path, ROSTER)
    ran = runner.run("gradebook.yml")
    assert ran.code == 0, ran.err
    folder = runner.checkout / "grades" / "mnist_8k"
    assert (folder / "class.html").exists()
    rows = list(csv.DictReader((folder / "class.csv").open(newline="")))
    assert [row["verdict"] for row in rows] == ["passed_so_far", "failed"]
    assert "Liddell, Anna" in (folder / "gradebook.csv").read_text()
    assert json.loads((runner.checkout / "grades" / "run.json").read_text())["exit_code"] == 1
    assert runner.summary.read_text().startswith("# ✗ not passed: 2 submissions")


def test_without_a_list_there_is_no_gradebook(tmp_path):
    runner = checked_out(tmp_path, "")
    ran = runner.run("gradebook.yml")
    assert ran.code == 0, ran.err
    assert not (runner.checkout / "grades" / "mnist_8k" / "gradebook.csv").exists()
