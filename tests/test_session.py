"""One command, several assignments: each is graded on the images that it asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader import report
from grader.command import head_start, session
from grader.command.workroom import Workroom
from grader.errors import AssignmentError, GraderError
from grader.options import Options
from grader.storage import seal
from grader.training import data, download
from grader.training.datasets import DATASETS, Dataset, Download
from tests.judging.test_trial import Here
from tests.training.tiny import tiny, write

RULES = Path(__file__).parents[1] / "assignments" / "mnist_8k" / "assignment.toml"

SUBMISSION = """
import torch
from torch import nn

EPOCHS = 1
BATCH_SIZE = 50


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 5), nn.BatchNorm2d(8), nn.ReLU())
        self.scores = nn.Conv2d(8, {classes}, 1)

    def forward(self, images):
        return self.scores(self.features(images)).mean((2, 3))


def configure_optimizers(model):
    return torch.optim.Adam(model.parameters(), lr=0.01)
"""

STRIPES = Dataset(
    name="stripes",
    title="Stripes",
    train_images=200,
    test_images=30,
    classes=4,
    mean=0.5,
    deviation=0.2,
    download=Download("Stripes", "http://127.0.0.1:9/", 0),
    input_shape=(1, 20, 24),
)
"""A data set that nobody knows, of other images than MNIST's."""


@pytest.fixture
def room(tmp_path, monkeypatch, one_sandbox) -> Path:
    """A project with two assignments, on a small MNIST and on Stripes, and a submission for each.

    One entry in the table is all that makes a data set known.
    """
    monkeypatch.setattr(seal, "secret", lambda: b"s" * 32)
    monkeypatch.delenv("GRADER_DATA", raising=False)
    for dataset in (tiny("mnist", 200, 40), STRIPES):
        known = write(dataset, tmp_path / "images")
        monkeypatch.setitem(DATASETS, dataset.name, known)
        folder = tmp_path / "assignments" / f"on_{dataset.name}"
        (folder / "submissions").mkdir(parents=True)
        (folder / "assignment.toml").write_text(rules(known))
        source = SUBMISSION.format(classes=known.classes)
        (folder / "submissions" / "ada.py").write_text(source)
    return tmp_path


@pytest.fixture
def trained_here(monkeypatch):
    """Training takes no process of its own, whose start takes longer than 200 images."""
    monkeypatch.setattr(Workroom, "crew", Here())


def rules(dataset: Dataset) -> str:
    """mnist_8k's rules for another data set, which every network keeps."""
    text = RULES.read_text(encoding="utf-8")
    for old, new in {
        'name = "mnist_8k"': f'name = "on_{dataset.name}"',
        'dataset = "mnist"': f'dataset = "{dataset.name}"',
        "input_shape = [1, 28, 28]": f"input_shape = {list(dataset.input_shape)}",
        "classes = 10": f"classes = {dataset.classes}",
        "accuracy = 0.994": "accuracy = 0.0001",
        "receptive_field = 28": "receptive_field = 20",
    }.items():
        assert old in text
        text = text.replace(old, new)
    return text


def grade(room: Path, **more: object) -> int:
    facts = {"root": room, "data": room / "images", "output": room / "grades", "device": "cpu"}
    options = Options(**{**facts, "seeds": 1, "train_anyway": True, **more})
    with head_start.workroom(options) as workroom:
        return session.grade_in(workroom, options)


def graded(room: Path, dataset: str) -> report.Report:
    return report.read((room / "grades" / f"on_{dataset}" / "ada" / "report.json").read_bytes())


def test_one_command_grades_two_assignments_with_two_data_sets(room, capsys):
    grade(room)
    assert "downloading" not in capsys.readouterr().err
    for name, test_images, classes in (("mnist", 40, 10), ("stripes", 30, 4)):
        training = graded(room, name).training
        assert (training.dataset, training.practice) == (name, False)
        assert (training.train_images, training.test_images) == (200, test_images)
        assert len(training.confusion) == classes
        (accuracy,) = [check for check in graded(room, name).checks if check.name == "accuracy"]
        assert accuracy.verdict is report.Verdict.PASSED


def test_a_report_stands_for_as_long_as_the_images_are_the_same(room, capsys):
    only = (room / "assignments" / "on_mnist",)
    grade(room, paths=only, static=True)
    grade(room, paths=only, static=True)
    assert "ada: unchanged" in capsys.readouterr().err
    grade(room, paths=only, static=True, dataset="practice")
    assert "ada: unchanged" not in capsys.readouterr().err


def test_practice_digits_take_the_place_of_mnist_and_say_so(room, capsys, trained_here):
    only = (room / "assignments" / "on_mnist",)
    grade(room, paths=only, data=room / "nowhere", dataset="practice")
    found = graded(room, "mnist")
    assert (found.training.dataset, found.training.graded_on) == ("practice", "MNIST")
    assert "PRACTICE: not graded on MNIST" in capsys.readouterr().out


def test_images_that_fit_no_network_are_an_error_before_anything_is_graded(room):
    with pytest.raises(GraderError, match="practice cannot take the place of Stripes"):
        grade(room, dataset="practice")
    assert not list((room / "grades").rglob("report.json"))


def test_missing_images_are_an_error_before_anything_is_graded(room):
    for file in (room / "images" / "Stripes" / "raw").iterdir():
        file.unlink()
    with pytest.raises(GraderError, match=r"Stripes is not in .* cannot be reached"):
        grade(room)
    assert not list((room / "grades").rglob("report.json"))


def without_images(room: Path) -> dict[str, object]:
    only = (room / "assignments" / "on_mnist",)
    return {"paths": only, "data": room / "nowhere"}


@pytest.fixture
def offline(monkeypatch):
    """Every attempt to download, and what comes of it."""
    tried = []
    monkeypatch.setattr(
        download, "fetch", lambda dataset, root: tried.append(dataset.name) or "no network"
    )
    return tried


def test_static_checks_download_nothing_and_say_once_what_they_look_at(room, offline, capsys):
    grade(room, static=True, **without_images(room))
    said = capsys.readouterr().err
    assert offline == []
    assert said.count("is not downloaded for static checks") == 1
    assert graded(room, "mnist").verdict is not report.Verdict.BROKEN
    assert "was not there" not in said


def test_static_checks_plan_for_the_assignments_own_images(room, monkeypatch):
    source = data.resolve(DATASETS["mnist"], room / "nowhere", fetch=False)
    assert (source.train_images, source.practice) == (200, True)
    assert source.read().training.train_images.shape == (1442, 1, 28, 28)


def test_own_means_the_assignments_own_images_or_an_error(room, offline):
    with pytest.raises(GraderError, match="could not be downloaded: no network"):
        grade(room, dataset="own", **without_images(room))
    assert offline == ["mnist"]
    grade(room, dataset="own", static=True, paths=(room / "assignments" / "on_mnist",))
    assert graded(room, "mnist").dataset_choice == "own"


def test_practice_that_was_asked_for_is_not_called_a_substitute(room, capsys, trained_here):
    only = (room / "assignments" / "on_mnist",)
    grade(room, paths=only, dataset="practice")
    shown = " ".join(capsys.readouterr().out.replace("┃", " ").split())
    assert "as it was asked to (--dataset practice)" in shown
    assert "was not there" not in shown


BREAK = {
    "the file": ("points = 40", "points = -1"),
    "a setting": ("{ degrees = 7 }", "{ degree = 7 }"),
}


@pytest.mark.parametrize("change", BREAK.values(), ids=BREAK)
def test_a_broken_assignment_stops_only_itself(room, change, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(room / "cache"))
    file = room / "assignments" / "on_stripes" / "assignment.toml"
    file.write_text(file.read_text().replace(*change))
    assert grade(room, static=True) == 3
    shown = capsys.readouterr()
    assert graded(room, "mnist").checks
    other = graded(room, "stripes")
    assert (other.verdict, other.problem.fault) == (report.Verdict.BROKEN, "assignment")
    assert "on_stripes is left out. " in shown.err
    assert "not the student's fault" in shown.out
    with pytest.raises(AssignmentError, match="on_stripes"):
        grade(room, static=True, paths=(room / "assignments" / "on_stripes",))
    assert grade(room, static=True, paths=(room / "assignments" / "on_mnist",)) == 1


def test_what_is_left_out_is_said_also_to_the_quiet(room, capsys):
    folder = room / "assignments" / "on_mnist" / "submissions"
    (folder / "notes.docx").write_text("{}")
    (folder / "B.PY").write_text((folder / "ada.py").read_text())
    (room / "assignments" / "holiday").mkdir()
    grade(room, static=True, quiet=True)
    said = capsys.readouterr().err
    assert "2 left out: " in said
    assert "notes.docx (not a .py file)" in said
    assert "assignments/holiday/ (no assignment.toml in it)" in said
    assert (room / "grades" / "on_mnist" / "B" / "report.json").exists()


def test_people_keep_their_names_in_the_class_table(room, capsys):
    source = (room / "assignments" / "on_mnist" / "submissions" / "ada.py").read_text()
    people = ["alice", "bob", "José María"]
    for name in people:
        (room / name).mkdir()
        (room / name / "model.py").write_text(source)
    files = tuple(room / name / "model.py" for name in people)
    grade(room, static=True, quiet=True, paths=files, assignment="on_mnist")
    table = capsys.readouterr().out
    assert all(f"\n{name} " in table for name in people)
    assert len(list((room / "grades" / "on_mnist").glob("*/report.json"))) == 3


def test_a_look_at_an_edited_file_keeps_the_training_and_names_it(room, capsys, trained_here):
    only = (room / "assignments" / "on_mnist",)
    grade(room, paths=only)
    trained = graded(room, "mnist")
    file = room / "assignments" / "on_mnist" / "submissions" / "ada.py"
    before = file.read_text()
    for edit in range(3):
        file.write_text(f"{before}# {edit}\n")
        capsys.readouterr()
        grade(room, paths=only, static=True)
    shown = " ".join(capsys.readouterr().out.split())
    assert f"last trained: {100 * trained.training.score:.2f} %, " in shown
    assert f"3 edits ago ({trained.started[:10]})" in shown
    assert graded(room, "mnist").verdict is not report.Verdict.PASSED
    file.write_text(before)
    grade(room, paths=only)
    assert "ada: unchanged" in capsys.readouterr().err
    assert graded(room, "mnist") == trained
