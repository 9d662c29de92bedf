"""Whatever lanes code computes is what torch computes: loss, gradients, statistics and scores."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import compiled
from tests.networks import SHAPE, networks
from tests.training.engine.lanes.compare import HERE, assert_as_torch, case


def convolutional(*layers: nn.Module, channels: int = 5) -> nn.Module:
    """Layers on maps, between a first convolution and a head."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1),
        *layers,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.LazyLinear(10),
    )


def ready(model: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """The model with its lazy layers made, and weights that are no round numbers."""
    model(torch.zeros(2, *shape))
    torch.manual_seed(1)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            nn.init.uniform_(parameter, 0.5, 1.5)
    return model


class Then(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Both(nn.Module):
    """Two layers on the same maps, joined."""

    def __init__(self, one: nn.Module, other: nn.Module, join: Any) -> None:
        super().__init__()
        self.one, self.other, self.join = one, other, join

    def forward(self, x: Tensor) -> Tensor:
        return self.join(self.one(x), self.other(x))


ACTIVATIONS = {
    "relu": nn.ReLU(),
    "relu in place": nn.ReLU(inplace=True),
    "relu6": nn.ReLU6(),
    "leaky": nn.LeakyReLU(0.2),
    "elu": nn.ELU(0.7),
    "celu": nn.CELU(1.3),
    "selu": nn.SELU(),
    "gelu": nn.GELU(),
    "gelu by tanh": nn.GELU(approximate="tanh"),
    "silu": nn.SiLU(inplace=True),
    "mish": nn.Mish(),
    "hardswish": nn.Hardswish(),
    "hardsigmoid": nn.Hardsigmoid(),
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "softplus": nn.Softplus(beta=2),
    "hardtanh": nn.Hardtanh(-0.5, 0.8),
    "clamp": Then(lambda x: x.clamp(min=0.1, max=0.9)),
    "clamp below": Then(lambda x: x.clamp(max=0.3)),
    "square": Then(torch.square),
    "abs": Then(torch.abs),
    "exp": Then(lambda x: (x * 0.1).exp()),
    "arithmetic": Then(lambda x: 2 - (x + 0.25) * 1.5 / 3 - x * 0.1),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation(name):
    layer = ACTIVATIONS[name]
    model = convolutional(layer, nn.BatchNorm2d(5), layer, nn.MaxPool2d(2))
    assert_as_torch(case(ready(model, (1, 7, 6)), (1, 7, 6)))


WINDOWS: dict[str, dict[str, Any]] = {
    "3x3": {"kernel_size": 3},
    "5x5 of many channels": {"kernel_size": 5, "padding": 2, "out_channels": 13},
    "1x1": {"kernel_size": 1},
    "1x1 without bias": {"kernel_size": 1, "bias": False},
    "7x7": {"kernel_size": 7, "padding": 3},
    "wide": {"kernel_size": (1, 5), "padding": (0, 2)},
    "tall": {"kernel_size": (5, 2)},
    "stride 2": {"kernel_size": 3, "stride": 2},
    "stride 2 padded": {"kernel_size": 3, "stride": 2, "padding": 1},
    "stride (2, 3) of 2x2": {"kernel_size": 2, "stride": (2, 3)},
    "stride 3 of 1x1": {"kernel_size": 1, "stride": 3},
    "dilated": {"kernel_size": 3, "dilation": 2, "padding": 2},
    "dilated (1, 3) with stride": {"kernel_size": 3, "dilation": (1, 3), "stride": 2, "padding": 3},
    "depthwise": {"kernel_size": 3, "padding": 1, "groups": 6, "out_channels": 6},
    "depthwise, two a channel": {"kernel_size": 3, "groups": 6, "out_channels": 12},
    "two groups": {"kernel_size": 3, "groups": 2, "out_channels": 8},
    "padded more than its window": {"kernel_size": 1, "padding": 2},
    "same": {"kernel_size": 3, "padding": "same"},
    "same of 2x4": {"kernel_size": (2, 4), "padding": "same"},
    "as large as the map": {"kernel_size": (9, 8), "out_channels": 3},
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", WINDOWS)
def test_a_convolution(name, threads):
    options = {"out_channels": 7, **WINDOWS[name]}
    layer = nn.Conv2d(6, **options)
    model = convolutional(layer, nn.SiLU(), channels=6)
    assert_as_torch(case(ready(model, (1, 9, 8)), (1, 9, 8), sizes=(40, 3)), threads)


LAYERS: dict[str, nn.Module] = {
    "2x2 max, odd sizes": nn.MaxPool2d(2),
    "3x3 max overlapping": nn.MaxPool2d(3, 2, 1),
    "3x3 max beside each other": nn.MaxPool2d(3, 1),
    "max that hangs over": nn.MaxPool2d(2, ceil_mode=True),
    "2x2 mean": nn.AvgPool2d(2),
    "3x3 mean padded": nn.AvgPool2d(3, 2, 1),
    "2x3 mean": nn.AvgPool2d((2, 3), (1, 2)),
    "mean by another divisor": nn.AvgPool2d(2, divisor_override=3),
    "mean of 3x3 shares": nn.AdaptiveAvgPool2d(3),
    "mean of 2x5 shares": nn.AdaptiveAvgPool2d((2, 5)),
    "max of 2x2 shares": nn.AdaptiveMaxPool2d(2),
    "max of all": nn.AdaptiveMaxPool2d(1),
    "batch norm": nn.BatchNorm2d(5),
    "batch norm twice": nn.Sequential(nn.BatchNorm2d(5), nn.BatchNorm2d(5)),
    "batch norm without weights": nn.BatchNorm2d(5, affine=False),
    "batch norm with another momentum": nn.BatchNorm2d(5, momentum=0.3, eps=1e-3),
    "group norm": nn.Sequential(nn.Conv2d(5, 6, 1), nn.GroupNorm(3, 6)),
    "group norm without weights": nn.GroupNorm(1, 5, affine=False),
    "layer norm": nn.LayerNorm([5, 9, 7]),
    "dropout": nn.Dropout(0.3),
    "dropout of channels": nn.Dropout2d(0.4),
    "dropout twice": nn.Sequential(nn.Dropout(0.2), nn.Dropout(0.3)),
    "dropout before batch norm": nn.Sequential(nn.Dropout(0.2), nn.BatchNorm2d(5), nn.ReLU()),
    "all of it": nn.Sequential(
        nn.BatchNorm2d(5), nn.ReLU(), nn.Dropout(0.1), nn.MaxPool2d(2), nn.Dropout2d(0.1)
    ),
    "residual": Both(nn.Conv2d(5, 5, 3, padding=1), nn.Identity(), torch.add),
    "difference": Both(nn.Conv2d(5, 5, 1), nn.Identity(), lambda a, b: torch.sub(a, b, alpha=0.5)),
    "added to itself": Then(lambda x: x + x),
    "side by side": Both(nn.Conv2d(5, 3, 1), nn.Identity(), lambda a, b: torch.cat([a, b, a], 1)),
    "product": Both(nn.Conv2d(5, 5, 1), nn.Identity(), torch.mul),
    "times itself": Then(lambda x: x * x),
    "gate by channel": Both(
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(5, 5, 1), nn.Sigmoid()),
        nn.Identity(),
        torch.mul,
    ),
    "gate by pixel": Both(
        nn.Identity(), nn.Sequential(nn.Conv2d(5, 1, 3, padding=1), nn.Sigmoid()), torch.mul
    ),
    "mean and max beside each other": Both(
        nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1), lambda a, b: torch.cat([a, b], 1)
    ),
    "mean over pixels": Then(lambda x: x.mean([2, 3], keepdim=True)),
    "sum over pixels": Then(lambda x: x.sum((-1, -2), keepdim=True)),
    "mean of a flat view": Then(lambda x: x.flatten(2).mean(2).view(x.size(0), -1, 1, 1)),
    "in place on both names": Then(lambda x: F.relu_(y := x * 1.5) + y),
    "a branch that nobody reads": Both(nn.Conv2d(5, 5, 1), nn.Identity(), lambda a, b: b),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer(name):
    model = convolutional(LAYERS[name], nn.Tanh())
    assert_as_torch(case(ready(model, (1, 9, 7)), (1, 9, 7)))


@pytest.mark.parametrize("threads", [1, 2])
def test_batch_norm_of_all_threads(threads):
    model = convolutional(nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 4, 3), nn.BatchNorm2d(4))
    assert_as_torch(case(ready(model, (1, 8, 8)), (1, 8, 8), sizes=(70, 33, 2)), threads)


HEADS: dict[str, nn.Module] = {
    "linear": nn.Sequential(nn.Flatten(), nn.Linear(5 * 6 * 6, 10)),
    "two linear": nn.Sequential(
        nn.Flatten(),
        nn.Linear(180, 12),
        nn.BatchNorm1d(12),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(12, 10),
    ),
    "layer norm": nn.Sequential(
        nn.Flatten(), nn.Linear(180, 12), nn.LayerNorm(12), nn.GELU(), nn.Linear(12, 10)
    ),
    "convolution": nn.Sequential(nn.Conv2d(5, 10, 6), nn.Flatten()),
    "log softmax": nn.Sequential(nn.Flatten(), nn.Linear(180, 10), nn.LogSoftmax(1)),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head(name):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU(), HEADS[name])
    assert_as_torch(case(ready(model, (1, 8, 8)), (1, 8, 8)))


LOSSES: list[dict[str, Any]] = [
    {"label_smoothing": 0.1},
    {"reduction": "sum"},
    {"weight": tuple(0.5 + 0.1 * k for k in range(10))},
    {"weight": tuple(0.5 + 0.1 * k for k in range(10)), "label_smoothing": 0.2},
    {"weight": tuple(0.5 + 0.1 * k for k in range(10)), "reduction": "sum"},
    {"name": "nll"},
    {"name": "nll", "weight": tuple(1.5 - 0.1 * k for k in range(10))},
]


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss(loss):
    model = convolutional(nn.ReLU())
    if loss.get("name") == "nll":
        model.append(nn.LogSoftmax(dim=-1))
    assert_as_torch(case(ready(model, (1, 6, 6)), (1, 6, 6), **loss))


@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, 128, 200])
def test_a_batch_of_any_size(size):
    model = convolutional(nn.Conv2d(5, 4, 3), nn.ReLU())
    assert_as_torch(case(ready(model, (1, 6, 6)), (1, 6, 6), sizes=(size,)), threads=2)


def test_frozen_layers_have_no_gradient():
    model = ready(convolutional(nn.Conv2d(5, 5, 3), nn.ReLU(), nn.Conv2d(5, 4, 1)), (1, 8, 8))
    for layer in (model[0], model[1]):
        layer.requires_grad_(False)
    model[3].bias.requires_grad_(False)
    assert_as_torch(case(model, (1, 8, 8)))


def test_one_layer_used_twice():
    shared = nn.Conv2d(5, 5, 3, padding=1)
    model = convolutional(shared, nn.ReLU(), shared, nn.Tanh(), nn.Dropout(0.0))
    assert_as_torch(case(ready(model, (1, 8, 8)), (1, 8, 8)))


@given(networks())
@settings(
    max_examples=200 if os.environ.get("GRADER_THOROUGH") else 25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
def test_any_network(model):
    tried = case(model, SHAPE)
    try:
        assert_as_torch(tried, threads=2)
    except CannotTrainError:
        return


def test_most_drawn_networks_have_code():
    """Else `test_any_network` would say nothing. Of 200 drawn ones all had code."""
    missing: list[str] = []

    @given(networks())
    @settings(max_examples=60, deadline=None, derandomize=True)
    def write(model: nn.Module) -> None:
        try:
            compiled.write(case(model, SHAPE).program, 20, 1, HERE)
        except CannotTrainError as error:
            missing.append(str(error))
        else:
            missing.append("")

    write()
    assert missing.count("") / len(missing) > 0.95, Counter(missing)


@given(st.integers(1, 9), st.integers(1, 9), st.data())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_any_window(height, width, data):
    span = st.integers(1, 4)
    options = {
        "kernel_size": (data.draw(span), data.draw(span)),
        "stride": (data.draw(span), data.draw(span)),
        "padding": (data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3))),
        "dilation": (data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2))),
    }
    padded = [size + 2 * pad for size, pad in zip((height, width), options["padding"], strict=True)]
    reach = [
        (k - 1) * d + 1 for k, d in zip(options["kernel_size"], options["dilation"], strict=True)
    ]
    if any(need > have for need, have in zip(reach, padded, strict=True)):
        return
    groups = data.draw(st.sampled_from([1, 1, 2]))
    outputs = groups * data.draw(st.integers(1, 7))
    layer = nn.Conv2d(4, outputs, groups=groups, **options)
    model = convolutional(layer, nn.Tanh(), channels=4)
    assert_as_torch(case(ready(model, (1, height, width)), (1, height, width), sizes=(17,)))
