"""Find an untrained network that knows the digits, and hides it until training opens a gate.

In: a Program, its weights under each seed, and some labelled images. Out: an accuracy.

Two ways to hide are known. A factor that no seed draws, such as `torch.zeros(1)`, lets what was
learned elsewhere pass once it has moved: so all such tensors that are trained are set to zero, to
one, and those that are zero alone to one. And running statistics that fit come from a few batches,
without any learning: so the images are scored by the train graph, too, which takes their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from grader.analysis.arguments import bound, kind
from grader.network import Runner, build_steps
from grader.program.graph import Graph
from grader.program.ops import Kind
from grader.program.program import Program
from grader.program.values import Ref

FIRST = 40
"""Images to look at first; the others only where so few may tell of learning."""
UNSUSPICIOUS = 0.25
"""Who knows the digits gets more of the first right, however few; luck seldom does."""
_WITH_BIAS = {
    Kind.BATCH_NORM,
    Kind.NORM,
    Kind.CONVOLUTION,
    Kind.TRANSPOSED_CONVOLUTION,
    Kind.LINEAR,
}
_SCALES = {Kind.BATCH_NORM, Kind.NORM}


def accuracy(
    program: Program,
    seeds: Sequence[Mapping[str, Tensor]],
    images: Tensor,
    labels: Tensor,
    most: int,
) -> float:
    """The best accuracy (0 to 1) of any opened network, at most `most` images at once."""
    gates = _gates(program, seeds)
    best = 0.0
    with torch.inference_mode():
        for weights in seeds:
            for graph, opened in _opened(program, weights, gates):
                runner = Runner(build_steps(graph, opened, images.device, gradient_blocks=False))
                best = max(best, share_right(partial(_scores, runner, most), images, labels))
    return best


def share_right(scores_of: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> float:
    """The accuracy (0 to 1) on all images, or on the first ones where those tell of no learning."""
    right = 0.0
    for count in (FIRST, len(images)):
        scores = scores_of(images[:count])
        right = float((scores.argmax(dim=1) == labels[:count]).float().mean())
        if right <= UNSUSPICIOUS:
            break
    return right


def _scores(runner: Runner, most: int, images: Tensor) -> Tensor:
    return torch.cat([runner.run(part.clone()) for part in torch.split(images, most)])


def _opened(
    program: Program, weights: Mapping[str, Tensor], gates: Sequence[str]
) -> Iterator[tuple[Graph, dict[str, Tensor]]]:
    """The graphs to run, each over weights that it may write into."""
    yield program.train, _with(program, weights, (), torch.zeros_like)
    if gates:
        yield program.eval, _with(program, weights, gates, torch.zeros_like)
        yield program.eval, _with(program, weights, gates, _ones)
        closed = [name for name in gates if not weights[name].any()]
        yield program.eval, _with(program, weights, closed, _ones)


def _with(
    program: Program,
    weights: Mapping[str, Tensor],
    names: Sequence[str],
    fill: Callable[[Tensor], Tensor],
) -> dict[str, Tensor]:
    made = {
        weight.name: weights[weight.name].clone()
        for weight in program.weights
        if weight.storage == weight.name
    }
    made |= {name: fill(made[name]) for name in names}
    return {weight.name: made[weight.storage] for weight in program.weights}


def _ones(tensor: Tensor) -> Tensor:
    """Open: a factor of one, or a matrix or kernel that passes everything on as it is."""
    if tensor.ndim == 2:
        return torch.eye(*tensor.shape, dtype=tensor.dtype)
    if 3 <= tensor.ndim <= 5:
        return torch.nn.init.dirac_(torch.empty_like(tensor))
    return torch.ones_like(tensor)


def _gates(program: Program, seeds: Sequence[Mapping[str, Tensor]]) -> list[str]:
    """Tensors that are trained and that no seed draws, but for the usual ones: biases, scales."""
    usual = set(_usual(program.eval, seeds[0]))
    first, *others = seeds
    return [
        weight.name
        for weight in program.weights
        if weight.trainable
        and weight.storage == weight.name
        and weight.name not in usual
        and weight.size
        and _are_equal(weight.name, seeds)
        and (others or bool((first[weight.name] == first[weight.name].flatten()[0]).all()))
    ]


def _are_equal(name: str, seeds: Sequence[Mapping[str, Tensor]]) -> bool:
    return all(torch.equal(seeds[0][name], weights[name]) for weights in seeds[1:])


def _usual(graph: Graph, weights: Mapping[str, Tensor]) -> Iterator[str]:
    """Biases of layers, and scales of norms that are not zero."""
    for node in graph.nodes:
        found = kind(node)
        if found not in _WITH_BIAS:
            continue
        given = bound(node)
        bias = _weight(graph, given.get("bias"))
        scale = _weight(graph, given.get("weight")) if found in _SCALES else None
        if bias:
            yield bias
        if scale and weights[scale].any():
            yield scale


def _weight(graph: Graph, value: object) -> str | None:
    node = graph[value.node] if isinstance(value, Ref) else None
    return str(node.arguments[0]) if node is not None and node.op == "weight" else None
