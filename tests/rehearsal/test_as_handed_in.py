"""The published projects as their authors wrote them give the recipes of their twins."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader import assignment as assignments
from grader.analysis import summary
from grader.intake import intake
from grader.submission.find import discover

ROOT = Path(__file__).parents[2]
WRITTEN = ROOT / "reference" / "as_handed_in"
ASKED = assignments.load_all(ROOT)
TWINS = {
    "dual_block/train_mnist.py": "mnist_20k/dual_block",
    "dsconv_se": "mnist_20k/dsconv_se",
    "sub_8k": "mnist_8k/sub_8k",
    "progressive/Step_1_Foundation.ipynb": "mnist_8k/c1_foundation",
    "progressive/Step_2_Enhanced.ipynb": "mnist_8k/c2_enhanced",
    "progressive/Step_3_Final.ipynb": "mnist_8k/c3_final",
}
PLACES = {"line", "lines", "name", "names", "module", "place"}
ASIDE = {"recipe", "left_out"}
OF_A_FILE = {"origin", "lines", "remarks", "defaults", "optimizer"}
"""What differs between two ways to write the same recipe; of the optimizer, the weights' names."""
OF_ITS_IMAGES = {"images", "steps_per_epoch", "schedule"}
"""DSConv + SE kept 10,000 training images back; its twin takes what the grader leaves it."""


@pytest.fixture(scope="module")
def captured(sandbox):
    """Take a file or folder in, as the product does."""

    def take(path, assignment):
        (submission,) = discover([path], ASKED, root=ROOT, assignment=assignment)
        found = intake.read(submission, ASKED[assignment], sandbox, train_images=60_000, seeds=[0])
        return found.program

    return take


@pytest.mark.parametrize("name", TWINS)
def test_its_recipe_and_parameters_are_those_of_its_twin(name, captured):
    assignment = TWINS[name].partition("/")[0]
    written = captured(WRITTEN / name, assignment)
    twin = captured(ROOT / "reference" / f"{TWINS[name]}.py", assignment)
    aside = OF_A_FILE | (OF_ITS_IMAGES if name == "dsconv_se" else set())
    assert written.recipe.model_dump(exclude=aside) == twin.recipe.model_dump(exclude=aside)
    assert written.recipe.origin == "rehearsed"
    assert written.recipe.optimizer.name == twin.recipe.optimizer.name
    one, other = ([g.settings for g in p.recipe.optimizer.groups] for p in (written, twin))
    assert one == other
    assert operators(written) == operators(twin)
    one, other = (analysed(program, assignment) for program in (written, twin))
    assert without_places(one) == without_places(other)


COUNTS = {"model_a": "26,458", "model_b": "17,042"}


@pytest.mark.parametrize("name", COUNTS)
def test_a_keras_notebook_is_refused_with_what_it_says_of_itself(name):
    path = WRITTEN / "keras" / f"{name}.ipynb"
    (submission,) = discover([path], ASKED, root=ROOT, assignment="mnist_20k")
    assert submission.problem is not None
    assert "torch.nn.Module" in submission.problem.message
    assert COUNTS[name] in submission.problem.message
    assert submission.problem.line


def analysed(program, assignment):
    """What is said of the network before it is trained, as JSON; the recipe aside."""
    said = summary.to_json(summary.analyse(program), ASKED[assignment])
    return {key: value for key, value in said.items() if key not in ASIDE}


def without_places(value):
    """The same without lines and the names that the student gave."""
    if isinstance(value, list | tuple):
        return [without_places(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: without_places(item) for key, item in value.items() if key not in PLACES}


def operators(program):
    """What the network computes, in order."""
    return [node.op for node in program.eval.nodes if node.op not in ("input", "weight")]
