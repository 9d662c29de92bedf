"""What does a network know that no seed drew? Numbers brought along instead of learned here.

In: a Program, and its weights under several seeds. Out: a `Fixed`. Trusted code only.

What the optimizer trains must start from numbers that the grader's seed draws. What it does not
train (buffers, loose tensors, frozen parameters, numbers written in forward()) may stay the same: a
Sobel filter, a window, the images' mean. Such numbers are few or regular; a learned network is
neither. So they are written down with three digits each, compressed, and weighed. A table that is
only added to a feature map, such as an encoding of positions, is not weighed: it moves what a layer
sees and looks for nothing itself. The ledger of parameters counts and shows it all the same.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from grader.analysis.arguments import base, bound, kind
from grader.analysis.dataflow import trace
from grader.ops import Kind
from grader.program import Graph, Program

MOST_BYTES = 1_400
"""Eight Gabor filters of 7 × 7 take 394 bytes, a cosine transform of 8 × 8 pixels 1,347.

800 learned numbers take 1,350.
"""

ALIKE = 0.5
"""Two draws of one distribution differ by 1.4 times its spread.

Where they differ by less than this times the spread, one of them was not drawn.
"""
FEW = 32
"""Numbers of which two draws may be alike by chance: these must be equal to count as fixed."""

_ADDING = {"add", "sub", "rsub", "cat", "concat", "stack"}
_FILLING = {"full", "full_like", "scalar_tensor"}


@dataclass(frozen=True, slots=True)
class Fixed:
    """What no seed changes.

    `trained` names what the optimizer trains, `held` what it does not train; `size` is in bytes.
    `size` is what it takes to write down `held` and the numbers in forward(), compressed.
    """

    trained: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    size: int = 0

    @property
    def is_little(self) -> bool:
        """Whether it is too little to hold a learned network."""
        return self.size <= MOST_BYTES


def fixed(program: Program, seeds: Sequence[Mapping[str, Tensor]]) -> Fixed:
    """What stays the same in `seeds`: for each seed, the Program's weights by name."""
    if len(seeds) < 2:
        return Fixed()
    graphs = (program.train, program.eval)
    used = {*_multiplied(program.train), *_multiplied(program.eval)}
    trained, held = [], {}
    for weight in program.weights:
        if weight.storage != weight.name or weight.size < 2:
            continue
        part = common([tensors[weight.name] for tensors in seeds])
        if part is None:
            continue
        if weight.kind == "parameter" and weight.trainable:
            trained.append(weight.name)
        elif used & {other.name for other in program.weights if other.storage == weight.name}:
            held[weight.name] = part
    written = max(
        (torch.tensor(list(_literals(graph)), dtype=torch.float64) for graph in graphs), key=len
    )
    return Fixed(tuple(trained), tuple(held), size([*held.values(), written]))


def common(tensors: Sequence[Tensor]) -> Tensor | None:
    """What two of these draws of one tensor have in common.

    None where all differ, or where what they have in common says nothing.
    Nothing is said by one value in all places, and by an identity (`nn.init.eye_`,
    `nn.init.dirac_`).
    """
    draws = [tensor.detach().double().nan_to_num() for tensor in tensors]
    for one, other in itertools.combinations(draws, 2):
        if not _are_alike(one, other):
            continue
        part = (one + other) / 2
        return None if _is_plain(part, noise=float((one - other).std())) else part
    return None


def _are_alike(one: Tensor, other: Tensor) -> bool:
    if torch.equal(one, other):
        return True
    spread = max(float(one.std()), float(other.std()))
    return one.numel() >= FEW and float((one - other).std()) <= ALIKE * spread


def _is_plain(part: Tensor, *, noise: float) -> bool:
    """Whether the numbers are one value everywhere, or an identity, but for the noise."""
    step = 4 * noise
    high = part[part.abs() > step]
    if not len(high) or float(part.max() - part.min()) <= step:
        return True
    return len(high) <= len(part) and float(high.max() - high.min()) <= step


def size(tensors: Sequence[Tensor]) -> int:
    """Bytes that it takes to write these numbers down, with three digits each, compressed."""
    flat = torch.cat([tensor.detach().flatten().to(torch.bfloat16) for tensor in tensors])
    digits = flat.view(torch.uint8).view(-1, 2)
    return len(zlib.compress(bytes(digits.t().flatten().tolist()), 9)) if len(flat) else 0


def _multiplied(graph: Graph) -> Iterator[str]:
    """The weights by which something of the image is multiplied.

    Also those that were combined among themselves first.
    """
    flow = trace(graph)
    image: set[str] = set()
    carried: dict[str, frozenset[str]] = {}
    for node in graph.nodes:
        if node.op == "weight":
            carried[node.name] = frozenset({str(node.arguments[0])})
            continue
        reads = flow.reads[node.name]
        weights = frozenset[str]().union(*(carried.get(name, frozenset()) for name in reads))
        if node.op == "input" or any(name in image for name in reads):
            image.add(node.name)
            if node.name in flow.live and base(node) not in _ADDING:
                yield from weights
        else:
            carried[node.name] = weights


def _literals(graph: Graph) -> Iterator[float]:
    """The numbers written into the arithmetic of a forward pass."""
    live = trace(graph).live
    for node in graph.nodes:
        if node.name in live and (kind(node) is Kind.POINTWISE or base(node) in _FILLING):
            for name, value in bound(node).items():
                if (
                    isinstance(value, int | float)
                    and not isinstance(value, bool)
                    and name != "size"
                ):
                    yield float(value)
