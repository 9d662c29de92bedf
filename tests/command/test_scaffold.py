"""A new assignment works before anybody has edited it."""

import re

import pytest

from grader import assignment
from grader.command import head_start, project, scaffold, session
from grader.options import Options
from grader.report import Report, Verdict
from grader.submission.submission import UsageError
from grader.training.datasets import DATASETS
from tests.static_grading import report
from tests.training.tiny import tiny, write


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("model", ["mnist_8k", "mnist_20k"])
def test_it_is_its_model_under_another_name_with_an_example(here, model):
    folder = scaffold.begin("my_course", model, project.find())
    assert folder == here / "assignments" / "my_course"
    brought = assignment.load(project.brought() / "assignments" / model)
    expected = brought.model_copy(update={"name": "my_course", "title": "My course"})
    assert assignment.load(folder) == expected
    assert (folder / "submissions" / "example.py").exists()
    for name in ("README.md", "starter.py"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "my_course" in text
        assert model not in text
        assert "nox" not in text, "where it stands there is no clone, so no nox"


def test_the_second_stands_beside_the_first_and_may_begin_with_it(here, monkeypatch):
    first = scaffold.begin("first", "mnist_8k", project.find())
    monkeypatch.chdir(first)
    second = scaffold.begin("second", "first", project.find())
    assert second.parent == first.parent


def test_a_name_that_is_taken_or_not_one_is_refused_with_another(here):
    scaffold.begin("first", "mnist_8k", project.find())
    with pytest.raises(UsageError, match="is there already"):
        scaffold.begin("first", "mnist_8k", project.find())
    with pytest.raises(UsageError, match="Write my_course, say"):
        scaffold.begin("My Course", "mnist_8k", project.find())
    with pytest.raises(UsageError, match='Did you mean "mnist_8k"'):
        scaffold.begin("other", "mnist_8", project.find())
    assert [path.name for path in (here / "assignments").iterdir()] == ["first"]


OTHERS = [name for name in DATASETS if name != "mnist"]
ONE_OF_EACH_SIZE = sorted({DATASETS[name].classes: name for name in reversed(OTHERS)}.values())
"""The example that fits depends on how many classes there are, and on nothing else of the images.

A grading takes a second."""


@pytest.mark.parametrize("model", ["mnist_8k", "mnist_20k"])
@pytest.mark.parametrize("dataset", OTHERS)
def test_on_other_images_every_file_says_so(here, model, dataset):
    folder = scaffold.begin("mine", model, project.find(), dataset)
    asked, images = assignment.load(folder), DATASETS[dataset]
    assert (asked.dataset, asked.classes) == (dataset, images.classes)
    assert asked.recipe.train_transform[-1].settings == {
        "mean": (images.mean,),
        "std": (images.deviation,),
    }
    brief, starter = (
        (folder / name).read_text(encoding="utf-8") for name in ("README.md", "starter.py")
    )
    for said in (
        f"{images.classes} classes of {images.title}",
        f"{images.test_images:,} test images",
        f"{images.train_images:,} training images",
        f"the mean {images.mean} and the standard deviation {images.deviation}",
        f"{images.class_names[0]}, {images.class_names[1]}",
        f"returns `(N, {images.classes})`",
        f"| **{asked.points:g}** |",
    ):
        assert said in " ".join(brief.split())
    assert f"transforms.Normalize(({images.mean},), ({images.deviation},))" in starter
    assert len(images.class_names) == images.classes


@pytest.mark.parametrize("model", ["mnist_8k", "mnist_20k"])
@pytest.mark.parametrize("dataset", ONE_OF_EACH_SIZE)
def test_on_other_images_the_example_fits(here, model, dataset):
    folder = scaffold.begin("mine", model, project.find(), dataset)
    asked = assignment.load(folder)
    example = (folder / "submissions" / "example.py").read_text(encoding="utf-8")
    graded = report(example, assignment=asked)
    assert graded.verdict is Verdict.PASSED_SO_FAR, [check.detail for check in graded.checks]
    said = re.search(r"([\d,]+) trainable parameters", example)[1]
    assert f"{graded.analysis['total_parameters']:,}" == said


CHANGES = [
    ("epochs = 15", "epochs = 12"),
    ('"OneCycleLR"\nsettings = { max_lr = 0.05, pct_start = 0.2 }', '"CosineAnnealingLR"'),
    (
        '"OneCycleLR"\nsettings = { max_lr = 0.05, pct_start = 0.2 }\ninterval = "step"',
        '"StepLR"\nsettings = { step_size = 5, gamma = 0.2 }',
    ),
    ('"SGD"\nsettings = { lr = 0.05, momentum = 0.9,', '"AdamW"\nsettings = { lr = 0.05,'),
    (
        '"ToTensor"',
        '"ToImage"\n\n[[recipe.train_transform]]\nname = "ToDtype"\n'
        'settings = { dtype = "float32", scale = true }',
    ),
    ('criterion = "auto"', 'criterion = "cross_entropy"'),
]


@pytest.mark.parametrize(
    ("dataset", "old", "new"),
    [("mnist", *CHANGES[0]), *(("fashion_mnist", *change) for change in CHANGES)],
)
def test_the_starters_recipe_is_the_assignments_own(here, dataset, old, new):
    folder = scaffold.begin("first", "mnist_8k", project.find(), dataset)
    rules = folder / "assignment.toml"
    text = rules.read_text(encoding="utf-8")
    assert old in text
    rules.write_text(text.replace(old, new), encoding="utf-8")
    folder = scaffold.begin("second", "first", project.find())
    asked = assignment.load(folder)
    network = "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    network += "        self.conv = nn.Conv2d(1, 10, 3)\n\n    def forward(self, images):\n"
    network += "        return self.conv(images).mean((2, 3))\n"
    starter = (folder / "starter.py").read_text(encoding="utf-8")
    starter = re.sub(r"(?s)class Net.*?\n\n\n", f"{network}\n\n", starter, count=1)
    found = report(starter, assignment=asked)
    bare = report(f"from torch import nn\n\n\n{network}", assignment=asked)
    recipes = [one.analysis["recipe"] for one in (found, bare)]
    for recipe in recipes:
        assert recipe["optimizer"]["groups"]
        for name in ("lines", "origin", "defaults"):  # who says it, and where
            recipe.pop(name)
    assert recipes[0] == recipes[1]
    assert found.recipe.origin == "convention"


def test_without_a_network_that_fits_there_is_no_example_and_that_is_said(here):
    folder = scaffold.begin("first", "mnist_8k", project.find())
    rules = folder / "assignment.toml"
    text = rules.read_text(encoding="utf-8").replace("<= 8,000", "<= 20")
    rules.write_text(text, encoding="utf-8")
    (folder / "submissions" / "example.py").unlink()
    second = scaffold.begin("second", "first", project.find())
    assert list((second / "submissions").iterdir()) == []
    assert "no example fits the limits" in scaffold.next_steps(second)
    assert "example.py" not in (second / "README.md").read_text(encoding="utf-8")


def test_own_checks_come_along(here):
    folder = scaffold.begin("first", "mnist_8k", project.find())
    (folder / "checks").mkdir()
    (folder / "checks" / "test_a.py").write_text('def test_fine():\n    """All is well."""\n')
    rules = folder / "assignment.toml"
    text = rules.read_text(encoding="utf-8")
    text = text.replace("[checks]\n", "[checks]\nfine = { required = true, points = 2.5 }\n")
    rules.write_text(text, encoding="utf-8")
    second = scaffold.begin("second", "first", project.find())
    assert assignment.load(second).own_checks.names == ("fine",)
    brief = (second / "README.md").read_text(encoding="utf-8")
    assert "| All is well | see `grader explain fine` | yes | 2.5 |" in brief
    assert "| **102.5** |" in brief


def test_an_unknown_data_set_is_answered_with_the_known_and_leaves_nothing_behind(here):
    with pytest.raises(UsageError, match='Did you mean "fashion_mnist"'):
        scaffold.begin("mine", "mnist_8k", project.find(), "fashon_mnist")
    assert list(here.iterdir()) == []


def test_the_example_is_trained_on_a_small_data_set_that_lies_here(here, monkeypatch, one_sandbox):
    """From nothing to a trained report, without internet: files in torchvision's layout."""
    monkeypatch.setitem(DATASETS, "fashion_mnist", write(tiny("fashion_mnist", 600, 100), here))
    folder = scaffold.begin("mine", "mnist_8k", project.find(), "fashion_mnist")
    options = Options(
        paths=(folder / "submissions" / "example.py",),
        dataset="own",
        data=here,
        seeds=1,
        quiet=True,
        output=here / "grades",
        root=here,
        home=here,
    )
    with head_start.workroom(options) as room:
        assert session.grade_in(room, options) in (0, 1)
    text = (here / "grades" / "mine" / "example" / "report.json").read_text(encoding="utf-8")
    graded = Report.model_validate_json(text)
    assert (graded.training.dataset, graded.training.practice) == ("fashion_mnist", False)
    assert len(graded.training.runs[0].epochs) == 15
    assert graded.training.last > 0.5, "each class has a picture of its own"
    assert len(graded.training.mistakes) == min(24, len(graded.training.wrong))
    assert {one.position for one in graded.training.mistakes} <= set(graded.training.wrong)
    assert (graded.sample.columns, len(graded.sample.pixels)) == (28, 784)
