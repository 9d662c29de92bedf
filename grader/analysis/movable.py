"""Which weights can training move? Measured: those with a gradient, and those that then get one.

In: a Program and its weights. Out: names of weights, and weights in which they were drawn anew.
Trusted code on the CPU. Also the images that a network is tried on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from grader.analysis import gradients
from grader.network import build_graph
from grader.program.graph import Graph
from grader.program.program import Program

IMAGES = 4
"""Images that a network is tried on."""
ROUNDS = 3
"""How often weights are drawn anew to see which others then have a gradient."""


def images_for(graph: Graph) -> Tensor:
    """Images of large and small random shapes, 0 to 1."""
    channels, height, width = (int(size) for size in (graph.input.shape or ())[1:])
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand((IMAGES, channels, 4, 4), generator=generator, dtype=torch.float64)
    fine = torch.rand((IMAGES, channels, height, width), generator=generator, dtype=torch.float64)
    bright = torch.linspace(0.4, 1, IMAGES, dtype=torch.float64).view(-1, 1, 1, 1)
    shapes = F.interpolate(coarse, size=(height, width), mode="nearest")
    return bright * (0.7 * shapes + 0.3 * fine)


def movable(program: Program, values: Mapping[str, Tensor]) -> frozenset[str]:
    """The storages of the weights that training moves, some only after others have moved."""
    fixed = {*gradients.left_out(program)}
    owned = [
        weight.name
        for weight in program.weights
        if weight.kind == "parameter" and weight.trainable and weight.name == weight.storage
    ]
    learned = [name for name in owned if name not in fixed]
    moved: frozenset[str] = frozenset()
    for draw in range(ROUNDS):
        now = redrawn(program, values, moved, draw) if moved else values
        found = moved | _with_gradient(program, now, learned)
        if found == moved:
            break
        moved = found
    return moved


def _with_gradient(
    program: Program, values: Mapping[str, Tensor], names: Sequence[str]
) -> frozenset[str]:
    leaves = {name: values[name].detach().clone().requires_grad_() for name in names}
    own = {
        weight.name: leaves.get(weight.storage, values[weight.name].detach().clone())
        for weight in program.weights
    }
    cpu = torch.device("cpu")
    module = build_graph(program.train, own, cpu, gradient_blocks=True)
    images = images_for(program.train).float()
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            labels = torch.arange(len(images)) % program.classes
            loss = F.cross_entropy(module(images), labels)
            found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
        except RuntimeError:
            return frozenset(names)
    sizes = {
        name: float(one.abs().max()) if one is not None else 0.0
        for name, one in zip(names, found, strict=True)
    }
    most = max(sizes.values(), default=0.0)
    return frozenset(name for name, size in sizes.items() if not size <= 1e-9 * most)


def redrawn(
    program: Program, values: Mapping[str, Tensor], names: frozenset[str], draw: int
) -> Mapping[str, Tensor]:
    """The weights, those of `names` drawn anew: filters as usual, others between 0.5 and 1.5."""
    generator = torch.Generator().manual_seed(draw)
    drawn: dict[str, Tensor] = {}
    for name in sorted(names):
        shape = values[name].shape
        if len(shape) > 1:
            inputs = max(1, values[name].numel() // shape[0])
            drawn[name] = torch.randn(shape, generator=generator) / inputs**0.5
        else:
            drawn[name] = 0.5 + torch.rand(shape, generator=generator)
    return {
        weight.name: drawn.get(weight.storage, values[weight.name]) for weight in program.weights
    }
