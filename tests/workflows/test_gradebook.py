"""gradebook.yml: everything that was merged becomes a page, a table and a gradebook."""

import csv
import json

from tests.class_repository import HAND_INS, NETWORK, ClassRepository
from tests.workflows.runner import Runner

ROSTER = 'Student,ID,SIS User ID,SIS Login ID,Section\n"Liddell, Anna",1001,S1,anna,A\n'


def test_one_who_fails_stops_nobody_and_every_file_is_there(tmp_path):
    course = ClassRepository(tmp_path / "course")
    course.commit({f"{HAND_INS}/bert.py": NETWORK.replace("10, 4", "11, 4")})
    runner = Runner(course.folder, {"secrets.ROSTER": ROSTER}, options="--static")
    ran = runner.run("gradebook.yml")
    assert ran.code == 0, ran.err
    folder = runner.checkout / "grades" / "mnist_8k"
    assert (folder / "class.html").exists()
    rows = list(csv.DictReader((folder / "class.csv").read_text().splitlines()))
    assert [row["verdict"] for row in rows] == ["passed_so_far", "failed"]
    book = folder / "gradebook.csv"
    assert "Liddell, Anna" in book.read_text()
    assert json.loads((runner.checkout / "grades" / "run.json").read_text())["exit_code"] == 1
    assert runner.summary.read_text().startswith("# ✗ not passed: 2 submissions")

    book.unlink()
    runner.values["secrets.ROSTER"] = ""  # nobody has put a list there
    ran = runner.run("gradebook.yml")
    assert ran.code == 0, ran.err
    assert not book.exists()
