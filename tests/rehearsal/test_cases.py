"""Students' files are rehearsed: the exact recipe comes out, or the exact reason against it."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader import assignment as assignments
from grader.intake import intake, rehearsing
from grader.submission.find import discover
from tests.rehearsal.cases import Case, all_cases
from tests.rehearsal.comparing import differences, steps
from tests.rehearsal.reading_back import lost

ROOT = Path(__file__).parents[2]
ASKED = assignments.load(ROOT / "assignments" / "mnist_20k")
IMAGES = 60_000


def chosen(*, trains: bool) -> list[Case]:
    return [case for case in all_cases() if case.trains is trains]


@pytest.fixture(scope="module")
def rehearsed(sandbox):
    """Rehearse a case, as the product does."""
    return lambda case: rehearsing.rehearse(case.listing, ASKED, sandbox, train_images=IMAGES)


def test_there_are_as_many_scripts_and_notebooks_as_the_habits_need():
    kinds = [case.main.endswith(".ipynb") for case in all_cases()]
    assert kinds.count(False) >= 60
    assert kinds.count(True) >= 60


@pytest.mark.parametrize("case", chosen(trains=True), ids=str)
def test_the_recipe_is_the_students_own(case, rehearsed):
    assert rehearsing.is_rehearsed(case.listing)
    found = rehearsed(case)
    said = [remark.text for remark in found.obstacles]
    assert found.recipe is not None, said
    recipe = found.recipe
    held_back = ASKED.validation_images(IMAGES)
    expected = steps(case, train_images=IMAGES, held_back=held_back)
    assert differences(case, recipe, steps_per_epoch=expected) == []
    assert lost(found, ASKED, train_images=IMAGES) == []  # as `recipe --write` prints it
    if not case.main.endswith(".ipynb"):
        check_notes(case, found.notes)
    check_network(case, found.training.network)
    check_lines(case, found.training)
    if case["trainings"]:
        stepped = [training for training in found.rehearsal.trainings if training.steps]
        assert len(stepped) == case["trainings"]


def check_notes(case, remarks):
    """What the student is told beside the recipe."""
    notes = " ".join(remark.text for remark in remarks)
    for word in case["notes"] or []:
        assert word in notes


@pytest.mark.parametrize(
    "case",
    [case for case in chosen(trains=True) if case["notes"] and case.main.endswith(".ipynb")],
    ids=str,
)
def test_a_notebook_is_read_with_what_is_stored_of_its_last_run(case, sandbox, tmp_path):
    path = case.write(tmp_path)
    (submission,) = discover([path], {"mnist_20k": ASKED}, root=ROOT, assignment="mnist_20k")
    found = intake.rehearse(submission, ASKED, sandbox, IMAGES)
    assert found is not None
    check_notes(case, (*submission.notes, *found.notes))


def check_network(case, network):
    """The class that was trained, in its file, and what it was built with."""
    if case["network"]:
        assert network.name == case["network"]
    if case["network_file"]:
        assert network.file == case["network_file"]
    if case["arguments"]:
        assert list(network.arguments) == case["arguments"]
    if case["keywords"]:
        assert network.keywords == case["keywords"]


def check_lines(case, training):
    """The lines where the file says it."""
    lines = {fact.name: fact.line for fact in training.facts} | training.recipe.lines
    for name in ("optimizer", "loss"):
        text = case[f"{name}_at"]
        if text:
            assert lines[name] in case.lines_of(text)


@pytest.mark.parametrize("case", chosen(trains=False), ids=str)
def test_a_recipe_that_cannot_be_used_is_refused_with_its_reason(case, rehearsed):
    if not rehearsing.is_rehearsed(case.listing):
        assert not case["refused"], "it trains, and is not even rehearsed"
        return
    found = rehearsed(case)
    if found.recipe is not None and case["or_recipe"]:
        expected = steps(case, train_images=IMAGES, held_back=0)
        assert differences(case, found.recipe, steps_per_epoch=expected) == []
        return
    assert found.recipe is None
    assert found.obstacles
    said = " ".join(remark.text for remark in found.obstacles)
    for word in case["refused"]:
        assert word in said
    if case["at"]:
        lines = {remark.line for remark in found.obstacles}
        assert lines & case.lines_of(case["at"])
