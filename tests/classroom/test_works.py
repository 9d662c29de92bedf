"""Real works side by side: copies in disguise are found, honest coincidences are told apart."""

from functools import cache
from pathlib import Path

import pytest

from grader.assignment import load
from grader.classroom import works
from grader.classroom.similarity import distance, groups, recipe_distance
from grader.program.listing import Listing
from tests.static_grading import ROOT, report

STARTER = Path(ROOT, "assignments/mnist_8k/submissions/example.py").read_text(encoding="utf-8")
NETWORK = """
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.first_norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 12, 3, padding=1)
        self.second_norm = nn.BatchNorm2d(12)
        self.third = nn.Conv2d(12, 16, 3, padding=1)
        self.drop = nn.Dropout(0.05)
        self.last = nn.Linear(16, 10)

    def forward(self, images):
        images = F.max_pool2d(F.relu(self.first_norm(self.first(images))), 2)
        images = F.max_pool2d(F.relu(self.second_norm(self.second(images))), 2)
        images = self.drop(F.relu(self.third(images)))
        return self.last(images.mean((2, 3)))
"""
RECIPE = """
import torch

EPOCHS = 3
BATCH_SIZE = 64


def configure_optimizers(model, steps_per_epoch, epochs):
    return torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
"""
RENAMED = NETWORK.replace("first", "alpha").replace("second", "beta").replace("images", "x")
DECLARED_LATER = NETWORK.replace(
    "        self.first = nn.Conv2d(1, 8, 3, padding=1)\n", ""
).replace(
    "        self.last =", "        self.first = nn.Conv2d(1, 8, 3, padding=1)\n        self.last ="
)
REORDERED = NETWORK.replace(
    "F.max_pool2d(F.relu(self.first_norm(self.first(images))), 2)",
    "F.relu(self.first_norm(F.max_pool2d(self.first(images), 2)))",
)
WIDER = NETWORK.replace("12", "13")
OTHER = """
from torch import nn


def block(inside, outside):
    return nn.Sequential(nn.Conv2d(inside, outside, 5, bias=False), nn.ReLU(), nn.MaxPool2d(2))


class Digits(nn.Module):
    def __init__(self, width=6):
        super().__init__()
        self.whole = nn.Sequential(block(1, width), block(width, 2 * width), nn.Flatten())
        self.scores = nn.Linear(2 * width * 16, 10)

    def forward(self, picture):
        return self.scores(self.whole(picture))
"""


@cache
def work(name: str, source: str):
    assignment = load(Path(ROOT, "assignments/mnist_8k"))
    graded = report(source, f"{name}.py", assignment).model_copy(update={"submission": name})
    assert graded.problem is None
    return works.work(Listing.of_file(f"{name}.py", source), graded)


def kinds(found):
    return {group.kind: group.names for group in found}


@pytest.mark.parametrize("disguised", [RENAMED, DECLARED_LATER], ids=["renamed", "declared later"])
def test_other_names_and_another_order_of_declarations_hide_nothing(disguised):
    one, other = work("one", NETWORK), work("other", disguised)
    assert one.architecture == other.architecture
    found = kinds(groups([one, other, work("own", OTHER)]))
    assert found["text"] == found["network"] == ("one", "other")


@pytest.mark.parametrize("changed", [REORDERED, WIDER], ids=["reordered", "wider"])
def test_a_layer_that_moved_and_a_width_that_changed_are_nearly_the_same_network(changed):
    one, other = work("one", NETWORK), work("other", changed)
    assert one.architecture != other.architecture
    assert 0 < distance(one.layers, other.layers) < 0.15
    found = kinds(groups([one, other, work("own", OTHER)]))
    assert found["nearly the same network"] == ("one", "other")


def test_a_network_of_its_own_is_far_from_the_others():
    assert distance(work("one", NETWORK).layers, work("own", OTHER).layers) > 0.5
    assert groups([work("one", NETWORK), work("own", OTHER)]) == []


def test_two_who_kept_the_starters_network_are_no_copies():
    starter = work("starter.py", STARTER)
    one = work("one", f"{STARTER}\nBATCH_SIZE = 100\n")
    other = work("other", f"# my own words\n{STARTER}\nEPOCHS = 7\n")
    found = groups([one, other, work("own", OTHER)], [starter])
    assert "text" not in kinds(found)
    network = next(group for group in found if group.names == ("one", "other"))
    assert network.handed_out == ("starter.py",)
    assert network.share == 2 / 3


def test_a_recipe_is_compared_by_its_settings_and_the_assignments_own_by_nothing():
    slow = work("slow", NETWORK + RECIPE.replace("RATE", "0.01"))
    fast = work("fast", OTHER + RECIPE.replace("RATE", "0.02"))
    same = work("same", OTHER + RECIPE.replace("RATE", "0.01"))
    assert slow.recipe == same.recipe
    assert 0 < recipe_distance(slow.recipe, fast.recipe) < 0.2
    assert work("one", NETWORK).recipe == ()
    assert kinds(groups([slow, same, fast]))["recipe"] == ("same", "slow")
