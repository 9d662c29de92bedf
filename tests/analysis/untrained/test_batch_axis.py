"""Where the images lie in each tensor, and what brings them together."""

from __future__ import annotations

import os
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from grader.analysis.untrained import batch_axis
from grader.analysis.untrained.observation import observe
from grader.program.ops import Kind
from tests.networks import CLASSES, SHAPE, images, networks, program_of

SIZE = SHAPE[1]


class Net(nn.Module):
    """A linear classifier behind `run`, which gets the images and a few weights."""

    def __init__(self, run):
        super().__init__()
        self.run = run
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.route = nn.Linear(SIZE * SIZE, 36)
        self.position = nn.Parameter(torch.randn(4, 1, 1))
        self.mix = nn.Linear(4, 4)
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x):
        x = self.conv(x)
        return self.fc(self.run(self, x).flatten(2).mean(2))


@cache
def program(run):
    torch.manual_seed(0)
    return program_of(Net(run))


def texts(run) -> list[str]:
    return [meeting.text for meeting in batch_axis.meetings(program(run)[0].eval)]


def attended(net, x):
    tokens = x.flatten(2).transpose(1, 2)
    query = tokens.reshape(x.size(0), -1, 2, 2).transpose(1, 2)
    found = F.scaled_dot_product_attention(query, query, query).transpose(1, 2)
    return found.reshape(x.size(0), -1, 4).transpose(1, 2).unflatten(2, (SIZE, SIZE))


def conditional(net, x):
    """CondConv: a kernel for each image."""
    n = x.size(0)
    kernels = net.route(x.mean(1).flatten(1)).view(n, 4, 1, 3, 3).repeat(1, 1, 4, 1, 1)
    kernels = kernels.reshape(n * 4, 4, 3, 3)
    y = F.conv2d(x.reshape(1, n * 4, SIZE, SIZE), kernels, padding=1, groups=n)
    return y.view(n, 4, SIZE, SIZE)


def by_channels(net, x):
    """Each channel through the same convolution, as a batch of its own."""
    y = F.avg_pool2d(x.reshape(x.size(0) * 4, 1, SIZE, SIZE), 3, 1, 1)
    return y.view(x.size(0), 4, SIZE, SIZE)


def mirrored_by_slices(net, x):
    n = x.size(0)
    both = net.mix(torch.cat([x, x.flip(2)]).movedim(1, -1)).movedim(-1, 1)
    return both[:n] + both[n:]


def stacked(net, x):
    return torch.stack([x, x.relu()]).mean(0)


HONEST = {
    "a size in a view": lambda net, x: x.view(x.size(0), -1).view(x.size(0), 4, SIZE, SIZE),
    "a size in expand": lambda net, x: x + net.position.expand(x.size(0), -1, -1, -1),
    "a size in zeros": lambda net, x: torch.cat(
        [x[:, :2], x.new_zeros(x.size(0), 2, SIZE, SIZE)], 1
    ),
    "a mean of weights": lambda net, x: x * net.position.mean(0),
    "weights standardised": lambda net, x: F.conv2d(
        x, (w := net.conv.weight.repeat(1, 4, 1, 1)) - w.mean((0, 1), keepdim=True), padding=1
    ),
    "attention": attended,
    "CondConv": conditional,
    "by channels": by_channels,
    "mirrored, slices": mirrored_by_slices,
    "two views, stacked": stacked,
    "instance norm": lambda net, x: F.batch_norm(
        x.reshape(1, x.size(0) * 4, SIZE, SIZE), None, None, training=True
    ).view(x.size(0), 4, SIZE, SIZE),
    "permuted and back": lambda net, x: net.mix(x.permute(2, 3, 0, 1)).permute(2, 3, 0, 1),
    "einsum": lambda net, x: torch.einsum("nchw,dc->ndhw", x, net.mix.weight),
    "einsum with dots": lambda net, x: torch.einsum("...hw,...wv->...hv", x, x),
    "matmul of features": lambda net, x: x @ x.transpose(2, 3),
    "a look-up by value": lambda net, x: net.mix.bias.abs()[(x.sigmoid() * 3).long()],
    "softmax over channels": lambda net, x: x.softmax(1),
    "a norm of each image": lambda net, x: x / x.flatten(1).norm(dim=1).view(-1, 1, 1, 1),
    "all of a slice": lambda net, x: x[:, 1:] if False else x[:],
    "padding of pixels": lambda net, x: F.pad(x, (1, 1, 1, 1)),
    "a maximum of two": lambda net, x: torch.max(x, x.flip(3)),
    "group norm": lambda net, x: F.group_norm(x, 2),
    "shuffled": lambda net, x: F.pixel_shuffle(x, 2).repeat(1, 4, 1, 1),
    "picked channels": lambda net, x: x[:, [3, 2, 1, 0]],
}

MIXING = {
    "mean": lambda net, x: x - x.mean(0),
    "mean behind a view": lambda net, x: x - x.view(x.size(0) * 4, SIZE, SIZE).mean(0),
    "mean of all": lambda net, x: x - x.mean(),
    "permuted first": lambda net, x: x - x.permute(1, 0, 2, 3).mean(1).unsqueeze(0),
    "softmax": lambda net, x: x.softmax(0),
    "cumsum": lambda net, x: x.cumsum(0),
    "flip": lambda net, x: x + x.flip(0),
    "flip of all": lambda net, x: x + x.flatten().flip(0).view_as(x),
    "roll": lambda net, x: x.roll(1, 0),
    "argmax": lambda net, x: x * x.flatten(1).argmax(0).float().mean(),
    "maximum": lambda net, x: x / x.amax(),
    "compared with the batch": lambda net, x: x * (x > x.mean(0, keepdim=True)),
    "gram": lambda net, x: ((f := x.flatten(1)) @ f.t() @ f).view_as(x),
    "attention among images": lambda net, x: F.scaled_dot_product_attention(
        f := x.flatten(1).unsqueeze(0), f, f
    ).view_as(x),
    "einsum": lambda net, x: torch.einsum("nchw,mchw->mchw", x, x),
    "the first image": lambda net, x: x + x[:1],
    "one image": lambda net, x: x + x[0],
    "by place": lambda net, x: x * torch.arange(x.size(0)).view(-1, 1, 1, 1),
    "counted by a sum": lambda net, x: x * (torch.ones(x.size(0)).sum() == 500),
    "counted by a size": lambda net, x: x * x.size(0),
    "counted by full": lambda net, x: x * torch.full((1,), x.size(0)),
    "counted by a product": lambda net, x: (
        x * (torch.ones(1, x.size(0)) @ torch.ones(x.size(0), 1))
    ),
    "counted by a convolution": lambda net, x: (
        x * F.avg_pool1d(F.pad(torch.zeros(1, 1, x.size(0)), (0, 0)), 1).amax()
    ),
    "batch norm": lambda net, x: F.batch_norm(x, None, None, training=True),
    "layer norm over images": lambda net, x: F.layer_norm(x.movedim(0, 3), (x.size(0),)).movedim(
        3, 0
    ),
    "images as channels": lambda net, x: (
        F.instance_norm(x.permute(1, 2, 3, 0).reshape(4, 1, SIZE * SIZE, -1))
        .view(4, SIZE, SIZE, -1)
        .permute(3, 0, 1, 2)
    ),
    "images as rows": lambda net, x: F.max_pool2d(x.permute(1, 2, 0, 3), (3, 1), 1, (1, 0)).permute(
        2, 0, 1, 3
    ),
    "distances": lambda net, x: (
        x * (x.unsqueeze(0) - x.unsqueeze(1)).abs().mean((0, 2, 3, 4)).view(-1, 1, 1, 1)
    ),
    "groups across images": lambda net, x: (
        F.conv2d(
            x.transpose(0, 1).reshape(1, 4 * x.size(0), SIZE, SIZE),
            net.conv.weight.expand(4, 1, 3, 3).repeat(x.size(0), 1, 1, 1),
            padding=1,
            groups=x.size(0) * 4,
        )
        .view(4, -1, SIZE, SIZE)
        .transpose(0, 1)
        .softmax(0)
    ),
    "by a list": lambda net, x: x + x[[0]],
    "linear over images": lambda net, x: (
        F.linear(x.movedim(0, 3), torch.ones(1, 1).expand(1, x.size(0))).movedim(3, 0) + x
    ),
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_spellings_keep_images_apart(name):
    assert texts(HONEST[name]) == []


@pytest.mark.parametrize("name", MIXING)
def test_what_brings_images_together_is_named(name):
    assert texts(MIXING[name])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mean", "mean runs over dimension 0, the images of the batch: dimension 1 holds"),
        ("softmax", "softmax runs over dimension 0"),
        ("by place", "arange calculates with the number of images in the batch."),
        ("counted by a size", "mul calculates with the number of images in the batch."),
        ("one image", "select picks images by their place in the batch."),
        ("gram", "matmul brings the images of a batch together."),
    ],
)
def test_it_says_what_is_done(name, words):
    assert texts(MIXING[name])[0].startswith(words)


def measured(run, count: int = 40, draw: int = 3):
    found, values = program(run)
    return observe(found, {0: values}, images(count), torch.arange(count) % CLASSES, draw=draw)


@pytest.mark.parametrize("name", HONEST)
def test_what_is_proven_apart_is_seen_apart(name):
    behaviour = measured(HONEST[name])
    assert behaviour.independent
    assert behaviour.apart


@pytest.mark.parametrize("name", ["mean", "roll", "gram", "by place", "maximum"])
def test_what_meets_is_seen_to_meet(name):
    assert not measured(MIXING[name]).independent


@settings(max_examples=300 if os.environ.get("GRADER_THOROUGH") else 30)
@given(networks(), st.integers(0, 2**32))
def test_drawn_networks_are_apart_by_proof_and_by_measurement(network, draw):
    found, values = program_of(network)
    assert list(batch_axis.meetings(found.eval)) == []
    assert observe(
        found, {0: values}, images(23), torch.arange(23) % CLASSES, draw=draw
    ).independent


def test_every_kind_of_operator_has_a_rule():
    assert set(Kind) - {Kind.SIZE} == batch_axis._RULES.keys()
