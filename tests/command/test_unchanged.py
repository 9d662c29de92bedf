"""A report is handed out again only where grading would say the same, and then without torch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grader import pipeline
from grader.command import head_start, session
from grader.command.workroom import Workroom
from grader.errors import SubmissionError
from grader.options import Options
from grader.sandbox import same_code
from grader.sandbox.isolation import Fresh, Proven
from grader.sandbox.level import Isolation

ROOT = Path(__file__).parents[2]
SUBMISSION = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 8, 5), nn.BatchNorm2d(8), nn.ReLU())
        self.scores = nn.Conv2d(8, 10, 1)

    def forward(self, images):
        return self.scores(self.layers(images)).mean((2, 3))
"""
TELL = """
import json, sys
from grader.__main__ import main
try:
    main()
except SystemExit as end:
    code = end.code
print(json.dumps({"code": code, "modules": sorted(sys.modules)}))
"""


@pytest.fixture
def room(tmp_path, monkeypatch) -> Path:
    """A project with one assignment and one submission, and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("GRADER_DATA", raising=False)
    shutil.copytree(
        ROOT / "assignments" / "mnist_8k",
        tmp_path / "assignments" / "mnist_8k",
        ignore=shutil.ignore_patterns("submissions"),
    )
    file = tmp_path / "assignments" / "mnist_8k" / "submissions" / "ada.py"
    file.parent.mkdir()
    file.write_text(SUBMISSION)
    return tmp_path


@pytest.fixture
def gradings(monkeypatch) -> list[str]:
    """The names of those that were graded, each by a report that says nothing."""
    found = []

    def grade(submission, assignment, workshop, progress):
        found.append(submission.name)
        return pipeline.not_graded(
            submission,
            SubmissionError("nothing"),
            workshop.options,
            Isolation(),
            title=assignment.title,
            points=assignment.points,
        )

    monkeypatch.setattr(pipeline, "grade", grade)
    monkeypatch.setattr(Workroom, "begin", lambda self, **_: None)
    monkeypatch.setattr(Workroom, "sandbox", Proven(Fresh(), Isolation()))
    return found


def options(room: Path, **more: object) -> Options:
    return Options(**{"static": True, "root": room, "output": room / "grades", **more})


def grade(wanted: Options) -> int:
    with head_start.workroom(wanted) as room:
        return session.grade_in(room, wanted)


def own_process(room: Path, *arguments: str) -> dict:
    """What a command does in a process of its own: its exit code and the modules that it loads."""
    done = subprocess.run(
        [sys.executable, "-c", TELL, *arguments, f"--root={room}", f"--output={room / 'grades'}"],
        cwd=ROOT,
        env=os.environ.copy(),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1]) | {"said": done.stderr}


def heavy(modules: list[str]) -> set[str]:
    return {"torch", "torchvision", "sklearn", "scipy", "numpy", "pytest", "jinja2"} & {*modules}


def test_what_is_unchanged_is_shown_without_torch(room, gradings):
    grade(options(room))
    assert gradings == ["ada"]
    found = own_process(room, "grade", "--static")
    assert "unchanged since" in found["said"]
    assert found["code"] == 1
    assert heavy(found["modules"]) == set()


def test_a_training_that_still_stands_is_shown_without_torch(room, gradings):
    grade(options(room, static=False, dataset="practice", device="cpu"))
    assert gradings == ["ada"]
    found = own_process(room, "grade", "--dataset=practice", "--device=cpu")
    assert "unchanged since" in found["said"]
    assert heavy(found["modules"]) == set()


def test_the_pipeline_of_static_checks_loads_no_torch():
    script = "import sys, grader.pipeline; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_what_is_changed_is_graded_without_torch_in_the_graders_own_process(room, gradings):
    grade(options(room))  # the default recipe has been tried
    (room / "assignments" / "mnist_8k" / "submissions" / "ada.py").write_text(SUBMISSION + "\n#\n")
    found = own_process(room, "grade", "--static")
    assert "unchanged since" not in found["said"]
    report = json.loads((room / "grades" / "mnist_8k" / "ada" / "report.json").read_text())
    assert report["problem"] is None
    assert {check["verdict"] for check in report["checks"]} >= {"passed", "failed"}
    assert "torch" not in found["modules"]


def test_nothing_changed_is_graded_once(room, gradings):
    grade(options(room))
    grade(options(room))
    assert gradings == ["ada"]


@pytest.mark.parametrize(
    ("old", "new"),
    [('parameters = "<= 8,000"', 'parameters = "<= 7,999"'), ("seconds = ", "seconds = 1")],
)
def test_another_assignment_is_another_grading(room, gradings, old, new):
    grade(options(room))
    file = room / "assignments" / "mnist_8k" / "assignment.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    grade(options(room))
    assert gradings == ["ada", "ada"]


def test_another_grader_is_another_grading(room, gradings, monkeypatch):
    grade(options(room))
    monkeypatch.setattr("grader.storage.seal.own_source", lambda: "0" * 64)
    grade(options(room))
    assert gradings == ["ada", "ada"]


@pytest.mark.parametrize("more", [{"require_isolation": 1}, {"seeds": 2}, {"dataset": "practice"}])
def test_other_options_are_another_grading(room, gradings, more):
    grade(options(room))
    grade(options(room, **more))
    assert gradings == ["ada", "ada"]


def test_other_work_is_another_grading(room, gradings):
    grade(options(room))
    (room / "assignments" / "mnist_8k" / "submissions" / "ada.py").write_text(SUBMISSION + "#\n")
    grade(options(room))
    assert gradings == ["ada", "ada"]


@pytest.mark.parametrize("field", ["points", "submission", "started"])
def test_a_report_that_somebody_else_wrote_is_not_believed(room, gradings, field):
    grade(options(room))
    file = room / "grades" / "mnist_8k" / "ada" / "report.json"
    found = json.loads(file.read_text())
    found[field] = 100.0 if field == "points" else "other"
    file.write_text(json.dumps(found))
    grade(options(room))
    assert gradings == ["ada", "ada"]


def test_static_checks_ask_for_no_device(room, gradings):
    """Nothing is trained, so that no GPU need be looked for."""
    grade(options(room, device="cuda"))
    grade(options(room))
    assert gradings == ["ada"]


def test_the_hash_of_the_code_that_runs_stays_and_that_of_the_files_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(same_code, "PACKAGE", tmp_path)
    before = same_code.own_source()
    (tmp_path / "new.py").write_text("")
    first = same_code.source_now()
    (tmp_path / "new.py").write_text("#")
    assert same_code.source_now() != first
    assert same_code.own_source() == before
