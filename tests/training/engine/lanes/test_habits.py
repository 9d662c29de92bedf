"""Blocks that students copy from papers, and weights that are computed, are what torch computes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import compiled
from tests.networks import program_of
from tests.training.engine.lanes.compare import HERE, assert_as_torch, case
from tests.training.engine.lanes.test_arrangements import Learned
from tests.training.engine.lanes.test_networks import Then, convolutional, ready

SHAPE = (1, 8, 6)


class Standardized(nn.Conv2d):
    """A convolution whose weights have no mean."""

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight / weight.flatten(1).std(1).view(-1, 1, 1, 1), self.bias)


class Tied(nn.Module):
    """A decoder with the weights of its encoder, turned."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(48, 7)

    def forward(self, x: Tensor) -> Tensor:
        code = self.encoder(x.flatten(2)).tanh()
        return F.linear(code, self.encoder.weight.t()).view_as(x)


class Coordinates(nn.Module):
    """Rows and columns as channels."""

    def forward(self, x: Tensor) -> Tensor:
        rows = torch.linspace(-1, 1, 8).view(1, 1, 8, 1).expand(x.size(0), 1, 8, 6)
        columns = torch.arange(6.0).view(1, 1, 1, 6).expand(x.size(0), -1, 8, -1) / 6
        return torch.cat([x, rows, columns], 1)


class Token(nn.Module):
    """A token that is learned before those of an image, then a part for each place."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, 5))
        self.places = nn.Parameter(torch.randn(1, 49, 5))

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        all_ = torch.cat([self.token.expand(x.size(0), -1, -1), tokens], 1) + self.places
        return all_[:, :, :, None].transpose(1, 2)


class Attention(nn.Module):
    """Two heads over the tokens of an image, by hand or by torch's function."""

    def __init__(self, by_hand: bool) -> None:
        super().__init__()
        self.all = nn.Linear(6, 18)
        self.norm = nn.LayerNorm(6)
        self.by_hand = by_hand

    def forward(self, x: Tensor) -> Tensor:
        batch = x.size(0)
        tokens = self.norm(x.flatten(2).transpose(1, 2))
        q, k, v = self.all(tokens).view(batch, -1, 3, 2, 3).unbind(2)
        q, k, v = (each.transpose(1, 2) for each in (q, k, v))
        if self.by_hand:
            found = ((q @ k.transpose(-2, -1)) * 3**-0.5).softmax(-1) @ v
        else:
            found = F.scaled_dot_product_attention(q, k, v)
        return x + found.transpose(1, 2).reshape(batch, -1, 6).transpose(1, 2).view_as(x)


class Block(nn.Module):
    """A block of ConvNeXt, with a factor that is learned."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(5, 5, 3, padding=1, groups=5)
        self.norm = nn.LayerNorm(5)
        self.wide, self.narrow = nn.Linear(5, 9), nn.Linear(9, 5)
        self.factor = nn.Parameter(torch.full((5,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.factor * self.narrow(F.gelu(self.wide(y)))
        return x + y.permute(0, 3, 1, 2)


class Mixer(nn.Module):
    """Tokens mixed, then channels."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.channels = nn.Linear(48, 48), nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = x.flatten(2)
        y = y + self.tokens(y).relu()
        y = y.transpose(1, 2)
        y = y + self.channels(y).relu()
        return y.transpose(1, 2).view_as(x)


class NextTo(nn.Module):
    """A convolution over channels, as efficient channel attention has it."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        mean = F.adaptive_avg_pool2d(x, 1).squeeze(-1).transpose(-1, -2)
        gate = self.convolution(mean).transpose(-1, -2).unsqueeze(-1).sigmoid()
        return x * gate.expand_as(x)


class Twice(nn.Module):
    """One block with its batch norm, called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(5, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.block(self.block(x))


BLOCKS: dict[str, Any] = {
    "weight norm": lambda: parametrizations.weight_norm(nn.Conv2d(5, 4, 3)),
    "standardized weights": lambda: Standardized(5, 4, 3),
    "tied weights": Tied,
    "coordinates": Coordinates,
    "a token": Token,
    "attention by hand": lambda: nn.Sequential(nn.Conv2d(5, 6, 3, 2, 1), Attention(True)),
    "attention": lambda: nn.Sequential(nn.Conv2d(5, 6, 3, 2, 1), Attention(False)),
    "a block of ConvNeXt": Block,
    "a mixer": Mixer,
    "attention to channels": NextTo,
    "a block twice": Twice,
    "a positive weight": lambda: Learned((5, 1, 1), lambda x, w: x * F.softplus(w)),
    "a matrix": lambda: Learned((6, 4), lambda x, w: (x @ w).tanh()),
    "a product of two maps": lambda: Then(lambda x: x @ x.transpose(2, 3)),
    "powers": lambda: Then(lambda x: x**3 + (x.abs() + 0.1) ** 0.5 + 1 / (x * x + 1) ** 1.5),
    "logarithms": lambda: Then(lambda x: (x.abs() + 0.2).log() + F.logsigmoid(x) + x.erf()),
    "roots": lambda: Then(lambda x: (x.abs() + 0.2).sqrt() + (x * x + 0.3).rsqrt()),
    "instance norm": lambda: nn.InstanceNorm2d(5, affine=True),
    "RMS norm": lambda: nn.Sequential(nn.Conv2d(5, 4, 1), nn.RMSNorm([4, 8, 6])),
    "RMS norm of rows": lambda: nn.RMSNorm(6, eps=1e-3),
    "LP pool": lambda: nn.LPPool2d(2, 2),
    "shrunk": lambda: Then(lambda x: F.softshrink(x, 0.2) + F.hardshrink(x * 0.7, 0.3)),
    "threshold": lambda: nn.Threshold(0.1, 0.3),
    "PReLU": lambda: nn.PReLU(5),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block(name):
    torch.manual_seed(2)
    model = convolutional(BLOCKS[name](), nn.Tanh(), nn.LazyConv2d(4, 1))
    assert_as_torch(case(ready(model, SHAPE), SHAPE, sizes=(18, 3)), threads=2)


def test_a_type_that_it_has_already():
    tried = case(ready(convolutional(Then(lambda x: x.float() * 2)), SHAPE), SHAPE)
    for theirs, ours in zip(tried.by_torch(torch.float32), tried.by_lanes(), strict=True):
        assert ours.loss == pytest.approx(theirs.loss, abs=1e-5)
        torch.testing.assert_close(ours.scores, theirs.scores)
        torch.testing.assert_close(ours.gradients, theirs.gradients)


@pytest.mark.parametrize("weight", [None, tuple(0.5 + 0.1 * k for k in range(10))])
def test_nll_of_scores_as_they_are(weight):
    model = ready(convolutional(nn.ReLU()), SHAPE)
    assert_as_torch(case(model, SHAPE, name="nll", weight=weight))


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (nn.ConvTranspose2d(5, 5, 3), "transposed convolution"),
        (Then(lambda x: x - x.mean(0, keepdim=True)), "mean over several images"),
        (Then(lambda x: x + torch.randn_like(x)), "randn like"),
        (Then(lambda x: x.view(-1, 8, 6).relu().view_as(x)), "over several images"),
        (nn.Upsample(scale_factor=1.5), "by a factor that is not whole"),
        (nn.MaxPool2d(2, dilation=2), "dilated max pooling"),
    ],
)
def test_what_has_no_code_is_named(layer, words):
    program, _ = program_of(ready(convolutional(layer), SHAPE).train(), SHAPE)
    with pytest.raises(CannotTrainError, match=f"^no machine code for .*{words}"):
        compiled.write(program, 20, 1, HERE)
