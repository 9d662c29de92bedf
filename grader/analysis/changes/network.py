"""What changed from one network to the next, in words, from what executes in each.

In: the layer tables of two reports. Out: sentences, the layers in their order.

Worked example: convolutions of 8 and 16 channels became 8 and 12, each with BatchNorm. The tables
pair the convolutions one by one, so the width that differs is named with its place:
"16 → 12 channels in convolution 2", "+ BatchNorm after each convolution".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from grader.report import LayerRow, Report

FEW = 2
"""Layers that are named one by one where they were added or taken away."""

_FAMILIES = (
    ("convolution", re.compile(r"conv", re.IGNORECASE)),
    ("norm", re.compile(r"norm", re.IGNORECASE)),
    ("dropout", re.compile(r"dropout", re.IGNORECASE)),
    ("global pooling", re.compile(r"adaptive|^mean", re.IGNORECASE)),
    ("pooling", re.compile(r"pool", re.IGNORECASE)),
    ("fully connected", re.compile(r"linear", re.IGNORECASE)),
)
_WINDOW = re.compile(r"(?:^|\s)(\d+(?:×\d+)*\b.*)$")
_NAMES = {
    "batch norm": "BatchNorm",
    "layer norm": "LayerNorm",
    "group norm": "GroupNorm",
    "instance norm": "InstanceNorm",
}


@dataclass(frozen=True, slots=True)
class Layer:
    """A row of the layer table: its family, its name and window for people, and its width.

    `after` is how many convolutions stand before it. `bias` is None where nobody can tell.
    """

    family: str
    name: str
    window: str
    channels: int
    after: int
    bias: bool | None = None

    @property
    def words(self) -> str:
        """The layer without its width: "convolution 3×3"."""
        return f"{self.name} {self.window}".strip()


@dataclass(frozen=True, slots=True)
class Network:
    """The layers in order of execution, the p of each dropout, and how often each activation is."""

    layers: tuple[Layer, ...]
    dropout: tuple[float, ...] = ()
    activations: Mapping[str, int] = field(default_factory=dict)

    def of(self, family: str) -> list[Layer]:
        """All layers of one family."""
        return [layer for layer in self.layers if layer.family == family]


def read(report: Report) -> Network:
    """The network of a report."""
    analysis = report.analysis or {}
    return Network(
        layers=tuple(_layers(report.layers)),
        dropout=tuple(_probabilities(analysis.get("dropout"))),
        activations=_counts(analysis.get("activations")),
    )


def _probabilities(found: Any) -> Iterator[float]:
    rows = found.get("layers") if isinstance(found, dict) else None
    for row in rows if isinstance(rows, list) else ():
        share = row.get("p") if isinstance(row, dict) else None
        if isinstance(share, int | float):
            yield float(share)


def _counts(found: Any) -> dict[str, int]:
    return dict(found) if isinstance(found, dict) else {}


def _layers(rows: Sequence[LayerRow]) -> Iterator[Layer]:
    convolutions, channels = 0, 0
    for row in rows:
        family = next((name for name, says in _FAMILIES if says.search(row.kind)), "other")
        window = _WINDOW.search(row.kind)
        shown = window[1] if window else ""
        width = row.output_shape[0] if row.output_shape else 0
        bias = None
        if family == "convolution":
            convolutions += 1
            inputs, bias = _reads(row, shown, channels)
            if inputs == 1 and channels > 1:
                shown += " depthwise"
            elif inputs and channels and inputs < channels:
                shown += f" in {channels // inputs} groups"
        name = _name(row.kind.removesuffix(window[0]) if window else row.kind, family)
        yield Layer(family, name, shown, width, convolutions, bias)
        channels = width or channels


def _reads(row: LayerRow, window: str, channels: int) -> tuple[int | None, bool | None]:
    """From how many channels each output of a convolution is made, and whether it has a bias.

    Both follow from the number of weights: per output, window times channels, and one for a bias.
    """
    sides = re.match(r"\d+(?:×\d+)*", window)
    width = row.output_shape[0] if row.output_shape else 0
    if sides is None or not width or not row.parameters or row.parameters % width:
        return None, None  # shared weights are counted at their first use
    area = 1
    for side in sides[0].split("×"):
        area *= int(side)
    each = row.parameters // width
    bias = each % area == 1 if area > 1 else each == channels + 1
    inputs, rest = divmod(each - bias, area)
    return (inputs, bias) if not rest else (None, None)


def _name(kind: str, family: str) -> str:
    if family == "convolution":
        return "transposed convolution" if "ranspose" in kind else "convolution"
    if family == "fully connected":
        return "fully connected layer"
    if family == "dropout":
        return "Dropout"
    if family == "norm":
        return _NAMES.get(kind, re.sub(r"\dd$", "", kind))
    if family == "global pooling":
        return "global max pooling" if "ax" in kind else "global average pooling"
    if family == "pooling":
        return "max pooling" if "ax" in kind else "average pooling"
    return kind


def changed(before: Network, after: Network) -> tuple[str, ...]:
    """What the later network has otherwise; nothing where the tables say the same."""
    return (
        *_convolutions(before.of("convolution"), after.of("convolution")),
        *_biases(before, after),
        *_norms(before, after),
        *_activations(before, after),
        *_poolings(before.of("pooling"), after.of("pooling")),
        *_dropout(before, after),
        *_head(before, after),
        *_others(before, after),
    )


def _convolutions(before: Sequence[Layer], after: Sequence[Layer]) -> Iterator[str]:
    if len(before) == len(after):
        widths = [layer.channels for layer in before], [layer.channels for layer in after]
        yield from _one_by_one(*widths, "{} channels", "channels {}")
        windows = [layer.words for layer in before], [layer.words for layer in after]
        yield from _one_by_one(*windows, "{}", "convolutions {}")
        return
    added, gone = _without_common(before, after)
    if (not added or not gone) and len(added + gone) <= FEW:
        for sign, layers in (("+", added), ("−", gone)):
            for layer in layers:
                where = f" as number {layer.after}" if sign == "+" else f" number {layer.after}"
                yield f"{sign} {layer.words} with {layer.channels} channels,{where}"
        return
    yield f"{len(before)} → {len(after)} convolutions, channels {_widths(before, after)}"
    counts = Counter(layer.words for layer in before), Counter(layer.words for layer in after)
    for words in dict.fromkeys(layer.words for layer in (*before, *after)):
        if counts[0][words] != counts[1][words] and len(counts[0] | counts[1]) > 1:
            earlier, later = (str(count[words] or "none") for count in counts)
            yield f"{words}: {earlier} → {later}"


def _widths(before: Sequence[Layer], after: Sequence[Layer]) -> str:
    return f"{_channels(before) or 'none'} → {_channels(after) or 'none'}"


def _channels(layers: Sequence[Layer]) -> str:
    return ", ".join(str(layer.channels) for layer in layers)


def _one_by_one(
    before: Sequence[object], after: Sequence[object], few: str, many: str
) -> Iterator[str]:
    """What differs between two lists of one length: one change with its places, or both lists."""
    places = [place for place, pair in enumerate(zip(before, after, strict=True)) if _differ(pair)]
    pairs = list(dict.fromkeys((before[place], after[place]) for place in places))
    if not places:
        return
    if len(pairs) > FEW:
        sides = (", ".join(map(str, side)) for side in (before, after))
        yield many.format(" → ".join(sides))
        return
    for earlier, later in pairs:
        where = [place + 1 for place in places if (before[place], after[place]) == (earlier, later)]
        text = few.format(f"{earlier} → {later}")
        if len(before) > 1:
            text += f" in convolution{'s' if len(where) > 1 else ''} {_listed(where)}"
        yield text


def _differ(pair: tuple[object, object]) -> bool:
    return pair[0] != pair[1]


def _without_common(
    before: Sequence[Layer], after: Sequence[Layer]
) -> tuple[list[Layer], list[Layer]]:
    """What the later has beyond the earlier, and what of the earlier is gone, in order."""
    keys = [(layer.words, layer.channels) for layer in before]
    new_keys = [(layer.words, layer.channels) for layer in after]
    added: list[Layer] = []
    gone: list[Layer] = []
    steps = SequenceMatcher(None, keys, new_keys, autojunk=False).get_opcodes()
    for step, first, last, new_first, new_last in steps:
        if step != "equal":
            gone += before[first:last]
            added += after[new_first:new_last]
    return added, gone


def _biases(before: Network, after: Network) -> Iterator[str]:
    earlier = {layer.bias for layer in before.of("convolution")} - {None}
    later = {layer.bias for layer in after.of("convolution")} - {None}
    if (earlier, later) == ({True}, {False}):
        yield "− biases of the convolutions"
    elif (earlier, later) == ({False}, {True}):
        yield "+ biases of the convolutions"


def _norms(before: Network, after: Network) -> Iterator[str]:
    kinds = dict.fromkeys(layer.name for layer in (*before.of("norm"), *after.of("norm")))
    for kind in kinds:
        earlier, later = _norm_places(before, kind), _norm_places(after, kind)
        if earlier == later:
            continue
        if not earlier:
            yield f"+ {kind} {later}"
        elif not later:
            yield f"− {kind} {earlier}"
        else:
            yield f"{kind} {earlier} → {later}"


def _norm_places(network: Network, kind: str) -> str:
    """Where one kind of norm is: "after each convolution but the last"; "" where it is not."""
    total = len(network.of("convolution"))
    found = [layer.after for layer in network.of("norm") if layer.name == kind]
    places = [place for place in dict.fromkeys(found) if place]
    if not found:
        return ""
    if not places:
        return "on the images"
    if places == list(range(1, total + 1)):
        return "after each convolution" if total > 1 else "after the convolution"
    if places == list(range(1, total)) and total > 2:
        return "after each convolution but the last"
    return f"after convolution{'s' if len(places) > 1 else ''} {_listed(places)}"


def _activations(before: Network, after: Network) -> Iterator[str]:
    gone = [name for name in before.activations if name not in after.activations]
    new = [name for name in after.activations if name not in before.activations]
    if len(gone) == len(new) == 1:
        yield f"{gone[0]} → {new[0]}"
        return
    yield from (f"+ {name}" for name in new)
    yield from (f"− {name}" for name in gone)
    same = len(before.of("convolution")) == len(after.of("convolution"))
    for name, count in before.activations.items():
        if same and after.activations.get(name, count) != count:
            yield f"{name} {count} → {after.activations[name]} times"


def _poolings(before: Sequence[Layer], after: Sequence[Layer]) -> Iterator[str]:
    if len(before) == len(after):
        for earlier, later in zip(before, after, strict=True):
            if earlier.words != later.words:
                yield f"{earlier.words} → {later.words} after convolution {later.after}"
            elif earlier.after != later.after:
                yield f"{later.words} after convolution {earlier.after} → {later.after}"
        return
    added, gone = _without_common(before, after)
    # One that only moved is in both.
    for layer in list(gone):
        moved = next((one for one in added if one.words == layer.words), None)
        if moved is not None:
            added.remove(moved)
            gone.remove(layer)
            if moved.after != layer.after:
                yield f"{moved.words} after convolution {layer.after} → {moved.after}"
    yield from (f"+ {layer.words} after convolution {layer.after}" for layer in added)
    yield from (f"− {layer.words} after convolution {layer.after}" for layer in gone)


def _dropout(before: Network, after: Network) -> Iterator[str]:
    earlier, later = _shares(before), _shares(after)
    if earlier == later:
        return
    if not before.dropout:
        yield f"+ Dropout {later}"
    elif not after.dropout:
        yield f"− Dropout {earlier}"
    else:
        yield f"Dropout {earlier} → {later}"


def _shares(network: Network) -> str:
    """As in "p = 0.1 in 3 places"."""
    shares = [f"{share:g}" for share in dict.fromkeys(network.dropout)]
    count = len(network.dropout)
    return f"p = {', '.join(shares)} in {count} place{'s' if count > 1 else ''}"


def _head(before: Network, after: Network) -> Iterator[str]:
    for family in ("global pooling", "fully connected"):
        earlier, later = before.of(family), after.of(family)
        if family == "global pooling":
            kinds = [set(map(_words, layers)) for layers in (earlier, later)]
            yield from (f"+ {kind}" for kind in sorted(kinds[1] - kinds[0]))
            yield from (f"− {kind}" for kind in sorted(kinds[0] - kinds[1]))
        elif len(earlier) == len(later) and _channels(earlier) != _channels(later):
            yield f"fully connected layers with outputs {_widths(earlier, later)}"
        elif len(earlier) != len(later):
            added, gone = _without_common(earlier, later)
            yield from (f"+ {layer.words} with {layer.channels} outputs" for layer in added)
            yield from (f"− {layer.words} with {layer.channels} outputs" for layer in gone)


def _words(layer: Layer) -> str:
    return layer.words


def _others(before: Network, after: Network) -> Iterator[str]:
    """Joins of branches, gates and whatever else has a row: by how often they are there."""
    earlier = Counter(layer.words for layer in before.of("other"))
    later = Counter(layer.words for layer in after.of("other"))
    for words in dict.fromkeys([*earlier, *later]):
        if earlier[words] != later[words]:
            times = f"{earlier[words]} → {later[words]} times"
            sign = "" if earlier[words] and later[words] else ("+ " if later[words] else "− ")
            count = max(earlier[words], later[words])
            yield f"{words} {times}" if not sign else f"{sign}{words}{_times(count)}"


def _times(count: int) -> str:
    return f" ({count} times)" if count > 1 else ""


def _listed(places: Sequence[int]) -> str:
    return ", ".join(map(str, places))
