"""Checks that an assignment brings along: run, shown and explained as the grader's own are."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grader import assignment
from grader.checks import own
from grader.errors import AssignmentError
from grader.report import Report, Verdict
from tests.static_grading import report

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "assignments/mnist_8k/submissions/example.py").read_text(encoding="utf-8")
BATCHES = '''"""How the batches are."""

from dataclasses import dataclass

from grader.report import Hint


@dataclass
class Found:
    images: int


def test_small_batches(recipe, show):
    """The batches are small.

    At most 16 images.
    """
    found = Found(recipe.batch_size)
    hint = Hint(text="Write BATCH_SIZE = 16.")
    show(
        measured=f"{found.images} images",
        asked="<= 16",
        value=found.images,
        relation="<=",
        limit=16,
        unit="images",
        hints=[hint],
    )
    assert found.images <= 16, f"a batch of {found.images} images is not small"
'''
PAGE = """# The batches are small.

A batch holds at most 16 images.

## Why it matters

Small batches make noisy steps.
"""


@pytest.fixture
def project(tmp_path):
    """Make a project with one assignment whose checks/ holds the files given."""

    def make(files, asked=("small_batches",), name="mnist_8k"):
        folder = tmp_path / "project" / "assignments" / name
        original = ROOT / "assignments" / "mnist_8k"
        shutil.copytree(original, folder, ignore=shutil.ignore_patterns("__pycache__"))
        toml = (folder / "assignment.toml").read_text(encoding="utf-8")
        toml = toml.replace('name = "mnist_8k"', f'name = "{name}"')
        for check in asked:
            toml += f"\n[checks.{check}]\nrequired = true\npoints = 5\n"
        (folder / "assignment.toml").write_text(toml, encoding="utf-8")
        for file, text in files.items():
            path = folder / "checks" / file
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return folder

    return make


def results(folder, text=EXAMPLE):
    return {check.name: check for check in report(text, assignment=assignment.load(folder)).checks}


def mistakes(folder):
    with pytest.raises(AssignmentError) as caught:
        assignment.load(folder)
    return str(caught.value)


def test_it_is_run_with_the_graders_fixtures_and_earns_its_points(project):
    folder = project({"test_batches.py": BATCHES})
    found = results(folder)["small_batches"]
    assert (found.title, found.verdict) == ("The batches are small.", Verdict.FAILED)
    assert (found.points, found.max_points, found.value, found.limit) == (0, 5, 128, 16)
    assert found.detail == "a batch of 128 images is not small"
    assert [hint.text for hint in found.hints] == ["Write BATCH_SIZE = 16."]
    found = results(folder, EXAMPLE.replace("BATCH_SIZE = 128", "BATCH_SIZE = 16"))
    assert (found["small_batches"].verdict, found["small_batches"].points) == (Verdict.PASSED, 5)


def test_it_stands_where_the_assignment_names_it(project):
    folder = project({"test_batches.py": BATCHES})
    assert list(results(folder)) == list(assignment.load(folder).checks)


def test_a_changed_file_is_what_is_run_next_also_in_one_process(project):
    folder = project({"test_batches.py": BATCHES})
    assert results(folder)["small_batches"].verdict is Verdict.FAILED
    file = folder / "checks" / "test_batches.py"
    file.write_text(BATCHES.replace("<= 16,", "<= 1600,"), encoding="utf-8")
    assert results(folder)["small_batches"].verdict is Verdict.PASSED


def test_fixtures_of_the_file_work(project):
    text = '''import pytest


@pytest.fixture
def batch(recipe):
    return recipe.batch_size


@pytest.fixture(name="renamed")
def _other():
    return 128


def test_small_batches(batch, renamed, tmp_path, more=1):
    """The batches are as many."""
    assert batch == renamed * more
'''
    folder = project({"test_batches.py": text})
    assert results(folder)["small_batches"].verdict is Verdict.PASSED


def test_pytests_own_fixtures_work_where_they_are_known(project):
    names = [f"has_{fixture}" for fixture in own.OF_PYTEST]
    functions = [
        f'def test_{name}({fixture}):\n    """It is there."""\n'
        for name, fixture in zip(names, own.OF_PYTEST, strict=True)
    ]
    found = results(project({"test_a.py": "\n\n".join(functions)}, asked=names))
    said = {name: (found[name].verdict, found[name].detail) for name in names}
    assert said == dict.fromkeys(names, (Verdict.PASSED, ""))


def test_a_file_that_cannot_be_imported_breaks_its_checks_and_no_other(project):
    folder = project(
        {
            "test_batches.py": "import no_such_package\n" + BATCHES,
            "test_more.py": 'def test_fine():\n    """All is well."""\n',
        },
        asked=("small_batches", "fine"),
    )
    found = results(folder)
    assert found["small_batches"].verdict is Verdict.BROKEN
    assert (
        "test_batches.py cannot be imported: ModuleNotFoundError" in found["small_batches"].detail
    )
    assert found["fine"].verdict is Verdict.PASSED
    assert found["small_batches"].max_points == 0, "what is not the student's fault costs nothing"


def test_a_check_that_raises_is_broken(project):
    folder = project({"test_a.py": "def test_small_batches():\n    1 / 0\n"})
    found = results(folder)["small_batches"]
    assert (found.verdict, found.detail) == (
        Verdict.BROKEN,
        "ZeroDivisionError: division by zero",
    )


def test_an_unknown_fixture_that_is_only_seen_when_it_runs_is_answered_with_the_known(project):
    text = "from os.path import *\n\n\ndef test_small_batches(paramters):\n    assert paramters\n"
    found = results(project({"test_a.py": text}))["small_batches"]
    assert found.verdict is Verdict.BROKEN
    assert "'paramters' is not a fixture; a check may ask for show, limits" in found.detail
    assert 'Did you mean "parameters"?' in found.detail


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"test_a.py": "def test_small_batches(paramters):\n    assert paramters\n"},
            "test_a.py:1: 'paramters' is not a fixture; a check may ask for show, limits, ",
        ),
        (
            {"test_a.py": "def test_small_batches(\n    recipe,\n    sho,\n):\n    sho()\n"},
            "test_a.py:3: 'sho' is not a fixture",
        ),
        ({"test_a.py": "def test_small_batches(:\n"}, "test_a.py:1: this is not valid Python"),
        (
            {"test_a.py": BATCHES, "test_b.py": "\n\ndef test_small_batches():\n    pass\n"},
            "test_b.py:3: test_small_batches is also in test_a.py, line 13",
        ),
        (
            {"test_a.py": BATCHES + "\n\ndef test_accuracy():\n    pass\n"},
            "test_a.py:32: test_accuracy is a check that comes with the grader",
        ),
        (
            {"test_a.py": "async def test_small_batches():\n    pass\n"},
            "test_a.py:1: test_small_batches is async",
        ),
        (
            {
                "test_a.py": "import pytest\n\n\n@pytest.mark.parametrize('x', [1, 2])\n"
                "def test_small_batches(x):\n    assert x\n"
            },
            "test_a.py:4: test_small_batches is parametrized",
        ),
    ],
)
def test_what_can_be_seen_without_running_it_is_said_before_anything_is_graded(
    project, files, said
):
    assert said in mistakes(project(files))


def test_a_check_that_nobody_wrote_is_unknown_and_the_own_ones_are_named(project):
    said = mistakes(project({"test_batches.py": BATCHES}, asked=("smal_batches",)))
    assert "checks.smal_batches is not a known key" in said
    assert 'Did you mean "small_batches"?' in said


def test_what_only_leaves_something_unsaid_stops_no_grading(project):
    folder = project({"test_batches.py": BATCHES, "helper.py": "x = 1\n"})
    (mistake,) = assignment.load(folder).own_checks.mistakes
    assert "Rename it to test_helper.py" in str(mistake)


def test_the_toml_cannot_bring_checks_itself(project):
    folder = project({"test_batches.py": BATCHES})
    toml = folder / "assignment.toml"
    toml.write_text("own_checks = []\n" + toml.read_text(encoding="utf-8"), encoding="utf-8")
    assert "own_checks is not a known key" in mistakes(folder)


def test_no_folder_no_checks(tmp_path):
    assert own.read(tmp_path) is own.NONE


def run(place, *arguments):
    command = [sys.executable, "-m", "grader", *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=place,
        capture_output=True,
        text=True,
        timeout=300,
        env={**__import__("os").environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The example, graded in a process of its own outside of the clone, by `--root`."""
    place = tmp_path_factory.mktemp("elsewhere")
    folder = place / "course [2026]" / "assignments" / "mine"
    no_cache = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "assignments/mnist_8k", folder, ignore=no_cache)
    toml = (folder / "assignment.toml").read_text(encoding="utf-8")
    toml = toml.replace('name = "mnist_8k"', 'name = "mine"').replace(
        "[checks]\n", "[checks]\nsmall_batches = { required = true, points = 5 }\n"
    )
    (folder / "assignment.toml").write_text(toml, encoding="utf-8")
    (folder / "checks").mkdir()
    (folder / "checks/test_batches.py").write_text(BATCHES, encoding="utf-8")
    (folder / "checks/small_batches.md").write_text(PAGE, encoding="utf-8")
    root = folder.parents[1]
    file = folder / "submissions/example.py"
    done = run(place, "grade", file, "--static", "--dataset", "practice", "--root", root, "--quiet")
    assert done.returncode == 1, done.stderr
    return place, root


def test_the_report_has_it(graded):
    place, _ = graded
    text = (place / "grades/mine/example/report.json").read_text(encoding="utf-8")
    found = Report.model_validate_json(text).checks[0]
    assert (found.name, found.verdict, found.value) == ("small_batches", Verdict.FAILED, 128)
    assert not list((place / "course [2026]").rglob("__pycache__"))


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("markdown", "The batches are small"),
        ("html", "The batches are small"),
        ("class", "small_batches"),
        ("csv", "small_batches"),
        ("junit", "small_batches"),
        ("gradescope", "The batches are small"),
        ("sarif", '"text": "The batches are small"'),
        ("annotations", "The batches are small"),
    ],
)
def test_every_export_shows_it(graded, form, said):
    place, _ = graded
    done = run(place, "export", "grades", "--format", form)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


def test_it_is_explained_by_its_page_and_listed(graded):
    place, root = graded
    shown = run(place, "explain", "small_batches", "--root", root).stdout
    assert "small_batches: The batches are small" in shown
    assert "Small batches make noisy steps." in shown
    assert "Checks of mine" in run(place, "explain", "--root", root).stdout
    done = run(place, "explain", "smal_batches", "--root", root)
    assert (done.returncode, done.stdout) == (2, "")
    assert 'Did you mean "small_batches"?' in done.stderr


def test_another_text_of_the_check_is_another_grading(graded):
    place, root = graded
    file = root / "assignments/mine/checks/test_batches.py"
    arguments = ("--static", "--dataset", "practice", "--root", root, "--json")
    example = root / "assignments/mine/submissions/example.py"
    file.write_text(BATCHES.replace("<= 16,", "<= 1600,"), encoding="utf-8")
    found = json.loads(run(place, "grade", example, *arguments).stdout)
    assert found["checks"][0]["verdict"] == "passed"
