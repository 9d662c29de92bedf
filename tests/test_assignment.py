"""Reading assignment.toml: the two that ship, and every kind of mistake an instructor can make."""

import re
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torchvision import transforms

from grader import errors
from grader.assignment import (
    Assignment,
    Bound,
    load,
    load_all,
    load_each,
)
from grader.checks.names import check_names
from grader.command.authoring import beyond_accuracy
from grader.errors import AssignmentError, GraderError
from grader.training.datasets import DATASETS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "assignments" / "mnist_8k" / "assignment.toml").read_text(encoding="utf-8")


def write(folder: Path, text: str, name: str = "mnist_8k") -> Path:
    """A folder of that name with that assignment.toml in it."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "assignment.toml").write_text(text, encoding="utf-8")
    return folder / name


def message_after(folder: Path, old: str, new: str) -> str:
    """What load says when `old` in a good file is replaced by `new`."""
    assert old in TEXT
    with pytest.raises(GraderError) as caught:
        load(write(folder, TEXT.replace(old, new)))
    return str(caught.value)


@pytest.fixture(scope="module")
def shipped() -> dict[str, Assignment]:
    return load_all(ROOT)


def test_all_assignments_are_found_in_alphabetical_order(shipped):
    assert list(shipped) == ["mnist_20k", "mnist_8k", "mnist_progressive"]


@pytest.mark.parametrize("name", ["mnist_20k", "mnist_8k", "mnist_progressive"])
def test_points_sum_to_100(shipped, name):
    assert shipped[name].points == 100


def test_mnist_20k_wants_fewer_than_20_000_parameters_and_the_best_of_20_epochs(shipped):
    assignment = shipped["mnist_20k"]
    assert str(assignment.limits.parameters) == "< 20,000"
    assert assignment.limits.parameters.allows(19_999)
    assert not assignment.limits.parameters.allows(20_000)
    assert (assignment.limits.epochs, assignment.limits.accuracy, assignment.protocol) == (
        20,
        0.994,
        "best",
    )


def test_mnist_8k_wants_at_most_8_000_parameters_and_the_mean_of_the_last_3_of_15_epochs(shipped):
    assignment = shipped["mnist_8k"]
    assert str(assignment.limits.parameters) == "<= 8,000"
    assert assignment.limits.parameters.allows(8_000)
    assert not assignment.limits.parameters.allows(8_001)
    assert (assignment.limits.epochs, assignment.limits.accuracy, assignment.protocol) == (
        15,
        0.994,
        "mean_last_3",
    )


def test_mnist_20k_requires_dropout_and_advises_the_receptive_field(shipped):
    checks = shipped["mnist_20k"].checks
    assert checks["dropout"].required
    assert checks["gap_or_fc"].required
    assert not checks["receptive_field"].required
    assert "gap" not in checks


def test_mnist_8k_requires_gap_and_the_receptive_field_and_advises_dropout(shipped):
    checks = shipped["mnist_8k"].checks
    assert checks["gap"].required
    assert checks["receptive_field"].required
    assert not checks["dropout"].required
    assert "gap_or_fc" not in checks


@pytest.mark.parametrize("name", ["mnist_20k", "mnist_8k"])
@pytest.mark.parametrize("check", ["output", "independent_samples", "same_network", "untrained"])
def test_what_makes_a_grade_honest_is_always_required(shipped, name, check):
    assert shipped[name].checks[check].required


@pytest.mark.parametrize("name", ["mnist_20k", "mnist_8k"])
def test_an_advisory_check_earns_no_points(shipped, name):
    assert all(check.required or check.points == 0 for check in shipped[name].checks.values())


@pytest.mark.parametrize("name", ["mnist_20k", "mnist_8k"])
def test_a_recipes_metric_is_measured_on_images_that_are_held_back(shipped, name):
    assert shipped[name].metric_images == "validation"


def test_an_assignment_may_measure_the_metric_on_the_test_images(tmp_path):
    asked = load(
        write(tmp_path, TEXT.replace("most_seeds =", 'metric_images = "test"\nmost_seeds ='))
    )
    assert (asked.metric_images, asked.validation_images(60_000)) == ("test", 0)


def test_checks_keep_the_order_of_the_file(shipped):
    checks = list(shipped["mnist_8k"].checks)
    assert (checks[0], checks[-3:]) == (
        "parameter_limit",
        ["accuracy", "steady", "time_budget"],
    )


@pytest.mark.parametrize("name", ["mnist_20k", "mnist_8k"])
def test_the_default_recipe_is_one_that_torch_and_torchvision_accept(shipped, name):
    recipe = shipped[name].recipe
    optimizer = getattr(torch.optim, recipe.optimizer.name)(
        [torch.zeros(1)], **recipe.optimizer.settings
    )
    scheduler = getattr(torch.optim.lr_scheduler, recipe.scheduler.name)
    scheduler(optimizer, total_steps=100, **recipe.scheduler.settings)
    for choice in recipe.train_transform:
        getattr(transforms, choice.name)(**choice.settings)


def test_a_misspelt_key_is_named_with_the_known_ones(tmp_path):
    message = message_after(tmp_path, "accuracy = 0.994", "acuracy = 0.994")
    assert "limits.accuracy is missing" in message
    assert (
        "limits.acuracy is not a known key; known: parameters, epochs, receptive_field, accuracy"
        in message
    )
    assert 'Did you mean "accuracy"?' in message


def test_every_mistake_is_named_at_once_with_the_file(tmp_path):
    message = message_after(tmp_path, "accuracy = 0.994", "acuracy = 0.994")
    assert message.startswith(f"{tmp_path / 'mnist_8k' / 'assignment.toml'} has 2 mistakes:")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "batch_norm =",
            "batchnorm =",
            "checks.batchnorm is not a known key; known: accuracy, batch_norm",
        ),
        (
            "protocol =",
            'protocol = "mean_last3" #',
            'protocol = "mean_last3"; known choices: best, last, mean_last_3.',
        ),
        (
            "most_seeds =",
            'metric_images = "train"\nmost_seeds =',
            'metric_images = "train"; known choices: validation, test.',
        ),
        ('"SGD"', '"Sgd"', 'recipe.optimizer.name = "Sgd"; known choices: SGD, Adam'),
        ('"SGD"', '"Sgd"', 'Did you mean "SGD"?'),
        (
            "interval =",
            "intervall =",
            "recipe.scheduler.intervall is not a known key; known: name, settings, interval",
        ),
        (
            '"ToTensor"',
            '"Totensor"',
            'recipe.train_transform.1.name = "Totensor"; known choices: ToTensor',
        ),
        (
            "[[recipe.train_transform]]",
            "[[recipe.transforms]]",
            "recipe.transforms is not a known key; known: epochs",
        ),
        ("classes =", "clases =", "clases is not a known key; known: name, title, dataset"),
        (
            "required = true, points = 20",
            "required = true, pts = 20",
            "checks.parameter_limit.points is missing",
        ),
        (
            "required = true, points = 20",
            "required = true, pts = 20",
            "checks.parameter_limit.pts is not a known key",
        ),
    ],
)
def test_an_unknown_word_is_answered_with_the_known_ones(tmp_path, old, new, said):
    assert said in message_after(tmp_path, old, new)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "accuracy = 0.994",
            "accuracy = 99.4",
            "limits.accuracy = 99.4; write it as a fraction between 0 and 1",
        ),
        ('"<= 8,000"', "8000", 'limits.parameters = 8000; write it as "< 20,000"'),
        ('"<= 8,000"', '"> 8,000"', 'limits.parameters = "> 8,000"; write it as'),
        (
            "epochs = 15\nreceptive",
            'epochs = "15"\nreceptive',
            'limits.epochs = "15"; it must be a whole number.',
        ),
        ("points = 40", "points = -1", "checks.accuracy.points = -1;"),
        (
            "required = true, points = 40",
            "required = 1, points = 40",
            "checks.accuracy.required = 1;",
        ),
        ("seconds = 3600", "seconds = nan", "limits.seconds = "),
        (
            "degrees = 7",
            "degrees = { a = 1 }",
            'recipe.train_transform.0.settings.degrees = {"a": 1}; a setting is',
        ),
        ("degrees = 7", "degrees = inf", "recipe.train_transform.0.settings.degrees = "),
        (
            "classes = 10",
            "classes = 9",
            "dataset 'mnist' has input_shape = [1, 28, 28] and classes = 10",
        ),
        (
            "[recipe]\nepochs = 15",
            "[recipe]\nepochs = 16",
            "recipe.epochs is 16, more than limits.epochs = 15",
        ),
        (
            'dataset = "mnist"',
            'dataset = "mnits"',
            'dataset = "mnits"; known choices: mnist, fashion_mnist, kmnist, emnist_digits, '
            'emnist_letters, emnist_balanced, practice. Did you mean "mnist"?',
        ),
        (
            'dataset = "mnist"',
            'dataset = "emnist_letters"',
            "dataset 'emnist_letters' has input_shape = [1, 28, 28] and classes = 26",
        ),
        (
            "batch_size = 128",
            "batch_size = 60_001",
            "recipe.batch_size is 60,001, but MNIST has only 60,000 training images",
        ),
        ("[limits]", "[limits", "is not valid TOML"),
        ('name = "mnist_8k"', 'name = "mnist_9k"', "its folder is 'mnist_8k'"),
        (
            'name = "mnist_8k"',
            'name = "../x"',
            'name = "../x"; it must be 1 to 40 lower-case letters, digits and underscores',
        ),
        ("accuracy = 0.994", 'accuracy = "high"', 'limits.accuracy = "high"; it must be a number.'),
        ("points = 40", "points = -1", "checks.accuracy.points = -1; it must be at least 0."),
        ("[1, 28, 28]", "[1, 28, 28, 3]", "it must have at most 3 entries, and has 4"),
        ("[1, 28, 28]", "[28, 28]", "input_shape needs three numbers: channels, rows, columns"),
        ("[1, 28, 28]", "28", "input_shape = 28; it must be a list in square brackets."),
        ("required = true, points = 40", "required = 1, points = 40", "it must be true or false."),
        ("most_seeds = 5", "most_seeds = 500", "most_seeds = 500; it must be at most 100."),
        ('title = "', 'title = 5 # "', "title = 5; it must be a text in quotation marks."),
        (
            "{ lr = 0.05, momentum",
            "{ learning_rate = 0.05, momentum",
            "recipe.optimizer: 'learning_rate' is not a setting of SGD; known: lr, dampening, "
            'maximize, momentum, nesterov, weight_decay. Did you mean "lr"?',
        ),
        ("{ lr = 0.05, momentum", "{ lr = 0.05, momentun", 'Did you mean "momentum"?'),
        ("receptive_field = 28", "receptive_field = 280", "an image of MNIST has only 28 pixels"),
        ('"ToTensor"', '"RandomInvert"', "makes no tensor of an image: add ToTensor"),
        ('"RandomRotation"\nsettings = { degrees = 7 }', '"ToTensor"', "has ToTensor twice"),
        (
            'name = "Normalize"',
            'name = "Normalize"\nsettings = { mean = [0.1, 0.1, 0.1], std = [0.3, 0.3, 0.3] }',
            "recipe.train_transform.2.settings.mean has 3 numbers, but an image has 1 channel",
        ),
        ("steps = 225_000", "steps = 100", "more than limits.steps = 100 allow"),
        ("weights = 50_000_000", "weights = 50", "limits.weights is 50, fewer than"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(tmp_path, old, new, said):
    assert said in message_after(tmp_path, old, new)


@pytest.mark.parametrize("name", list(DATASETS))
def test_every_data_set_of_the_table_may_be_asked_for(tmp_path, name):
    classes = f"classes = {DATASETS[name].classes}"
    text = TEXT.replace('dataset = "mnist"', f'dataset = "{name}"').replace("classes = 10", classes)
    assert load(write(tmp_path, text)).dataset == name


def test_one_entry_makes_a_data_set_known(tmp_path, monkeypatch):
    stripes = replace(DATASETS["mnist"], name="stripes", classes=4, input_shape=(1, 20, 24))
    text = TEXT.replace('dataset = "mnist"', 'dataset = "stripes"')
    text = text.replace("classes = 10", "classes = 4").replace("[1, 28, 28]", "[1, 20, 24]")
    text = text.replace("receptive_field = 28", "receptive_field = 20")
    with pytest.raises(GraderError, match="known choices: mnist"):
        load(write(tmp_path, text))
    monkeypatch.setitem(DATASETS, "stripes", stripes)
    assert load(write(tmp_path, text)).input_shape == (1, 20, 24)


def test_a_normalize_without_settings_is_by_the_data_sets_own_mean_and_deviation(tmp_path):
    asked = load(write(tmp_path, TEXT.replace('"mnist"', '"fashion_mnist"')))
    assert asked.recipe.train_transform[-1].settings == {"mean": (0.286,), "std": (0.353,)}


def test_a_normalize_with_settings_keeps_them(tmp_path):
    text = f"{TEXT}settings = {{ mean = [0.5], std = [0.25] }}\n"
    asked = load(write(tmp_path, text))
    assert asked.recipe.train_transform[-1].settings == {"mean": (0.5,), "std": (0.25,)}


@pytest.mark.parametrize("name", ["mnist_20k", "mnist_8k"])
def test_the_shipped_recipes_normalise_as_the_starters_do(shipped, name):
    starter = runpy.run_path(str(ROOT / "assignments" / name / "starter.py"))
    normalize = starter["train_transform"].transforms[-1]
    settings = shipped[name].recipe.train_transform[-1].settings
    assert settings == {"mean": tuple(normalize.mean), "std": tuple(normalize.std)}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(GraderError, match=r"assignment\.toml cannot be read"):
        load(tmp_path)


def test_a_file_that_is_not_utf_8_is_named(tmp_path):
    (tmp_path / "assignment.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(GraderError, match=r"assignment\.toml cannot be read: .*utf-8"):
        load(tmp_path)


def test_a_project_without_assignments_says_where_it_looked(tmp_path):
    with pytest.raises(GraderError, match="holds no assignment"):
        load_all(tmp_path)


def test_a_folder_without_assignment_toml_is_no_assignment(tmp_path):
    write(tmp_path / "assignments", TEXT)
    (tmp_path / "assignments" / "notes").mkdir()
    assert list(load_all(tmp_path)) == ["mnist_8k"]


def test_the_caps_have_defaults(tmp_path):
    caps = ("nodes =", "weights =", "multiply_adds =", "steps =")
    text = "\n".join(line for line in TEXT.splitlines() if not line.startswith(caps))
    limits = load(write(tmp_path, text)).limits
    assert min(limits.nodes, limits.weights, limits.multiply_adds, limits.steps) > 1_000


@given(
    number=st.integers(1, 10**9),
    inclusive=st.booleans(),
    spaced=st.booleans(),
    mark=st.sampled_from([",", "_", ""]),
)
def test_a_bound_allows_just_what_its_words_say(number, inclusive, spaced, mark):
    words = ("<=" if inclusive else "<") + " " * spaced + f"{number:,}".replace(",", mark)
    bound = Bound.model_validate(words)
    assert str(bound) == f"{'<=' if inclusive else '<'} {number:,}"
    assert (bound.allows(number - 1), bound.allows(number), bound.allows(number + 1)) == (
        True,
        inclusive,
        False,
    )


@given(st.text(max_size=12))
def test_any_other_spelling_of_a_bound_is_refused(text):
    if not re.match(r"<=? *[0-9]", text):
        with pytest.raises(ValidationError):
            Bound.model_validate(text)


def test_every_check_that_ships_is_a_known_one(shipped):
    asked = {name for one in shipped.values() for name in one.checks}
    assert asked.isdisjoint(beyond_accuracy.TABLES)
    assert asked.union(beyond_accuracy.TABLES) == set(check_names())


def test_the_known_checks_are_the_functions_in_grader_checks():
    functions = re.findall(
        r"(?m)^def test_(\w+)\(",
        "".join(f.read_text() for f in (ROOT / "grader/checks").glob("*.py")),
    )
    assert sorted(functions) == sorted(check_names())


@pytest.mark.parametrize("name", ["mnist_20k", "mnist_8k"])
def test_the_brief_names_the_limits_and_points_that_the_grader_uses(shipped, name):
    brief = (ROOT / "assignments" / name / "README.md").read_text(encoding="utf-8")
    assignment = shipped[name]
    words = f"{'at most' if assignment.limits.parameters.inclusive else 'fewer than'}"
    rules = {
        "Parameters": (f"{words} {assignment.limits.parameters.number:,}", "parameter_limit"),
        "Epochs": (f"at most {assignment.limits.epochs}", "epochs"),
        "Receptive field": (
            f"{assignment.limits.receptive_field} pixels or more",
            "receptive_field",
        ),
        "Test accuracy": (
            f"at least {assignment.limits.accuracy:.1%}".replace("%", " %"),
            "accuracy",
        ),
        "Dropout": ("at least one layer", "dropout"),
        "Batch normalisation": ("at least one layer", "batch_norm"),
        "Head": ("global average pooling", "gap" if "gap" in assignment.checks else "gap_or_fc"),
        "Training time": ("an hour", "time_budget"),
    }
    for rule, (limit, check) in rules.items():
        (row,) = [line for line in brief.splitlines() if line.startswith(f"| {rule} |")]
        kind = assignment.checks[check]
        assert limit in row
        assert row.endswith(f"| yes | {kind.points:.0f} |" if kind.required else "| advice | – |")


@pytest.mark.parametrize("name", ["mnist_20k", "mnist_8k"])
def test_the_starter_says_what_to_write_next(name):
    starter = runpy.run_path(str(ROOT / "assignments" / name / "starter.py"))
    with pytest.raises(
        NotImplementedError, match="The network is not written yet: create its layers in __init__"
    ):
        starter["Net"]()(torch.zeros(2, 1, 28, 28))


@pytest.mark.parametrize("name", ["mnist_20k", "mnist_8k"])
def test_the_starters_recipe_is_the_assignments_default_one(shipped, name):
    starter = runpy.run_path(str(ROOT / "assignments" / name / "starter.py"))
    recipe = shipped[name].recipe
    given = starter["configure_optimizers"](
        torch.nn.Linear(1, 1), steps_per_epoch=10, epochs=recipe.epochs
    )
    rates = []
    expected = getattr(torch.optim, recipe.optimizer.name)(
        [torch.zeros(1)], **recipe.optimizer.settings
    )
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        expected, total_steps=10 * recipe.epochs, **recipe.scheduler.settings
    )
    for _ in range(10 * recipe.epochs - 1):
        for optimizer, schedule in (
            (given["optimizer"], given["lr_scheduler"]["scheduler"]),
            (expected, scheduler),
        ):
            optimizer.step()
            schedule.step()
        rates.append((given["optimizer"].param_groups[0]["lr"], expected.param_groups[0]["lr"]))
    assert all(ours == theirs for ours, theirs in rates)
    assert given["optimizer"].defaults == expected.defaults
    assert (starter["EPOCHS"], starter["BATCH_SIZE"]) == (recipe.epochs, recipe.batch_size)
    assert [type(item).__name__ for item in starter["train_transform"].transforms] == [
        choice.name for choice in recipe.train_transform
    ]


def test_one_broken_file_leaves_the_others_readable(tmp_path):
    write(tmp_path / "assignments", TEXT)
    other = tmp_path / "assignments" / "other"
    other.mkdir()
    (other / "assignment.toml").write_text("name = [")
    known, broken = load_each(tmp_path)
    assert list(known) == ["mnist_8k"]
    assert isinstance(broken["other"], AssignmentError)
    with pytest.raises(AssignmentError, match="other"):
        load_all(tmp_path)


@pytest.mark.parametrize("kind", sorted(errors._WORDS))
def test_no_refusal_speaks_of_inputs_or_items(kind):
    limits = ("gt", "ge", "lt", "le", "min_length", "max_length", "expected", "expected_tags")
    error = {"type": kind, "msg": "Input should be x", "ctx": dict.fromkeys(limits, 5.0)}
    words = errors.in_words(error)
    assert words.startswith("it ")
    assert "nput" not in words
    assert "5.0" not in words
