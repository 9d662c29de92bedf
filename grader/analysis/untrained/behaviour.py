"""Watch an untrained network classify a few images: what no structure can prove.

In: a Program, its initial weights, and some labelled images. Out: a `Behaviour`. Trusted code only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from grader.analysis import lines
from grader.analysis.untrained import dependence, fixed_numbers, modes
from grader.analysis.untrained.fixed_numbers import Fixed
from grader.network import Network, build
from grader.program import Program
from grader.report import Hint

SAME = 1e-3
"""Share of the scores' spread that rounding may move them by.

Other batch sizes take other convolution algorithms.
"""
CHANCE = 0.4
"""No untrained network gets this share of the digits right; random features reach 0.1 to 0.25."""
FEWER = 100
"""Images to watch under each seed after the first: enough to tell 0.4 from 0.25."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What was seen.

    `fixed` are the numbers that no seed changes; `accuracy` (0 to 1) is the best under any seed.
    `suspects` are the lines that make scores depend on chance, or on the batch, where that was
    seen.
    """

    classes: int
    finite: bool
    independent: bool
    repeatable: bool
    difference: modes.Difference | None
    fixed: Fixed
    accuracy: float
    suspects: tuple[Hint, ...] = ()

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
        return "by itself" if self.independent else "by its batch"

    @property
    def independence_hints(self) -> tuple[Hint, ...]:
        """What usually lies behind it, and the lines that do it here."""
        if not self.repeatable:
            text = (
                "Something random or changing runs in eval mode, such as F.dropout without "
                "training=."
            )
        else:
            text = (
                "Each image must be scored by itself. BatchNorm with track_running_stats=False, "
                "or in train mode inside forward(), uses the statistics of the test batch; so "
                "does a mean over dimension 0."
            )
        return () if self.repeatable and self.independent else (Hint(text=text), *self.suspects)

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
        text = (
            "Only Dropout and BatchNorm may depend on self.training; do everything else in both "
            "modes."
        )
        return (Hint(text=text, line=self.difference.line),)

    @property
    def starts_random(self) -> bool:
        """Whether every tensor of random-looking numbers that is trained changes with the seed."""
        return not self.fixed.trained

    @property
    def brings_little(self) -> bool:
        """Whether the numbers not trained are too few, or too regular, to be a learned network."""
        return self.fixed.is_little

    @property
    def starts_at_chance(self) -> bool:
        """Whether the untrained network knows no digits."""
        return self.accuracy < CHANCE

    @property
    def untrained_text(self) -> str:
        """What the untrained network gets right."""
        count = len(self.fixed.trained)
        fixed = f", {count} fixed tensor{'' if count == 1 else 's'}" if count else ""
        brought = "" if self.brings_little else f", {self.fixed.size:,} bytes of fixed numbers"
        return f"{self.accuracy:.0%} correct{fixed}{brought}"

    @property
    def untrained_hints(self) -> tuple[Hint, ...]:
        """Which tensors look brought along."""
        hints = []
        if self.fixed.trained:
            hints.append(
                f"The same under every seed: {_named(self.fixed.trained)}. Let PyTorch draw the "
                "initial weights: set no seed in __init__, copy no learned numbers in, and make "
                "every layer inside the class."
            )
        if not self.brings_little:
            where = _named(self.fixed.held) or "the numbers in forward()"
            hints.append(
                f"Fixed numbers multiply the image: {where}. A few filters may be fixed (up to "
                f"{fixed_numbers.MOST_BYTES:,} bytes, compressed); make the others parameters, "
                "and let them be learned."
            )
        return tuple(Hint(text=text) for text in hints)


def _named(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def observe(
    program: Program, values: Mapping[int, bytes], images: Tensor, labels: Tensor
) -> Behaviour:
    """Watch the network on `images` (N, *input_shape), 0 to 1, with `labels` (N,).

    `values` has the weights for each seed, as safetensors bytes.
    Raises SubmissionError when the weights do not fit the Program.
    """
    networks = [build(program, blob).eval() for blob in values.values()]
    # Cloned before anything runs: a forward pass may write into its own buffers.
    weights = [_cloned(network) for network in networks]
    first, *others = networks
    with torch.inference_mode():
        scores = first(images)
        again = first(images)
        # Under the other seeds too: a network may know one seed from another.
        other_scores = [other(images[:FEWER]) for other in others]
        cut = (images[:1], images[1:3], *images[3:].chunk(3))
        parts = torch.cat([first(part) for part in cut])
    independent, repeatable = _same(scores, parts), _same(scores, again)
    return Behaviour(
        classes=program.classes,
        finite=bool(scores.isfinite().all()),
        independent=independent,
        repeatable=repeatable,
        difference=modes.difference(program),
        fixed=fixed_numbers.fixed(program, weights),
        accuracy=max(_accuracy(one, labels) for one in (scores, *other_scores)),
        suspects=_suspects(program, independent=independent, repeatable=repeatable),
    )


def _cloned(network: Network) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.weights.items()}


def _accuracy(scores: Tensor, labels: Tensor) -> float:
    return float((scores.argmax(dim=1) == labels[: len(scores)]).float().mean())


def _suspects(program: Program, *, independent: bool, repeatable: bool) -> tuple[Hint, ...]:
    if not repeatable:
        return dependence.by_chance(lines.at_layers(program))
    return () if independent else dependence.across_images(lines.at_layers(program))


def _same(one: Tensor, other: Tensor) -> bool:
    if not one.isfinite().all():
        return torch.equal(one.isfinite(), other.isfinite())
    spread = float(one.std()) + 1e-6 * float(one.abs().max()) + 1e-12
    return float((one - other).abs().max()) <= SAME * spread
