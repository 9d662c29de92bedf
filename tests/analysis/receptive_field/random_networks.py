"""Random networks, for comparing rules and measurements: any operator reads any earlier result."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor, nn

SHAPE = (2, 14, 11)
LARGEST = 24
"""Rows or columns of a result."""

Step = tuple[Callable[..., Tensor], tuple[int, ...]]


class Dag(nn.Module):
    """Steps that each read earlier results by number; the last result is pooled and classified."""

    def __init__(self, steps: list[Step], channels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(step for step, _ in steps if isinstance(step, nn.Module))
        self.steps = steps
        self.classify = nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(run(self.steps, x)[-1].mean((2, 3)))


def run(steps: list[Step], x: Tensor) -> list[Tensor]:
    results = [x]
    for step, reads in steps:
        results.append(step(*(results[at] for at in reads)))
    return results


@st.composite
def networks(draw) -> nn.Module:
    """A network of up to 7 operators on images of 2 channels, 14 rows and 11 columns."""
    x = torch.rand(2, *SHAPE)
    results, steps = [x], []
    for _ in range(draw(st.integers(1, 7))):
        newest = len(results) - 1
        reads = (newest, draw(st.integers(0, newest)))
        make = draw(st.sampled_from(MAKERS))
        step, count = draw(make(results[reads[0]], results[reads[1]]))
        try:
            with torch.no_grad():
                result = step(*(results[at] for at in reads[:count]))
        except (RuntimeError, ValueError):
            continue  # a kernel larger than the map
        if result.dim() == 4 and 0 < result.shape[2] <= LARGEST and 0 < result.shape[3] <= LARGEST:
            results.append(result)
            steps.append((step, reads[:count]))
    return Dag(steps, results[-1].shape[1]).eval()


def _pair(draw, low: int, high: int) -> tuple[int, int]:
    return draw(st.integers(low, high)), draw(st.integers(low, high))


@st.composite
def convolution(draw, x: Tensor, _: Tensor):
    channels = x.shape[1]
    groups = draw(st.sampled_from([g for g in (1, 1, 2, channels) if channels % g == 0]))
    outputs = groups * draw(st.integers(1, 3))
    kernel, dilation, stride = _pair(draw, 1, 4), _pair(draw, 1, 2), _pair(draw, 1, 2)
    padding = draw(st.one_of(st.just("same"), st.tuples(st.integers(0, 2), st.integers(0, 2))))
    mode = draw(st.sampled_from(["zeros", "zeros", "reflect", "replicate", "circular"]))
    if padding == "same":
        stride = (1, 1)
    return nn.Conv2d(
        channels, outputs, kernel, stride, padding, dilation, groups, padding_mode=mode
    ), 1


@st.composite
def transposed(draw, x: Tensor, _: Tensor):
    channels = x.shape[1]
    groups = draw(st.sampled_from([g for g in (1, 2) if channels % g == 0]))
    settings = {
        "stride": _pair(draw, 1, 2),
        "padding": _pair(draw, 0, 1),
        "dilation": _pair(draw, 1, 2),
    }
    return nn.ConvTranspose2d(channels, groups * 2, _pair(draw, 1, 3), groups=groups, **settings), 1


@st.composite
def pooling(draw, _: Tensor, __: Tensor):
    kernel = _pair(draw, 1, 3)
    padding = tuple(draw(st.integers(0, size // 2)) for size in kernel)
    stride, up = _pair(draw, 1, 3), draw(st.booleans())
    if draw(st.booleans()):
        return nn.AvgPool2d(kernel, stride, padding, ceil_mode=up), 1
    return nn.MaxPool2d(kernel, stride, padding, _pair(draw, 1, 2), ceil_mode=up), 1


@st.composite
def sized(draw, _: Tensor, __: Tensor):
    size = _pair(draw, 2, 15)
    how = draw(
        st.sampled_from(["average", "max", "nearest", "bilinear", "corners", "bicubic", "twice"])
    )
    if how == "average":
        return nn.AdaptiveAvgPool2d(size), 1
    if how == "max":
        return nn.AdaptiveMaxPool2d(size), 1
    if how == "corners":
        return nn.Upsample(size=size, mode="bilinear", align_corners=True), 1
    if how == "twice":
        return nn.Upsample(scale_factor=draw(st.sampled_from([2, 1.5, 0.5]))), 1
    return nn.Upsample(size=size, mode=how), 1


@st.composite
def pointwise(draw, x: Tensor, _: Tensor):
    choices = [
        nn.ReLU(),
        nn.BatchNorm2d(x.shape[1]),
        nn.GELU(),
        nn.GroupNorm(1, x.shape[1]),
        nn.Softmax(dim=1),
    ]
    choices += [nn.Dropout2d(0.1), lambda y: y.softmax(2), lambda y: y.clone().mul_(2)]
    return draw(st.sampled_from(choices)), 1


def _cropped(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    rows, columns = min(x.shape[2], y.shape[2]), min(x.shape[3], y.shape[3])
    return x[:, :, :rows, :columns], y[:, :, -rows:, -columns:]


def _added(x: Tensor, y: Tensor) -> Tensor:
    one, other = _cropped(x, y)
    channels = min(one.shape[1], other.shape[1])
    return one[:, :channels] + other[:, -channels:]


@st.composite
def join(draw, x: Tensor, y: Tensor):
    choices = [
        _added,
        lambda x, y: torch.cat(_cropped(x, y), dim=1),
        lambda x, y: torch.cat([x[:, :1, :, : y.shape[3]], y[:, :1, :, : x.shape[3]]], dim=2),
        lambda x, y: torch.cat([x[:, :1, : y.shape[2]], y[:, :1, : x.shape[2]]], dim=3),
        lambda x, y: x * y.mean((1, 2, 3), keepdim=True).sigmoid(),
        lambda x, y: (
            x + y.mean((1, 2), keepdim=True)[..., : x.shape[3]]
            if y.shape[3] >= x.shape[3]
            else x + x.mean((2, 3), keepdim=True)
        ),
        lambda x, y: torch.stack(_same_channels(x, y), dim=1).amax(1),
        lambda x, y: torch.maximum(*_same_channels(x, y)),
    ]
    return draw(st.sampled_from(choices)), 2


def _column_means(x: Tensor, y: Tensor) -> Tensor:
    """A row of means as wide as x."""
    return (y if y.shape[3] >= x.shape[3] else x).mean((1, 2), keepdim=True)[..., : x.shape[3]]


def _same_channels(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    one, other = _cropped(x, y)
    return one[:, :1], other[:, :1]


@st.composite
def moved(draw, x: Tensor, _: Tensor):
    channels, rows, columns = x.shape[1:]
    divisors = [size for size in (2, 3) if channels % size == 0]
    row_cuts = [size for size in (2, 3) if rows % size == 0]
    choices = [
        lambda y: y.flip(2),
        lambda y: y.roll((1, 2), (2, 3)),
        lambda y: y[:, :, ::2],
        lambda y: y[:, :, 1:, :-1],
        lambda y: y.cumsum(3),
        lambda y: y.repeat(1, 2, 1, 1),
        lambda y: y.transpose(2, 3),
        lambda y: torch.cat(y.chunk(2, dim=1)[::-1], dim=1),
        lambda y: torch.cat(y.split(3, dim=2)[::-1], dim=2),
        lambda y: F.pad(y, (1, 2, 0, 1)),
        lambda y: F.pad(y, (2, 1, 1, 2), mode="reflect"),
        lambda y: F.unfold(y, (2, 3), dilation=(2, 1), padding=1, stride=(1, 2)).view(
            y.shape[0], -1, y.shape[2], (y.shape[3] - 1) // 2 + 1
        ),
        lambda y: (
            (y.flatten(2).transpose(1, 2) @ y.flatten(2)).softmax(-1) @ y.flatten(2).transpose(1, 2)
        ),
    ]
    if divisors:
        cut = draw(st.sampled_from(divisors))
        choices.append(
            lambda y: (
                y.view(y.shape[0], cut, channels // cut, rows, columns)
                .transpose(1, 2)
                .flatten(1, 2)
            )
        )
    if row_cuts:
        cut = draw(st.sampled_from(row_cuts))
        shape = (channels, rows // cut, cut, columns)
        choices.append(lambda y: y.view(y.shape[0], *shape).permute(0, 1, 3, 2, 4).flatten(1, 2))
        choices.append(lambda y: y.view(y.shape[0], *shape).permute(0, 3, 1, 2, 4).flatten(1, 2))
        choices.append(lambda y: y.view(y.shape[0], *shape).amax(3))
    if channels % 4 == 0:
        choices.append(lambda y: F.pixel_shuffle(y, 2))
    return draw(st.sampled_from(choices)), 1


MAKERS = (
    convolution,
    convolution,
    convolution,
    transposed,
    pooling,
    sized,
    pointwise,
    join,
    join,
    moved,
    moved,
)
