"""The autograder for Gradescope, unpacked and run in a tree of folders like Gradescope's."""

import io
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile

import jsonschema
import pytest

from grader.command import autograder
from grader.submission.submission import UsageError
from tests.class_repository import NETWORK, ROOT, rules_of
from tests.render.test_gradescope import RULES

ABOUT = {
    "id": 123456,
    "created_at": "2026-07-01T14:22:32.365935-07:00",
    "assignment": {"due_date": "2026-07-31T23:00:00-07:00", "id": 1, "total_points": "20.0"},
    "submission_method": "upload",
    "users": [{"email": "ada@example.org", "id": 7, "name": "Ada Lovelace"}],
    "previous_submissions": [],
}
"""https://gradescope-autograders.readthedocs.io/en/latest/submission_metadata/"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """An assignment on practice digits, in whose folder somebody has handed something in."""
    folder = tmp_path_factory.mktemp("course") / "assignments" / "mnist_8k"
    shutil.copytree(ROOT / "assignments" / "mnist_8k", folder)
    (folder / "assignment.toml").write_text(rules_of("mnist_8k"))
    (folder / "submissions" / "bert.py").write_text("private = True\n")
    return folder


@pytest.fixture(scope="module")
def packed(rules):
    return autograder.packed(rules)


@pytest.fixture
def home(tmp_path, packed):
    """/autograder as Gradescope's harness makes it; the environment is the one of these tests."""
    place = tmp_path / "autograder"
    for name in ("source", "submission", "results", "environment/bin"):
        (place / name).mkdir(parents=True)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        archive.extractall(place / "source")
        for entry in archive.infolist():  # as `unzip` does
            (place / "source" / entry.filename).chmod(entry.external_attr >> 16 & 0o777)
    shutil.copy(place / "source" / "run_autograder", place / "run_autograder")
    (place / "submission_metadata.json").write_text(json.dumps(ABOUT))
    python = place / "environment" / "bin" / "python"
    python.write_text(f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n")
    python.chmod(0o755)
    return place


def graded(home):
    """Run it as Gradescope does; the process, and results.json if it is there."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "AUTOGRADER": str(home)}
    done = subprocess.run(
        [home / "run_autograder"],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    file = home / "results" / "results.json"
    found = json.loads(file.read_text()) if file.exists() else None
    if found is not None:
        jsonschema.validate(found, RULES)
    return done, found


def test_both_scripts_are_at_the_root_may_be_run_and_are_valid_shell(packed):
    archive = zipfile.ZipFile(io.BytesIO(packed))
    for name in ("setup.sh", "run_autograder"):
        mode = archive.getinfo(name).external_attr >> 16
        assert mode & stat.S_IXUSR
        text = archive.read(name)
        assert b"@" not in text.replace(b'"$@"', b"")
        subprocess.run(["bash", "-n"], input=text, check=True)


def test_it_holds_the_rules_and_the_grader_but_nobodys_work(packed):
    names = zipfile.ZipFile(io.BytesIO(packed)).namelist()
    assert "assignments/mnist_8k/assignment.toml" in names
    assert "grader/pipeline.py" in names
    assert not [name for name in names if "submissions" in name or name.endswith(".pyc")]
    assert not [name for name in names if name.startswith("grader/assignments/")]


def test_what_it_needs_is_pinned_without_the_builds_of_this_machine():
    found = autograder.requirements()
    assert any(line.startswith("torch==") for line in found)
    assert not [line for line in found if "==" not in line or "+" in line]


def test_the_same_assignment_gives_the_same_bytes(rules, packed):
    assert autograder.packed(rules) == packed


def test_a_folder_of_files_is_trained_and_graded_as_one_persons_work(home):
    (home / "submission" / "model.py").write_text(NETWORK)
    (home / "submission" / "README.md").write_text("My network.\n")
    done, found = graded(home)
    assert done.returncode == 0, done.stderr
    assert found["score"] == 100
    assert found["extra_data"]["verdict"] == "passed"
    assert found["leaderboard"][0]["name"] == "accuracy, %"
    assert "Gradescope has 20.0 points" in done.stderr
    assert "Ada Lovelace" in done.stdout


def test_a_file_that_cannot_be_read_is_told_why_and_where(home):
    (home / "submission" / "model.py").write_text("class Net(:\n")
    done, found = graded(home)
    assert done.returncode == 0, done.stderr
    assert found["score"] == 0
    assert "model.py:1" in found["output"]


def test_nothing_to_grade_is_a_zero_that_says_what_was_handed_in(home):
    (home / "submission" / "weights.pt").write_bytes(b"PK")
    done, found = graded(home)
    assert done.returncode == 0, done.stderr
    assert found["score"] == 0
    assert "no Python file and no notebook" in found["output"]
    assert "weights" in found["output"]


def test_where_the_grader_is_at_fault_there_is_no_grade(home):
    (home / "submission" / "model.py").write_text(NETWORK)
    rules = home / "source" / "assignments" / "mnist_8k" / "assignment.toml"
    rules.write_text(rules.read_text().replace('dataset = "practice"', 'dataset = "mnist"'))
    raw = home / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images", "t10k-images"):
        (raw / f"{name}-idx3-ubyte").write_bytes(b"damaged")
    for name in ("train-labels", "t10k-labels"):
        (raw / f"{name}-idx1-ubyte").write_bytes(b"damaged")
    done, found = graded(home)
    assert done.returncode == 3
    assert found is None
    assert "The grader cannot work here" in done.stderr


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"users": null, "id": "x"}', '{"assignment": {"total_points": null}}']
)
def test_metadata_that_is_not_as_documented_stops_nobody(home, text):
    (home / "submission_metadata.json").write_text(text)
    done, found = graded(home)
    assert done.returncode == 0, done.stderr
    assert found["score"] == 0


def test_the_command_writes_it_and_refuses_what_is_no_assignment(rules, tmp_path):
    output = tmp_path / "autograder.zip"
    assert autograder.write([rules], output) == 0
    assert zipfile.is_zipfile(output)
    with pytest.raises(UsageError, match=r"there is no assignment\.toml in it"):
        autograder.write([tmp_path], output)
    with pytest.raises(UsageError, match="one assignment's"):
        autograder.write([rules, rules], output)
