"""What the measurement of a receptive field came to: a `Proof`. Plain data, made by `proof.py`.

In: numbers. Out: words about them. Loads no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from grader.analysis.receptive_field.sight import AxisName

Masks = dict[AxisName, list[int]]
"""For each axis and position, the rows (columns) that arrived there, as bits."""


@dataclass(frozen=True, slots=True)
class Proof:
    """How the measurement compares with the rules, over `nodes` operators.

    `disagreement` names the first operator where they differ, or is "". `loses_nan` names the
    operator behind which rows were changed instead, and `within` the number of nodes there whose
    measurement lies within the rule without filling it. `mixes_images` names an operator that lets
    images see each other: nothing is measured from there on. `masks` are what was measured, for
    each node. `bound` is the receptive field as a rule, where no unit of the final map reaches it.
    """

    nodes: int
    disagreement: str = ""
    line: int | None = None
    loses_nan: str = ""
    within: int = 0
    mixes_images: str = ""
    masks: Mapping[str, Masks] = field(default_factory=dict)
    bound: str = ""

    @property
    def proven(self) -> bool:
        """Every node's dependency table was measured as the rules say."""
        less = self.disagreement or self.mixes_images or self.within or self.bound
        return not less and self.nodes > 0

    @property
    def text(self) -> str:
        """The answer in one line."""
        if self.disagreement:
            return f"measurement disagrees: {self.disagreement}"
        if not self.nodes:
            return "not measured"
        text = f"proven by measurement at {self.nodes} operators"
        if self.within:
            text = (
                f"confirmed by measurement at {self.nodes} operators, {self.within} of them as an "
                "upper bound"
            )
        if self.bound:
            text = (
                f"measured at {self.nodes} operators; the {self.bound} pixels of the window "
                "arithmetic are an upper bound"
            )
        if self.mixes_images:
            text += f", before {self.mixes_images} lets the images of a batch see each other"
        if self.loses_nan:
            text += f" (behind {self.loses_nan} by changing rows instead of NaN)"
        return text
