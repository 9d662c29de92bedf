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
from grader.errors import SubmissionError
from grader.program.graph import Node
from grader.program.ops import Kind
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


@settings(max_examples=2000 if os.environ.get("GRADER_THOROUGH") else 60)
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


def compared(x, a):
    x = a(x)
    return (x * (x > 1e9)).mean((2, 3))


def test_what_is_measured_behind_a_comparison_is_only_an_upper_bound():
    found = proof_of(Net(compared, nn.Conv2d(1, 10, 3)))
    assert (found.disagreement, found.proven) == ("", False)
    assert found.within > 0
    assert f"{found.within} of them as an upper bound" in found.text


def test_what_is_measured_beyond_the_rule_disagrees_behind_a_comparison_too(monkeypatch):
    def narrow(size, outputs, **window):
        return convolution(size, outputs, **window | {"kernel": 1})

    monkeypatch.setattr(windowed.windows, "convolution", narrow)
    found = proof_of(Net(lambda x, a: a((x > 0.5) * x).mean((2, 3)), nn.Conv2d(1, 10, 3)))
    assert not found.proven
    assert "conv2d sees more rows" in found.disagreement


class Look(nn.Module):
    """A look-up by grey value, in a table of `size` rows."""

    def __init__(self, *size: int):
        super().__init__()
        self.table = nn.Parameter(torch.randn(size))
        self.convolve = nn.Conv2d(size[1] if len(size) > 1 else 1, 10, 3)

    def forward(self, x):
        x = self.table[(x * (len(self.table) - 1)).round().long()]
        return self.convolve(x.squeeze(1).movedim(-1, 1) if x.ndim > 4 else x).mean((2, 3))


@pytest.mark.parametrize("size", [(10,), (256,), (2,), (16, 3)])
def test_a_look_up_by_grey_value_is_measured(size):
    graph, weights = measurable(Look(*size).eval())
    field = find_field(graph)
    found = proof.measure(graph, weights)
    assert found.disagreement == ""
    assert found.nodes > 5
    assert (field.rows, field.proven) == (3, True)


def test_what_fails_on_ordinary_images_is_the_submissions_matter():
    class TooShort(Look):
        def forward(self, x):
            return self.convolve(self.table[(x * 999).long()]).mean((2, 3))

    with pytest.raises(SubmissionError, match="index fails on images whose pixels lie between"):
        proof_of(TooShort(10))
