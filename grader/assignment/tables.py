"""The tables of an `assignment.toml` that say what is measured, and names that it may use.

In: values as TOML has them. Out: frozen tables; pydantic's errors where a value cannot be meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from grader.checks.limits import (
    CalibrationLimit,
    ClassLimit,
    Fraction,
    GradientLimit,
    InferenceLimit,
    NoiseLimit,
    OverfitLimit,
    ShiftLimit,
    StableLimit,
    Table,
)
from grader.checks.names import check_names
from grader.judging.protocols import PROTOCOLS
from grader.training.datasets import DATASETS


def among(known: Callable[[], Iterable[str]], *, more: str = "") -> AfterValidator:
    """A name that is one of those that are known when it is read.

    Or of those that the validation's context has under the name `more`.
    """

    def checked(name: str, info: ValidationInfo) -> str:
        names = [*known(), *(info.context or {}).get(more, ())]
        if name not in names:
            raise PydanticCustomError("unknown", "", {"known": names})
        return name

    return AfterValidator(checked)


CheckName = Annotated[str, among(check_names, more="own_checks")]
"""A check that exists: one that comes with the grader, or one of the assignment's own."""


DatasetName = Annotated[str, among(DATASETS.keys)]
"""A data set that exists."""

Protocol = Annotated[str, among(PROTOCOLS.keys)]
"""Which accuracy of a run is its score: one of `grader.judging.protocols.PROTOCOLS`."""

MetricImages = Literal["validation", "test"]
"""Which images a recipe's own metric is measured on.

Training images that are held back for it, or the test images.
"""


class Bound(Table):
    """A limit written as the brief writes it: "< 20,000" or "<= 8,000"."""

    number: int = Field(ge=1)
    inclusive: bool

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        text = value if isinstance(value, str) else ""
        match = re.fullmatch(r"(<=?) *([0-9]+(?:[_,][0-9]{3})*)", text)
        if match is None:
            raise ValueError('write it as "< 20,000" (fewer than) or "<= 8,000" (at most)')
        return {"number": int(re.sub("[_,]", "", match[2])), "inclusive": match[1] == "<="}

    @property
    def relation(self) -> str:
        """As the brief writes it: "<" or "<="."""
        return "<=" if self.inclusive else "<"

    def allows(self, count: int) -> bool:
        """Whether that many are within the limit."""
        return count <= self.number if self.inclusive else count < self.number

    def excess(self, count: int) -> int:
        """By how many it is beyond the limit; 0 within it."""
        return max(0, count - self.number + (0 if self.inclusive else 1))

    def __str__(self) -> str:
        return f"{self.relation} {self.number:,}"


class Limits(Table):
    """What a submission is measured against, and how much of it the grader is willing to run.

    `parameters` bounds those that count (see `grader.analysis.parameters`); `receptive_field` is
    the least number of pixels across, at the last feature map; `accuracy` (0 to 1) the least on the
    test images; `seconds` the time budget of one training run.

    The others protect the grader: what is beyond them is refused before it runs. `nodes` operators
    in a graph, `weights` numbers in all tensors of the model, `multiply_adds` per image, `steps` of
    the optimizer in one run.
    """

    parameters: Bound
    epochs: int = Field(ge=1, le=1_000)
    receptive_field: int = Field(ge=1)
    accuracy: Fraction
    seconds: float = Field(gt=0)
    nodes: int = Field(default=5_000, ge=1)
    weights: int = Field(default=50_000_000, ge=1)
    multiply_adds: int = Field(default=1_000_000_000, ge=1)
    steps: int = Field(default=300_000, ge=1)

    # One table for each check that asks for more than accuracy: [limits.robust_noise], ...
    robust_noise: NoiseLimit = NoiseLimit()
    robust_shift: ShiftLimit = ShiftLimit()
    per_class: ClassLimit = ClassLimit()
    calibrated: CalibrationLimit = CalibrationLimit()
    fast_inference: InferenceLimit = InferenceLimit()
    gradients_flow: GradientLimit = GradientLimit()
    stable: StableLimit = StableLimit()
    no_overfit: OverfitLimit = OverfitLimit()


class Check(Table):
    """How a check counts: whether a submission must pass it, and the points that it earns."""

    required: bool
    points: float = Field(ge=0)
