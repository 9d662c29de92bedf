"""The rules are measured: on networks of every kind, and on random ones."""

import os
from math import ceil, floor

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from torch import nn

from grader.analysis.receptive_field import proof, rules
from grader.analysis.receptive_field.field import ReceptiveField, find_field
from grader.analysis.receptive_field.rules import windowed
from grader.analysis.receptive_field.sight import AXES, Sight
from grader.analysis.receptive_field.windows import convolution
from grader.ops import Kind
from grader.program import Node
from tests.analysis.graphs import measurable
from tests.analysis.networks import Net
from tests.analysis.receptive_field.measured_networks import NETWORKS, tail
from tests.analysis.receptive_field.random_networks import SHAPE, networks


def proof_of(model: nn.Module, shape=(1, 28, 28)) -> proof.Proof:
    torch.manual_seed(0)
    return proof.measure(*measurable(model.eval(), shape))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_operator_is_proven_by_measurement(name):
    graph, weights = measurable(NETWORKS[name].eval())
    assert find_field(graph).proven
    found = proof.measure(graph, weights)
    assert found.proven, found.text


def test_where_nan_is_lost_rows_are_changed_instead():
    found = proof_of(
        Net(lambda x, a: a(torch.where(x > 0, x, -x)).mean((2, 3)), nn.Conv2d(1, 10, 3))
    )
    assert found.proven
    assert (
        found.text
        == "proven by measurement at 6 operators (behind gt by changing rows instead of NaN)"
    )


def test_images_that_see_each_other_are_named():
    found = proof_of(Net(lambda x, a: F.log_softmax(a(x).mean((2, 3)), dim=0), nn.Conv2d(1, 10, 3)))
    assert found.mixes_images == "log_softmax"
    assert (
        found.text
        == "proven by measurement at 3 operators, before log_softmax lets the images of a batch "
        "see each other"
    )


def test_an_operator_that_should_not_see_the_image_and_does_is_named(monkeypatch):
    monkeypatch.setitem(rules.RULES, Kind.LINEAR, lambda call: None)
    found = proof_of(nn.Sequential(nn.Conv2d(1, 4, 3), *tail(4)))
    assert found.disagreement == "linear sees the image, which the rule denies"


def test_a_wrong_rule_is_found_and_named(monkeypatch):
    monkeypatch.setattr(
        windowed.windows,
        "convolution",
        lambda size, outputs, **window: convolution(size, outputs, **window | {"stride": 1}),
    )
    found = proof_of(nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, stride=2), *tail(4)))
    assert not found.proven
    assert (
        found.disagreement == "conv2d sees fewer rows at position 1 than the rule says"
        or "conv2d" in found.disagreement
    )


@settings(max_examples=2000 if os.environ.get("GRADER_THOROUGH") else 200)
@given(networks())
def test_random_networks_are_proven_at_every_operator(model):
    graph, weights = measurable(model, SHAPE)
    found = proof.measure(graph, weights)
    assert found.proven, found.text
    if not any(_moves_borders(node) for node in graph.nodes):
        assert_within_windows(find_field(graph))


def assert_within_windows(field: ReceptiveField) -> None:
    """What a unit sees exactly lies in what the rule says it sees."""
    for name, answer in field.answers.items():
        for axis in AXES if isinstance(answer, Sight) else ():
            reach = field.reach(name, axis)
            jump = reach.jump or 0
            for position, seen in enumerate(reach.seen):
                low, high = ceil(reach.low + jump * position), floor(reach.high + jump * position)
                outside = [
                    row for row in range(reach.size) if seen >> row & 1 and not low <= row <= high
                ]
                assert not outside, (
                    f"{name} at position {position} sees {axis} {outside}, not in {low} to {high}"
                )


def _moves_borders(node: Node) -> bool:
    """Mirrored and wrapped borders are not part of the window, as the rule says."""
    return "roll" in node.op or {"reflect", "replicate", "circular"} & set(map(str, node.arguments))
