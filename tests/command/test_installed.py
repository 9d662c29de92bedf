"""The grader installed from a wheel into an environment of its own, run from an empty folder."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from grader import __version__
from grader.report import Report

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="other names of folders")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this version, built where a student has handed something in."""
    source = tmp_path_factory.mktemp("source")
    for name in ("grader", "assignments"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, source / name)
    theirs = source / "assignments" / "mnist_8k" / "submissions"
    (theirs / "ada.py").write_text("answer = 42\n", encoding="utf-8")
    (theirs / "bob").mkdir()
    (theirs / "bob" / "train.py").write_text("answer = 43\n", encoding="utf-8")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist"]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (found,) = (source / "dist").glob("*.whl")
    return found


@pytest.fixture(scope="module")
def program(wheel, tmp_path_factory):
    """`grader`, installed alone; what it needs is found where these tests have it."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, symlinks=True)
    python = place / "bin" / "python"
    install = ["uv", "pip", "install", "--offline", "--no-deps", "--python", python, wheel]
    beside = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath])}
    subprocess.run(install, check=True, capture_output=True, env=beside)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    path = place / "lib" / version / "site-packages" / "what_it_needs.pth"
    path.write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    return place / "bin" / "grader"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home that is fresh for the first of them; then it holds what the grader remembers."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def run(program, home, tmp_path):
    """Run it in an empty folder, with a home of its own and no variable of Python's."""
    room = tmp_path / "room"
    room.mkdir()
    environment = {"PATH": os.defpath, "HOME": str(home), "LANG": "C.UTF-8"}
    environment["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = "1"  # tests may run from none

    def answer(*arguments):
        command = [program, *arguments]
        return subprocess.run(
            command, cwd=room, env=environment, capture_output=True, text=True, check=False
        )

    answer.room = room
    return answer


def test_the_assignments_travel_with_their_example_and_with_no_students_work(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    brought = {name for name in names if name.startswith("grader/assignments/")}
    files = ("README.md", "assignment.toml", "starter.py")
    expected = {f"mnist_{size}/{file}" for size in ("8k", "20k", "progressive") for file in files}
    expected.add("mnist_8k/submissions/example.py")
    assert brought == {f"grader/assignments/{name}" for name in expected}


def test_it_says_its_version_and_completes_words(run):
    assert run("--version").stdout == f"grader {__version__}\n"
    assert "_GRADER_COMPLETE" in run("--show-completion", "bash").stdout


def test_a_file_that_is_no_command_is_answered_with_the_command(run, program):
    (run.room / "my_model.py").touch()
    done = run("my_model.py")
    assert done.returncode == 2
    assert f"To grade it: {program} grade my_model.py" in " ".join(done.stderr.split())
    assert "Did you mean 'grade'" in run("grad").stderr


def test_a_file_is_graded_by_an_assignment_that_came_along_and_the_report_lies_here(run):
    example = ROOT / "assignments" / "mnist_8k" / "submissions" / "example.py"
    (run.room / "my_model.py").write_bytes(example.read_bytes())
    done = run("grade", "my_model.py", "--assignment", "mnist_8k", "--static", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    text = (run.room / "grades" / "mnist_8k" / "my_model" / "report.json").read_bytes()
    report = Report.model_validate_json(text)
    assert (report.path, report.verdict) == ("my_model.py", "passed_so_far")


def test_without_a_file_the_example_is_graded_and_that_is_said(run):
    done = run("grade", "--assignment", "mnist_8k", "--static", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    said = " ".join(done.stderr.split())
    assert "the example that comes with the grader is graded" in said


def test_a_new_assignment_can_be_graded_at_once(run):
    assert run("new-assignment", "my_course").returncode == 0
    done = run("grade", "--static", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "My course" in done.stdout
