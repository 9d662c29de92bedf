"""Rules, altered one at a time, are caught by a measurement: the tests of the rules are worth something."""

from functools import cache

import pytest
import torch

from grader.analysis import merge, proof, rules, sight, windows
from grader.analysis.bits import any_of
from grader.analysis.rules import mixing, moving, windowed
from grader.ops import Kind
from tests.analysis.graphs import measurable
from tests.analysis.measured_networks import NETWORKS

convolution, transposed, border, resized = windows.convolution, windows.transposed, windows.border, windows.resized


def _plain_bins(size, outputs):
    """Adaptive bins that do not overlap."""
    return windows.listed([range(i * size // outputs, (i + 1) * size // outputs) for i in range(outputs)], size, 1)


MUTANTS = {
    "a kernel one too large": (windows, "convolution", lambda *a, kernel, **k: convolution(*a, kernel=kernel + 1, **k)),
    "dilation ignored": (windows, "convolution", lambda *a, dilation=1, **k: convolution(*a, **k)),
    "stride ignored": (windows, "convolution", lambda *a, stride=1, **k: convolution(*a, **k)),
    "padding ignored": (windows, "convolution", lambda *a, padding=0, **k: convolution(*a, **k)),
    "same padding puts the larger half first": (
        windows,
        "same_padding",
        lambda kernel, dilation: dilation * kernel // 2,
    ),
    "transposed padding ignored": (windows, "transposed", lambda *a, padding=0, **k: transposed(*a, **k)),
    "transposed kernel one too small": (
        windows,
        "transposed",
        lambda *a, kernel, **k: transposed(*a, kernel=kernel - 1, **k),
    ),
    "adaptive bins without overlap": (windows, "adaptive", _plain_bins),
    "every border is constant": (windows, "border", lambda size, before, after, mode: border(size, before, after)),
    "a border on the wrong side": (
        windows,
        "border",
        lambda size, before, after, mode: border(size, after, before, mode),
    ),
    "a slice that starts at 0": (
        windows,
        "piece",
        lambda size, start, step, outputs, p=windows.piece: p(size, 0, step, outputs),
    ),
    "flip does nothing": (windows, "flipped", lambda size, p=windows.piece: p(size, 0, 1, size)),
    "roll the other way": (windows, "rolled", lambda size, shift, r=windows.rolled: r(size, -shift)),
    "a running sum sees itself only": (windows, "running", lambda size, p=windows.piece: p(size, 0, 1, size)),
    "one neighbour too few": (windows, "resized", lambda *a, taps, **k: resized(*a, taps=max(1, taps - 1), **k)),
    "corners not aligned": (windows, "resized", lambda *a, align_corners, **k: resized(*a, **k)),
    "groups see all channels": (windowed, "within_groups", lambda bits, at, groups, outputs: any_of(bits, [at])),
    "statistics ignored": (mixing, "_with_statistics", lambda sight, dims, groups=0: sight),
    "a sum sees its first part only": (rules, "merge", lambda sights, *a, **k: merge.merge(sights[:1], *a, **k)),
    "concatenation in reverse": (
        rules,
        "concatenate",
        lambda s, dim, shapes: merge.concatenate(s[::-1], dim, shapes[::-1]),
    ),
    "a mean sees the first position only": (
        mixing,
        "mix",
        lambda s, dims, keep=True: sight.mix(_first(s, dims), dims, keep=keep),
    ),
    "a product sees its left factor only": (
        mixing,
        "_product",
        lambda call, left, right: merge.merge([call.see(left)], call.output),
    ),
    "einsum sees its weights only": (mixing, "_einsum", lambda call: None),
    "attention sees its queries only": (
        rules.RULES,
        Kind.ATTENTION,
        lambda call: merge.merge([sight.mix(call.sight("query"), [2])], call.output),
    ),
    "permute swaps nothing": (moving, "permute", lambda s, order: s if _square(s) else sight.permute(s, order)),
    "taps of a window in one channel": (
        moving,
        "_apart",
        lambda s, dim, rule, dilation, apart=moving._apart: apart(s, dim, _still(rule), dilation),
    ),
    "a second half is the first": (rules.RULES, Kind.SPLIT, lambda call: moving.split(call)[:1] * 2),
}


def _first(s, dims):
    """Only the first position along each of `dims`."""
    for dim in dims:
        s = moving.piece(sight.forget(s, dim), dim, 0, 1, 1) if s.dims[dim][0].axis != "images" else s
    return s


def _square(s) -> bool:
    """The last two dimensions have one size."""
    return len(s.dims) > 1 and sight.length(s, len(s.dims) - 1) == sight.length(s, len(s.dims) - 2)


def _still(rule):
    """All taps of a window read what the first one reads."""
    index = rule.index[:, :1].repeat(rule.index.shape[1], axis=1)
    return windows.Reads(index, rule.size, rule.low, rule.high, rule.ratio)


@cache
def network(name: str):
    torch.manual_seed(0)
    return measurable(NETWORKS[name].eval())


@pytest.mark.parametrize("name", MUTANTS)
def test_an_altered_rule_is_caught(name, monkeypatch):
    owner, attribute, mutant = MUTANTS[name]
    if isinstance(owner, dict):
        monkeypatch.setitem(owner, attribute, mutant)
    else:
        monkeypatch.setattr(owner, attribute, mutant)
    assert any(_caught(one) for one in NETWORKS)


def _caught(name: str) -> bool:
    return not proof.measure(*network(name)).proven
