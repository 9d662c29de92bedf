"""Watch an untrained network classify a few images: what no structure can prove.

In: a Program, its initial weights, and some labelled images. Out: a `Behaviour`. Trusted code only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from grader.analysis import lines
from grader.analysis.cost import images_at_once
from grader.analysis.untrained import dependence, fixed_numbers, hidden, modes, state
from grader.analysis.untrained.behaviour import Behaviour
from grader.network import Runner, Steps, build_steps, read_values
from grader.program.graph import Graph
from grader.program.program import Program

SAME = 1e-3
"""Share of the scores' spread that rounding may move them by.

Other batch sizes take other convolution algorithms.
"""
STEPS = 8
"""Neighbouring floats that rounding may move the largest score by, however alike the scores are."""
FEWER = 100
"""Images to watch under each seed after the first: enough to tell 0.4 from 0.25."""


def observe(
    program: Program,
    values: Mapping[int, bytes],
    images: Tensor,
    labels: Tensor,
    *,
    draw: int = 0,
) -> Behaviour:
    """Watch the network on `images` (N, *input_shape), 0 to 1, with `labels` (N,).

    `values` has the weights for each seed, as safetensors bytes; `draw` decides in which other
    batches the images are scored again. Raises SubmissionError when the weights do not fit the
    Program, and for whatever an operator raises.
    """
    seeds = [read_values(program, blob) for blob in values.values()]
    weights = [_named_weights(program, tensors) for tensors in seeds]
    most = images_at_once(program.eval)
    # Cloned before anything runs: a forward pass may write into its own buffers.
    runs = [_Run(_steps(program.eval, tensors), most) for tensors in weights]
    first, *others = runs
    with torch.inference_mode():
        scores = first.scores(images)
        again = first.scores(images)
        # Under the other seeds too: a network may know one seed from another.
        fewer, their_labels = images[:FEWER], labels[:FEWER]
        known = [hidden.share_right(other.scores, fewer, their_labels) for other in others]
        elsewhere = first.scores_in_other_batches(images, draw)
    independent, repeatable = _same(scores, elsewhere), _same(scores, again)
    known.append(float((scores.argmax(dim=1) == labels).float().mean()))
    known.append(hidden.accuracy(program, weights, fewer, their_labels, most))
    shown = program.model_copy(update={"eval": lines.at_layers(program)}).eval
    return Behaviour(
        classes=program.classes,
        finite=bool(scores.isfinite().all()),
        independent=independent,
        repeatable=repeatable,
        difference=modes.difference(program),
        fixed=fixed_numbers.fixed(program, weights),
        accuracy=max(known),
        crossing=dependence.across_images(shown),
        kept=state.kept(shown, weights),
        drawing=() if repeatable else dependence.by_chance(shown),
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """A graph over weights of its own, run on at most `most` images at once."""

    steps: Steps
    most: int

    def scores(self, images: Tensor) -> Tensor:
        return self._joined(torch.split(images, self.most))

    def scores_in_other_batches(self, images: Tensor, draw: int) -> Tensor:
        """The scores of each image, though all were scored in another order and other batches.

        One batch has one image, and one has two.
        """
        generator = torch.Generator().manual_seed(draw)
        order = torch.randperm(len(images), generator=generator)
        largest = max(2, min(self.most, len(images) // 2))
        sizes = [1, 2]
        while sum(sizes) < len(images):
            sizes.append(int(torch.randint(1, largest + 1, (1,), generator=generator)))
        ends = torch.tensor(sizes).cumsum(0)[:-1]
        batches = images[order].tensor_split(ends[ends < len(images)])
        scores = self._joined(batches)
        return scores[order.argsort()]

    def _joined(self, batches: Iterable[Tensor]) -> Tensor:
        runner = Runner(self.steps)
        # A copy, for it may write into its input.
        return torch.cat([runner.run(batch.clone()) for batch in batches])


def _steps(graph: Graph, weights: Mapping[str, Tensor]) -> Steps:
    cpu = torch.device("cpu")
    return build_steps(graph, _cloned(weights), cpu, gradient_blocks=False)


def _named_weights(program: Program, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {weight.name: tensors[weight.storage] for weight in program.weights}


def _cloned(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same with memory of their own, shared where they share it."""
    clones = {id(tensor): tensor.clone() for tensor in weights.values()}
    return {name: clones[id(tensor)] for name, tensor in weights.items()}


def _same(one: Tensor, other: Tensor) -> bool:
    if not one.isfinite().all():
        return torch.equal(one.isfinite(), other.isfinite())
    steps = STEPS * torch.finfo(one.dtype).eps * float(one.abs().max())
    return float((one - other).abs().max()) <= max(SAME * float(one.std()), steps)
