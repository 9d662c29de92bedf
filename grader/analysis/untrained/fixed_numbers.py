"""What does a network know that no seed drew? Numbers that were brought along, not learned here.

In: a Program, and its weights under several seeds. Out: a `Fixed`. Trusted code only.

A network of this course starts from numbers that the grader's seed draws, and learns. Others may be
brought along as far as they are few or follow a formula: filters by a cosine, an encoding of
positions, the images' mean. So what any two seeds share is written down as briefly as one can, and
weighed: trained or not, and whether the image is multiplied by it, added to it, compared with it or
looked up in it.

    raw        each weight under every seed                        (`common_part`)
    combined   what is made of weights alone before an image meets it: `table - noise`, `a * b`
    disguised  weights that differ, in layers that compute the same (`same_function`)
    literal    numbers written into forward()
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from grader import network
from grader.analysis.arguments import base, bound, kind
from grader.analysis.dataflow import trace
from grader.analysis.untrained import same_function, written_down
from grader.analysis.untrained.brought_along import Fixed
from grader.analysis.untrained.common_part import common
from grader.program.graph import Graph, Node
from grader.program.ops import Kind
from grader.program.program import Program
from grader.program.values import BATCH

_FEW = 16
"""Tensors of fewer numbers are written down together: each by itself would cost a header."""
_WITH_NUMBERS = {Kind.POINTWISE, Kind.SELECT, Kind.GATHER, Kind.ROLL, Kind.PAD}
_FILLING = {"full", "full_like", "scalar_tensor", "arange", "linspace"}
_NO_NUMBERS = {"size", "dtype", "dim", "dims", "output_size"}


def fixed(program: Program, seeds: Sequence[Mapping[str, Tensor]]) -> Fixed:
    """What `seeds` share: for each seed, the tensors of the Program's weights by name."""
    if len(seeds) < 2:
        return Fixed()
    owner = {weight.name: weight.storage for weight in program.weights}
    read = {*_read(program.train), *_read(program.eval)}
    found: dict[str, Tensor] = {}
    for name in sorted({owner[name] for name in read}):
        part = common([weights[name] for weights in seeds])
        if part is not None:
            found[name] = part
    hidden = same_function.disguised(program.train, seeds, program.input_shape)
    for name in sorted({owner[name] for name in hidden} - found.keys()):
        found[name] = seeds[0][name].detach().double()
    few = [part for part in found.values() if _is_few(part)]
    sizes = {name: written_down.size(p) for name, p in found.items() if not _is_few(p)}
    total = _with_combinations(sizes, _combined(program, seeds, owner))
    total += _together(few) + max(_literal_size(graph) for graph in (program.train, program.eval))
    return Fixed(tuple(sorted(sizes, key=lambda name: -sizes[name])), total)


def _read(graph: Graph) -> Iterator[str]:
    """The weights that the scores depend on."""
    live = trace(graph).live
    for node in graph.nodes:
        if node.op == "weight" and node.name in live:
            yield str(node.arguments[0])


def _is_few(part: Tensor) -> bool:
    return part.numel() < _FEW or bool((part == part.flatten()[0]).all())


def _together(parts: Sequence[Tensor]) -> int:
    """Bytes of many small tensors; one value in all places counts once."""
    flat = [torch.unique_consecutive(part.flatten()[:_FEW]) for part in parts]
    return written_down.size(torch.cat(flat)) if flat else 0


def _with_combinations(
    sizes: Mapping[str, int], combined: Mapping[frozenset[str], Sequence[Tensor]]
) -> int:
    """The bytes of all weights, or of what they are combined to where that is more."""
    groups: list[tuple[frozenset[str], int]] = [(frozenset({name}), 0) for name in sizes]
    for names, parts in combined.items():
        made = sum(written_down.size(part) for part in parts)
        touched = [group for group in groups if group[0] & names]
        groups = [group for group in groups if not group[0] & names]
        joined = names.union(*(group[0] for group in touched))
        groups.append((joined, made + sum(group[1] for group in touched)))
    total = 0
    for names, made in groups:
        total += max(made, sum(sizes.get(name, 0) for name in names))
    return total


def _combined(
    program: Program, seeds: Sequence[Mapping[str, Tensor]], owner: Mapping[str, str]
) -> dict[frozenset[str], list[Tensor]]:
    """What seeds share of the tensors that are made of weights alone, by the weights of each."""
    wanted = _last_without_image(program.train)
    if not wanted:
        return {}
    draws: dict[str, list[Tensor]] = defaultdict(list)
    images = torch.full((2, *program.input_shape), 0.5)
    with torch.inference_mode():
        for traced in network.trace_each(program.train, seeds, images):
            for node, value in traced:
                if node.name in wanted and isinstance(value, Tensor):
                    draws[node.name].append(value.clone())
    found: dict[frozenset[str], list[Tensor]] = defaultdict(list)
    for name, tensors in draws.items():
        part = common(tensors)
        if part is not None and not _is_few(part):
            found[frozenset(owner[weight] for weight in wanted[name])].append(part)
    return found


def _last_without_image(graph: Graph) -> dict[str, frozenset[str]]:
    """Operators on weights alone whose result meets an image next, and the weights behind each."""
    flow = trace(graph)
    behind: dict[str, frozenset[str]] = {}
    wanted: dict[str, frozenset[str]] = {}
    for node in graph.nodes:
        reads = flow.reads[node.name]
        if node.op == "weight":
            behind[node.name] = frozenset({str(node.arguments[0])})
        elif kind(node) is Kind.SIZE:
            behind[node.name] = frozenset()
        elif node.op != "input" and not _per_image(node) and all(name in behind for name in reads):
            behind[node.name] = frozenset[str]().union(*(behind[name] for name in reads))
        elif node.name in flow.live:
            made = [name for name in reads if behind.get(name) and graph[name].op != "weight"]
            wanted |= {name: behind[name] for name in made}
    return wanted


def _per_image(node: Node) -> bool:
    return any(BATCH in str(size) for size in node.shape or ())


def _literal_size(graph: Graph) -> int:
    """Bytes of the numbers written into a forward pass, those of one kind after each other."""
    live = trace(graph).live
    numbers: dict[str, list[float]] = defaultdict(list)
    for node in graph.nodes:
        if node.name in live and (kind(node) in _WITH_NUMBERS or base(node) in _FILLING):
            for name, value in bound(node).items():
                if name not in _NO_NUMBERS:
                    numbers[f"{base(node)} {name}"] += _numbers(value)
    return sum(
        written_down.size(torch.tensor(found, dtype=torch.float64)) for found in numbers.values()
    )


def _numbers(value: object) -> list[float]:
    items = value if isinstance(value, tuple) else (value,)
    return [
        float(item)
        for item in items
        if isinstance(item, int | float) and not isinstance(item, bool)
    ]
