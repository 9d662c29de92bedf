"""Whether the network is fast: the answer of `fast_inference`. Loads no torch."""

from __future__ import annotations

from grader.assignment import Limits
from grader.judging.qualities.answer import Answer
from grader.report import Inference, Pace, Verdict


def fast(found: Inference | None, limits: Limits) -> Answer:
    """The time for an image, in the largest batch that was timed, and the multiply-adds.

    The quartiles of all turns are the margin of the time; multiply-adds are counted.
    """
    limit = limits.fast_inference
    asked = f"<= {limit.ratio:g} × the yardstick"
    if found is None:
        return Answer("nothing", asked, Verdict.UNKNOWN, explanation="it was not timed")
    most = limit.multiply_adds
    if most is not None:
        asked += f", {most:,} multiply-adds"
    adds = f"{found.multiply_adds:,} multiply-adds an image"
    too_many = most is not None and found.multiply_adds > most
    if not found.pace:
        return Answer(
            measured=adds,
            asked=asked,
            verdict=Verdict.FAILED if too_many else Verdict.UNKNOWN,
            relation="<=",
            limit=limit.ratio,
            unit="times the yardstick",
            explanation=f"{adds}: too slow to be timed. {_ADVICE}",
        )
    pace = max(found.pace, key=lambda one: one.batch)
    verdict = Verdict.FAILED if too_many else _of_time(pace, limit.ratio)
    times = "; ".join(map(words, found.pace))
    end = "too close to call: the clock scatters that much." if _close(pace, limit.ratio) else ""
    return Answer(
        measured=f"{pace.ratio:.2f} × ({pace.microseconds:.0f} µs)",
        asked=asked,
        verdict=verdict,
        value=pace.ratio,
        relation="<=",
        limit=limit.ratio,
        unit="times the yardstick",
        explanation=f"{adds}; {times}; asked is {asked}: "
        + (end if verdict is Verdict.BORDERLINE else f"beyond it. {_ADVICE}"),
    )


def words(pace: Pace) -> str:
    """One batch size in words."""
    return (
        f"{pace.microseconds:.0f} µs an image in batches of {pace.batch}, {pace.ratio:.2f} times "
        f"the yardstick's {pace.yardstick:.0f} µs (half of all turns between {pace.low:.2f} "
        f"and {pace.high:.2f})"
    )


def _of_time(pace: Pace, limit: float) -> Verdict:
    if _close(pace, limit):
        return Verdict.BORDERLINE
    return Verdict.PASSED if pace.ratio <= limit else Verdict.FAILED


def _close(pace: Pace, limit: float) -> bool:
    return pace.low < limit < pace.high


_ADVICE = (
    "Pool earlier, so that most convolutions see fewer pixels, or use fewer channels where the map "
    "is large."
)
