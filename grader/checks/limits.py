"""The limits of the checks that ask for more than accuracy: a table `[limits.<check>]` each.

In: a table of `assignment.toml`. Out: frozen numbers, each with a default that
`docs/qualities.md` gives reasons for. Imports nothing of the grader.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Table(BaseModel):
    """One table of the file. Frozen; unknown keys, NaN and infinities are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _fraction(value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError("write it as a fraction between 0 and 1: 0.994 is 99.4 %")
    return value


Fraction = Annotated[float, AfterValidator(_fraction)]
"""More than 0, at most 1."""


class NoiseLimit(Table):
    """`robust_noise`: at least this `accuracy` where noise is added to every pixel.

    The noise is normal, its standard `deviation` a share of the range from black to white.
    """

    accuracy: Fraction = 0.8
    deviation: float = Field(default=0.2, gt=0, le=1)


class ShiftLimit(Table):
    """`robust_shift`: at least this `accuracy` on images moved by `pixels`, and on turned ones.

    Each image is moved up, down, left or right; and turned by so many `degrees` to either side.
    """

    accuracy: Fraction = 0.95
    pixels: int = Field(default=2, ge=1)
    degrees: float = Field(default=10, gt=0, le=45)


class ClassLimit(Table):
    """`per_class`: every class has at least this `accuracy`.

    The best may be better than the worst by at most `spread`; None: by whatever it is.
    """

    accuracy: Fraction = 0.98
    spread: Fraction | None = None


class CalibrationLimit(Table):
    """`calibrated`: an expected calibration `error` of at most this.

    The mean confidence in wrong answers is at most `wrong_confidence`; None: whatever it is.
    """

    error: Fraction = 0.02
    wrong_confidence: Fraction | None = None


class InferenceLimit(Table):
    """`fast_inference`: an image takes at most `ratio` times as long as the yardstick takes.

    At most so many `multiply_adds` are needed for one; None: as many as can be graded.
    """

    ratio: float = Field(default=5.0, gt=0)
    multiply_adds: int | None = Field(default=None, ge=1)


class GradientLimit(Table):
    """`gradients_flow`: every layer has at least `share` of an equal share of the first update.

    At most `dead` of the ReLU channels are zero on every image.
    """

    share: Fraction = 0.1
    dead: float = Field(default=0.1, ge=0, lt=1)


class StableLimit(Table):
    """`stable`: scores scatter over at least so many `seeds` by a standard `deviation` of this."""

    deviation: Fraction = 0.002
    seeds: int = Field(default=3, ge=2, le=100)


class OverfitLimit(Table):
    """`no_overfit`: the accuracy on training images is at most `gap` above that on test images."""

    gap: Fraction = 0.01
