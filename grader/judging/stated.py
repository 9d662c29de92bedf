"""What a work states as its result, beside what was measured. Quoted, and never believed.

In: the write-up, the parameters that count, the training. Out: words, and whether it is so.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from fractions import Fraction

from grader.judging import comparing
from grader.report import Training
from grader.submission.write_up import WriteUp


@dataclass(frozen=True, slots=True)
class StatedResult:
    """A stated accuracy and number of parameters, and the `training` that they are about."""

    write_up: WriteUp
    parameters: int
    training: Training

    @property
    def protocol(self) -> str:
        """That of the assignment, or the best epoch where the result says so."""
        return "best" if self.write_up.is_of_best_epoch else self.training.protocol

    @property
    def scores(self) -> list[Fraction]:
        """One for each run."""
        return comparing.scores(self.training.runs, self.protocol)

    @property
    def measured(self) -> str:
        """As in "claimed 99.54 %, measured 99.46 ± 0.05, n = 3"."""
        return beside(self.write_up.accuracy, self.scores)

    @property
    def wrong(self) -> tuple[str, ...]:
        """What is stated and is not so, in sentences."""
        found = []
        claimed, scores = self.write_up.accuracy, self.scores
        if claimed is not None and scores:
            margin = comparing.claim_margin(scores, images=self.training.test_images)
            above = claimed - float(sum(scores, Fraction()) / len(scores))
            if above > margin:
                found.append(
                    f"{self.measured}: it is {100 * above:.2f} points above the mean, and one run "
                    f"comes out at most {100 * margin:.2f} above it by chance"
                )
        counted = self.write_up.parameters
        if counted is not None and counted != self.parameters:
            found.append(f"it states {counted:,} parameters, and {self.parameters:,} are counted")
        return tuple(found)


def beside(claimed: float | None, scores: list[Fraction]) -> str:
    """A claim beside the runs; "" where nothing is claimed."""
    if claimed is None:
        return ""
    said = f"claimed {100 * claimed:.2f} %"
    if not scores:
        return f"{said}, not measured"
    shown = [100 * float(score) for score in scores]
    spread = f" ± {statistics.stdev(shown):.2f}" if len(shown) > 1 else " %"
    return f"{said}, measured {statistics.fmean(shown):.2f}{spread}, n = {len(shown)}"
