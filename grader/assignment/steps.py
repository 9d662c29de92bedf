"""The steps of an assignment: what each has otherwise. In: `[[steps]]`. Out: frozen tables."""

from __future__ import annotations

from pydantic import Field

from grader.assignment.tables import Bound, Check, CheckName, Protocol
from grader.checks.limits import Fraction, Table


class StepLimits(Table):
    """The limits of a step that are other than the assignment's: see `Limits`."""

    parameters: Bound | None = None
    epochs: int | None = Field(default=None, ge=1, le=1_000)
    receptive_field: int | None = Field(default=None, ge=1)
    accuracy: Fraction | None = None
    seconds: float | None = Field(default=None, gt=0)

    @property
    def said(self) -> dict[str, object]:
        """Those that the step says."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in found.items() if value is not None}


class Step(Table):
    """One of several networks that a work consists of; see docs/steps.md.

    `name` is what its file begins with (`step_1.py`, `Step_1_Foundation.ipynb`), `network` the
    class in a work of one file. What it does not say is the assignment's: limits, checks, protocol.
    A check that only the step has stands before those of the assignment.
    """

    name: str = Field(pattern="^[a-z][a-z0-9_]{0,39}$")
    title: str = Field(min_length=1, max_length=60)
    network: str | None = Field(default=None, pattern="^[A-Za-z_][A-Za-z0-9_]{0,79}$")
    protocol: Protocol | None = None
    limits: StepLimits = StepLimits()
    checks: dict[CheckName, Check] = Field(default_factory=dict)
