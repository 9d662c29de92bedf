"""Whether a network is as sure as it is right: the answer of `calibrated`. Loads no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from grader.checks.limits import CalibrationLimit
from grader.judging.qualities.answer import (
    NOT_DECIDED,
    Answer,
    compare,
    limit_in_percent,
    normal,
    of_runs,
    percent,
    worst,
)
from grader.report import Calibration, RunRow, Verdict


def calibrated(runs: Sequence[RunRow], limit: CalibrationLimit) -> Answer | None:
    """The expected calibration error, and how sure the network is of its wrong answers.

    On few images the error of an honest network is not 0 (`chance`). So it fails only where it
    would be too large without that too, and by more than its deviation explains.
    """
    found = [run.qualities.calibration for run in runs if run.qualities]
    measured = [one for one in found if one is not None]
    if not measured:
        return None
    error = fmean(one.error for one in measured)
    chance = fmean(one.chance for one in measured)
    verdicts = [_of_error(error, chance, _margin(measured), limit.error)]
    asked = f"<= {limit_in_percent(limit.error)}"
    sure = [one.wrong_confidence for one in measured if one.wrong_confidence is not None]
    words = "no answer is wrong"
    if sure:
        words = f"wrong answers are given with a confidence of {percent(fmean(sure))}"
    if limit.wrong_confidence is not None:
        asked += f", wrong {limit_in_percent(limit.wrong_confidence)}"
        if sure:
            wrong = sum(one.wrong for one in measured)
            off = normal() * 0.5 / math.sqrt(wrong)  # no share scatters by more than half
            verdicts.append(compare(fmean(sure), "<=", limit.wrong_confidence, off))
    verdict = worst(verdicts)
    confidence, right = (
        fmean(one.confidence for one in measured),
        fmean(one.right for one in measured),
    )
    advice = _TOO_SURE if confidence > right else _TOO_UNSURE
    end = NOT_DECIDED if verdict is Verdict.BORDERLINE else advice
    said = "too close to call" if verdict is Verdict.BORDERLINE else "more than chance beyond it"
    return Answer(
        measured=percent(error),
        asked=asked,
        verdict=verdict,
        value=error,
        relation="<=",
        limit=limit.error,
        unit="fraction",
        explanation=f"the confidence is off by {percent(error)} (expected calibration error"
        f"{of_runs(len(measured))}; chance alone gives {percent(chance)}): {percent(confidence)} "
        f"sure, {percent(right)} right, and {words}; asked is {asked}: {said}. {end}",
    )


def _margin(measured: Sequence[Calibration]) -> float:
    return normal() * fmean(one.deviation for one in measured) / math.sqrt(len(measured))


def _of_error(error: float, chance: float, margin: float, limit: float) -> Verdict:
    if error + margin <= limit:
        return Verdict.PASSED
    return Verdict.FAILED if error - chance - margin > limit else Verdict.BORDERLINE


_TOO_SURE = (
    "It is more sure than it is right: augmentation, weight decay, a little label smoothing or a "
    "shorter training make it less so."
)
_TOO_UNSURE = (
    "It is less sure than it is right: label smoothing, dropout and strong augmentation do that, "
    "and a training that ends early."
)
