"""ReLU over what it reads changes no number, and leaves alone what somebody else still reads."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from torch import Tensor, nn

from grader import network
from grader.network import Network
from grader.training.engine import in_place
from tests.networks import networks, program_of
from tests.test_network import SLOW, fit, scores


def parameters(net: Network) -> list[nn.Parameter]:
    found = dict.fromkeys(net.weights.values())
    return [tensor for tensor in found if isinstance(tensor, nn.Parameter)]


@SLOW
@given(networks())
def test_it_computes_and_trains_bit_for_bit_as_before(model):
    program, values = program_of(model)
    before, after = network.build(program, values), in_place.apply(network.build(program, values))
    losses = [fit(net, parameters(net)) for net in (before, after)]
    assert losses[0] == losses[1]
    assert torch.equal(scores(before), scores(after))
    assert all(torch.equal(tensor, after.weights[name]) for name, tensor in before.weights.items())


class Head(nn.Module):
    """Scores from a body whose ReLUs are looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 10, 3, padding=1), nn.Conv2d(10, 10, 3, padding=1)
        self.norm = nn.BatchNorm2d(10)

    def body(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).mean((2, 3))


class AfterNorm(Head):
    def body(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.one(x)))


class AfterConvolution(Head):
    def body(self, x: Tensor) -> Tensor:
        return self.norm(self.two(F.relu(self.one(x))))


class BesideIt(Head):
    def body(self, x: Tensor) -> Tensor:
        same = self.norm(self.one(x))
        return same + F.relu(same)


class OfTheImage(Head):
    def body(self, x: Tensor) -> Tensor:
        return self.norm(self.one(F.relu(x)))


class AfterWhatKeepsIt(Head):
    def body(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.one(x)).sigmoid())


@pytest.mark.parametrize(
    ("model", "changed"),
    [(AfterNorm, 1), (AfterConvolution, 1), (BesideIt, 0), (OfTheImage, 0), (AfterWhatKeepsIt, 0)],
    ids=lambda item: getattr(item, "__name__", item),
)
def test_only_what_nobody_else_reads_is_overwritten(model, changed):
    net = in_place.apply(network.build(*program_of(model())))
    for graph in (net.train_graph, net.eval_graph):
        assert str(graph.code).count("aten.relu_.default") == changed
    net.train()(torch.rand(4, 1, 28, 28)).sum().backward()
