"""What no seed drew is weighed, however used and disguised; formulas and draws weigh little."""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from grader import network
from grader.analysis.untrained import written_down
from grader.analysis.untrained.brought_along import MOST_BYTES, Fixed
from grader.analysis.untrained.fixed_numbers import fixed
from tests.analysis.networks import block
from tests.networks import program_of
from tests.static_grading import _digits

SHAPE = (1, 28, 28)
LEARNED_BYTES = 9_000
"""6,260 learned numbers take 10,000 bytes; a little may be lost in a disguise."""


def brought(make, seeds=range(3)) -> Fixed:
    """What `make` brings along, built under each of the seeds."""
    program, found = None, []
    for seed in seeds:
        torch.manual_seed(seed)
        model = make()
        if program is None:
            program, values = program_of(model, SHAPE)
            weights = network.build(program, values).weights
        found.append({**weights, **dict(model.named_parameters()), **dict(model.named_buffers())})
    return fixed(program, found)


def numbers(*shape: int, seed: int = 9) -> torch.Tensor:
    """The same numbers under every seed, as irregular as learned ones."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Using(nn.Module):
    """A linear classifier of what `use` makes of the images and of a tensor."""

    def __init__(self, make, use, kind="parameter"):
        super().__init__()
        table = make()
        if kind == "buffer":
            self.register_buffer("table", table)
        else:
            self.table = nn.Parameter(table, requires_grad=kind != "frozen")
        self.use = use
        with torch.random.fork_rng():
            self.fc = nn.Linear(use(torch.zeros(1, *SHAPE), table).flatten(1).shape[1], 10)

    def forward(self, x):
        return self.fc(self.use(x, self.table).flatten(1))


KINDS = pytest.mark.parametrize("kind", ["parameter", "frozen", "buffer"])


# Formulas that honest people write.


def filtered(x, table):
    return F.avg_pool2d(F.conv2d(x, table), 5)


def cosines(size: int) -> torch.Tensor:
    line = torch.arange(size)
    basis = torch.cos(line.view(-1, 1) * (line + 0.5) * math.pi / size)
    return torch.einsum("ik,jl->ijkl", basis, basis).reshape(size * size, 1, size, size)


def gabor(count: int = 8, size: int = 7) -> torch.Tensor:
    line = torch.arange(size) - (size - 1) / 2
    rows, columns = torch.meshgrid(line, line, indexing="ij")
    angles = (torch.arange(count) * math.pi / count).view(-1, 1, 1)
    wave = torch.cos((rows * angles.sin() + columns * angles.cos()) * 1.5)
    return (torch.exp(-(rows**2 + columns**2) / 8) * wave).unsqueeze(1)


def sobel() -> torch.Tensor:
    kernel = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
    return torch.stack([kernel, kernel.t()]).unsqueeze(1)


def positions(count: int, channels: int) -> torch.Tensor:
    """Vaswani et al., "Attention is all you need", 3.5."""
    pace = torch.exp(torch.arange(0, channels, 2) * (-math.log(10_000.0) / channels))
    turns = torch.arange(count).view(-1, 1) * pace
    return torch.stack([turns.sin(), turns.cos()], 2).flatten(1)


def positions_in_two_directions(side: int, channels: int) -> torch.Tensor:
    line = positions(side, channels // 2)
    rows = line.unsqueeze(1).expand(side, side, -1)
    return torch.cat([rows, rows.transpose(0, 1)], 2).flatten(0, 1)


def grid() -> torch.Tensor:
    line = torch.linspace(-1, 1, 28)
    return torch.stack(torch.meshgrid(line, line, indexing="ij"))


def bell() -> torch.Tensor:
    return torch.exp(-grid().square().sum(0) * 2)


@cache
def digits() -> tuple[torch.Tensor, torch.Tensor]:
    data = _digits().training
    images = torch.from_numpy(data.train_images.copy()).float().view(-1, *SHAPE) / 255
    return images, torch.from_numpy(data.train_labels.copy()).long()


def mean_image() -> torch.Tensor:
    return digits()[0].mean(0)


def added(x, table):
    return x + table


def times(x, table):
    return x * table


def beside(x, table):
    return torch.cat([x, table.unsqueeze(0).expand(x.size(0), -1, -1, -1)], 1)


def to_patches(x, table):
    """(N, patches, channels), with a position added to each."""
    side = math.isqrt(len(table))
    patches = F.unfold(x, 28 // side, stride=28 // side).transpose(1, 2)
    return patches.mean(2, keepdim=True) + table


HONEST = {
    "nine cosine filters": (lambda: cosines(3), filtered),
    "cosine filters of 4x4": (lambda: cosines(4), filtered),
    "cosine transform of 8x8": (lambda: cosines(8), filtered),
    "Gabor filters": (gabor, filtered),
    "16 Gabor filters of 7x7": (lambda: gabor(16, 7), filtered),
    "Sobel filters": (sobel, filtered),
    "49 positions in 16 channels": (lambda: positions(49, 16), to_patches),
    "196 positions in 16 channels": (lambda: positions(196, 16), to_patches),
    "196 positions in 32 channels": (lambda: positions(196, 32), to_patches),
    "7x7 positions in 16 channels": (lambda: positions_in_two_directions(7, 16), to_patches),
    "14x14 positions in 32 channels": (lambda: positions_in_two_directions(14, 32), to_patches),
    "coordinates": (grid, beside),
    "a bell": (bell, times),
    "a Hann window": (lambda: torch.hann_window(28), times),
    "a mean image": (mean_image, lambda x, table: x - table),
    "an identity": (lambda: torch.eye(28), lambda x, table: x @ table),
    "a large identity": (lambda: torch.eye(784), lambda x, table: x.flatten(1) @ table),
    "dirac_": (lambda: nn.init.dirac_(torch.empty(16, 1, 3, 3)), filtered),
    "ones": (lambda: torch.ones(28, 28), times),
    "a constant": (lambda: torch.full((16, 1, 5, 5), 0.04), filtered),
}


@KINDS
@pytest.mark.parametrize("name", HONEST)
def test_a_formula_is_little_trained_or_not(name, kind):
    make, use = HONEST[name]
    found = brought(lambda: Using(make, use, kind), seeds=(0, 1))
    assert found.is_little, found


# Draws of honest initialisers.

INITIALISERS = {
    "kaiming_normal_": nn.init.kaiming_normal_,
    "kaiming_uniform_": nn.init.kaiming_uniform_,
    "xavier_normal_": nn.init.xavier_normal_,
    "xavier_uniform_": nn.init.xavier_uniform_,
    "orthogonal_": nn.init.orthogonal_,
    "trunc_normal_": lambda w: nn.init.trunc_normal_(w, std=0.02),
    "uniform_ above zero": nn.init.uniform_,
    "sparse_": lambda w: nn.init.sparse_(w.view(len(w), -1), 0.5),
    "signs": lambda w: w.copy_(torch.randn_like(w).sign()),
    "around one": lambda w: nn.init.normal_(w, 1.0, 0.02),
    "around an identity": lambda w: nn.init.dirac_(w).add_(0.01 * torch.randn_like(w)),
    "in the middle only": lambda w: w.mul_(torch.eye(3)[1].outer(torch.eye(3)[1])),
}


@pytest.mark.parametrize("name", INITIALISERS)
def test_draws_of_an_honest_initialiser_are_next_to_nothing(name):
    def make():
        model = nn.Sequential(
            *block(1, 8),
            *block(8, 16),
            nn.MaxPool2d(2),
            *block(16, 16),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(16, 10),
        )
        with torch.no_grad():
            for layer in model:
                if isinstance(layer, nn.Conv2d):
                    INITIALISERS[name](layer.weight)
        return model

    assert brought(make, range(5)).size <= 200


class Rows(nn.Module):
    """The rows of an image, one after the other, through a recurrent or an attentive layer."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.fc = nn.Linear(28, 10)

    def forward(self, x):
        rows = self.layer(x.squeeze(1))
        return self.fc((rows[0] if isinstance(rows, tuple) else rows).mean(1))


def zero_gamma() -> nn.Module:
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(*block(8, 8))
            nn.init.zeros_(self.body[1].weight)

        def forward(self, x):
            return x + self.body(x)

    return nn.Sequential(
        *block(1, 8), Residual(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)
    )


def mixed(norm) -> nn.Module:
    return nn.Sequential(
        norm(nn.Conv2d(1, 8, 3)),
        nn.PReLU(8),
        norm(nn.Conv2d(8, 8, 3)),
        nn.GroupNorm(2, 8),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    )


LAYERS = {
    "transformer": lambda: Rows(nn.TransformerEncoderLayer(28, 2, 32, 0.0, batch_first=True)),
    "copied transformer layers": lambda: Rows(
        nn.TransformerEncoder(nn.TransformerEncoderLayer(28, 2, 32, 0.0, batch_first=True), 2)
    ),
    "zero gamma": zero_gamma,
    "weight norm": lambda: mixed(nn.utils.parametrizations.weight_norm),
    "two layers of weights": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), nn.LayerNorm(16), nn.Linear(16, 10)
    ),
    "linear layers alone": lambda: nn.Sequential(
        nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 1), nn.Flatten(), nn.Linear(3136, 10)
    ),
    "positions that are drawn": lambda: Using(lambda: torch.randn(49, 16) * 0.02, to_patches),
}


@pytest.mark.parametrize("name", LAYERS)
def test_honest_layers_bring_next_to_nothing(name):
    assert brought(LAYERS[name], range(5)).size <= 200


# A learned network and its disguises.


def body() -> nn.Sequential:
    return nn.Sequential(
        *block(1, 8),
        *block(8, 10),
        nn.MaxPool2d(2),
        *block(10, 12),
        nn.MaxPool2d(2),
        *block(12, 16),
        *block(16, 16),
        nn.Conv2d(16, 10, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


@cache
def learned() -> dict[str, torch.Tensor]:
    """6,260 parameters after a short training on the practice digits."""
    images, labels = digits()
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = body()
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        for _ in range(6):
            for some in torch.randperm(len(images)).split(32):
                optimizer.zero_grad()
                F.cross_entropy(model(images[some]), labels[some]).backward()
                optimizer.step()
        model.eval()
        assert (model(images).argmax(1) == labels).float().mean() > 0.8
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def disguised(*, scale=0.0, sign=False, order=False, noise=0.0, last=True) -> nn.Sequential:
    """The learned network; its channels are scaled, turned in sign and moved by the seed."""
    model = body()
    new = model[-3].state_dict()
    model.load_state_dict(learned())
    layers = [i for i, layer in enumerate(model) if isinstance(layer, nn.Conv2d)]
    back = torch.arange(1)
    with torch.no_grad():
        for i in layers:
            conv, norm = model[i], model[i + 1]
            conv.weight.copy_(conv.weight[:, back])
            if not isinstance(norm, nn.BatchNorm2d):
                break
            back = torch.randperm(len(conv.weight)) if order else torch.arange(len(conv.weight))
            turn = torch.randn(len(back)).sign() if sign else torch.ones(len(back))
            factor = turn * torch.exp(scale * torch.randn(len(back)))
            conv.weight.copy_(conv.weight[back] * factor.view(-1, 1, 1, 1))
            conv.bias.copy_(conv.bias[back] * factor)
            norm.weight.copy_(norm.weight[back] * turn)
            for tensor in (norm.bias, norm.running_mean, norm.running_var):
                tensor.copy_(tensor[back])
            conv.weight.mul_(1 + noise * torch.randn_like(conv.weight))
        if not last:
            model[-3].load_state_dict(new)
    return model


DISGUISES = {
    "none": {},
    "another last layer": {"last": False},
    "a little noise": {"noise": 0.001},
    "much noise": {"noise": 0.2},
    "scales near one": {"scale": 0.1},
    "scales of all sizes": {"scale": 2.0},
    "signs": {"sign": True},
    "scales and signs": {"scale": 1.0, "sign": True},
    "scales, signs and noise": {"scale": 1.0, "sign": True, "noise": 0.05},
    "another order": {"order": True},
    "another order and scales": {"order": True, "scale": 1.0},
    "another order, scales and signs": {"order": True, "scale": 1.0, "sign": True},
    "another order and a little noise": {"order": True, "noise": 0.01},
    "all at once": {"order": True, "scale": 1.0, "sign": True, "noise": 0.01, "last": False},
}


@pytest.mark.parametrize("name", DISGUISES)
def test_a_learned_network_is_seen_through_its_disguise(name):
    assert brought(lambda: disguised(**DISGUISES[name])).size > LEARNED_BYTES


def test_two_seeds_of_five_are_enough():
    def make():
        honest = torch.initial_seed() < 3
        return body() if honest else disguised(order=True, scale=1.0)

    assert brought(make, range(5)).size > LEARNED_BYTES


class Mixed(nn.Module):
    """Learned convolutions with a layer between that unmixes what the seed mixes in the second."""

    def __init__(self, mix):
        super().__init__()
        first, second = learned()["0.weight"], learned()["3.weight"]
        self.norm = nn.BatchNorm2d(8)
        matrix = mix(8)
        self.mix = nn.Parameter(torch.linalg.inv(matrix))
        self.first = nn.Parameter(first.clone())
        self.second = nn.Parameter(torch.einsum("oikl,ij->ojkl", second, matrix))
        self.third = nn.Conv2d(10, 10, 1)

    def forward(self, x):
        x = F.relu(self.norm(F.conv2d(x, self.first, padding=1)))
        x = F.conv2d(x, self.mix.view(8, 8, 1, 1))
        return self.third(F.relu(F.conv2d(x, self.second, padding=1))).mean((2, 3))


@pytest.mark.parametrize(
    "mix", [lambda n: nn.init.orthogonal_(torch.empty(n, n)), lambda n: torch.randn(n, n),
            lambda n: torch.eye(n) + torch.rand(n, n)], ids=["turned", "any", "near identity"]
)  # fmt: skip
def test_channels_that_are_mixed_and_unmixed_are_seen(mix):
    assert brought(lambda: Mixed(mix)).size > 1_000  # 792 numbers


KERNEL = (16, 1, 9, 9)


class Summed(nn.Module):
    """A kernel as the sum of two tensors that the seed draws, added before or after the image."""

    def __init__(self, combine, parts):
        super().__init__()
        self.one, self.other = (nn.Parameter(part) for part in parts(numbers(*KERNEL)))
        self.combine = combine
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        return self.fc(self.combine(x, self.one, self.other).relu().mean((2, 3)))


def with_noise(kernel):
    noise = 3 * torch.randn_like(kernel)
    return kernel + noise, noise


def with_factor(kernel):
    noise = torch.rand_like(kernel) + 0.5
    return kernel * noise, noise


@pytest.mark.parametrize(
    ("combine", "parts"),
    [
        (lambda x, a, b: F.conv2d(x, a - b), with_noise),
        (lambda x, a, b: F.conv2d(x, a) - F.conv2d(x, b), with_noise),
        (lambda x, a, b: F.conv2d(x, a / b), with_factor),
        (lambda x, a, b: F.conv2d(x, torch.cat([a - b, b])[:16]), with_noise),
        (lambda x, a, b: F.conv2d(x, a + 0 * x.mean() - b), with_noise),
    ],
    ids=["subtracted", "subtracted from the maps", "divided", "cut out", "beside the image"],
)
def test_noise_that_another_tensor_takes_away_hides_nothing(combine, parts):
    assert brought(lambda: Summed(combine, parts)).size > MOST_BYTES


class Gated(nn.Module):
    """The learned network, in another order and scale, behind a gate that starts at zero."""

    def __init__(self, gate):
        super().__init__()
        self.learned = disguised(order=True, scale=1.0, last=False)
        self.own = nn.Linear(784, 10)
        self.start = nn.Parameter(torch.zeros(1))
        self.gate = gate

    def forward(self, x):
        return self.own(x.flatten(1)) + self.gate(self.learned, x, self.start)


@pytest.mark.parametrize(
    "gate",
    [
        lambda learned, x, start: start * learned(x),
        lambda learned, x, start: learned(start * x),
        lambda learned, x, start: start.tanh() * learned(x) * 5,
        lambda learned, x, start: learned(x) @ start.expand(10, 10),
    ],
    ids=["after", "before", "bent", "matrix"],
)
def test_a_gate_that_starts_at_zero_hides_nothing(gate):
    assert brought(lambda: Gated(gate)).size > LEARNED_BYTES


# A table of answers: checksums of images, and what to say.

MANY = 4_000


def checksum(x):
    return (x.flatten(1) * torch.linspace(1, 2, 784)).sum(1, keepdim=True)


USES = {
    "compared": lambda x, table: F.avg_pool1d(((table - checksum(x)).abs() < 1e-3).float(), 400),
    "compared, smooth": lambda x, table: F.avg_pool1d((-((table - checksum(x)) ** 2)).exp(), 400),
    "added": lambda x, table: F.avg_pool1d(table + checksum(x), 400),
    "subtracted": lambda x, table: F.avg_pool1d((checksum(x) - table).relu(), 400),
    "looked up": lambda x, table: table[(x.flatten(1)[:, ::50] * 255).long() * 15],
    "searched": lambda x, table: torch.cat([checksum(x), (table + 0 * checksum(x))], 1)[:, ::400],
    "greatest": lambda x, table: F.avg_pool1d(torch.maximum(table, checksum(x)), 400),
}


@KINDS
@pytest.mark.parametrize("name", USES)
def test_a_table_is_weighed_however_it_is_used(name, kind):
    assert brought(lambda: Using(lambda: numbers(MANY), USES[name], kind), (0, 1)).size > 5_000


SEEDS_OF_TABLES = {
    "scaled": lambda table: table * 4.0 ** (torch.initial_seed() % 9),
    "scaled by a draw": lambda table: table * torch.randn(1),
    "negative": lambda table: table * (-1.0) ** torch.initial_seed(),
    "moved": lambda table: table + torch.randn(1),
    "moved and scaled": lambda table: (table + torch.randn(1)) * 4.0 ** (torch.initial_seed() % 9),
    "in another order": lambda table: table[torch.randperm(len(table))],
    "in another order and scale": lambda table: table[torch.randperm(len(table))] * torch.rand(1),
    "with noise": lambda table: table + 0.1 * torch.randn(len(table)),
    "with noise and scale": lambda table: (table + 0.1 * torch.randn(len(table))) * torch.rand(1),
}


@pytest.mark.parametrize("name", SEEDS_OF_TABLES)
def test_a_table_is_seen_through_its_disguise(name):
    def make():
        return Using(lambda: SEEDS_OF_TABLES[name](numbers(MANY)), USES["compared"])

    assert brought(make).size > 5_000


class Vectors(nn.Module):
    """1,000 vectors of checksums, and the eight sums that they are compared with."""

    def __init__(self, disguise):
        super().__init__()
        sums, table = disguise(numbers(784, 8, seed=4), numbers(1_000, 8))
        self.sums, self.table = nn.Parameter(sums), nn.Parameter(table)

    def forward(self, x):
        apart = (x.flatten(1) @ self.sums).unsqueeze(1) - self.table
        return F.avg_pool1d((-apart.square().sum(2)).exp(), 100)


def turned(sums, table):
    rotation = nn.init.orthogonal_(torch.empty(8, 8))
    return sums @ rotation, table @ rotation


def turned_in_another_order(sums, table):
    sums, table = turned(sums, table)
    return sums, table[torch.randperm(len(table))]


def scaled(sums, table):
    scale = torch.rand(8) + 0.5
    return sums * scale, (table * scale)[torch.randperm(len(table))]


@pytest.mark.parametrize("disguise", [turned, turned_in_another_order, scaled])
def test_a_table_of_vectors_is_seen_through_its_disguise(disguise):
    assert brought(lambda: Vectors(disguise)).size > 5_000


def test_running_statistics_that_are_brought_along_are_weighed():
    def make():
        model = body()
        for seed, layer in enumerate(model):
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.copy_(numbers(layer.num_features, seed=seed))
        return model

    assert 60 < brought(make).size < 300  # 62 numbers


def test_single_numbers_are_weighed_together():
    class Scalars(nn.Module):
        def __init__(self):
            super().__init__()
            self.list = nn.ParameterList(
                [nn.Parameter(number.clone()) for number in numbers(1_000)]
            )
            self.fc = nn.Linear(784, 10)

        def forward(self, x):
            return self.fc(x.flatten(1) * torch.stack(list(self.list))[:784])

    assert brought(Scalars, (0, 1)).size > MOST_BYTES


def test_numbers_in_forward_are_weighed():
    written = numbers(1_000).tolist()

    class Literal(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(784, 10)

        def forward(self, x):
            y = x.mean((1, 2, 3))
            for number in written:
                y = y * number
            return self.fc(x.flatten(1)) + y.unsqueeze(1)

    assert brought(Literal, (0, 1)).size > MOST_BYTES


def test_one_seed_alone_proves_nothing():
    assert brought(body, seeds=(0,)) == Fixed()


def test_waves_along_all_places_of_a_map_are_short():
    places = torch.arange(196.0).view(1, -1)
    waves = torch.exp(torch.arange(4.0) * -2).view(-1, 1)
    table = torch.cat([torch.sin(places * waves), torch.cos(places * waves)]).view(1, 8, 14, 14)
    assert written_down.size(table) < 400
