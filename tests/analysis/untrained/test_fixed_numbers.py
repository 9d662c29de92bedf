"""What no seed changes: learned numbers are seen through disguises, honest tables let pass."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from grader import network
from grader.analysis.untrained.fixed_numbers import MOST_BYTES, Fixed, common, fixed, size
from tests.networks import CLASSES, program_of


def brought(make, seeds=(0, 1)) -> Fixed:
    """What `make` brings along, built under each of the seeds."""
    found = []
    for seed in seeds:
        torch.manual_seed(seed)
        program, values = program_of(make())
        found.append(network.build(program, values).weights)
    return fixed(program, found)


def learned(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(9))


class Table(nn.Module):
    """A linear classifier and a table that is used as `use` says."""

    def __init__(
        self, table: torch.Tensor, use=lambda x, table: F.conv2d(x, table, padding="same")
    ):
        super().__init__()
        self.register_buffer("table", table)
        self.use = use
        self.fc = nn.Linear(
            144 * (table.shape[0] if table.dim() == 4 and table.shape[0] > 1 else 1), CLASSES
        )

    def forward(self, x):
        return self.fc(self.use(x, self.table).flatten(1))


def drawn(seed: int, count: int = 100) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed))


def test_draws_of_other_seeds_have_nothing_in_common():
    assert common([drawn(seed) for seed in range(5)]) is None


def test_equal_draws_are_common_however_few_they_are():
    assert common([torch.tensor([0.3, 0.7]), torch.tensor([0.3, 0.7])]) is not None


def test_noise_on_learned_numbers_does_not_hide_them():
    assert common([drawn(0) + 0.1 * drawn(1), drawn(0) + 0.1 * drawn(2)]) is not None


def test_two_seeds_of_five_that_agree_are_enough():
    assert common([drawn(1), drawn(2), drawn(3), drawn(4), drawn(2)]) is not None


@pytest.mark.parametrize("count", [2, 8, 31, 32, 100])
def test_draws_around_a_value_are_not_taken_for_fixed(count):
    for seed in range(0, 200, 2):
        assert common([1 + 0.02 * drawn(seed, count), 1 + 0.02 * drawn(seed + 1, count)]) is None


@pytest.mark.parametrize(
    "plain",
    [
        torch.zeros(40),
        torch.full((40,), 0.3),
        torch.eye(10),
        nn.init.dirac_(torch.empty(8, 8, 3, 3)),
    ],
)
def test_constants_and_identities_say_nothing_with_and_without_noise(plain):
    assert common([plain, plain]) is None
    noise = [0.01 * drawn(seed, plain.numel()).view_as(plain) for seed in (1, 2)]
    assert common([plain + noise[0], plain + noise[1]]) is None


def test_a_learned_kernel_is_seen_in_a_buffer():
    found = brought(lambda: Table(learned(8, 1, 11, 11)))
    assert found.held == ("table",)
    assert not found.is_little


def test_learned_numbers_of_four_bits_are_seen():
    table = (learned(32, 1, 9, 9) * 3).round().clamp(-7, 8)
    assert size([table]) > MOST_BYTES
    assert not brought(lambda: Table(table)).is_little


def test_learned_numbers_that_reach_the_kernel_by_an_addition_are_seen():
    def use(x, table):
        return F.conv2d(x, table + torch.zeros_like(table), padding="same")

    assert not brought(lambda: Table(learned(8, 1, 11, 11), use)).is_little


def test_a_table_that_is_added_to_the_image_is_not_weighed():
    assert brought(lambda: Table(learned(1, 12, 12), lambda x, table: x + table)).size < 20


def test_numbers_in_forward_are_weighed_together():
    numbers = learned(900).tolist()

    class Literal(Table):
        def forward(self, x):
            y = x.mean((1, 2, 3))
            for number in numbers:
                y = y * number
            return super().forward(x) + y.unsqueeze(1)

    assert brought(lambda: Literal(torch.ones(1, 1, 3, 3))).size > MOST_BYTES


def gabor() -> torch.Tensor:
    grid = torch.arange(7) - 3.0
    rows, columns = torch.meshgrid(grid, grid, indexing="ij")
    angles = (torch.arange(8) * math.pi / 8).view(-1, 1, 1)
    wave = torch.cos((rows * angles.sin() + columns * angles.cos()) * 1.5)
    return (torch.exp(-(rows**2 + columns**2) / 8) * wave).unsqueeze(1)


def cosines() -> torch.Tensor:
    basis = torch.cos(torch.arange(8).view(-1, 1) * (torch.arange(8) + 0.5) * math.pi / 8)
    return torch.einsum("ik,jl->ijkl", basis, basis).reshape(64, 1, 8, 8)


def window() -> torch.Tensor:
    line = torch.linspace(-1, 1, 28)
    return torch.exp(-(line.view(-1, 1) ** 2 + line**2))


def grid() -> torch.Tensor:
    line = torch.linspace(-1, 1, 28)
    return torch.stack(torch.meshgrid(line, line, indexing="ij"))


@pytest.mark.parametrize("make", [gabor, cosines, window, grid], ids=lambda make: make.__name__)
def test_tables_by_a_formula_are_small_enough(make):
    assert size([make()]) <= MOST_BYTES


def test_what_the_grader_s_seed_draws_is_not_fixed():
    assert brought(lambda: Table(torch.randn(8, 1, 11, 11))) == Fixed()


def test_one_seed_alone_proves_nothing():
    assert brought(lambda: Table(learned(8, 1, 11, 11)), seeds=(0,)) == Fixed()
