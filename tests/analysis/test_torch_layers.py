"""Layers beyond convolution and pooling: counted, proven, trained like the student's module."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from grader import network
from grader.analysis import shapes
from grader.analysis.parameters import count_parameters
from grader.analysis.receptive_field import proof
from grader.analysis.receptive_field.field import find_field
from grader.program.program import read
from tests.analysis.graphs import measurable
from tests.analysis.networks import Net
from tests.analysis.receptive_field.measured_networks import tail
from tests.networks import SHAPE, images, program_of


def _coordinates(x, convolve):
    """CoordConv: every position is told its row."""
    rows = torch.linspace(-1, 1, x.shape[2]).view(1, 1, -1, 1).expand_as(x)
    return convolve(torch.cat([x, rows], dim=1)).mean((2, 3))


def _causal(x, embed, classify):
    """Attention of each row to those before it."""
    tokens = embed(x.squeeze(1))
    mask = torch.tril(torch.ones(12, 12)).log().clamp_min(-1e9)
    return classify((torch.softmax(tokens @ tokens.mT + mask, dim=-1) @ tokens).mean(1))


def _standardised(x, convolve):
    deviation, mean = torch.std_mean(x, (1, 2, 3), keepdim=True)
    return convolve((x - mean) / deviation).mean((2, 3))


def _volume(x, convolve, norm, drop, classify):
    volume = F.max_pool3d(drop(norm(convolve(x.unsqueeze(1)))), (1, 2, 2))
    return classify(F.adaptive_avg_pool3d(volume, 1).flatten(1))


def _older_weight_norm(layer):
    with warnings.catch_warnings(action="ignore"):  # it says that there is a newer one
        return nn.utils.weight_norm(layer)


LAYERS = {
    "ChannelShuffle": lambda: nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.ChannelShuffle(3), nn.Conv2d(6, 6, 3, groups=2), *tail(6)
    ),
    "weight_norm": lambda: nn.Sequential(weight_norm(nn.Conv2d(1, 6, 3)), nn.ReLU(), *tail(6)),
    "weight_norm of a linear layer": lambda: nn.Sequential(
        *tail(1)[:2], weight_norm(nn.Linear(1, 10), dim=None)
    ),
    "weight_norm of columns": lambda: nn.Sequential(
        nn.Flatten(), weight_norm(nn.Linear(144, 10), dim=1)
    ),
    "the older weight_norm": lambda: nn.Sequential(
        _older_weight_norm(nn.Conv2d(1, 6, 3)), nn.ReLU(), *tail(6)
    ),
    "GLU": lambda: nn.Sequential(nn.Conv2d(1, 6, 3), nn.GLU(1), *tail(3)),
    "GLU of columns": lambda: nn.Sequential(nn.Conv2d(1, 6, 3), nn.GLU(), *tail(6)),
    "LocalResponseNorm": lambda: nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.LocalResponseNorm(5), *tail(6)
    ),
    "Conv3d": lambda: Net(
        _volume, nn.Conv3d(1, 4, (1, 3, 3)), nn.BatchNorm3d(4), nn.Dropout3d(0.2), nn.Linear(4, 10)
    ),
    "linspace": lambda: Net(_coordinates, nn.Conv2d(2, 10, 3)),
    "mT and tril": lambda: Net(_causal, nn.Linear(12, 8), nn.Linear(8, 10)),
    "std_mean": lambda: Net(_standardised, nn.Conv2d(1, 10, 3)),
}


@pytest.fixture(params=LAYERS, ids=str)
def model(request) -> nn.Module:
    torch.manual_seed(0)
    return LAYERS[request.param]()


def losses(model: nn.Module) -> list[float]:
    """The losses of ten steps of SGD, dropout drawn under seed 0."""
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(list(dict.fromkeys(model.parameters())), lr=0.05, momentum=0.9)
    found = []
    for step in range(10):
        optimizer.zero_grad()
        loss = F.cross_entropy(model.train()(images(seed=step)), torch.arange(4))
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


def test_its_receptive_field_is_proven_by_measurement(model):
    graph, weights = measurable(model.eval(), SHAPE)
    assert find_field(graph).proven
    found = proof.measure(graph, weights)
    assert found.proven, found.text


def test_it_trains_bit_for_bit_like_the_module(model):
    program, values = program_of(model, SHAPE)
    shapes.check(program)
    rebuilt = network.build(read(program.to_json()), values)
    found = losses(rebuilt)
    assert found == losses(model)
    assert len(set(found)) > 1
    assert torch.equal(rebuilt.eval()(images(7)), model.eval()(images(7)))


def test_its_parameters_are_those_that_pytorch_counts(model):
    program, _ = program_of(model, SHAPE)
    found = count_parameters(program)
    assert found.trainable == sum(parameter.numel() for parameter in model.parameters())
    assert found.unused == 0


def test_weight_normalisation_brings_a_direction_and_a_length_for_every_output():
    program, _ = program_of(nn.Sequential(weight_norm(nn.Conv2d(1, 6, 3)), *tail(6)), SHAPE)
    assert count_parameters(program).trainable == 6 * 9 + 6 + 6 + 6 * 10 + 10
