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
from grader.analysis.untrained.fixed_numbers import Fixed
from grader.network import Runner, Steps, build_steps, read_values
from grader.program.graph import Graph
from grader.program.program import Program
from grader.report import Hint

SAME = 1e-3
"""Share of the scores' spread that rounding may move them by.

Other batch sizes take other convolution algorithms.
"""
STEPS = 8
"""Neighbouring floats that rounding may move the largest score by, however alike the scores are."""
CHANCE = 0.4
"""No untrained network gets this share of the digits right; random features reach 0.1 to 0.25."""
FEWER = 100
"""Images to watch under each seed after the first: enough to tell 0.4 from 0.25."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What was seen.

    `fixed` are the numbers that no seed changes; `accuracy` (0 to 1) is the best under any seed.
    `crossing` are the lines where images of a batch meet, `kept` those that write what a later
    batch reads: proven from the graph. `drawing` are those that draw by chance, where that was
    seen.
    """

    classes: int
    finite: bool
    independent: bool
    repeatable: bool
    difference: modes.Difference | None
    fixed: Fixed
    accuracy: float
    crossing: tuple[Hint, ...] = ()
    kept: tuple[Hint, ...] = ()
    drawing: tuple[Hint, ...] = ()

    @property
    def output_text(self) -> str:
        """What each image gets."""
        return f"{self.classes} scores" if self.finite else "NaN or infinite scores"

    @property
    def output_hints(self) -> tuple[Hint, ...]:
        """What usually lies behind NaN."""
        text = (
            "Look in forward() for the logarithm, root or quotient of something that can be zero "
            "or negative, and for exp() of large numbers. log_softmax is safe where "
            "log(softmax(x)) is not."
        )
        return () if self.finite else (Hint(text=text),)

    @property
    def independence_text(self) -> str:
        """One phrase on what an image's score depends on."""
        if not self.repeatable:
            return "differs each time"
        if self.crossing or not self.independent:
            return "by its batch"
        return "by what came before" if self.kept else "by itself"

    @property
    def stateless(self) -> bool:
        """Whether no batch leaves anything behind for the next."""
        return self.repeatable and not self.kept

    @property
    def apart(self) -> bool:
        """Whether no image meets another: seen, and proven from the graph."""
        return self.independent and not self.crossing

    @property
    def independence_hints(self) -> tuple[Hint, ...]:
        """What usually lies behind it, and the lines that do it here."""
        texts = []
        if not self.repeatable and not self.kept:
            texts.append(
                "Something random or changing runs in eval mode, such as F.dropout without "
                "training=."
            )
        if self.kept:
            texts.append(
                "What forward() writes into a tensor of the network, the next batch reads: the "
                "scores of an image then depend on how many were scored before. Do it only `if "
                "self.training:`, or write into a new tensor."
            )
        elif self.crossing or (self.repeatable and not self.independent):
            texts.append(
                "Each image must be scored by itself. BatchNorm with track_running_stats=False, "
                "or in train mode inside forward(), uses the statistics of the test batch; so "
                "does a mean over dimension 0."
            )
        hints = tuple(Hint(text=text) for text in texts)
        return (*hints, *self.drawing, *self.kept, *self.crossing)

    @property
    def same_network(self) -> bool:
        """Whether train and eval run the same operators."""
        return self.difference is None

    @property
    def same_network_text(self) -> str:
        """One phrase on the two graphs."""
        return "another one" if self.difference else "the same"

    @property
    def same_network_hints(self) -> tuple[Hint, ...]:
        """Where they part."""
        if self.difference is None:
            return ()
        return (Hint(text=self.difference.advice, line=self.difference.line),)

    @property
    def brings_little(self) -> bool:
        """Whether the numbers that no seed drew are too few or too regular to be learned."""
        return self.fixed.is_little

    @property
    def starts_at_chance(self) -> bool:
        """Whether the untrained network knows no digits."""
        return self.accuracy < CHANCE

    @property
    def untrained_text(self) -> str:
        """What the untrained network gets right."""
        brought = "" if self.brings_little else f", {self.fixed.size:,} bytes of fixed numbers"
        return f"{self.accuracy:.0%} correct{brought}"

    @property
    def untrained_hints(self) -> tuple[Hint, ...]:
        """Which tensors look brought along, and whether the digits are known."""
        texts = []
        if not self.brings_little:
            where = _named(self.fixed.names) or "the numbers in forward()"
            texts.append(
                f"Numbers that no seed drew: {where} ({self.fixed.size:,} bytes; up to "
                f"{fixed_numbers.MOST_BYTES:,} may be brought along, as formulas and a few filters "
                "are). Let PyTorch draw the initial weights: set no seed in __init__, copy no "
                "learned numbers in, and make every layer inside the class."
            )
        if not self.starts_at_chance:
            texts.append(
                "Before training a network gets about one digit in ten right. This one knows them "
                "by numbers that were brought along, perhaps behind a factor that starts at zero."
            )
        return tuple(Hint(text=text) for text in texts)


def _named(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


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
        other_scores = [other.scores(images[:FEWER]) for other in others]
        elsewhere = first.scores_in_other_batches(images, draw)
    independent, repeatable = _same(scores, elsewhere), _same(scores, again)
    known = max(
        *(_accuracy(one, labels) for one in (scores, *other_scores)),
        hidden.accuracy(program, weights, images[:FEWER], labels[:FEWER], most),
    )
    shown = program.model_copy(update={"eval": lines.at_layers(program)}).eval
    return Behaviour(
        classes=program.classes,
        finite=bool(scores.isfinite().all()),
        independent=independent,
        repeatable=repeatable,
        difference=modes.difference(program),
        fixed=fixed_numbers.fixed(program, weights),
        accuracy=known,
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


def _accuracy(scores: Tensor, labels: Tensor) -> float:
    return float((scores.argmax(dim=1) == labels[: len(scores)]).float().mean())


def _same(one: Tensor, other: Tensor) -> bool:
    if not one.isfinite().all():
        return torch.equal(one.isfinite(), other.isfinite())
    steps = STEPS * torch.finfo(one.dtype).eps * float(one.abs().max())
    return float((one - other).abs().max()) <= max(SAME * float(one.std()), steps)
