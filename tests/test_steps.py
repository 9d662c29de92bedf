"""Assignments in steps, from the file of rules to the report on the journey."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from grader import report as reports
from grader.assignment import load
from grader.command import journey, stepwise
from grader.errors import AssignmentError
from grader.report import Verdict
from grader.submission import find
from grader.submission.submission import UsageError
from tests import report_examples as examples

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "assignments" / "mnist_progressive"
ASKED = load(FOLDER)
PUBLISHED = ROOT / "reference" / "mnist_progressive" / "published"
RULES = (FOLDER / "assignment.toml").read_text(encoding="utf-8")

# The rules


def refused(folder, old, new):
    assert old in RULES
    (folder / "mnist_progressive").mkdir()
    file = folder / "mnist_progressive" / "assignment.toml"
    file.write_text(RULES.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(AssignmentError) as caught:
        load(file.parent)
    return str(caught.value)


def test_a_step_is_an_assignment_of_its_own():
    first, second, third = (ASKED.of_step(step.name) for step in ASKED.steps)
    assert [one.limits.accuracy for one in (first, second, third)] == [0.96, 0.985, 0.994]
    assert [one.protocol for one in (first, second, third)] == ["best", "best", "mean_last_3"]
    assert [one.points for one in (first, second, third)] == [25, 30, 45]
    assert ASKED.points == 100
    assert {str(one.limits.parameters) for one in (first, second, third)} == {"<= 8,000"}
    assert third.steps == ()


def test_what_only_a_step_asks_is_asked_before_its_training_starts():
    checks = list(ASKED.of_step("step_2").checks)
    assert checks[0] == "batch_norm"
    assert checks[1:] == list(ASKED.checks)


def test_no_name_means_the_whole_assignment():
    assert ASKED.of_step("") is ASKED


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "limits = { accuracy = 0.96 }",
            "limits = { acuracy = 0.96 }",
            "steps.0.limits.acuracy is not a known key; known: parameters, epochs, "
            'receptive_field, accuracy, seconds. Did you mean "accuracy"?',
        ),
        ('name = "step_2"', 'name = "step_1"', "too much like another step's"),
        ('name = "step_2"', 'name = "step_1_more"', "too much like another step's"),
        (
            "limits = { accuracy = 0.985 }",
            "limits = { epochs = 9 }",
            "steps.1: recipe.epochs is 15, more than limits.epochs = 9 allows",
        ),
        ('network = "Step1"', 'network = "a b"', "steps.0.network"),
    ],
)
def test_a_mistake_in_a_step_is_named_with_its_place(tmp_path, old, new, said):
    assert said in refused(tmp_path, old, new)


# The journey, composed


def work(names=("step_1", "step_2", "step_3")):
    (item,) = find.look(
        [PUBLISHED],
        ["mnist_progressive"],
        root=ROOT,
        steps={"mnist_progressive": ASKED.steps},
    ).submissions
    return item


def graded(step, accuracy, *, seeds=3, **more):
    """A report on a step whose runs all have that accuracy in every epoch, but for an image."""
    runs = []
    for seed in range(seeds):
        one = examples.run(seed=seed)
        correct = round(10_000 * accuracy) + seed % 2
        epochs = tuple(row.model_copy(update={"correct": correct}) for row in one.epochs)
        runs.append(one.model_copy(update={"epochs": epochs}))
    training = examples.training(*runs, score=accuracy, protocol="best", practice=False)
    found = {"submission": f"ada/{step}", "step": step, "training": training, **more}
    return examples.passed().model_copy(update=found)


def test_the_journey_has_a_check_and_a_row_for_each_step_and_the_points_of_all():
    found = [graded(f"step_{number}", 0.99 + number / 1_000) for number in (1, 2, 3)]
    found[1] = found[1].model_copy(update={"verdict": Verdict.FAILED, "points": 5.0})
    whole = journey.compose(work(), ASKED, found)
    assert [check.name for check in whole.checks] == ["step_1", "step_2", "step_3"]
    assert whole.verdict is Verdict.FAILED
    assert whole.points == found[0].points + 5 + found[2].points
    assert whole.max_points == sum(one.max_points for one in found)
    assert (whole.submission, whole.step, whole.problem) == ("published", "", None)
    assert [row.report for row in whole.steps] == ["ada/step_1", "ada/step_2", "ada/step_3"]
    assert whole.training == found[2].training
    assert reports.read(whole.model_dump_json()) == whole


def test_what_helped_beyond_noise_is_told_from_what_did_not():
    found = [graded("step_1", 0.990), graded("step_2", 0.994), graded("step_3", 0.9941)]
    first, second, third = journey.compose(work(), ASKED, found).steps
    assert first.helped is None
    assert (second.helped.answer, third.helped.answer) == ("better", "within noise")
    assert second.helped.difference == pytest.approx(0.004)
    assert third.helped.seeds > 100
    assert first.network is None
    assert second.network == ()


def test_results_on_other_images_are_not_compared():
    other = graded("step_2", 0.994)
    training = other.training.model_copy(update={"dataset": "Fashion-MNIST"})
    found = [graded("step_1", 0.99), other.model_copy(update={"training": training})]
    assert journey.compose(work(), ASKED, found).steps[1].helped is None


def test_a_step_that_cannot_be_read_takes_no_other_with_it():
    broken = examples.uncaptured().model_copy(update={"step": "step_2", "submission": "ada/step_2"})
    found = [graded("step_1", 0.97), broken, graded("step_3", 0.994)]
    whole = journey.compose(work(), ASKED, found)
    assert whole.problem is None
    assert whole.verdict is Verdict.FAILED
    assert broken.problem.message in whole.checks[1].detail
    assert whole.steps[1].problem == broken.problem.message
    assert whole.steps[2].helped.answer == "better"  # than step 1


def test_an_interrupted_step_is_the_last_one():
    asked = []

    def grade_one(part, assignment):
        asked.append((part.name, assignment.title))
        return graded(part.step, 0.97, interrupted=len(asked) == 2)

    whole = stepwise.grade(work(), ASKED, grade_one)
    assert asked == [
        ("published/step_1", "MNIST in three steps: Step 1"),
        ("published/step_2", "MNIST in three steps: Step 2"),
    ]
    assert whole.interrupted
    assert (whole.checks[2].verdict, len(whole.steps)) == (Verdict.SKIPPED, 2)


def test_hints_name_the_file_of_their_step():
    found = [graded(f"step_{number}", 0.99) for number in (1, 2, 3)]
    failed = examples.failed()
    found[1] = failed.model_copy(update={"step": "step_2", "submission": "ada/step_2"})
    whole = journey.compose(work(), ASKED, found)
    hints = [hint for hint in whole.checks[1].hints if hint.line]
    assert hints
    assert {hint.file for hint in hints} == {"step_2.py"}


def test_a_command_about_one_network_refuses_a_work_of_several():
    with pytest.raises(UsageError, match=r"a work in 3 steps, and recipe takes one network"):
        stepwise.refuse(ASKED, work(), "recipe")


# The commands


def run(*arguments, cwd):
    command = [sys.executable, "-m", "grader", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


NET = '''"""Target: 96 %
Result: 96.5 %
Analysis: Small.
"""
from torch import nn

EPOCHS = 1
BATCH_SIZE = 256


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(1, WIDTH, 5, stride=4), nn.BatchNorm2d(WIDTH), nn.ReLU(),
            nn.Conv2d(WIDTH, 10, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A class of one, whose step 3 is too large: graded once with training."""
    folder = tmp_path_factory.mktemp("steps")
    for number, width in ((1, 2), (2, 4), (3, 600)):
        file = folder / "class" / "ada" / f"step_{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(NET.replace("WIDTH", str(width)), encoding="utf-8")
    return folder


def options(place):
    common = ["--assignment", "mnist_progressive", "--root", ROOT, "--dataset", "practice"]
    return [*common, "--output", place / "grades", "--seeds", "1", "--quiet"]


@pytest.fixture(scope="module")
def trained(place):
    done = run("grade", place / "class" / "ada", *options(place), cwd=place)
    assert done.returncode == 1, done.stderr
    return done


@pytest.fixture
def whole(place, trained):
    file = place / "grades" / "mnist_progressive" / "ada" / "report.json"
    return reports.read(file.read_bytes())


def test_each_step_has_a_report_of_its_own_inside_of_the_works(place, whole):
    for row in whole.steps:
        file = place / "grades" / "mnist_progressive" / row.report / "report.json"
        own = reports.read(file.read_bytes())
        assert (own.step, own.points) == (row.name, row.points)
    assert [row.parameters for row in whole.steps[:2]] == [86, 162]


def test_the_journey_says_what_changed_and_what_was_trained(whole):
    first, second, third = whole.steps
    assert (first.seeds, second.seeds, third.seeds) == (1, 1, 0)
    assert second.network == ("2 → 4 channels in convolution 1",)
    assert second.recipe == ()
    assert second.helped.answer in ("better", "worse", "within noise")
    assert second.claimed == 0.965
    assert whole.checks[2].verdict is Verdict.FAILED
    assert "too many for the limit of <= 8,000" in whole.checks[2].detail


def test_only_a_step_that_has_changed_is_graded_again_also_in_a_class(place, whole):
    folder = place / "grades" / "mnist_progressive" / "ada"
    first, second = (folder / step / "report.json" for step in ("step_1", "step_2"))
    before = first.read_bytes(), second.read_bytes()
    file = place / "class" / "ada" / "step_2.py"
    file.write_text(file.read_text(encoding="utf-8") + "# wider next time\n", encoding="utf-8")
    done = run("class", place / "class", *options(place), "--jobs", "1", cwd=place)
    assert done.returncode == 0, done.stderr
    again = reports.read((folder / "report.json").read_bytes())
    assert first.read_bytes() == before[0]
    assert second.read_bytes() != before[1]
    assert again.steps[0] == whole.steps[0]
    assert again.sha256 != whole.sha256
    lines = (folder.parent / "class.csv").read_text(encoding="utf-8").strip().splitlines()
    assert len(lines) == 2  # the head and ada
    assert (folder / "report.html").exists()
    assert (folder / "step_2" / "report.html").exists()


def test_reports_of_steps_are_no_works_of_a_class(place, whole):
    done = run("export", place / "grades", "--format", "csv", cwd=place)
    assert len(done.stdout.strip().splitlines()) == 2  # the head and ada


def test_two_reports_are_compared(place, whole):
    folder = place / "grades" / "mnist_progressive" / "ada"
    done = run("compare", folder / "step_1", folder / "step_2", "--json", cwd=place)
    found = json.loads(done.stdout)
    assert found["network"] == ["2 → 4 channels in convolution 1"]
    assert (found["first"]["parameters"], found["second"]["parameters"]) == (86, 162)
    assert len(found["curves"]) == 1
    assert found["difference"]["answer"] in ("better", "worse", "within noise")


def test_a_saved_step_is_shown_by_its_name(place, whole):
    done = run("report", "ada/step_2", "--output", place / "grades", cwd=place)
    assert "MNIST in three steps: Step 2" in done.stdout
    done = run("report", "ada", "--output", place / "grades", cwd=place)
    assert "The journey" in done.stdout
    assert "2 → 4 channels in convolution 1" in done.stdout


def test_commands_about_one_network_say_so(place):
    asked = ["--assignment", "mnist_progressive", "--root", ROOT]
    done = run("recipe", place / "class" / "ada", *asked, cwd=place)
    assert done.returncode == 2
    assert "recipe takes one network: name the file of one step" in " ".join(done.stderr.split())
    done = run("new-assignment", "mine", "--from", "mnist_progressive", cwd=place)
    assert done.returncode == 2
    assert "is an assignment in steps" in " ".join(done.stderr.split())
