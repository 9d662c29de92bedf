"""What an untrained network was seen to do with a few images, and what the checks say of it.

In: what `observation.py` saw. Out: words and hints. Plain data: loads no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from grader.analysis.untrained import brought_along, modes
from grader.analysis.untrained.brought_along import Fixed
from grader.report import Hint

CHANCE = 0.4
"""No untrained network gets this share of the digits right; random features reach 0.1 to 0.25."""


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
                f"{brought_along.MOST_BYTES:,} may be brought along, as formulas and a few filters "
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
