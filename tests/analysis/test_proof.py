"""The rules are measured: on networks of every kind, and on random ones."""

import os
from math import ceil, floor

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from torch import nn

from grader.analysis import proof
from grader.analysis.rules import windowed
from grader.analysis.receptive_field import receptive_field
from grader.analysis.sight import AXES
from grader.analysis.windows import convolution
from grader.program import Node
from tests.analysis.graphs import graph_of, measurable
from tests.analysis.networks import DsconvSe, Net, model_a, sub_8k
from tests.analysis.random_networks import SHAPE, networks


def tail(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]


def proof_of(model: nn.Module, shape=(1, 28, 28)) -> proof.Proof:
    torch.manual_seed(0)
    return proof.measure(*measurable(model.eval(), shape))


def _cat_of_strides(x, convolve):
    return convolve(torch.cat([x[:, :, ::2], x[:, :, 1::2]], dim=2)).mean((2, 3))


def _tokens(x, patches, query, classify):
    tokens = patches(x).flatten(2).transpose(1, 2)
    scores = torch.softmax(query(tokens) @ tokens.transpose(1, 2), dim=-1)
    return classify((scores @ tokens).mean(1))


def _patches(x, first, second):
    return second(first(F.unfold(x, 3, padding=1, stride=2).transpose(1, 2)).mean(1))


def _shuffle(x, convolve):
    return convolve(F.pixel_shuffle(F.pixel_unshuffle(x, 2).roll(1, 1), 2)).mean((2, 3))


def _in_place(x, convolve):
    out = torch.zeros(x.shape[0], 10, 26, 26)
    out[:, 2:8] = convolve(x)
    return out.relu_().mean((2, 3))


NETWORKS = {
    "sub_8k": sub_8k(),
    "model_a": model_a(),
    "dsconv_se": DsconvSe(),
    "dilation": nn.Sequential(nn.Conv2d(1, 4, 3, dilation=3, padding=2), nn.MaxPool2d(3, 2, 1), *tail(4)),
    "ceil_mode": nn.Sequential(nn.Conv2d(1, 4, 4), nn.AvgPool2d(3, 2, ceil_mode=True), nn.Conv2d(4, 4, 3), *tail(4)),
    "groups": nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 8, 5, groups=4), nn.Conv2d(8, 8, 3, groups=2), *tail(8)),
    "same": nn.Sequential(nn.Conv2d(1, 4, 4, padding="same"), nn.Conv2d(4, 4, (1, 5), padding="same"), *tail(4)),
    "transposed": nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2),
        nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1),
        nn.ConvTranspose2d(4, 4, 2, stride=3),
        *tail(4),
    ),
    "adaptive": nn.Sequential(nn.AdaptiveAvgPool2d(11), nn.AdaptiveMaxPool2d((3, 5)), nn.Flatten(), nn.Linear(15, 10)),
    "upsampling": nn.Sequential(
        nn.MaxPool2d(2),
        nn.Upsample(scale_factor=2),
        nn.Upsample(size=(9, 7), mode="bilinear"),
        nn.Upsample(scale_factor=2, mode="bicubic"),
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        nn.Conv2d(1, 4, 3),
        *tail(4),
    ),
    "padding": nn.Sequential(
        nn.ReflectionPad2d(2),
        nn.ReplicationPad2d((1, 2, 3, 0)),
        nn.ZeroPad2d(-2),
        nn.CircularPad2d(2),
        nn.Conv2d(1, 4, 3, padding=5),
        *tail(4),
    ),
    "norms": nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.InstanceNorm2d(4), nn.GroupNorm(2, 4), nn.LayerNorm([4, 26, 26]), *tail(4)
    ),
    "flip_and_roll": Net(lambda x, a: (a(x.flip(2)) + a(x.roll(3, 3)).flip(3)).mean((2, 3)), nn.Conv2d(1, 10, 3)),
    "transpose": Net(lambda x, a: (a(x) + a(x).transpose(2, 3)).mean(3).mean(2), nn.Conv2d(1, 10, 3)),
    "rows_side_by_side": Net(_cat_of_strides, nn.Conv2d(1, 10, 3)),
    "attention": Net(_tokens, nn.Conv2d(1, 8, 4, stride=4), nn.Linear(8, 8), nn.Linear(8, 10)),
    "unfold": Net(_patches, nn.Linear(9, 8), nn.Linear(8, 10)),
    "pixel_shuffle": Net(_shuffle, nn.Conv2d(1, 10, 3)),
    "cumsum": Net(lambda x, a: a(x.cumsum(2)).mean((2, 3)), nn.Conv2d(1, 10, 3)),
    "einsum": Net(lambda x, a: torch.einsum("bchw,dc->bdhw", a(x), torch.ones(10, 4)).mean((2, 3)), nn.Conv2d(1, 4, 3)),
    "writes": Net(_in_place, nn.Conv2d(1, 6, 3)),
    "standardised": Net(
        lambda x, a: a((x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True)).mean((2, 3)),
        nn.Conv2d(1, 10, 3),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_operator_is_proven_by_measurement(name):
    found = proof_of(NETWORKS[name])
    assert found.proven, found.text


def test_where_nan_is_lost_rows_are_changed_instead():
    found = proof_of(Net(lambda x, a: a(torch.where(x > 0, x, -x)).mean((2, 3)), nn.Conv2d(1, 10, 3)))
    assert found.proven
    assert found.text == "proven by measurement at 6 operators (behind gt by changing rows instead of NaN)"


def test_images_that_see_each_other_are_named():
    found = proof_of(Net(lambda x, a: F.log_softmax(a(x).mean((2, 3)), dim=0), nn.Conv2d(1, 10, 3)))
    assert found.mixes_images == "log_softmax"


def test_a_wrong_rule_is_found_and_named(monkeypatch):
    monkeypatch.setattr(
        rules.windows,
        "convolution",
        lambda size, outputs, **window: convolution(size, outputs, **window | {"stride": 1}),
    )
    found = proof_of(nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, stride=2), *tail(4)))
    assert not found.proven
    assert (
        found.disagreement == "conv2d sees fewer rows at position 1 than the rule says"
        or "conv2d" in found.disagreement
    )


@settings(max_examples=1000 if os.environ.get("GRADER_THOROUGH") else 50)
@given(networks())
def test_random_networks_are_proven_at_every_operator(model):
    found = proof_of(model, SHAPE)
    assert found.proven, found.text


@settings(max_examples=1000 if os.environ.get("GRADER_THOROUGH") else 50)
@given(networks())
def test_what_a_unit_of_a_random_network_sees_lies_in_its_window(model):
    graph = graph_of(model, SHAPE)
    if any(_moves_borders(node) for node in graph.nodes):
        return  # borders that are mirrored or wrapped lie outside the window, as the rule says
    field = receptive_field(graph)
    for name, answer in field.answers.items():
        for axis in AXES if answer is not None else ():
            reach = field.reach(name, axis)
            for position, seen in enumerate(reach.seen):
                low = max(0, ceil(reach.low + (reach.jump or 0) * position))
                high = min(reach.size - 1, floor(reach.high + (reach.jump or 0) * position))
                assert seen & ~(((1 << max(high - low + 1, 0)) - 1) << low) == 0, (name, axis, position)


def _moves_borders(node: Node) -> bool:
    return "roll" in node.op or any(isinstance(value, str) and value != "constant" for value in node.arguments)
