"""Convolutions by tiles round about as much as PyTorch's, and long networks are left to PyTorch."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import compiled, convolution, machine, tiling, winograd
from grader.training.engine.lanes.arena import Arena
from grader.training.engine.lanes.maps import Map, Place
from grader.training.engine.lanes.stages import Convolution
from grader.training.engine.lanes.tiles import TILE
from tests.networks import program_of
from tests.training.engine.lanes.compare import HERE, assert_as_torch, case

GROUPS = 2
IMAGES = GROUPS * HERE.lanes


def numbers(of: Map, place: Place, images: Any) -> tuple[np.ndarray, np.ndarray]:
    """Where the numbers of these images lie from the beginning of a map; and all the images."""
    group, channel, row, column, lane = np.ix_(
        range(GROUPS), range(of.channels), range(of.height), range(of.width), range(HERE.lanes)
    )
    vector = group * place.group + channel * place.channel + row * place.row
    where = (vector + column * place.pixel + place.first) * HERE.lanes + lane
    return where, np.asarray(images)


def by_group(images: Tensor) -> np.ndarray:
    """(N, C, H, W) as (group, C, H, W, lane)."""
    return images.unflatten(0, (GROUPS, HERE.lanes)).permute(0, 2, 3, 4, 1).numpy()


def by_image(lanes: np.ndarray) -> Tensor:
    """The other way round."""
    return torch.from_numpy(lanes).permute(0, 4, 1, 2, 3).flatten(0, 1)


class Kernel:
    """A convolution by tiles, called on its own."""

    def __init__(self, stage: Convolution, shape: convolution.Shape, maps: tuple[Map, Map]) -> None:
        self.shape, self.maps = shape, maps
        kernel, weights = winograd.write(shape, TILE, HERE), winograd.weights(shape, TILE, HERE)
        texts = dict.fromkeys(callee.text() for callee in kernel.callees)
        self.code = machine.compiled([*texts, kernel.text(), weights.text()], HERE)
        pointer, whole = ctypes.c_void_p, ctypes.c_int64
        convolve = ctypes.CFUNCTYPE(None, *[pointer] * 5, whole, whole)
        self.convolve = convolve(self.code.address(kernel.name))
        self.transform = ctypes.CFUNCTYPE(None, pointer, pointer)(self.code.address("weights"))
        self.scratch = tiling.room(TILE, stage) * HERE.lanes

    def __call__(
        self, places: tuple[Place, Place], images: Tensor, weight: Tensor, bias: Tensor, old: Tensor
    ) -> Tensor:
        """Its target, which began with `old`."""
        source, target = self.maps
        arena = Arena()
        sizes = [place.group * IMAGES for place in places]
        needed = [*sizes, weight.numel(), TILE.products * weight.numel(), 64, self.scratch]
        begins = [arena.take(size) for size in needed]
        memory = arena.memory()
        from_, to, of_weight, _, of_bias, _ = begins
        where, given_ = numbers(source, places[0], by_group(images))
        memory[where + from_] = given_
        where, given_ = numbers(target, places[1], by_group(old))
        memory[where + to] = given_
        memory[of_weight : of_weight + weight.numel()] = weight.flatten().numpy()
        memory[of_bias : of_bias + len(bias)] = bias.numpy()
        before = memory[to : to + sizes[1]].copy()
        at = [memory.ctypes.data + 4 * begin for begin in begins]
        self.transform(at[2], at[3])
        self.convolve(at[0], at[1], at[3], at[4], at[5], 0, GROUPS)
        after = memory[to : to + sizes[1]]
        found = after[where].copy()
        before[where] = after[where] = 0
        assert np.array_equal(before, after), "it wrote beside its target"
        return by_image(found)


def error(found: Tensor, exact: Tensor) -> float:
    """The root of the mean square."""
    return float((found.double() - exact).square().mean().sqrt())


sizes = st.integers(1, 13)
channels = st.integers(1, 20)


@given(channels, channels, sizes, sizes, st.integers(0, 2), st.booleans())
@example(16, 16, 28, 28, 1, True)
@example(33, 7, 7, 10, 1, False)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_tiles_are_nearly_as_exact_as_torch(inputs, outputs, height, width, padding, accumulates):
    if min(height, width) + 2 * padding < 3:
        return
    torch.manual_seed(inputs + 20 * outputs)
    source = Map(inputs, height, width)
    target = Map(outputs, height + 2 * padding - 2, width + 2 * padding - 2)
    pads = (padding, padding)
    stage = Convolution(source, target, "w", "b", (3, 3), padding=pads)
    layers_widen(stage)
    weight = torch.randn(outputs, inputs, 3, 3) / (3 * inputs**0.5)
    bias, images = torch.randn(outputs), torch.randn(IMAGES, inputs, height, width)
    zeros = torch.zeros(IMAGES, outputs, target.height, target.width)
    kernel = Kernel(stage, convolution.forward(stage), (source, target))
    found = kernel((source.values, target.values), images, weight, bias, zeros)
    exact = torch.conv2d(images.double(), weight.double(), bias.double(), padding=padding)
    single = torch.conv2d(images, weight, bias, padding=padding)
    # Products of few channels round little, so that what is 0 for one may not be for the other.
    assert error(found, exact) <= 3 * error(single, exact) + 1e-7

    given_ = torch.randn_like(exact).float()
    back = convolution.backward(stage, accumulates=accumulates)
    old = torch.randn_like(images)
    kernel = Kernel(stage, back, (target, source))
    places = target.gradient, source.gradient
    found = kernel(places, given_, weight, torch.zeros(1), old)
    begin = old if accumulates else torch.zeros_like(old)
    exact = begin.double() + nn.grad.conv2d_input(
        images.shape, weight.double(), given_.double(), padding=padding
    )
    single = begin + nn.grad.conv2d_input(images.shape, weight, given_, padding=padding)
    assert error(found, exact) <= 3 * error(single, exact) + 1e-7


def layers_widen(stage: Convolution) -> None:
    """Borders as the lowering gives them, and those of the tiles whether they pay or not."""
    reach = 2 + TILE.columns.pixels
    stage.source.border.widen(*stage.padding, reach, reach)
    stage.target.gradient_border.widen(2, 2, reach, reach)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [(12, 12), (7, 9), (5, 3)])
def test_a_network_by_tiles_learns_as_torch(size, threads):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Conv2d(12, 16, 3, padding=1),
        nn.SiLU(),
        nn.Conv2d(16, 13, 3, padding=1, bias=False),
        nn.BatchNorm2d(13),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(13, 10),
    )
    tried = case(model, (1, *size), sizes=(40, 17))
    text = "\n".join(compiled.write(tried.program, 40, 1, HERE).texts)
    assert text.count("define void @winograd") >= 3
    assert_as_torch(tried, threads)


def test_what_has_no_tiles():
    source, target = Map(16, 12, 12), Map(16, 12, 12)
    plain: dict[str, Any] = {"window": (3, 3), "padding": (1, 1)}
    for options in (
        {"window": (5, 5)},
        {"stride": (1, 2)},
        {"dilation": (2, 1)},
        {"groups": 2},
        {"window": (1, 3)},
    ):
        stage = Convolution(source, target, "w", None, **{**plain, **options})
        assert tiling.forward(stage) is None
        assert tiling.backward(stage) is None
    assert tiling.forward(Convolution(source, target, "w", None, **plain)) is TILE
    few = Convolution(Map(1, 12, 12), Map(4, 12, 12), "w", None, **plain)
    assert tiling.forward(few) is None


def deep(layers: int, *, alike: bool) -> nn.Module:
    """A network of that many convolutions, with the same or with many different shapes."""
    found: list[nn.Module] = []
    before = 1
    for number in range(layers):
        channels = 12 if alike else 8 + number % 25
        found += [nn.Conv2d(before, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
        before = channels
    return nn.Sequential(*found, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))


def test_fifty_layers_alike_share_their_code():
    program, _ = program_of(deep(50, alike=True), (1, 8, 8))
    texts = compiled.write(program, 32, 1, HERE).texts
    assert sum(map(len, texts)) < machine.MOST_TEXT / 3


def test_a_network_that_would_compile_for_long_is_left_to_torch(monkeypatch):
    def compile_(*_: Any, **__: Any) -> bytes:
        raise AssertionError("it was compiled")

    monkeypatch.setattr(machine, "machine_code", compile_)
    monkeypatch.setattr(machine, "MOST_TEXT", 300_000)
    program, _ = program_of(deep(6, alike=False), (1, 8, 8))
    written = compiled.write(program, 32, 1, HERE)
    with pytest.raises(CannotTrainError, match="MB of intermediate code"):
        compiled.compile_(written, HERE)


def test_tiles_are_left_out_where_their_code_would_be_too_long(monkeypatch):
    program, _ = program_of(deep(4, alike=False), (1, 8, 8))
    by_tiles = compiled.write(program, 32, 1, HERE).texts
    monkeypatch.setattr(machine, "MOST_TEXT", sum(map(len, by_tiles)) - 1)
    direct = compiled.write(program, 32, 1, HERE).texts
    assert "@winograd" in "\n".join(by_tiles)
    assert "@winograd" not in "\n".join(direct)
    assert sum(map(len, direct)) < sum(map(len, by_tiles))
