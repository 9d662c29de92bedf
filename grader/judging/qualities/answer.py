"""The line of a check on the scorecard, and how it comes out. Plain data: loads no torch.

A number that is measured on so many images in so many runs is right up to a margin. A check passes
where its value is beyond the limit by more than the margin, fails where it is short of the limit by
more, and is too close to call in between: as accuracy itself.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from grader.report import Hint, Verdict

Relation = Literal["<=", ">="]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was measured, in words and as a number, beside what is asked; and the verdict.

    `explanation` says why it did not pass, or why nothing is said.
    """

    measured: str
    asked: str
    verdict: Verdict
    value: float | int | None = None
    relation: Relation | Literal[""] = ""
    limit: float | int | None = None
    unit: str = ""
    explanation: str = ""
    hints: tuple[Hint, ...] = ()

    @property
    def shown(self) -> dict[str, Any]:
        """What `show` of a check takes."""
        return {
            "measured": self.measured,
            "asked": self.asked,
            "value": self.value,
            "relation": self.relation,
            "limit": self.limit,
            "unit": self.unit,
            "hints": self.hints,
        }

    @property
    def passed(self) -> bool:
        """Whether the limit is kept by more than chance."""
        return self.verdict is Verdict.PASSED

    @property
    def too_close(self) -> bool:
        """Whether chance alone could decide."""
        return self.verdict is Verdict.BORDERLINE

    @property
    def unknown(self) -> str:
        """Why nobody can tell, or ""."""
        return self.explanation if self.verdict is Verdict.UNKNOWN else ""

    @property
    def skipped(self) -> str:
        """Why nothing is graded, or ""."""
        return self.explanation if self.verdict is Verdict.SKIPPED else ""

    def but_skipped(self, reason: str) -> Answer:
        """The same numbers, which are not graded, for that reason."""
        return replace(self, verdict=Verdict.SKIPPED, explanation=reason)


def nothing(reason: str) -> Answer:
    """An answer where nothing was measured."""
    return Answer("nothing", "", Verdict.SKIPPED, explanation=reason)


def compare(value: float, relation: Relation, limit: float, margin: float) -> Verdict:
    """Whether a value that is right up to `margin` keeps the limit."""
    room = limit - value if relation == "<=" else value - limit
    if room >= margin:
        return Verdict.PASSED
    return Verdict.FAILED if room < -margin else Verdict.BORDERLINE


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Of several that must all pass."""
    order = (Verdict.FAILED, Verdict.BORDERLINE, Verdict.PASSED)
    return next(one for one in order if one in verdicts)


def normal(confidence: float = 0.95, questions: int = 1) -> float:
    """How many deviations an interval of that confidence reaches to either side.

    Where one of several `questions` may err as well as another, each gets its part of the errors
    (Bonferroni).
    """
    return statistics.NormalDist().inv_cdf(1 - (1 - confidence) / (2 * questions))


def margin(shares: Sequence[float], limit: float, images: int, *, questions: int = 1) -> float:
    """How far the mean of the runs' `shares` (0 to 1) of `images` images may be off by chance.

    A run scatters by the binomial deviation of the limit, and of what was measured, whichever is
    larger, or as far as the runs do where that is more. One run shows no scatter of its own.
    """
    deviations = [binomial(share, images) for share in (limit, statistics.fmean(shares))]
    if len(shares) > 1:
        deviations.append(statistics.stdev(shares))
    return normal(questions=questions) * max(deviations) / math.sqrt(len(shares))


def binomial(share: float, images: int) -> float:
    """The deviation of a share counted on so many images; at 0 and 1 that of one image."""
    inner = min(max(share, 1 / images), 1 - 1 / images) if images > 1 else 0.5
    return math.sqrt(inner * (1 - inner) / images)


def percent(share: float, digits: int = 2) -> str:
    """As in "98.61 %"."""
    return f"{100 * share:.{digits}f} %"


def limit_in_percent(share: float) -> str:
    """With as many decimals as it has, at most four: "98 %", "99.4 %"."""
    return f"{100 * share:.4f}".rstrip("0").rstrip(".") + " %"


def points(share: float) -> str:
    """A difference of two shares, as it was written: "1 point", "0.2 points"."""
    number = f"{100 * share:g}"
    return f"{number} point{'' if number == '1' else 's'}"


def of_runs(count: int) -> str:
    """As in ", mean of 3 runs"; nothing of one."""
    return f", mean of {count} runs" if count > 1 else ""


NOT_DECIDED = "Another seed of the same training may land on either side."
