"""The command line from end to end: a file in; a scorecard, two JSON files, an exit code out."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from grader.report import Report

ROOT = Path(__file__).parents[1]

TINY = """
import torch
from torch import nn

EPOCHS = 2
BATCH_SIZE = 64


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.05),
            nn.Conv2d(8, 16, 5, stride=2), nn.BatchNorm2d(16), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
        )
        self.scores = nn.Linear(16, 10)

    def forward(self, images):
        return self.scores(self.features(images).flatten(1))


def configure_optimizers(model):
    return torch.optim.Adam(model.parameters(), lr=0.01)
"""


def run(*arguments, cwd=ROOT, **more):
    return subprocess.run(
        [sys.executable, "-m", "grader", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        **more,
    )


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """One real run with training, as JSON: the folder, the finished process."""
    folder = tmp_path_factory.mktemp("graded")
    file = folder / "tiny.py"
    file.write_text(TINY)
    output = folder / "grades"
    result = run(
        "grade",
        file,
        "--assignment",
        "mnist_20k",
        "--dataset",
        "practice",
        "--device",
        "cpu",
        "--output",
        output,
        "--json",
    )
    return folder, result


def test_a_submission_that_passes_its_required_checks_ends_with_0(graded):
    _, result = graded
    assert result.returncode == 0, result.stderr


def test_with_json_the_report_stands_alone_on_standard_output_and_fits_the_published_schema(graded):
    _, result = graded
    schema = json.loads((ROOT / "schema" / "report.schema.json").read_text())
    jsonschema.validate(json.loads(result.stdout), schema)


def test_the_report_file_is_the_report_that_was_printed(graded):
    folder, result = graded
    file = folder / "grades" / "mnist_20k" / "tiny" / "report.json"
    assert json.loads(file.read_text()) == json.loads(result.stdout)


def test_the_analysis_file_has_the_keys_that_students_know(graded):
    folder, _ = graded
    analysis = json.loads(
        (folder / "grades" / "mnist_20k" / "tiny" / "model_analysis_results.json").read_text()
    )
    # 208 + 16 + 3,216 + 32 + 170: two convolutions with biases, two norms, one linear layer
    assert (
        analysis["total_parameters"] == 1 * 8 * 25 + 8 + 16 + 8 * 16 * 25 + 16 + 32 + 16 * 10 + 10
    )
    assert analysis["batch_normalization"]["count"] == 2
    assert analysis["dropout"] == {
        "found": True,
        "layers": [{"name": "features.3", "type": "Dropout", "p": 0.05}],
        "count": 1,
    }
    assert analysis["gap_or_fc"]["gap_found"]
    assert analysis["gap_or_fc"]["fc_found"]
    assert analysis["requirements_met"]["parameter_count"] == {
        "requirement": "< 20,000",
        "actual": 3642,
        "passed": True,
    }
    assert (
        analysis["receptive_field"]["rows"] == 5 + 4 * 2
    )  # the second 5×5 adds four steps of two pixels


def test_practice_images_give_an_accuracy_but_no_verdict_on_it(graded):
    _, result = graded
    report = Report.model_validate_json(result.stdout)
    accuracy = next(check for check in report.checks if check.name == "accuracy")
    assert report.training.practice
    assert accuracy.verdict == "skipped"
    assert accuracy.measured.endswith("% (best epoch)")
    assert accuracy.points == 0


def test_progress_is_told_on_standard_error(graded):
    _, result = graded
    assert "The network is small enough" in result.stderr
    assert "epoch  2/2" in result.stderr


def test_a_submission_that_cannot_be_captured_fails_with_its_line_and_ends_with_1(tmp_path):
    file = tmp_path / "outputs.py"
    file.write_text(TINY.replace("nn.Linear(16, 10)", "nn.Linear(16, 32)"))
    result = run(
        "grade",
        file,
        "--assignment",
        "mnist_20k",
        "--static",
        "--dataset",
        "practice",
        "--output",
        tmp_path / "grades",
    )
    assert result.returncode == 1
    shown = " ".join(
        result.stdout.replace("│", " ").split()
    )  # without the panel's frame and line breaks
    assert "32 scores for 10 classes" in shown
    assert "outputs.py:" in shown.replace(" ", "")  # a long path is broken


def test_a_file_outside_an_assignment_needs_its_name_and_ends_with_2(tmp_path):
    file = tmp_path / "tiny.py"
    file.write_text(TINY)
    result = run("grade", file, "--static")
    assert result.returncode == 2
    assert "--assignment" in result.stderr
    assert result.stdout == ""


def test_an_unknown_assignment_ends_with_2_and_a_suggestion(tmp_path):
    file = tmp_path / "tiny.py"
    file.write_text(TINY)
    result = run("grade", file, "--assignment", "mnist_8")
    assert result.returncode == 2
    assert "mnist_8k" in result.stderr


def test_a_damaged_data_file_is_named_and_ends_with_3(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte").write_bytes(b"cut short")
    result = run("grade", "--data", tmp_path, "--static")
    assert result.returncode == 3
    assert "train-images-idx3-ubyte has 9 bytes" in result.stderr


def test_analyse_prints_the_analysis_without_training(tmp_path):
    result = run("analyse", "reference/mnist_8k/sub_8k.py")
    assert result.returncode == 0, result.stderr
    analysis = json.loads(result.stdout)
    assert analysis["total_parameters"] == 6260
    assert analysis["receptive_field"]["rows"] == 28
    assert analysis["receptive_field"]["coverage"]["pixels"] == 1.0


def test_a_folder_in_place_of_an_output_file_ends_with_3(tmp_path):
    submission = tmp_path / "tiny.py"
    submission.write_text(TINY)
    done = run("analyse", submission, "--assignment", "mnist_20k", "--output", "/")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(
        "The grader cannot work here: / cannot be written: Is a directory."
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "command",
    [
        ["explain", "gap"],
        ["explain"],
        ["export", "tests/render/golden/report.json"],
        ["export", "tests/render/golden/report.json", "--format", "csv"],
        ["--help"],
        ["grade", "--help"],
    ],
)
def test_a_full_disk_behind_standard_output_ends_with_3(command, unbuffered):
    """With and without PYTHONUNBUFFERED, which an empty text does not set."""
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "grader", *command],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=environment,
        )
    assert done.returncode == 3
    assert done.stderr == "The grader cannot work here: No space left on device\n"


def test_a_project_folder_with_brackets_in_its_name_is_no_obstacle(tmp_path):
    room = tmp_path / "[2026] course"
    room.mkdir()
    for name in ("grader", "assignments"):
        shutil.copytree(ROOT / name, room / name, ignore=shutil.ignore_patterns("__pycache__"))
    file = "assignments/mnist_8k/submissions/example.py"
    done = run("grade", file, "--static", "--dataset", "practice", "--json", "--quiet", cwd=room)
    verdict = Report.model_validate_json(done.stdout).verdict
    assert (done.returncode, verdict) == (0, "passed_so_far")


def test_help_loads_no_torch():
    code = """
import runpy, sys
sys.argv = ["grader", "--help"]
try:
    runpy.run_module("grader", run_name="__main__")
except SystemExit:
    print("torch" in sys.modules)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert result.stdout.endswith("False\n")


def test_files_beside_the_work_are_never_imported_into_the_grader(tmp_path):
    names = ("cuda", "torch", "random", "numpy", "rich", "pydantic", "conftest", "sitecustomize")
    for name in names:
        text = f"raise ImportError('{name}.py of the student was imported')\n"
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    (tmp_path / "tiny.py").write_text(TINY, encoding="utf-8")
    done = run(
        "grade",
        "tiny.py",
        "--assignment",
        "mnist_20k",
        "--dataset",
        "practice",
        "--json",
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    report = Report.model_validate_json(done.stdout)
    assert report.problem is None, done.stderr
    assert report.training is not None
