"""Channels last is another order in memory and the same training, up to rounding; else it is
refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import Phase, given, settings
from torch import Tensor, nn
from torchvision import transforms as v1

from grader import network
from grader.capture.transforms import describe
from grader.network import Network
from grader.program.graph import Graph
from grader.program.program import Program
from grader.program.values import Ref
from grader.training.data import TrainingData
from grader.training.engine import layout, learner, loop
from grader.training.records import Epoch
from tests import networks
from tests.networks import program_of
from tests.test_reference import TRAINABLE, reference
from tests.test_reference import network as built

CPU = torch.device("cpu")
STEPS = 50
SHAPE = (1, 28, 28)
NEVER = 1e-12
"""A probability of dropout.

With 0 torch would give the tensor itself, and writing into it would be an error.
"""
Forward = Callable[[nn.Module, Tensor], Tensor]


def images(count: int, test: int = 6) -> TrainingData:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (count + test, 1, 28, 28), dtype=np.uint8)
    return TrainingData(
        "noise", True, pixels[:count], random.integers(0, 10, count), pixels[count:]
    )


def recipe_of(wanted: Program, *, steps: int, rate: float) -> Program:
    """`wanted` with a recipe of one epoch of SGD, and without dropout, whose draws follow the
    layout.
    """
    graph = wanted.train.model_copy(
        update={"nodes": tuple(map(_without_dropout, wanted.train.nodes))}
    )
    runs = [[{"value": rate, "steps": steps}]]
    crop = tuple(describe([v1.CenterCrop(wanted.input_shape[1]), v1.ToTensor()]))
    changes = {"steps_per_epoch": steps, "schedule": {"learning_rate": runs}, "augmentations": crop}
    fields = wanted.recipe.model_dump() | changes
    recipe = type(wanted.recipe).model_validate(fields)
    return wanted.model_copy(update={"train": graph, "recipe": recipe})


def _without_dropout(node: Any) -> Any:
    if "dropout" not in node.op:
        return node
    return node.model_copy(update={"arguments": (node.arguments[0], NEVER, *node.arguments[2:])})


def trained(
    wanted: Program, blob: bytes, data: TrainingData, *, last: bool
) -> tuple[Epoch, Network]:
    net = network.build(wanted, blob)
    if last:
        layout.apply(net)
    lay_out = layout.channels_last if last else learner.as_it_is
    torchs = learner.ByTorch(net, wanted.recipe, lay_out)
    (epoch,) = loop.train(net, wanted.recipe, data, seed=1, learner=torchs)
    return epoch, net


def assert_same_in_both_layouts(wanted: Program, blob: bytes, *, steps: int = STEPS) -> None:
    """`steps` steps of 4 images each, then the test images.

    Small steps: with large ones, a rounding error that turns a ReLU or the choice of a maximum
    grows without bounds.
    """
    rate = 2e-4
    taught = recipe_of(wanted, steps=steps, rate=rate)
    data = images(4 * steps)
    (mine, net), (other, plain) = (trained(taught, blob, data, last=last) for last in (True, False))
    assert mine.train_loss == pytest.approx(other.train_loss, rel=1e-4)
    torch.testing.assert_close(mine.logits, other.logits, rtol=1e-3, atol=1e-3)
    before = network.build(wanted, blob).weights
    moved = [
        name for name, weight in before.items() if not torch.equal(weight, plain.weights[name])
    ]
    assert moved
    for name in moved:
        torch.testing.assert_close(net.weights[name], plain.weights[name], rtol=1e-3, atol=1e-3)


ONE_OF_A_KIND = ("model_a", "dual_block", "dsconv_se", "sub_8k", "c3_final")
"""The others have the same layers in another number."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name.endswith(ONE_OF_A_KIND) else pytest.mark.thorough)
        for name in TRAINABLE
    ],
)
def test_a_reference_trains_alike_in_both_layouts(name):
    torch.manual_seed(0)
    wanted, blob = program_of(built(reference(name)), SHAPE)
    assert layout.suits(wanted, CPU)
    assert_same_in_both_layouts(wanted, blob)


@given(networks.networks())
@settings(max_examples=6, phases=[Phase.generate])
def test_a_generated_network_trains_alike_in_both_layouts_where_it_suits(model):
    wanted, blob = program_of(model)
    if layout.suits(wanted, CPU):
        assert_same_in_both_layouts(wanted, blob, steps=8)


class Net(nn.Module):
    """Two convolutions, what `between` does with their result, and a linear layer over whatever
    comes out.
    """

    def __init__(self, between: Forward) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 5, stride=2)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.squeeze = nn.Linear(4, 4)
        self.between = between
        with torch.no_grad():
            self.head = nn.Linear(between(self, torch.zeros(2, 4, 12, 12)).shape[1], 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.between(self, self.norm(self.first(x))))


def flatten(net: nn.Module, x: Tensor) -> Tensor:
    return F.max_pool2d(net.second(F.relu(x)), 2).flatten(1)


def view(net: nn.Module, x: Tensor) -> Tensor:
    x = F.max_pool2d(net.second(x), 2)
    return x.view(-1, 4 * 6 * 6)


def in_place(net: nn.Module, x: Tensor) -> Tensor:
    y = net.second(F.relu_(x))
    y += x
    return F.relu_(y).view(y.size(0), -1)


def channel_shuffle(net: nn.Module, x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    x = x.view(n, 2, c // 2, h, w).permute(0, 2, 1, 3, 4).contiguous().view(n, c, h, w)
    return F.relu(net.second(x)).mean((2, 3))


def squeeze_and_excitation(net: nn.Module, x: Tensor) -> Tensor:
    gate = net.squeeze(F.adaptive_avg_pool2d(x, 1).view(x.size(0), -1)).sigmoid()
    return net.second(x * gate.view(x.size(0), -1, 1, 1)).relu_().mean((2, 3))


def rows_as_a_sequence(net: nn.Module, x: Tensor) -> Tensor:
    sequence = net.second(x).flatten(2).transpose(1, 2)
    return net.squeeze(sequence).reshape(x.size(0), -1)


@pytest.mark.parametrize(
    "between",
    [flatten, view, in_place, channel_shuffle, squeeze_and_excitation, rows_as_a_sequence],
)
def test_what_students_write_trains_alike_in_both_layouts(between):
    torch.manual_seed(0)
    wanted, blob = program_of(Net(between), SHAPE)
    assert layout.suits(wanted, CPU)
    assert_same_in_both_layouts(wanted, blob)


def into_the_view(net: nn.Module, x: Tensor) -> Tensor:
    """Doubles half of the channels in place, by way of a view that is a copy where channels are
    last.
    """
    x = net.second(x)
    x.view(-1, 2, 2 * 12 * 12)[:, 0].mul_(2)
    return x.mean((2, 3))


def under_the_view(net: nn.Module, x: Tensor) -> Tensor:
    """Looks at what is changed in place only afterwards."""
    x = net.second(x)
    flat = x.view(x.size(0), -1)
    x.mul_(2)
    return flat


def into_what_is_a_copy(net: nn.Module, x: Tensor) -> Tensor:
    """The other way round: pixel by pixel is a copy, but a view where channels are last."""
    x = net.second(x)
    x.permute(0, 2, 3, 1).reshape(-1, 12 * 12 * 4).mul_(2)
    return x.mean((2, 3))


@pytest.mark.parametrize("between", [into_the_view, under_the_view, into_what_is_a_copy])
def test_a_network_that_writes_where_a_view_may_be_a_copy_is_refused_and_would_be_wrong(between):
    torch.manual_seed(0)
    wanted, blob = program_of(Net(between), SHAPE)
    assert_refused_and_wrong(wanted, blob)


def assert_refused_and_wrong(wanted: Program, blob: bytes) -> None:
    assert not layout.suits(wanted, CPU)
    taught = recipe_of(wanted, steps=2, rate=0.1)
    mine, other = (trained(taught, blob, images(8), last=last)[0] for last in (True, False))
    assert not torch.allclose(mine.logits, other.logits, atol=0.01)


def doubled_in_place(net: nn.Module, x: Tensor) -> Tensor:
    return net.second(x).mul_(2).mean((2, 3))


def test_a_write_into_what_contiguous_returns_is_refused_and_would_be_wrong():
    """`contiguous` gives the tensor itself, or a copy where channels are last.

    Capture leaves out the first kind.
    """

    def with_contiguous(graph: Graph) -> Graph:
        """The doubling writes into `same`, which is `contiguous()` of the convolution; the mean
        reads that.
        """
        place, double = next(
            (at, node) for at, node in enumerate(graph.nodes) if node.op == "aten.mul_.Tensor"
        )
        convolution = double.arguments[0]
        same = double.model_copy(
            update={
                "name": "same",
                "op": "aten.contiguous.default",
                "arguments": (convolution,),
                "keywords": {},
            }
        )
        double = double.model_copy(update={"arguments": (Ref(node="same"), *double.arguments[1:])})
        mean = graph.nodes[place + 1]
        mean = mean.model_copy(update={"arguments": (convolution, *mean.arguments[1:])})
        nodes = (*graph.nodes[:place], same, double, mean, *graph.nodes[place + 2 :])
        return graph.model_copy(update={"nodes": nodes})

    torch.manual_seed(0)
    wanted, blob = program_of(Net(doubled_in_place), SHAPE)
    assert layout.suits(wanted, CPU)
    both = {mode: with_contiguous(getattr(wanted, mode)) for mode in ("train", "eval")}
    assert_refused_and_wrong(wanted.model_copy(update=both), blob)


def test_only_networks_with_convolutions_on_a_cpu_suit():
    convolution, _ = program_of(Net(flatten), SHAPE)
    linear, _ = program_of(nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10)), SHAPE)
    assert layout.suits(convolution, CPU)
    assert not layout.suits(linear, CPU)
    assert not layout.suits(convolution, torch.device("cuda"))


@pytest.mark.parametrize("shape", [(3, 1, 5, 4), (3, 4, 5, 7), (2, 3, 1, 1), (1, 1, 1, 1)])
def test_channels_last_keeps_every_value_and_puts_the_channels_of_a_pixel_side_by_side(shape):
    plain = torch.arange(torch.Size(shape).numel(), dtype=torch.float32).reshape(shape)
    laid_out = layout.channels_last(plain)
    assert torch.equal(laid_out, plain)
    _, channels, height, width = shape
    assert laid_out.stride() == (channels * height * width, 1, width * channels, channels)


def test_grey_images_as_three_equal_channels_are_laid_out_too():
    grey = torch.rand(2, 1, 5, 4).expand(-1, 3, -1, -1)
    assert torch.equal(layout.channels_last(grey), grey)
    assert layout.channels_last(grey).stride() == (60, 1, 12, 3)


def test_a_layout_of_the_filters_keeps_their_values_and_their_identity():
    wanted, blob = program_of(Net(flatten), SHAPE)
    net, plain = network.build(wanted, blob), network.build(wanted, blob)
    before = dict(net.weights)
    layout.apply(net)
    assert all(net.weights[name] is before[name] for name in before)
    assert all(torch.equal(tensor, plain.weights[name]) for name, tensor in net.weights.items())
    assert net.weights["second.weight"].is_contiguous(memory_format=torch.channels_last)
    assert not net.weights["second.weight"].is_contiguous()


@pytest.mark.parametrize(
    "between", [view, in_place, channel_shuffle, into_the_view, under_the_view]
)
def test_a_reshape_for_a_view_changes_no_bit_in_the_plain_layout(between):
    torch.manual_seed(0)
    wanted, blob = program_of(Net(between), SHAPE)
    taught = recipe_of(wanted, steps=5, rate=0.05)
    mine, net = trained(taught, blob, images(20), last=False)
    with mock.patch.object(network, "_IN_ANY_LAYOUT", {}):
        other, views = trained(taught, blob, images(20), last=False)
        assert "aten.view.default" in {str(node.target) for node in views.train_graph.graph.nodes}
    assert torch.equal(mine.logits, other.logits)
    assert mine.train_loss == other.train_loss
    assert all(torch.equal(tensor, views.weights[name]) for name, tensor in net.weights.items())
