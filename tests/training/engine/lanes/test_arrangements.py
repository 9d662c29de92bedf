"""What moves, joins and reduces numbers, as students write it, is what torch computes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.training.engine.lanes.compare import assert_as_torch, case
from tests.training.engine.lanes.test_networks import Both, Then, convolutional, ready

SHAPE = (1, 8, 6)


class Learned(nn.Module):
    """A function of the maps and of a weight."""

    def __init__(self, shape: tuple[int, ...], function: Any) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.weight = nn.Parameter(torch.rand(shape) + 0.5)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self.weight)


def shuffled(x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    parts = x.view(batch, 2, channels // 2, height, width)
    return parts.transpose(1, 2).contiguous().view(batch, channels, height, width)


def halves(x: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=1)
    return torch.cat([F.relu(first), second.tanh()], 1)


def halves_in_place(x: Tensor) -> Tensor:
    first, second = x[:, :3], x[:, 3:]
    return torch.cat([F.relu_(first), second], 1)


def patches(x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    cut = x.view(batch, channels, height // 2, 2, width // 2, 2)
    cut = cut.permute(0, 2, 4, 1, 3, 5).reshape(batch, height * width // 4, channels * 4)
    return cut.transpose(1, 2).tanh().reshape(batch, channels * 4, height // 2, width // 2)


def spatial_attention(x: Tensor) -> Tensor:
    both = torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1)
    return x * both.sum(1, keepdim=True).sigmoid()


def standardized(x: Tensor) -> Tensor:
    mean, spread = x.mean((2, 3), keepdim=True), x.std((2, 3), keepdim=True)
    return (x - mean) / (spread + 1e-5)


MOVES: dict[str, Any] = {
    "permuted there and back": lambda x: x.permute(0, 2, 3, 1).tanh().permute(0, 3, 1, 2),
    "rows and columns swapped": lambda x: x.transpose(2, 3),
    "the last moved to the front": lambda x: x.movedim(-1, 1).movedim(1, -1),
    "nothing permuted": lambda x: x.mean((2, 3), keepdim=True).transpose(2, 3) + x,
    "channels shuffled by hand": shuffled,
    "channels shuffled": lambda x: F.channel_shuffle(x, 3),
    "halves": halves,
    "halves in place": halves_in_place,
    "every second pixel": lambda x: x[:, :, ::2, 1::2],
    "the middle": lambda x: x[:, 1:5, 1:-1, 2:],
    "one channel": lambda x: x[:, 2].unsqueeze(1) * x,
    "narrow": lambda x: x.narrow(2, 1, 4),
    "unbound": lambda x: torch.stack([a * (k + 1) for k, a in enumerate(x.unbind(1))], 1),
    "stacked": lambda x: torch.stack([x, x * 2], 2).flatten(1, 2),
    "rows beside each other": lambda x: torch.cat([x, x.flip(2)], 2),
    "columns beside each other": lambda x: torch.cat([x[..., :3], x], -1),
    "padded by zeros": lambda x: F.pad(x, (1, 2, 0, 3)),
    "padded by a number": lambda x: F.pad(x, (1, 0, 2, 1), value=0.7),
    "padded channels": lambda x: F.pad(x, (0, 0, 0, 0, 1, 2)),
    "padded less than nothing": lambda x: F.pad(x, (-1, 2, 1, -2)),
    "mirrored": nn.ReflectionPad2d((2, 1, 1, 3)),
    "edges": nn.ReplicationPad2d((1, 2, 3, 0)),
    "circular": lambda x: F.pad(x, (1, 2, 2, 1), mode="circular"),
    "flipped": lambda x: x.flip((2, 3)) + x,
    "rolled": lambda x: x.roll((1, -2), (2, 3)),
    "repeated": lambda x: x.repeat(1, 2, 1, 2),
    "expanded": lambda x: x.mean(3, keepdim=True).expand(-1, -1, -1, 6) - x,
    "upsampled": nn.Upsample(scale_factor=2),
    "upsampled to a size": lambda x: F.interpolate(x, size=(16, 18)),
    "pixels shuffled": lambda x: F.pixel_shuffle(x[:, :4], 2),
    "pixels unshuffled": lambda x: F.pixel_unshuffle(x, 2),
    "patches": patches,
    "cloned and written to": lambda x: x.clone().relu_() + x,
    "an in-place write to the whole": lambda x: x.mul_(1.5).tanh(),
    "other shape, same pixels": lambda x: x.view(x.size(0), 3, 2, 8, 6).mean(2),
}


@pytest.mark.parametrize("name", MOVES)
def test_numbers_are_moved(name):
    function = MOVES[name]
    layer = function if isinstance(function, nn.Module) else Then(function)
    model = convolutional(nn.BatchNorm2d(6), layer, nn.Tanh(), nn.LazyConv2d(4, 3), channels=6)
    assert_as_torch(case(ready(model, SHAPE), SHAPE, sizes=(18, 3)), threads=2)


REDUCTIONS: dict[str, Any] = {
    "mean of channels": lambda x: x.mean(1, keepdim=True) * x,
    "mean of rows": lambda x: x.mean(2, keepdim=True) + x,
    "mean of columns, twice": lambda x: x.mean(3).mean(2)[:, :, None, None],
    "mean of channels and columns": lambda x: x - x.mean((1, 3), keepdim=True),
    "mean of everything": lambda x: x - x.mean((1, 2, 3), keepdim=True),
    "sum of a part": lambda x: x[:, :, :4].sum((2, 3), keepdim=True),
    "amax": lambda x: x.amax(1, keepdim=True) + x,
    "amax with equals": lambda x: F.relu(x).amax((1, 2), keepdim=True) + x,
    "amax of all": lambda x: x.amax((2, 3), keepdim=True),
    "amin": lambda x: x.amin(-1, keepdim=True) + x,
    "max with equals": lambda x: F.relu(x).max(1, keepdim=True).values + x,
    "min": lambda x: x.min(2, keepdim=True)[0] + x,
    "standardized": standardized,
    "variance": lambda x: x.var(1, keepdim=True, unbiased=False) + x,
    "normalized": lambda x: F.normalize(x, dim=1),
    "length": lambda x: x.norm(dim=(2, 3), keepdim=True),
    "sum of sizes": lambda x: x.norm(p=1, dim=1, keepdim=True) * x,
    "spatial attention": spatial_attention,
    "softmax of channels": lambda x: x.softmax(1),
    "softmax of pixels": lambda x: x.flatten(2).softmax(-1).view_as(x) * x,
    "log softmax of rows": lambda x: F.log_softmax(x, 2),
    "softmin": nn.Softmin(1),
    "gated linear unit": nn.GLU(1),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_numbers_are_reduced(name):
    function = REDUCTIONS[name]
    layer = function if isinstance(function, nn.Module) else Then(function)
    model = convolutional(layer, nn.Tanh(), nn.LazyConv2d(4, 1), channels=6)
    assert_as_torch(case(ready(model, SHAPE), SHAPE, sizes=(18, 3)), threads=2)


WEIGHTED: dict[str, Any] = {
    "one scale": ((), lambda x, w: x * w),
    "one shift": ((1,), lambda x, w: w + x),
    "scale by channel": ((6, 1, 1), lambda x, w: x * w),
    "scale by channel, with the batch": ((1, 6, 1, 1), lambda x, w: w * x),
    "shift by pixel": ((8, 6), lambda x, w: x - w),
    "shift by row": ((1, 8, 1), lambda x, w: w - x),
    "by every number": ((6, 8, 6), lambda x, w: x / w),
    "quotient of it": ((6, 1, 1), lambda x, w: w / (x.abs() + 1)),
    "after a mean": ((6,), lambda x, w: (x.mean((2, 3)) * w)[:, :, None, None]),
    "spread by it": ((6, 1, 6), lambda x, w: x.mean(3, keepdim=True) * w),
    "slope by channel": ((6,), F.prelu),
    "one slope": ((1,), F.prelu),
    "gate that is learned": ((1,), lambda x, w: x + w * x.tanh()),
    "the larger one": ((6, 1, 1), torch.maximum),
    "the smaller one": ((1,), lambda x, w: torch.minimum(w, x)),
}


@pytest.mark.parametrize("name", WEIGHTED)
def test_a_learned_factor(name):
    shape, function = WEIGHTED[name]
    model = convolutional(
        nn.BatchNorm2d(6), Learned(shape, function), nn.Conv2d(6, 4, 1), channels=6
    )
    assert_as_torch(case(ready(model, SHAPE), SHAPE, sizes=(18, 3)), threads=2)


JOINS: dict[str, Any] = {
    "quotient": lambda a, b: a / (b.abs() + 1),
    "larger": torch.maximum,
    "smaller": lambda a, b: torch.min(a, F.relu(b)),
    "larger of what is often equal": lambda a, b: torch.max(F.relu(a), F.relu(b)),
    "difference by row": lambda a, b: a - b.mean(3, keepdim=True),
    "a sum of different sides": lambda a, b: a.mean(3, keepdim=True) + b.mean(2, keepdim=True),
    "product of views": lambda a, b: (a.flatten(1) * b.flatten(1)).view_as(a),
    "a squared": lambda a, b: a * a + b,
}


@pytest.mark.parametrize("name", JOINS)
def test_two_maps(name):
    layer = Both(nn.Conv2d(5, 5, 1), nn.Conv2d(5, 5, 3, padding=1), JOINS[name])
    assert_as_torch(case(ready(convolutional(layer), SHAPE), SHAPE, sizes=(18, 3)), threads=2)


ONE_DIMENSION: dict[str, nn.Module] = {
    "convolution": nn.Conv1d(5, 4, 3, stride=2, padding=1),
    "convolution of the same size": nn.Conv1d(5, 4, 5, padding="same", dilation=2),
    "max pool": nn.MaxPool1d(3, 2, 1),
    "mean pool": nn.AvgPool1d(2),
    "mean of three": nn.AdaptiveAvgPool1d(3),
    "max of three": nn.AdaptiveMaxPool1d(3),
    "batch norm": nn.BatchNorm1d(5),
    "instance norm": nn.InstanceNorm1d(5, affine=True),
    "group norm": nn.GroupNorm(5, 5),
    "layer norm": nn.LayerNorm(48),
    "linear": nn.Linear(48, 7),
    "dropout of channels": nn.Dropout1d(0.3),
    "linear on each channel's pixels, twice": nn.Sequential(
        nn.Linear(48, 7), nn.GELU(), nn.Linear(7, 5)
    ),
}


@pytest.mark.parametrize("name", ONE_DIMENSION)
def test_rows_as_one(name):
    layer = nn.Sequential(nn.Flatten(2), ONE_DIMENSION[name], nn.Tanh(), nn.AdaptiveAvgPool1d(1))
    model = nn.Sequential(nn.Conv2d(1, 5, 3, padding=1), layer, nn.Flatten(), nn.LazyLinear(10))
    assert_as_torch(case(ready(model, SHAPE), SHAPE, sizes=(18, 3)), threads=2)


def without_gradient(x: Tensor) -> Tensor:
    with torch.no_grad():
        mean = x.mean((2, 3), keepdim=True) * 2
    return x - mean + x.detach().relu()


DETACHED: dict[str, nn.Module] = {
    "a block": Then(without_gradient),
    "a detached gate": Then(lambda x: x * x.detach().sigmoid()),
    "a residual": Then(lambda x: x.tanh() + (x - x.tanh()).detach()),
}


@pytest.mark.parametrize("name", DETACHED)
def test_no_gradient_passes(name):
    model = convolutional(nn.BatchNorm2d(5), DETACHED[name], nn.Conv2d(5, 5, 1))
    assert_as_torch(case(ready(model, SHAPE), SHAPE), threads=2)


class Half(nn.Module):
    """A layer under no_grad, beside one that learns."""

    def __init__(self) -> None:
        super().__init__()
        self.fixed = nn.Sequential(nn.Conv2d(5, 5, 3, padding=1), nn.BatchNorm2d(5))
        self.free = nn.Conv2d(5, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            fixed = self.fixed(x).tanh()
        return fixed.flatten(1).view_as(fixed) + self.free(x)


def test_what_is_only_used_without_gradients_does_not_learn():
    model = ready(convolutional(Half()), SHAPE)
    assert_as_torch(case(model, SHAPE))


class InEvaluation(nn.BatchNorm2d):
    """Batch norm by its running statistics, whose weights learn all the same."""

    def train(self, mode: bool = True) -> nn.Module:
        return super().train(False)


@pytest.mark.parametrize("threads", [1, 2])
def test_batch_norm_that_learns_by_its_running_statistics(threads):
    norm = InEvaluation(5)
    norm.running_mean.uniform_(-0.5, 0.5)
    norm.running_var.uniform_(0.5, 1.5)
    model = convolutional(norm, nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 4, 1))
    assert_as_torch(case(ready(model, SHAPE), SHAPE, sizes=(40, 3)), threads)
