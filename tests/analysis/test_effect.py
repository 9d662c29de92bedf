"""An operator counts only where it moves a score, whatever it is hidden behind."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.analysis.graphs import analysed
from tests.analysis.networks import Net, model_a, sub_8k


def norm_of(run, *layers):
    """BatchNorm of a network that calls `run(x, norm, *layers)` on a map of 8 channels."""

    def whole(x, convolve, norm, end, *others):
        return end(run(convolve(x), norm, *others).relu().mean((2, 3)))

    return analysed(
        lambda: Net(
            whole,
            nn.Conv2d(1, 8, 5, stride=2),
            nn.BatchNorm2d(8),
            nn.Linear(8, 10),
            *[layer() for layer in layers],
        )
    ).structure.batch_norm


class Gated(nn.Module):
    """A branch times a gate of one number, which starts at `start`."""

    def __init__(self, start, *, trainable=True, shape=()):
        super().__init__()
        gate = torch.full(shape, float(start))
        if trainable:
            self.gate = nn.Parameter(gate)
        else:
            self.register_buffer("gate", gate)

    def forward(self, x):
        return x * self.gate


class Square(Gated):
    def forward(self, x):
        return x * self.gate**2


class Detached(Gated):
    def forward(self, x):
        return x * self.gate.detach()


WITHOUT_EFFECT = {
    "times zero": lambda x, bn: x + 0.0 * bn(x),
    "zero times, from the left and later": lambda x, bn: x + (bn(x).relu() * 2.0) * 0,
    "minus itself": lambda x, bn: x + ((y := bn(x)) - y),
    "minus another call": lambda x, bn: x + bn(x) - bn(x),
    "added and taken away": lambda x, bn: (x + (y := bn(x))) - y,
    "minus its detached self": lambda x, bn: x + ((y := bn(x)) - y.detach()),
    "times a tiny number": lambda x, bn: x + 1e-20 * bn(x),
    "times another tiny number": lambda x, bn: x + 1e-7 * bn(x),
    "divided by a large number": lambda x, bn: x + bn(x) / 1e12,
    "clamped away": lambda x, bn: x + bn(x).clamp(0, 0),
    "clamped to almost nothing": lambda x, bn: x + bn(x).clamp(-1e-9, 1e-9),
    "masked": lambda x, bn: torch.where(x == x, x, bn(x)),
    "masked fill": lambda x, bn: x + bn(x).masked_fill(x == x, 0),
    "of nothing": lambda x, bn: x + bn(x * 0),
    "of next to nothing": lambda x, bn: x + bn(x * 1e-20),
    "the smaller of both": lambda x, bn: torch.minimum(x, bn(x).abs() + 1e9),
    "a softmax of one": lambda x, bn: x * bn(x).unsqueeze(-1).softmax(-1).squeeze(-1),
    "cut off by a slice": lambda x, bn: torch.cat([x, bn(x)], 1)[:, :8],
    "to the power of zero": lambda x, bn: x * (bn(x).abs() + 1) ** 0,
    "cropped away": lambda x, bn: x + F.pad(bn(x), (0, -12)).sum(3, keepdim=True),
}


@pytest.mark.parametrize("name", WITHOUT_EFFECT)
def test_a_batch_norm_that_moves_no_score_does_not_count(name):
    found = norm_of(WITHOUT_EFFECT[name])
    assert found.layers == ()
    assert "has no effect" in found.hints[0].text
    assert found.hints[0].line


TAKING_A_LIST = {
    "einsum": lambda x: torch.einsum("nchw,kc->nkhw", x, torch.ones(8, 8)),
    "concatenation": lambda x: torch.cat([x, x], 1),
    "stack": lambda x: torch.stack([x, x.relu()], 1).flatten(1, 2),
}


@pytest.mark.parametrize("name", TAKING_A_LIST)
def test_operators_that_take_a_list_of_tensors_are_tried_too(name):
    run = TAKING_A_LIST[name]
    found = norm_of(lambda x, bn: run(bn(x))[:, :8])
    assert len(found.layers) == 1


GATES = {
    "a buffer of zeros": lambda: Gated(0, trainable=False),
    "a buffer of zeros per channel": lambda: Gated(0, trainable=False, shape=(8, 1, 1)),
    "a gate that has no gradient": lambda: Square(0),
    "a gate that is cut off": lambda: Detached(0),
}


@pytest.mark.parametrize("name", GATES)
def test_a_batch_norm_behind_a_gate_that_stays_shut_does_not_count(name):
    assert norm_of(lambda x, bn, gate: x + gate(bn(x)), GATES[name]).layers == ()


def test_a_batch_norm_that_the_next_one_undoes_does_not_count():
    found = norm_of(lambda x, bn, other: other(bn(x)), lambda: nn.BatchNorm2d(8, affine=False))
    assert [layer.name for layer in found.layers] == ["layers.3"]


def test_a_batch_norm_that_divides_by_its_eps_does_not_count():
    def run(x, convolve, norm, end):
        return end((convolve(x) + norm(convolve(x))).relu().mean((2, 3)))

    def build():
        return Net(run, nn.Conv2d(1, 8, 5, stride=2), nn.BatchNorm2d(8, eps=1e20), nn.Linear(8, 10))

    assert analysed(build).structure.batch_norm.layers == ()


def zeroed(layer):
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


HONEST = {
    "plain": (lambda x, bn: bn(x), []),
    "residual": (lambda x, bn: x + bn(x), []),
    "zero gamma": (lambda x, bn, norm: x + norm(x), [lambda: zeroed(nn.BatchNorm2d(8))]),
    "ReZero": (lambda x, bn, gate: x + gate(bn(x)), [lambda: Gated(0)]),
    "LayerScale": (lambda x, bn, gate: x + gate(bn(x)), [lambda: Gated(1e-6, shape=(8, 1, 1))]),
    "a learned gate in a gate": (
        lambda x, bn, one, other: x + one(other(bn(x)) + x),
        [lambda: Gated(0), lambda: Gated(0)],
    ),
    "zero convolution": (lambda x, bn, c: x + c(bn(x)), [lambda: zeroed(nn.Conv2d(8, 8, 1))]),
    "two zero convolutions": (
        lambda x, bn, c, d: x + d(c(bn(x)) + x),
        [lambda: zeroed(nn.Conv2d(8, 8, 1)), lambda: zeroed(nn.Conv2d(8, 8, 1))],
    ),
    "used twice": (lambda x, bn: bn(bn(x).relu()), []),
    "in place": (lambda x, bn: x.add_(bn(x)), []),
    "a small share": (lambda x, bn: x + 0.05 * bn(x), []),
    "a gate of sigmoids": (lambda x, bn: x * bn(x).sigmoid(), []),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_batch_norm_counts(name):
    run, layers = HONEST[name]
    assert len(norm_of(run, *layers).layers) == 1


def test_a_last_layer_that_starts_at_zero_hides_nothing():
    def build():
        layers = [nn.Conv2d(1, 8, 5), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.1)]
        end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), zeroed(nn.Linear(8, 10))]
        return nn.Sequential(*layers, *end)

    found = analysed(build)
    assert len(found.structure.batch_norm.layers) == len(found.structure.dropout.layers) == 1
    assert found.structure.head_short == "GAP → FC"


@pytest.mark.parametrize("build", [model_a, sub_8k])
def test_all_layers_of_a_reference_count(build):
    assert len(analysed(build).structure.batch_norm.layers) == 5


# Dropout


def dropout_of(run, *layers):
    def whole(x, convolve, end, *others):
        return end(run(convolve(x).relu(), *others).mean((2, 3)))

    return analysed(
        lambda: Net(
            whole, nn.Conv2d(1, 8, 5, stride=2), nn.Linear(8, 10), *[layer() for layer in layers]
        )
    ).structure.dropout


NO_DROPOUT = {
    "times zero": (lambda x, d: x + 0.0 * d(x), lambda: nn.Dropout(0.1)),
    "next to no p": (lambda x, d: d(x), lambda: nn.Dropout(1e-12)),
    "hardly any p": (lambda x, d: d(x), lambda: nn.Dropout2d(1e-5)),
    "minus itself": (lambda x, d: x + ((y := d(x)) - y), lambda: nn.Dropout(0.1)),
    "of zeros": (lambda x, d: x + d(torch.zeros_like(x)), lambda: nn.Dropout(0.1)),
    "of zero times": (lambda x, d: x + d(x * 0), lambda: nn.Dropout(0.5)),
    "tiny": (lambda x, d: x + 1e-20 * d(x), lambda: nn.AlphaDropout(0.5)),
    "compared": (lambda x, d: x * (d(x) >= 0), lambda: nn.Dropout(0.5)),
    "cut off": (lambda x, d: torch.cat([d(x), x], 1)[:, 8:], lambda: nn.Dropout(0.5)),
}


@pytest.mark.parametrize("name", NO_DROPOUT)
def test_a_dropout_that_moves_no_score_does_not_count(name):
    run, layer = NO_DROPOUT[name]
    found = dropout_of(run, layer)
    assert found.layers == ()
    assert "has no effect" in found.hints[0].text
    assert found.hints[0].line


@pytest.mark.parametrize(
    "layer",
    [
        lambda: nn.Dropout(0.05),
        lambda: nn.Dropout(0.01),
        lambda: nn.Dropout2d(0.2),
        lambda: nn.AlphaDropout(0.1),
        lambda: nn.Dropout(0.3, inplace=True),
    ],
)
def test_an_honest_dropout_counts(layer):
    assert len(dropout_of(lambda x, d: d(x * 1), layer).layers) == 1


class Attentive(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.patches = nn.Conv2d(1, 16, 7, stride=7)
        self.attend = nn.MultiheadAttention(16, 4, dropout=p, batch_first=True)
        self.end = nn.Linear(16, 10)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = x + self.attend(x, x, x, need_weights=False)[0]
        return self.end(x.mean(1))


def scaled(p):
    def run(x, patches, end):
        x = patches(x).flatten(2).transpose(1, 2)
        y = F.scaled_dot_product_attention(x, x, x, dropout_p=p if patches.training else 0.0)
        return end((x + y).mean(1))

    return Net(run, nn.Conv2d(1, 16, 7, stride=7), nn.Linear(16, 10))


@pytest.mark.parametrize("build", [Attentive, scaled])
def test_the_dropout_of_attention_counts(build):
    found = analysed(lambda: build(0.1)).structure.dropout
    assert [layer.settings["p"] for layer in found.layers] == [0.1]
    assert not found.active_in_eval
    assert analysed(lambda: build(0.0)).structure.dropout.layers == ()
    assert analysed(lambda: build(1e-9)).structure.dropout.layers == ()


# Head and receptive field


def field_of(run, *layers):
    def whole(x, convolve, end, *others):
        return end(run(convolve(x), *others).relu().mean((2, 3)))

    return analysed(
        lambda: Net(whole, nn.Conv2d(1, 8, 5), nn.Linear(8, 10), *[layer() for layer in layers])
    ).receptive_field


UNSEEN = {
    "times zero": lambda x: x + 0.0 * F.avg_pool2d(x, 23, 1, 11),
    "tiny": lambda x: x + 1e-20 * F.max_pool2d(x, 23, 1, 11),
    "clamped": lambda x: x + F.avg_pool2d(x, 23, 1, 11).clamp(0, 0),
    "minus another": lambda x: x + F.avg_pool2d(x, 23, 1, 11) - F.avg_pool2d(x, 23, 1, 11),
    "rolled and thrown away": lambda x: x + 0 * x.roll(10, 2).roll(9, 3),
    "a window of zeros": lambda x: x + F.conv2d(x, torch.zeros(8, 8, 23, 23), padding=11),
    "up and down": lambda x: F.max_pool2d(F.interpolate(x, scale_factor=2), 2),
}


@pytest.mark.parametrize("name", UNSEEN)
def test_a_window_that_moves_no_score_is_not_seen_through(name):
    found = field_of(UNSEEN[name])
    assert (found.rows, found.columns) == (5, 5)


def test_a_head_that_moves_no_score_is_none():
    def run(x, convolve, end):
        x = convolve(x)
        return x[:, :, 3, 3] + 0.0 * end(x.mean((2, 3)))

    found = analysed(lambda: Net(run, nn.Conv2d(1, 10, 5), nn.Linear(10, 10)))
    assert found.structure.head == ()
    assert not found.structure.has_gap
    assert not found.structure.has_fc
