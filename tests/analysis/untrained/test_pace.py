"""How long a network takes, beside the yardstick: what can be said of a clock without waiting."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from grader import network
from grader.analysis import cost
from grader.analysis.untrained import pace
from tests.networks import CLASSES, SHAPE, program_of


def net(channels: int) -> nn.Module:
    """Two convolutions at full size."""
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, CLASSES),
    )


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(pace, "SECONDS", 0.05)


def timed(model: nn.Module):
    program, values = program_of(model)
    weights = network.place(program, network.read_values(program, values))
    return pace.measure(program, weights, cost.measure_cost(program.eval))


def test_a_network_of_far_more_multiply_adds_takes_longer():
    small, large = timed(net(2))[-1], timed(net(64))[-1]  # some 500 times as many
    assert large.microseconds > 3 * small.microseconds
    assert large.ratio > 3 * small.ratio


def test_each_size_of_batch_is_timed_in_turns_with_the_yardstick():
    found = timed(net(4))
    assert [one.batch for one in found] == [1, 256]
    for one in found:
        assert one.ratio == pytest.approx(one.microseconds / one.yardstick)
        assert 0 < one.low <= one.ratio <= one.high


def test_a_batch_that_would_take_long_or_much_memory_is_not_timed(monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(pace, "MOST_SECONDS", 1e-9)
        assert [one.batch for one in timed(net(4))] == [1]
    memory = cost.measure_cost(program_of(net(4))[0].eval).memory
    monkeypatch.setattr(pace, "MOST_BYTES", 255 * memory)
    assert [one.batch for one in timed(net(4))] == [1]
    monkeypatch.setattr(pace, "MOST_BYTES", memory - 1)
    assert timed(net(4)) == ()


def test_one_thread_is_used_and_the_others_are_given_back(monkeypatch):
    before, seen = torch.get_num_threads(), []

    def seconds(module, images, times):
        seen.append(torch.get_num_threads())
        return 0.01

    monkeypatch.setattr(pace, "_seconds", seconds)
    timed(net(2))
    assert set(seen) == {1}
    assert torch.get_num_threads() == before


def test_the_yardstick_is_the_same_for_everybody_and_as_large_as_its_page_says():
    one, other = pace.yardstick(1, 10), pace.yardstick(1, 10)
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert sum(each.numel() for each in one.parameters()) == 3_738
    # 28 * 28 * 9 * 8, 14 * 14 * 9 * 8 * 16, 7 * 7 * 9 * 16 * 16, 16 * 10
    assert 56_448 + 225_792 + 112_896 + 160 == 395_296
    assert one(torch.zeros(2, 1, *SHAPE[1:])).shape == (2, CLASSES)


def test_random_numbers_of_others_stay_as_they_are():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    pace.yardstick(1, 10)
    assert torch.equal(torch.rand(3), expected)
