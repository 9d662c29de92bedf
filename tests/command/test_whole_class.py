"""A class of mixed hand-ins, graded side by side: nobody's work harms another's or is lost."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import jsonschema
import pytest

from grader.classroom import class_record
from grader.command import whole_class
from grader.command.whole_class import ClassOptions
from grader.options import Options
from grader.submission.submission import UsageError
from tests.interrupts import heard
from tests.sandbox.hostile import network

ROOT = Path(__file__).parents[2]
SCHEMA_FILE = ROOT / "schema" / "class.schema.json"
GOOD = """
import torch.nn.functional as F
from torch import nn

EPOCHS = 3
BATCH_SIZE = 64


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5, padding=2)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 12, 5, padding=2)
        self.norm2 = nn.BatchNorm2d(12)
        self.drop = nn.Dropout(0.05)
        self.conv3 = nn.Conv2d(12, 10, 5, padding=2)

    def forward(self, images):
        images = F.max_pool2d(F.relu(self.norm1(self.conv1(images))), 2)
        images = self.drop(F.max_pool2d(F.relu(self.norm2(self.conv2(images))), 2))
        return F.adaptive_avg_pool2d(self.conv3(images), 1).flatten(1)
"""
RENAMED = GOOD.replace("conv", "layer").replace("norm", "bn").replace("images", "x")
OWN = """
from torch import nn


def block(inside, outside):
    return nn.Sequential(nn.Conv2d(inside, outside, 3), nn.BatchNorm2d(outside), nn.ReLU())


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.whole = nn.Sequential(block(1, 6), nn.MaxPool2d(2), block(6, 9), nn.Dropout(0.1))
        self.scores = nn.Linear(9, 10)

    def forward(self, picture):
        return self.scores(self.whole(picture).mean((2, 3)))
"""
NOTEBOOK = {
    "cells": [{"cell_type": "code", "source": OWN, "outputs": [], "metadata": {}}],
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {},
}
FILES = {
    "Anna Berg_101_assignsubmission_file/model.py": GOOD,
    "Ben Carr_102_assignsubmission_file/net.py": RENAMED,
    "Cleo Diaz_103_assignsubmission_file/homework.ipynb": json.dumps(NOTEBOOK),
    "Dan Eck_104_assignsubmission_file/model.py": "from main import Net\n",
    "Dan Eck_104_assignsubmission_file/main.py": GOOD.replace("0.05", "0.07"),
    "wide.py": GOOD.replace("12", "120"),
    "broken.py": "class Net(nn.Module:\n",
    "empty.py": "",
    "exits.py": network("import os; os._exit(0)"),
    "kills.py": network("import os, signal; os.kill(os.getppid(), signal.SIGKILL)"),
    "reaches.py": network(
        "import pathlib; print([p.read_text() for p in pathlib.Path('/').rglob('anna*')])"
    ),
    "notes.docx": "not code",
    "foxeve_105_9001_report.pdf": "a picture of a network",
    "parkgus_LATE_107_9002_first try.py": GOOD.replace("0.05", "0.09"),
}
ROSTER = """name,id,email,login
Anna Berg,101,anna@example.org,ab
Ben Carr,102,ben@example.org,bc
Cleo Diaz,103,cleo@example.org,cd
Eve Fox,105,eve@example.org,ef
Hal Ito,106,hal@example.org,hi
Gus Park,107,gus@example.org,gp
"""


def project(folder: Path, files: dict[str, str]) -> Path:
    """A folder with one assignment, and the hand-ins of a class."""
    shutil.copytree(
        ROOT / "assignments" / "mnist_8k",
        folder / "assignments" / "mnist_8k",
        ignore=shutil.ignore_patterns("submissions"),
    )
    for name, text in files.items():
        file = folder / "class" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / "students.csv").write_text(ROSTER)
    return folder


@pytest.fixture(scope="module")
def room(tmp_path_factory) -> Path:
    """The class above, with a cache of its own, whose works are graded once, two at a time."""
    folder = project(tmp_path_factory.mktemp("class"), FILES)
    with zipfile.ZipFile(folder / "class" / "frida.zip", "w") as archive:
        archive.writestr("work/model.py", OWN.replace("9", "11"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.delenv("GRADER_DATA", raising=False)
        assert grade(folder, "grades", jobs=2) == 0
        yield folder


def options(folder: Path, output: str, **more: object) -> Options:
    chosen = {"paths": (folder / "class",), "assignment": "mnist_8k", "static": True, **more}
    return Options(root=folder, output=folder / output, **chosen)


def grade(folder: Path, output: str, *, jobs: int, **more: object) -> int:
    asked = ClassOptions(folder / "students.csv", jobs)
    return whole_class.grade(options(folder, output, **more), asked)


def record(folder: Path, output: str = "grades") -> dict:
    return json.loads((folder / output / "mnist_8k" / "class.json").read_text())


def by_name(folder: Path, output: str = "grades") -> dict[str, dict]:
    return {work["name"]: work for work in record(folder, output)["works"]}


def test_every_hand_in_has_a_verdict_and_only_its_own_failure(room):
    found = by_name(room)
    assert {name: work["verdict"] for name, work in found.items()} == {
        "Anna Berg": "passed_so_far",
        "Ben Carr": "passed_so_far",
        "Cleo Diaz": "failed",
        "Dan Eck": "passed_so_far",
        "Gus Park": "passed_so_far",
        "wide": "failed",
        "broken": "failed",
        "empty": "failed",
        "exits": "failed",
        "kills": "failed",
        "reaches": "failed",
        "frida": "failed",
    }
    ended = {name for name, work in found.items() if work["problem"]}
    assert ended >= {"broken", "empty", "exits", "kills"}
    assert record(room)["left_out"] == [
        {"path": "class/foxeve_105_9001_report.pdf", "reason": "not a .py file"},
        {"path": "class/notes.docx", "reason": "not a .py file"},
    ]


def test_a_hostile_work_reads_nobody_elses(room):
    report = room / "grades" / "mnist_8k" / "reaches" / "report.json"
    assert "anna" not in report.read_text().lower().replace("assignsubmission", "")


def test_the_list_is_joined_and_nobody_is_guessed(room):
    found = by_name(room)
    assert found["Anna Berg"]["student"]["email"] == "anna@example.org"
    assert found["wide"]["student"] is None
    roster = record(room)["roster"]
    assert [student["name"] for student in roster["missing"]] == ["Eve Fox", "Hal Ito"]
    assert [student["name"] for student in roster["unusable"]] == ["Eve Fox"]
    assert found["Dan Eck"]["submission"] in roster["unknown"]
    rows = list(csv.DictReader(io.StringIO((room / "grades/mnist_8k/gradebook.csv").read_text())))
    people = ["Anna Berg", "Ben Carr", "Cleo Diaz", "Eve Fox", "Hal Ito", "Gus Park"]
    assert [row["name"] for row in rows] == people
    assert rows[3]["remark"] == "nothing that can be graded"
    assert rows[4]["remark"] == "no work"
    assert "QUICK LOOK" in rows[0]["remark"]


def test_the_class_goes_by_the_names_of_its_list(room):
    """Canvas's files are named "parkgus": the list has the name that people know."""
    folder = room / "grades" / "mnist_8k"
    assert by_name(room)["Gus Park"]["late"] is True
    assert by_name(room)["Gus Park"]["late_says"] == "canvas"
    page = (folder / "class.html").read_text()
    assert "Gus Park</a> <em>late</em>" in page
    assert "<li>Hal Ito</li>" in page
    table = csv.DictReader(io.StringIO((folder / "class.csv").read_text()))
    assert "Gus Park" in [row["submission"] for row in table]


def test_copies_are_put_side_by_side_and_cost_no_points(room):
    found, groups = by_name(room), record(room)["similarity"]
    names = {work["submission"]: name for name, work in found.items()}
    text = [[names[work] for work in group["works"]] for group in groups if group["kind"] == "text"]
    assert text[:2] == [
        ["Anna Berg", "Ben Carr", "Dan Eck", "Gus Park", "wide"],
        ["Cleo Diaz", "frida"],
    ]
    same = next(group for group in groups if group["kind"] == "network and recipe")
    assert {names[work] for work in same["works"]} >= {"Anna Berg", "Ben Carr"}
    assert found["Anna Berg"]["points"] == found["Ben Carr"]["points"]


def test_the_page_has_the_boards_and_links_to_each_page(room):
    page = (room / "grades" / "mnist_8k" / "class.html").read_text()
    assert "Leaderboard" in page
    assert "The same network and the same recipe" in page
    for work in record(room)["works"]:
        assert f'href="./{work["submission"]}/report.html"' in page
        assert (room / "grades" / "mnist_8k" / work["submission"] / "report.html").exists()


def test_the_record_is_as_its_schema_says(room):
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.validate(record(room), schema, jsonschema.Draft202012Validator)


def test_the_schema_file_is_the_one_that_the_code_writes(tmp_path):
    class_record.write_schema(tmp_path / "class.schema.json")
    assert SCHEMA_FILE.read_bytes() == (tmp_path / "class.schema.json").read_bytes(), (
        'class_record.py has changed: python -c "from pathlib import Path; '
        "from grader.classroom.class_record import write_schema; "
        "write_schema(Path('schema/class.schema.json'))\""
    )


FEW = [name for name in FILES if name[:3] in ("Ann", "Dan", "wid", "exi", "emp")]


def test_it_says_what_grading_one_after_the_other_says(room, tmp_path, monkeypatch):
    """Analyses are the same byte for byte, and so are verdicts: two at once, one, and `grade`."""
    project(tmp_path, {name: FILES[name] for name in FEW})
    monkeypatch.setenv("XDG_CACHE_HOME", str(room / "cache"))
    grade(tmp_path, "alone", jobs=1, quiet=True)
    command = [sys.executable, "-m", "grader", "grade", "class", "--static", "--quiet"]
    chosen = ["--assignment=mnist_8k", f"--root={tmp_path}", f"--output={tmp_path / 'graded'}"]
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([*command, *chosen], cwd=tmp_path, env=path, check=False, capture_output=True)
    works = record(tmp_path, "alone")["works"]
    assert len(works) == 5
    for work in works:
        beside, *others = (
            folder / "mnist_8k" / work["submission"]
            for folder in (room / "grades", tmp_path / "alone", tmp_path / "graded")
        )
        names = {file.name for file in beside.iterdir()} - {"report.html"}
        for other in others:
            assert {file.name for file in other.iterdir()} - {"report.html"} == names
            assert told(other) == told(beside)
            for name in names - {"report.json"}:
                assert (other / name).read_bytes() == (beside / name).read_bytes()


def told(folder: Path) -> dict:
    """A report without what differs from run to run."""
    found = json.loads((folder / "report.json").read_text())
    return {
        name: value for name, value in found.items() if name not in ("key", "seconds", "started")
    }


def test_what_is_unchanged_is_kept_and_no_process_is_started(room, capsys, monkeypatch):
    before = record(room)
    monkeypatch.setattr(subprocess, "Popen", None)
    assert grade(room, "grades", jobs=2) == 0
    shown = capsys.readouterr()
    assert "12 of 12 unchanged since they were graded: kept" in shown.err
    after = record(room)
    assert all(work["kept"] for work in after["works"])
    assert after["similarity"] == before["similarity"]


def test_one_that_changed_is_graded_alone(room, capsys):
    file = room / "class" / "broken.py"
    text = file.read_text()
    file.write_text(f"{text}# once more\n")
    try:
        assert grade(room, "grades", jobs=2) == 0
    finally:
        file.write_text(text)
    assert "11 of 12 unchanged" in capsys.readouterr().err
    assert not by_name(room)["broken"]["kept"]


def test_the_summary_is_one_screen(room, capsys):
    grade(room, "grades", jobs=1, quiet=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 30
    shown = "\n".join(lines) + "".join(line.strip() for line in lines)  # a long path is folded
    for said in (
        "12 submissions",
        "could not be graded",
        "1 handed in nothing: Hal Ito",
        "1 handed in nothing that can be graded: Eve Fox",
        "class.html",
    ):
        assert said in shown


def test_a_class_is_one_assignments(tmp_path):
    project(tmp_path, {})
    for name in ("mnist_8k", "mnist_20k"):
        source = ROOT / "assignments" / name
        own = tmp_path / "assignments" / name
        if not own.exists():
            shutil.copytree(source, own, ignore=shutil.ignore_patterns("submissions"))
        (own / "submissions").mkdir()
        (own / "submissions" / "ada.py").write_text(GOOD)
    both = Options(paths=(), static=True, root=tmp_path, output=tmp_path / "grades")
    with pytest.raises(UsageError, match=r"one assignment's.*mnist_20k, mnist_8k"):
        whole_class.grade(both, ClassOptions())


@pytest.mark.parametrize(("static", "number"), [(True, 8), (False, 4)])
def test_there_are_as_many_assistants_as_fit_into_memory(monkeypatch, static, number):
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 12 * 2**30 // 4096}
    monkeypatch.setattr(os, "sysconf", sizes.get)
    monkeypatch.setattr(whole_class, "_cores", lambda: 64)
    assert whole_class._at_once(Options(static=static)) == number


SLOW = {f"student{number}.py": GOOD.replace("12", str(number)) for number in range(9, 13)}


def started(folder: Path) -> subprocess.Popen:
    """`grader class` in a process of its own, when its first report is on the disk."""
    command = [sys.executable, "-m", "grader", "class", str(folder / "class"), "--static"]
    command += ["--assignment=mnist_8k", "--jobs=2", f"--root={folder}"]
    process = subprocess.Popen(
        [*command, f"--output={folder / 'grades'}"],
        cwd=ROOT,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heard,
    )
    deadline = time.monotonic() + 200
    while not list(folder.glob("grades/mnist_8k/*/report.json")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def descendants(process: int) -> list[int]:
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return []
    found = [int(word) for word in text.split()]
    return found + [inner for one in found for inner in descendants(one)]


def lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_class_that_was_ended_leaves_no_process_and_goes_on_where_it_was(
    tmp_path, monkeypatch, number, capsys
):
    project(tmp_path, SLOW)
    process = started(tmp_path)
    family = descendants(process.pid)
    assert family
    process.send_signal(number)
    _, said = process.communicate(timeout=300)
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "Finished reports are kept; the same command goes on from there." in said
    deadline = time.monotonic() + 120
    while any(map(lives, family)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(lives, family))
    finished = len(list(tmp_path.glob("grades/mnist_8k/*/report.json")))
    assert 1 <= finished < len(SLOW)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert grade(tmp_path, "grades", jobs=1) == 0
    assert f"{finished} of {len(SLOW)} unchanged" in capsys.readouterr().err
    assert len(record(tmp_path)["works"]) == len(SLOW)
