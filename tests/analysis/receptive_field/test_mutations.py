"""Rules, altered one at a time, are caught by a measurement: their tests are worth something."""

from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import torch

from grader.analysis.arguments import base
from grader.analysis.receptive_field import merge, proof, rules, sight, windows
from grader.analysis.receptive_field.bits import any_of
from grader.analysis.receptive_field.reshape import follow
from grader.analysis.receptive_field.rules import mixing, moving, windowed
from grader.program.ops import Kind
from tests.analysis.graphs import measurable
from tests.analysis.receptive_field.measured_networks import NETWORKS

convolution, transposed, border, resized = (
    windows.convolution,
    windows.transposed,
    windows.border,
    windows.resized,
)


def _plain_bins(size, outputs):
    """Adaptive bins that do not overlap."""
    return windows.listed(
        [range(i * size // outputs, (i + 1) * size // outputs) for i in range(outputs)], size, 1
    )


MUTANTS = {
    "a kernel one too large": (
        "corners",
        windows,
        "convolution",
        lambda *a, kernel, **k: convolution(*a, kernel=kernel + 1, **k),
    ),
    "dilation ignored": (
        "dilation",
        windows,
        "convolution",
        lambda *a, dilation=1, **k: convolution(*a, **k),
    ),
    "stride ignored": (
        "unfold",
        windows,
        "convolution",
        lambda *a, stride=1, **k: convolution(*a, **k),
    ),
    "padding ignored": (
        "unfold",
        windows,
        "convolution",
        lambda *a, padding=0, **k: convolution(*a, **k),
    ),
    "same padding puts the larger half first": (
        "same",
        windows,
        "same_padding",
        lambda kernel, dilation: dilation * kernel // 2,
    ),
    "transposed padding ignored": (
        "transposed",
        windows,
        "transposed",
        lambda *a, padding=0, **k: transposed(*a, **k),
    ),
    "transposed kernel one too small": (
        "transposed",
        windows,
        "transposed",
        lambda *a, kernel, **k: transposed(*a, kernel=kernel - 1, **k),
    ),
    "adaptive bins without overlap": ("adaptive", windows, "adaptive", _plain_bins),
    "every border is constant": (
        "padding",
        windows,
        "border",
        lambda size, before, after, mode: border(size, before, after),
    ),
    "a border on the wrong side": (
        "padding",
        windows,
        "border",
        lambda size, before, after, mode: border(size, after, before, mode),
    ),
    "a slice that starts at 0": (
        "rows_side_by_side",
        windows,
        "piece",
        lambda size, start, step, outputs, p=windows.piece: p(size, 0, step, outputs),
    ),
    "flip does nothing": (
        "flip_and_roll",
        windows,
        "flipped",
        lambda size, p=windows.piece: p(size, 0, 1, size),
    ),
    "roll the other way": (
        "flip_and_roll",
        windows,
        "rolled",
        lambda size, shift, r=windows.rolled: r(size, -shift),
    ),
    "a running sum sees itself only": (
        "cumsum",
        windows,
        "running",
        lambda size, p=windows.piece: p(size, 0, 1, size),
    ),
    "one neighbour too few": (
        "corners",
        windows,
        "resized",
        lambda *a, taps, **k: resized(*a, taps=max(1, taps - 1), **k),
    ),
    "corners not aligned": (
        "corners",
        windows,
        "resized",
        lambda *a, align_corners, **k: resized(*a, **k),
    ),
    "groups see all channels": (
        "grouped_differently",
        windowed,
        "within_groups",
        lambda bits, at, groups, outputs: any_of(bits, [at]),
    ),
    "statistics ignored": (
        "norms",
        mixing,
        "_with_statistics",
        lambda sight, dims, groups=0: sight,
    ),
    "a sum sees its first part only": (
        "standardised",
        rules,
        "meet",
        lambda sights, *a, **k: merge.meet(sights[:1], *a, **k),
    ),
    "concatenation in reverse": (
        "rows_side_by_side",
        rules,
        "concatenate",
        lambda s, dim, shapes: merge.concatenate(s[::-1], dim, shapes[::-1]),
    ),
    "a mean sees the first position only": (
        "adaptive",
        mixing,
        "mix",
        lambda s, dims, keep=True: sight.mix(_first(s, dims), dims, keep=keep),
    ),
    "a product sees its left factor only": (
        "attention",
        mixing,
        "_product",
        lambda call, left, right: merge.meet([call.see(left)], call.output),
    ),
    "einsum sees its weights only": ("einsum", mixing, "_einsum", lambda call: None),
    "permute swaps nothing": (
        "turned",
        moving,
        "permute",
        lambda s, order: s if _square(s) else sight.permute(s, order),
    ),
    "taps of a window in one channel": (
        "unfold",
        moving,
        "_apart",
        lambda s, dim, rule, dilation, apart=moving._apart: apart(s, dim, _still(rule), dilation),
    ),
}
"""Parts that several rules are made of: the network that shows the mistake, the part, a mutant."""


def _first(s, dims):
    """Only the first position along each of `dims`."""
    for dim in dims:
        s = (
            moving.piece(sight.forget(s, dim), dim, 0, 1, 1)
            if s.dims[dim][0].axis != "images"
            else s
        )
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


def _given(call, **changed):
    """The same call with other arguments, under the rule as it is."""
    return RULES[rules.kind(call.node)](replace(call, given=call.given | changed))


def _seeing(call, seen, name="self"):
    """The same call, had its argument `name` seen something else, under the rule as it is."""
    return RULES[rules.kind(call.node)](
        replace(call, sights={**call.sights, call.given[name].node: seen})
    )


def _one_row_down(seen):
    """Every row in the place of the one below it."""
    return sight.read(seen, 2, windows.rolled(sight.length(seen, 2), 1))


def _turned(seen):
    """The last two dimensions the other way round, where they have one size."""
    order = [*range(len(seen.dims) - 2), len(seen.dims) - 1, len(seen.dims) - 2]
    return sight.permute(seen, order) if _square(seen) else seen


def _columns_first(seen, factor):
    """The channels of the pixels, counted down the columns instead of along the rows."""
    channels = sight.length(seen, 1) // factor**2
    height, width = sight.length(seen, 2), sight.length(seen, 3)
    apart = follow(seen, ("N", channels, factor, factor, height, width))
    return follow(
        sight.permute(apart, [0, 1, 3, 2, 4, 5]), ("N", channels * factor**2, height, width)
    )


def _each_in_turn(call):
    """Each value followed by its copy, where really the copies come after all the values."""
    if base(call.node) != "repeat":
        return moving.expanded(call)
    seen, times = call.main("self"), call.given["repeats"][1]
    count = sight.length(seen, 1)
    index = np.repeat(np.arange(count), times)[:, None]
    return sight.read(
        seen, 1, windows.Reads(index, count, Fraction(0), Fraction(0), Fraction(1, times))
    )


def _upside_down(seen):
    return sight.read(seen, 2, windows.flipped(sight.length(seen, 2)))


def _seeing_first(call, name, dims):
    seen = call.main(name)
    return _seeing(call, _first(seen, [dim % len(seen.dims) for dim in dims]), name)


def _right(call):
    return next(name for name in ("other", "mat2") if name in call.given)


def _softmax(call):
    return "softmax" in call.node.op


def _reversed(call):
    return call.given["tensors"][::-1]


def _first_half(call):
    seen, dim = call.main("self"), call.given["dim"] % len(call.output)
    return moving.piece(seen, dim, 0, 1, sight.length(seen, dim) // 2)


RULES = dict(rules.RULES)
OF_KINDS = {
    Kind.POINTWISE: (
        "transpose",
        "sees its first operand only",
        lambda call: call.see(call.given["self"]),
    ),
    Kind.CONVOLUTION: (
        "sub_8k",
        "sees the middle of its window only",
        lambda call: sight.sized(sight.mix(call.main("input"), [1]), 1, int(call.output[1])),
    ),
    Kind.TRANSPOSED_CONVOLUTION: (
        "transposed",
        "scatters to the row below",
        lambda call: _one_row_down(windowed.transposed(call)),
    ),
    Kind.POOLING: (
        "model_a",
        "sees the corner of its window only",
        lambda call: _given(
            call, kernel_size=1, stride=call.given["stride"] or call.given["kernel_size"]
        ),
    ),
    Kind.ADAPTIVE_POOLING: (
        "adaptive",
        "has its bins upside down",
        lambda call: _upside_down(windowed.adaptive(call)),
    ),
    Kind.BATCH_NORM: (
        "sub_8k",
        "uses the statistics of the batch",
        lambda call: _given(call, training=True),
    ),
    Kind.NORM: ("norms", "is pointwise", lambda call: call.main()),
    Kind.DROPOUT: ("model_a", "drops everything", lambda call: None),
    Kind.LINEAR: (
        "adaptive",
        "sees its first feature only",
        lambda call: _seeing_first(call, "input", [-1]),
    ),
    Kind.MATMUL: (
        "attention",
        "sees its left factor only",
        lambda call: _seeing(call, None, _right(call)),
    ),
    Kind.ATTENTION: (
        "scaled_dot_product",
        "sees its queries only",
        lambda call: merge.meet([sight.mix(call.sight("query"), [2])], call.output),
    ),
    Kind.REDUCE: (
        "flip_and_roll",
        "sees its first row only",
        lambda call: _seeing_first(call, "self", [2]),
    ),
    Kind.ALONG: (
        "cumsum",
        "is pointwise",
        lambda call: call.main() if _softmax(call) else mixing.along(call),
    ),
    Kind.RESHAPE: (
        "attention",
        "reads columns first",
        lambda call: _seeing(call, _turned(call.main("self"))),
    ),
    Kind.PERMUTE: ("transpose", "swaps nothing", lambda call: call.main("self")),
    Kind.EXPAND: ("repeated", "repeats each value in turn", _each_in_turn),
    Kind.SELECT: ("rows_side_by_side", "starts at 0", lambda call: _given(call, start=0)),
    Kind.SPLIT: (
        "grouped_differently",
        "gives its first half twice",
        lambda call: moving.split(call)[:1] * 2,
    ),
    Kind.TAKE: (
        "grouped_differently",
        "takes the first of the list",
        lambda call: _given(call, b=0),
    ),
    Kind.FLIP: ("flip_and_roll", "does nothing", lambda call: call.main("self")),
    Kind.ROLL: (
        "flip_and_roll",
        "goes the other way",
        lambda call: _given(call, shifts=(-call.given["shifts"][0],)),
    ),
    Kind.GATHER: (
        "gathered",
        "picks from the row below",
        lambda call: _one_row_down(moving.gathered(call)),
    ),
    Kind.PAD: (
        "padding",
        "is on the other side",
        lambda call: _given(call, pad=call.given["pad"][::-1]),
    ),
    Kind.CONCATENATE: (
        "rows_side_by_side",
        "is in reverse",
        lambda call: _given(call, tensors=_reversed(call)),
    ),
    Kind.STACK: ("stacked", "is in reverse", lambda call: _given(call, tensors=_reversed(call))),
    Kind.UPSAMPLE: (
        "corners",
        "does not align its corners",
        lambda call: _given(call, align_corners=False),
    ),
    Kind.UNFOLD: (
        "unfold",
        "reads the row below",
        lambda call: _seeing(call, _one_row_down(call.main("self"))),
    ),
    Kind.PIXEL_SHUFFLE: (
        "pixel_shuffle",
        "lays pixels down the columns",
        lambda call: _seeing(call, _columns_first(call.main("self"), call.given["upscale_factor"])),
    ),
    Kind.PIXEL_UNSHUFFLE: (
        "pixel_shuffle",
        "reads pixels down the columns",
        lambda call: _columns_first(moving.pixel_unshuffle(call), call.given["downscale_factor"]),
    ),
    Kind.CHANNEL_SHUFFLE: (
        "channel_shuffle",
        "takes groups for channels",
        lambda call: _given(call, groups=int(call.output[1]) // call.given["groups"]),
    ),
    Kind.GATED_HALVES: ("gated_halves", "does not see its gate", _first_half),
    Kind.CREATE: ("sizes", "sees what it is as large as", lambda call: call.sight("self", "size")),
    Kind.SIZE: (
        "sizes",
        "sees what it is the size of",
        lambda call: sight.mix(call.main(), range(4), keep=False),
    ),
}
"""Whole rules: for each kind, the network that shows the mistake, the mistake, the wrong rule."""


@pytest.mark.parametrize("mistake", MUTANTS)
def test_an_altered_part_of_a_rule_is_caught(mistake, monkeypatch):
    name, owner, attribute, mutant = MUTANTS[mistake]
    assert not _caught(name)
    monkeypatch.setattr(owner, attribute, mutant)
    assert _caught(name)


@pytest.mark.parametrize(
    "kind", OF_KINDS, ids=[f"{kind.name.lower()} {text}" for kind, (_, text, _) in OF_KINDS.items()]
)
def test_an_altered_rule_of_each_kind_is_caught(kind, monkeypatch):
    name, _, mutant = OF_KINDS[kind]
    assert not _caught(name)
    monkeypatch.setitem(rules.RULES, kind, mutant)
    assert _caught(name)


def test_every_kind_that_has_a_rule_has_a_mutant():
    assert set(OF_KINDS) == set(rules.RULES)


def _caught(name: str) -> bool:
    """The measurement disagrees with the rules. A rule that crashes raises here, uncaught."""
    return not proof.measure(*network(name)).proven
