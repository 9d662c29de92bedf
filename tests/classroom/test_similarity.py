"""Which works of a class are put side by side, and which honest coincidences are told apart."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.classroom import similarity, wording
from grader.classroom.similarity import Layer, Work, distance, groups

NETWORK = '''
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    """Two convolutions."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3)
        self.bn2 = nn.BatchNorm2d(16)
        self.drop = nn.Dropout(0.05)
        self.out = nn.Conv2d(16, 10, 1)

    def forward(self, x):
        x = F.max_pool2d(self.bn1(F.relu(self.conv1(x))), 2)
        x = self.drop(self.bn2(F.relu(self.conv2(x))))
        return F.log_softmax(F.adaptive_avg_pool2d(self.out(x), 1).flatten(1), dim=1)


for epoch in range(15):
    for images, labels in loader:
        optimizer.zero_grad()
        loss = F.nll_loss(net(images), labels)
        loss.backward()
        optimizer.step()
'''
OTHER = """
from torch import nn


def block(inside, outside):
    return nn.Sequential(nn.Conv2d(inside, outside, 3, bias=False), nn.ReLU())


class Digits(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.features = nn.Sequential(
            block(1, width), block(width, width), nn.MaxPool2d(2), block(width, 2 * width)
        )
        self.head = nn.Linear(2 * width, 10)

    def forward(self, picture):
        found = self.features(picture).mean((2, 3))
        return self.head(found)


def fit(network, batches, rate, rounds):
    solver = torch.optim.Adam(network.parameters(), rate)
    for number in range(rounds):
        total = 0.0
        for picture, digit in batches:
            solver.zero_grad(set_to_none=True)
            error = nn.functional.cross_entropy(network(picture), digit)
            error.backward()
            solver.step()
            total += error.item()
        print(number, total)
"""


def renamed(source):
    """As one hides a copy: other names, other comments, other layout."""
    for old, new in {
        "conv1": "first_layer",
        "conv2": "second_layer",
        "bn1": "norm_a",
        "bn2": "norm_b",
        "Net": "DigitModel",
        "drop": "regulariser",
        "images": "batch",
        "labels": "targets",
        "optimizer": "opt",
        "epoch": "e",
    }.items():
        source = re.sub(rf"\b{old}\b", new, source)
    source = source.replace('"""Two convolutions."""', '"""My very own idea."""')
    return source.replace("        x = F.max", "        # look\n        x = F.max")


def work(name, source, architecture="", layers=(), recipe=""):
    settings = (("optimizer", recipe),) if recipe else ()
    return Work(name, (source,), architecture, layers, settings)


def kinds(found):
    return {group.kind: group.names for group in found}


def test_a_copy_with_other_names_and_comments_is_put_beside_its_source():
    found = groups([work("a", NETWORK), work("b", renamed(NETWORK)), work("c", OTHER)])
    assert kinds(found) == {"text": ("a", "b")}
    assert found[0].closest[0].text > 0.9


def test_works_of_their_own_are_not():
    assert groups([work("a", NETWORK), work("b", OTHER)]) == []


def test_what_was_handed_out_is_nobody_s_copy():
    starter = work("starter.py", NETWORK)
    mine, theirs = NETWORK + OTHER[:400], NETWORK + "\nprint('hello')\n"
    assert groups([work("a", mine), work("b", theirs)], [starter]) == []


def test_what_a_quarter_of_the_class_writes_is_how_the_class_writes():
    lecture = NETWORK.partition("for epoch")[2]
    works = [
        work(f"student {number}", f"for epoch{lecture}\nvalue_{number} = {number}")
        for number in range(12)
    ]
    assert groups(works) == []


def test_four_who_copied_from_each_other_are_no_habit_of_a_class_of_twelve():
    ring = [work(f"ring {number}", f"{NETWORK}\nvalue = {number}") for number in range(4)]
    own = [
        work(f"own {number}", "\n".join(f"x{number} = {number} * {n}" for n in range(40)))
        for number in range(8)
    ]
    assert kinds(groups(ring + own))["text"] == tuple(one.name for one in ring)


def test_a_line_of_ones_own_after_what_was_handed_out_is_nobodys_copy():
    """The passage that reaches over the end of the starter is the same in both."""
    starter = work("starter.py", NETWORK)
    assert (
        groups([work("a", f"{NETWORK}\nx = 1\n"), work("b", f"{NETWORK}\ny = 2\n")], [starter])
        == []
    )


CONV = Layer("Conv2d 3×3", (8, 28, 28))
NET = (CONV, Layer("BatchNorm2d", (8, 28, 28)), Layer("MaxPool2d 2×2", (8, 14, 14)))
WIDER = tuple(Layer(layer.kind, (9, *layer.shape[1:])) for layer in NET)
FLAT = (CONV, Layer("Flatten", (6272,)), Layer("Linear", (10,)))


def test_the_same_network_is_a_group_and_so_is_the_same_with_the_recipe():
    works = [
        work("a", "", "x", NET, "sgd"),
        work("b", "", "x", NET, "sgd"),
        work("c", "", "x", NET, "adam"),
        work("d", "", "y", FLAT, "sgd"),
    ]
    assert kinds(groups(works)) == {
        "network and recipe": ("a", "b"),
        "network": ("a", "b", "c"),
        "recipe": ("a", "b", "d"),
    }


def test_a_group_says_how_common_its_network_is_and_who_handed_it_out():
    works = [work(name, "", "x", NET) for name in "abc"] + [work("d", "", "y", FLAT)]
    (group,) = groups(works, [work("starter.py", "", "x", NET)])
    assert (group.share, group.handed_out) == (0.75, ("starter.py",))


def test_a_width_that_was_changed_by_one_is_nearly_the_same_network():
    found = groups([work("a", "", "x", NET), work("b", "", "y", WIDER), work("c", "", "z", FLAT)])
    assert kinds(found) == {"nearly the same network": ("a", "b")}


def test_networks_that_were_never_captured_are_not_alike():
    assert groups([work("a", ""), work("b", "")]) == []
    (pair,) = groups([work("a", NETWORK), work("b", renamed(NETWORK))])[0].closest
    assert pair.network is None


def test_two_layers_that_were_swapped_are_one_edit():
    long = tuple(Layer(kind, (8,)) for kind in "abcdefgh")
    swapped = (*long[:3], long[4], long[3], *long[5:])
    assert distance(long, swapped) == 1 / 8
    assert kinds(groups([work("a", "", "x", long), work("b", "", "y", swapped)])) == {
        "nearly the same network": ("a", "b")
    }


def test_two_students_who_took_the_starter_s_network_are_told_from_a_copy():
    starter = work("starter.py", NETWORK, "x", NET)
    honest = [work("a", NETWORK + "\nrate = 0.1\n", "x", NET), work("b", NETWORK, "x", NET, "sgd")]
    others = [work("c", OTHER, "y", FLAT)]
    (group,) = groups(honest + others, [starter])
    assert (group.kind, group.names) == ("network", ("a", "b"))
    assert group.handed_out == ("starter.py",)
    assert group.closest[0].text == 0


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ((("lr", 0.1), ("name", "SGD")), (("lr", 0.1), ("name", "SGD")), 0),
        ((("lr", 0.1), ("name", "SGD")), (("lr", 0.05), ("name", "SGD")), 0.25),
        ((("lr", 0.1), ("name", "SGD")), (("lr", 0.1), ("name", "Adam")), 0.5),
        ((("lr", 0.1),), (("lr", 0.1), ("gamma", 0.7)), 0.5),
        ((("lr", 0.1),), (("lr", -0.1),), 1),
        ((), (("lr", 0.1),), 1),
        ((), (), 1),
    ],
)
def test_recipes_are_apart_by_the_share_of_settings_that_differ(one, other, apart):
    assert similarity.recipe_distance(one, other) == apart
    assert similarity.recipe_distance(other, one) == apart


def test_a_thousand_networks_of_one_form_are_one_group_within_seconds():
    """Every pair is near some other: pairs that hang together already are not measured again."""
    kinds_of_all = [f"kind {place}" for place in range(12)]
    works = [
        work(
            f"{number:04}", "", f"{number}", [Layer(kind, (100 + number,)) for kind in kinds_of_all]
        )
        for number in range(1000)
    ]
    began = time.process_time()
    (group,) = groups(works)
    assert len(group.names) == 1000
    assert time.process_time() - began < 20  # half a second, where each pair costs a walk: 84


LAYERS = st.lists(
    st.builds(Layer, st.sampled_from("abc"), st.tuples(st.integers(1, 4))), min_size=1, max_size=6
)


@given(LAYERS, LAYERS)
def test_a_distance_is_a_distance(one, other):
    found = distance(one, other)
    assert 0 <= found <= 1
    assert found == distance(other, one)
    assert (found == 0) == (one == other)


@given(LAYERS, LAYERS)
def test_networks_that_are_near_are_never_passed_over_unmeasured(one, other):
    first, second = work("a", "", "x", tuple(one)), work("b", "", "y", tuple(other))
    near = distance(one, other) <= similarity.ALIKE_NETWORK
    assert bool(groups([first, second])) == near


@given(st.lists(st.integers(0, 30), max_size=60), st.lists(st.integers(0, 30), max_size=60))
def test_any_long_passage_in_common_is_found(before, after):
    """The guarantee of winnowing: a common run of that many tokens leaves a common hash."""
    common = " ".join(str(1000 + number) for number in range(wording.GUARANTEED))
    one = wording.passages(" ".join(map(str, before)) + f" {common} ")
    other = wording.passages(f"{common} " + " ".join(map(str, after)))
    assert one & other


@pytest.mark.parametrize("source", ["", "x = 1", "def f(:", "'''never ends", "\x00", "a\tb\n  c"])
def test_a_text_that_is_short_or_no_python_has_few_passages_and_no_error(source):
    assert wording.in_common(wording.passages(source), wording.passages(NETWORK)) == 0
