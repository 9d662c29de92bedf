"""What instructors get wrong, each tried: the file, the key, the line, what was found."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from grader.command import project, scaffold
from grader.command.authoring import command, toml_lines
from grader.command.workroom import Workroom
from grader.submission.submission import UsageError

ROOT = Path(__file__).parents[2]
TOML, README, STARTER = "assignment.toml", "README.md", "starter.py"
EXAMPLE = "submissions/example.py"
CHECK = "checks/test_batches.py"
OWN = '''def test_small_batches(recipe, show):
    """The batches are small."""
    show(measured=f"{recipe.batch_size} images", asked="<= 256")
    assert recipe.batch_size <= 256, "the batches are large"
'''


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """An assignment with a check of its own, as new-assignment makes it."""
    home = tmp_path_factory.mktemp("home")
    (home / "assignments").mkdir()
    folder = scaffold.begin("mine", "mnist_8k", project.Project(home, home), "fashion_mnist")
    rules = (folder / TOML).read_text(encoding="utf-8").replace("[checks]\n", f"[checks]\n{ASKED}")
    (folder / TOML).write_text(rules, encoding="utf-8")
    (folder / "checks").mkdir()
    (folder / CHECK).write_text(OWN, encoding="utf-8")
    (folder / "checks/small_batches.md").write_text("# The batches are small.\n\nAs they are.\n")
    written = scaffold.Writer(scaffold.load(folder), in_clone=False)
    (folder / README).write_text(written.brief(), encoding="utf-8")
    return folder


ASKED = "small_batches = { required = true, points = 5 }\n"


@pytest.fixture
def mine(good, tmp_path):
    folder = tmp_path / "assignments" / "mine"
    shutil.copytree(good, folder)
    return folder


def changed(folder, file, old, new):
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text, f"{file} has no {old!r}"
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")


def line_with(folder, file, words):
    lines = (folder / file).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if words in line)


def test_a_new_one_has_nothing_wrong(mine):
    assert command.inspected(mine, None) == []


MISTAKES = [
    # Keys and values that are refused
    (TOML, "epochs = 15", "epoch = 15", "limits.epoch", "epoch = 15", 'Did you mean "epochs"'),
    (TOML, "accuracy = 0.994", "acuracy = 0.994", "limits.acuracy", "acuracy", "not a known key"),
    (TOML, "batch_norm =", "batchnorm =", "checks.batchnorm", "batchnorm", "Did you mean"),
    (TOML, "small_batches =", "smal_batches =", "checks.smal_batches", "smal_", "small_batches"),
    (TOML, "accuracy = 0.994", "accuracy = 99.4", "limits.accuracy", "= 99.4", "0.994 is 99.4 %"),
    (TOML, '"<= 8,000"', "8000", "limits.parameters", "parameters = 8", 'Write it as "< 20,000"'),
    (TOML, "epochs = 15", 'epochs = "15"', "limits.epochs", 'epochs = "15"', "a whole number"),
    (TOML, "epochs = 15", "epochs = 0", "limits.epochs", "epochs = 0", "at least 1"),
    (TOML, "points = 40", "points = -40", "checks.accuracy.points", "accuracy = {", "at least 0"),
    (TOML, "points = 40", "pts = 40", "checks.accuracy.pts", "accuracy = {", "not a known key"),
    (TOML, '"fashion_mnist"', '"fashion"', "dataset", "dataset =", "fashion_mnist"),
    (TOML, "classes = 10", "classes = 26", "dataset", "dataset =", "classes = 10"),
    (TOML, "[1, 28, 28]", "[28, 28]", "input_shape.2", "input_shape", "three numbers"),
    (TOML, "receptive_field = 28", "receptive_field = 64", "limits.receptive_field",
     "receptive_field = 64", "only 28 pixels"),
    (TOML, "[recipe]\nepochs = 15", "[recipe]\nepochs = 30", "recipe.epochs", "epochs = 30",
     "more than limits.epochs"),
    (TOML, "steps = 225_000", "steps = 7_000", "recipe.epochs", None, "limits.steps"),
    (TOML, "batch_size = 128", "batch_size = 100_000", "recipe.batch_size", "batch_size",
     "only 60,000 training images"),
    (TOML, 'protocol = "mean_last_3"', 'protocol = "mean"', "protocol", "protocol", "mean_last_3"),
    (TOML, '"ToTensor"', '"Totensor"', "recipe.train_transform.1.name", "Totensor", "ToTensor"),
    (TOML, "[limits]", "[limits", "", "[limits", "not valid TOML"),
    (TOML, 'name = "mine"', 'name = "yours"', "name", 'name = "yours"', "the folder is mine"),
    # Settings that torch refuses
    (TOML, "lr = 0.05, momentum", "lr = -0.05, momentum", "recipe.optimizer",
     "[recipe.optimizer]", "Invalid learning rate"),
    (TOML, "lr = 0.05, momentum", "learning_rate = 0.05, momentum", "recipe.optimizer",
     "[recipe.optimizer]", 'Did you mean "lr"'),
    (TOML, "pct_start = 0.2", "pct_start = 20", "recipe.scheduler", "[recipe.scheduler]",
     "between 0 and 1"),
    (TOML, "max_lr = 0.05, ", "", "recipe.scheduler.settings.max_lr", "pct_start",
     "max_lr is missing"),
    (TOML, "degrees = 7", "degree = 7", "recipe.train_transform.0.settings.degree", "degree = 7",
     'Did you mean "degrees"'),
    (TOML, "degrees = 7", "degrees = -7", "recipe.train_transform.0",
     "[[recipe.train_transform]]", "must be positive"),
    # Limits that nobody can meet, and those that everybody meets
    (TOML, '"<= 8,000"', '"< 1"', "limits.parameters", '"< 1"', "no parameter at all"),
    (TOML, "accuracy = 0.994", "accuracy = 0.1", "limits.accuracy", "accuracy = 0.1", "guessing"),
    (TOML, "[recipe]\nepochs = 15", "[recipe]\nepochs = 2", "recipe.epochs", "epochs = 2",
     "looks at 3 epochs"),
    (TOML, "\nepochs = 15\n", "\nepochs = 900\n", "limits.steps", "steps = 225",
     "epochs that limits.epochs allows are"),
    # The brief disagrees with the rules
    (README, "at most 8,000 parameters", "at most 9,000 parameters", "limits.parameters",
     "9,000 parameters", '"<= 8,000"'),
    (README, "at most 8,000 parameters", "fewer than 8,000 parameters", "limits.parameters",
     "fewer than", '"<= 8,000"'),
    (README, "| at most 8,000;", "| at most 6,000;", "limits.parameters", "6,000;", "most 6,000"),
    (README, "at most 15 epochs", "at most 20 epochs", "limits.epochs", "20 epochs", "has 15"),
    (README, "| at most 8,000;", "| 6000;", "limits.parameters", "| 6000;", "6000"),
    (README, "| at most 8,000;", "| under 8,000;", "limits.parameters", "under 8,", "under 8,000"),
    (README, "| Epochs | at most 15 |", "| Epochs | 12 |", "limits.epochs", "| 12 |", "12"),
    (README, "| Epochs | at most 15 |", "| Epochs | at most 12 |", "limits.epochs", "most 12", ""),
    (README, "99.4 %** of", "98.4 %** of", "limits.accuracy", "98.4", "has 0.994"),
    (README, "| at least 99.4 %", "| at least 99.5 %", "limits.accuracy", "99.5", "has 0.994"),
    (README, "28 pixels or more", "20 pixels or more", "limits.receptive_field", "20 pixels", "28"),
    (README, "| yes | 40 |", "| yes | 30 |", "checks.accuracy", "| yes | 30 |", "points = 40"),
    (README, "| yes | 40 |", "| advice | 40 |", "checks.accuracy", "advice | 40", "= true"),
    (README, "| **105** |", "| **100** |", "checks", "| **100** |", "105 points in all"),
    (README, "mean of the last three epochs |", "best epoch |", "protocol", "best epoch |",
     '"mean_last_3"'),
    (README, "Fashion-MNIST", "MNIST", "dataset", "MNIST", "Fashion-MNIST"),
    (README, "mean 0.286", "mean 0.1307", "dataset", "0.1307", "0.286"),
    (README, "60,000 training images", "50,000 training images", "dataset", "50,000", "60,000"),
    (README, "10,000 test images", "20,000 test images", "dataset", "20,000", "10,000"),
    (README, "`(N, 10)`", "`(N, 26)`", "classes", "(N, 26)", "10"),
    (README, "(N, 1, 28, 28)", "(N, 3, 32, 32)", "input_shape", "(N, 3", "[1, 28, 28]"),
    (README, "assignments/mine/", "assignments/mnist_8k/", "name", "assignments/mnist_8k", "mine"),
    (README, "| Dropout | at least one", "| Drop | at least one", None, None, None),
    (README, "| The batches are small | ", "| Batches | ", "checks.small_batches", None,
     "no row in the table"),
    (README, "passes over the training images | 15 |", "passes over the training images | 12 |",
     "recipe.epochs", "| 12 |", "EPOCHS: 12"),
    (README, "up to 5\n", "up to three\n", "most_seeds", "up to three", "has 5"),
    (README, "earns its points", "earns no points", "borderline_earns_points", "borderline", ""),
    # The starter disagrees with the rules
    (STARTER, "EPOCHS = 15", "EPOCHS = 20", "limits.epochs", "EPOCHS = 20", "EPOCHS = 20"),
    (STARTER, "EPOCHS = 15", "EPOCHS = 10", "recipe.epochs", "EPOCHS = 10", "has 15"),
    (STARTER, "# at most 15", "# at most 20", "limits.epochs", "# at most 20", "at most 20"),
    (STARTER, "BATCH_SIZE = 128", "BATCH_SIZE = 64", "recipe.batch_size", "= 64", "has 128"),
    (STARTER, "(0.286,)", "(0.1307,)", "dataset", "0.1307", "the mean 0.1307"),
    (STARTER, "(0.353,)", "(0.3081,)", "dataset", "0.3081", "standard deviation 0.3081"),
    (STARTER, "torch.optim.SGD", "torch.optim.Adam", "recipe.optimizer.name", "optim.Adam", "SGD"),
    (STARTER, "lr=0.05", "lr=0.1", "recipe.optimizer.settings.lr", "lr=0.1", "has 0.05"),
    (STARTER, "lr_scheduler.OneCycleLR", "lr_scheduler.StepLR", "recipe.scheduler.name", "StepLR",
     "OneCycleLR"),
    (STARTER, "assignments/mine/", "assignments/other/", "name", "assignments/other", "mine"),
    (STARTER, "scores (N, 10) out", "scores (N, 47) out", "classes", "(N, 47)", "has 10"),
    # Its own checks
    (CHECK, "recipe, show", "recipe, shw", "", "shw", "is not a fixture"),
    (CHECK, "def test_small", "def tst_small", "checks.small_batches", None, "not a known key"),
    (CHECK, '    """The batches are small."""\n', "", "checks.small_batches", "def test",
     "has no docstring"),
    (CHECK, "are small.", "are tiny.", "checks.small_batches", None, "are tiny."),
    (CHECK, "assert", "assert (", "", None, "not valid Python"),
    (CHECK, "def test_small_batches", "def test_accuracy", "", "def test_accuracy",
     "comes with the grader"),
]  # fmt: skip
"""File, what is replaced by what, and the finding: its key, words of its line, words of it.

Without a key: nothing is found, because nothing is wrong.
"""


@pytest.mark.parametrize(("file", "old", "new", "key", "line", "said"), MISTAKES)
def test_it_is_found_with_file_key_and_line(mine, file, old, new, key, line, said):
    changed(mine, file, old, new)
    found = command.inspected(mine, None)
    if key is None:
        assert found == []
        return
    text = "\n".join(one.text(mine.parent) for one in found)
    fitting = [one for one in found if one.key == key and said in one.text(mine.parent)]
    assert fitting, text
    one = fitting[0]
    assert not one.advice
    assert all((one.found, one.why, one.do)), "what, why and what to do"
    if line is not None:
        assert one.file == mine / file
        assert one.line == line_with(mine, file, line), text


def test_at_least_36_mistakes_were_tried():
    assert len([key for *_, key, _, _ in MISTAKES if key is not None]) >= 36


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        (r"required = true", "required = false", "checks", "no check is required"),
        (r"points = [\d.]+", "points = 0", "checks", "no check earns points"),
    ],
)
def test_checks_that_decide_nothing(mine, old, new, key, said):
    rules = mine / TOML
    rules.write_text(re.sub(old, new, rules.read_text(encoding="utf-8")), encoding="utf-8")
    found = command.inspected(mine, None)
    assert any((one.key, one.found) == (key, said) for one in found)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("untrained = { required = true, points = 0 }\n", "", "asked without untrained"),
        ("gap = {", "gap_or_fc = { required = true, points = 0 }\ngap = {", "asked beside gap"),
    ],
)
def test_what_may_be_meant_is_said_and_is_no_mistake(mine, old, new, said):
    changed(mine, TOML, old, new)
    (one,) = [one for one in command.inspected(mine, None) if said in one.found]
    assert one.advice
    assert "(to consider)" in one.text(mine)


@pytest.mark.parametrize(
    "said",
    [
        "Come to at least 80 % of the lectures.",
        "A linear layer needs it flattened to (N, 784).",
        "The same file may get 99.35 % with one seed and 99.45 % with another.",
        "Runs differ with a standard deviation of 0.04 points.",
        "A layer of 1,000 parameters is large; a network of 12 layers is deep.",
        "We tried 40 epochs. Do not ask for fewer than 3 seeds.",
        "Ask on the forum within 2 days, at most 3 times; 20 pixels are plenty.",
        "| Week | Topic |\n| --- | --- |\n| 1 | Convolutions |\n| 2 | Dropout |",
    ],
)
def test_what_is_about_something_else_is_no_mistake(mine, said):
    brief = mine / README
    brief.write_text(f"{brief.read_text(encoding='utf-8')}\n{said}\n", encoding="utf-8")
    assert command.inspected(mine, None) == []


@pytest.mark.parametrize("name", [README, STARTER, "submissions"])
def test_what_is_missing_is_named(mine, name):
    path = mine / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    (one,) = command.inspected(mine, None)
    assert (one.file, one.found) == (path, "it is missing")


def test_a_file_under_a_near_name_is_asked_about(mine):
    (mine / "starter.py").rename(mine / "startr.py")
    (one,) = command.inspected(mine, None)
    assert 'Did you mean "startr.py"' in one.do


def test_an_empty_brief_and_a_page_without_a_check(mine):
    (mine / README).write_text("\n", encoding="utf-8")
    (mine / "checks" / "smal_batches.md").write_text("# x\n", encoding="utf-8")
    found = command.inspected(mine, None)
    assert [one.found for one in found if one.file == mine / README] == ["it is empty"]
    (page,) = [one for one in found if one.file.suffix == ".md" and one.advice]
    assert 'Did you mean "small_batches"' in page.do


def test_two_mistakes_are_told_at_once_and_summed(mine, capsys):
    changed(mine, README, "at most 15 epochs", "at most 20 epochs")
    changed(mine, STARTER, "BATCH_SIZE = 128", "BATCH_SIZE = 64")
    place = project.Project(mine.parents[1], mine.parents[1])
    assert command.check(["mine"], place, runs=False) == 1
    said = capsys.readouterr().out
    assert "mine/README.md:4  limits.epochs" in said
    assert '  found: "BATCH_SIZE = 64", where assignment.toml has 128' in said
    assert said.endswith("mine: 2 mistakes.\n")


def test_a_folder_anywhere_or_a_name_or_all(mine, capsys):
    nowhere = project.Project(mine.parents[1], mine.parents[1])
    for named in ([str(mine)], ["mine"], []):
        assert command.check(named, nowhere, runs=False) == 0
        assert "mine: nothing is wrong that could be found." in capsys.readouterr().out
    with pytest.raises(UsageError, match='Did you mean "mine"'):
        command.check(["mnie"], nowhere, runs=False)
    with pytest.raises(UsageError, match=r"holds no assignment\.toml"):
        command.check([str(mine / "submissions")], nowhere, runs=False)


@pytest.mark.parametrize("name", ["mnist_8k", "mnist_20k"])
def test_those_that_ship_have_nothing_wrong(name):
    assert command.inspected(ROOT / "assignments" / name, None) == []


# What only running shows


@pytest.fixture
def room(one_sandbox):
    with Workroom() as room:
        yield room


COMPLETE = """        return self.conv(images).mean((2, 3))
"""


@pytest.mark.parametrize(
    ("file", "old", "new", "key", "said"),
    [
        (TOML, '"<= 8,000"', '"<= 5,000"', "limits.parameters", "does not pass parameter_limit"),
        (EXAMPLE, "nn.BatchNorm2d(channels_out)", "nn.Identity()", "checks.batch_norm", "Batch"),
        (EXAMPLE, "return F.log_softmax", "return F.logsoftmax", "", "log_softmax"),
        (STARTER, "from torch import nn", "from torch import nnn", "", "name 'nn'"),
        (STARTER, "    def forward", "   def forward", "", "not valid Python"),
        (STARTER, "class Net(nn.Module):", "class Net:", "", "nn.Module"),
        (CHECK, "    assert recipe", "    1 / 0\n    assert recipe", "checks.small_batches",
         "ZeroDivisionError"),
        (CHECK, "def test", "import nothing_like_it\n\n\ndef test", "checks.small_batches",
         "cannot be imported"),
    ],
)  # fmt: skip
def test_the_starter_and_the_example_are_tried(mine, room, file, old, new, key, said):
    changed(mine, file, old, new)
    found = command.inspected(mine, room)
    text = "\n".join(one.text(mine.parent) for one in found)
    assert any(one.key == key and said in one.found for one in found), text


def test_a_complete_starter_must_fit_the_limits(mine, room):
    text = (mine / STARTER).read_text(encoding="utf-8")
    text = re.sub(r"(?s)        raise Not.*?\n        \)\n", COMPLETE, text)
    text = text.replace(
        "        # Create", "        self.conv = nn.Conv2d(1, 10, 29, padding=14)\n        # Create"
    )
    (mine / STARTER).write_text(text, encoding="utf-8")
    found = [one for one in command.inspected(mine, room) if one.key == "limits.parameters"]
    assert found
    assert found[0].file == mine / STARTER
    assert "8,420 parameters" in found[0].found
    assert found[0].why == "The limit is below what the starter needs."


def test_as_it_was_made_it_can_be_tried(mine, room):
    assert command.inspected(mine, room) == []


# Lines of a TOML file


def test_a_key_is_found_in_tables_arrays_and_inline():
    text = 'a = 1\n\n[b]\nc = { d = 1, e = "f = 2" }\n[[g.h]]\ni = [\n  1,\n]\n'
    text += '[[g.h]]\n"j k" = 2\nl.m = 3\n'
    known = toml_lines.lines(text)
    assert known == {
        ("a",): 1, ("b",): 3, ("b", "c"): 4, ("b", "c", "d"): 4, ("b", "c", "e"): 4,
        ("g", "h"): 5, ("g", "h", 0): 5, ("g", "h", 0, "i"): 6, ("g", "h", 1): 9,
        ("g", "h", 1, "j k"): 10, ("g", "h", 1, "l", "m"): 11,
    }  # fmt: skip
    assert toml_lines.line_of(("b", "c", "x"), known) == 4
    assert toml_lines.line_of(("x",), known) is None
    assert toml_lines.named_in("b.c.d is 1", known) == ("b", "c", "d")
    assert toml_lines.named_in("nothing here", known) == ()
