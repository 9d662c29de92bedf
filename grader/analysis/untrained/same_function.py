"""Which layers compute the same under two seeds, although their weights differ.

In: a graph and its weights under several seeds. Out: the names of weights that were disguised.

Weights can be disguised in more ways than one can list: channels scaled, turned, moved, mixed and
unmixed, noise that another tensor subtracts again. All of them leave what the network computes as
it is. So each network looks at the same images, and at every operator the maps of two seeds are
compared channel by channel, whatever their order, scale and sign. Two honest networks have maps
that are somewhat alike, more so in a first layer with few numbers. How much, is measured: on
networks whose weights are dealt anew among all rows of all seeds.

    5 seeds, conv 3x3, 8 maps: best matches of dealt networks 0.90 to 0.97
    the same filters, scaled and in another order:            1.00
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from grader import network
from grader.analysis.arguments import kind
from grader.analysis.dataflow import trace
from grader.program.graph import Graph, Node
from grader.program.ops import Kind

NEARER = 16
"""Maps are the same when they are so many times nearer than one in ten of the dealt networks'."""
SHARE = 0.3
"""Of the channels, so many must be the same."""

_IMAGES = 16
_SAMPLES = 256
_MOST_CHANNELS = 256
_TOO_ALIKE = 1e-4
_LAST = {Kind.LINEAR, Kind.MATMUL, Kind.ATTENTION}
_LOOKED_AT = {
    Kind.CONVOLUTION,
    Kind.TRANSPOSED_CONVOLUTION,
    Kind.POINTWISE,
    Kind.BATCH_NORM,
    Kind.REDUCE,
    *_LAST,
}

Weights = Mapping[str, Tensor]


def disguised(graph: Graph, seeds: Sequence[Weights], input_shape: Sequence[int]) -> frozenset[str]:
    """Weights that differ from seed to seed before operators that compute the same.

    `seeds`: for each seed, the tensors of the graph's weights by name.
    """
    images = _images(input_shape)
    opened = [_opened(weights) for weights in seeds]
    different = {name for name in opened[0] if not _are_equal(name, opened)}
    flow = trace(graph)
    graph = _without_dropout(graph)
    maps = _maps(graph, [*opened, *_dealt(opened, different)], images, flow.live)
    sources: dict[str, frozenset[str]] = {}
    found: set[str] = set()
    for node in graph.nodes:
        own = {str(node.arguments[0])} & different if node.op == "weight" else set()
        before = (sources[name] for name in flow.reads[node.name])
        sources[node.name] = frozenset(own).union(*before)
        if node.name not in maps or sources[node.name] <= found:
            continue
        if _are_the_same(*maps[node.name].chunk(2)):
            found |= sources[node.name]
    return frozenset(found)


def _images(shape: Sequence[int]) -> Tensor:
    """Blots with grain on them, 0 to 1."""
    generator = torch.Generator().manual_seed(0)
    grain = torch.rand(_IMAGES, *shape, generator=generator)
    if len(shape) != 3:
        return grain
    coarse = torch.rand(_IMAGES, shape[0], 5, 5, generator=generator)
    return (F.interpolate(coarse, size=tuple(shape[1:]), mode="bilinear") + grain) / 2


def _opened(weights: Weights) -> dict[str, Tensor]:
    """What is zero everywhere is not: else a gate that starts at zero would hide what it gates."""
    return {
        name: torch.full_like(tensor, 0.25)
        if tensor.is_floating_point() and not tensor.count_nonzero()
        else tensor.detach().clone()
        for name, tensor in weights.items()
    }


def _are_equal(name: str, seeds: Sequence[Weights]) -> bool:
    return all(torch.equal(seeds[0][name], weights[name]) for weights in seeds[1:])


def _dealt(seeds: Sequence[Weights], different: set[str]) -> list[dict[str, Tensor]]:
    """As many networks, each number from the same place of some row of some seed."""
    generator = torch.Generator().manual_seed(1)
    result = [dict(weights) for weights in seeds]
    for name in sorted(different):
        rows = torch.stack([weights[name] for weights in seeds])
        if not rows.is_floating_point():
            continue
        flat = rows.reshape(len(seeds) * (rows.shape[1] if rows.dim() > 1 else 1), -1)
        order = torch.rand(flat.shape, generator=generator).argsort(0)
        for weights, numbers in zip(result, flat.gather(0, order).view_as(rows), strict=True):
            weights[name] = numbers.clone()
    return result


def _without_dropout(graph: Graph) -> Graph:
    nodes = tuple(_switched_off(node) for node in graph.nodes)
    return graph.model_copy(update={"nodes": nodes})


def _switched_off(node: Node) -> Node:
    if kind(node) is not Kind.DROPOUT:
        return node
    first, p, *_ = (*node.arguments, *node.keywords.values())
    return node.model_copy(update={"arguments": (first, p, False), "keywords": {}})


def _maps(
    graph: Graph, several: Sequence[Weights], images: Tensor, live: frozenset[str]
) -> dict[str, Tensor]:
    """Of each operator worth a look, its channels as unit vectors (networks, channels, samples)."""
    found: dict[str, list[Tensor]] = defaultdict(list)
    with torch.inference_mode():
        for traced in network.trace_each(graph, several, images):
            for node, value in traced:
                if node.name in live and _is_looked_at(node, value):
                    found[node.name].append(_channels(node, value))
    return {name: torch.stack(maps) for name, maps in found.items() if len(maps) == len(several)}


def _is_looked_at(node: Node, value: object) -> bool:
    if kind(node) not in _LOOKED_AT or not isinstance(value, Tensor):
        return False
    if not value.is_floating_point() or value.dim() < 2 or len(value) != _IMAGES:
        return False
    return value.shape[_axis(node, value)] >= 3


def _axis(node: Node, value: Tensor) -> int:
    return -1 if kind(node) in _LAST or value.dim() == 3 else 1


def _channels(node: Node, value: Tensor) -> Tensor:
    """A channel that hardly changes from sample to sample is zero."""
    channels = value.movedim(_axis(node, value), 0)[:_MOST_CHANNELS].flatten(1)
    if channels.shape[1] > _SAMPLES:
        step = (channels.shape[1] // _SAMPLES - 1) | 1
        channels = channels[:, ::step][:, :_SAMPLES]
    channels = channels.float().nan_to_num(posinf=0.0, neginf=0.0)
    moved = channels - channels.mean(1, keepdim=True)
    length = moved.norm(dim=1, keepdim=True)
    moves = length > 1e-5 * channels.norm(dim=1, keepdim=True)
    return torch.where(moves, moved / length.clamp_min(1e-30), 0.0)


def _are_the_same(real: Tensor, dealt: Tensor) -> bool:
    chance = _best(dealt)
    chance = chance[chance > 0]
    if not len(chance):
        return False
    distance = 1 - float(chance.quantile(0.9))
    if distance < _TOO_ALIKE:
        return False
    same = _best(real) > 1 - distance / NEARER
    needed = max(3, SHARE * same.shape[2])
    return int(same.sum(2).max()) >= needed


def _best(maps: Tensor) -> Tensor:
    """(a, b, channel): how alike a channel of network a is to the one nearest to it in b."""
    count, channels, _ = maps.shape
    flat = maps.flatten(0, 1)
    alike = (flat @ flat.T).abs().view(count, channels, count, channels).amax(3).transpose(1, 2)
    return alike.clamp_max(1) * (1 - torch.eye(count)).unsqueeze(2)
