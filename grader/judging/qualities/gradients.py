"""Whether every layer learns, and every channel fires: the answer of `gradients_flow`. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from grader.checks.limits import GradientLimit
from grader.judging.qualities.answer import Answer, limit_in_percent, of_runs, percent
from grader.report import Hint, RunQualities, RunRow, Verdict


def flow(
    runs: Sequence[RunRow], limit: GradientLimit, lines: Mapping[str, int | None]
) -> Answer | None:
    """The layer with the least part in the first epoch's update, and the ReLUs that never fire.

    A layer's part is counted in equal shares: 1 is as much as if all layers moved alike. Both are
    counted on all steps of an epoch and on 1,000 images: nothing of it is a sample of few. `lines`
    has the line of the student's file for a layer.
    """
    found = [run.qualities for run in runs if run.qualities and run.qualities.updates]
    if not found:
        return None
    parts = _parts(found)
    layer = min(parts, key=parts.__getitem__)
    dead, channels = _dead(found)
    kept = parts[layer] >= limit.share and dead <= limit.dead * channels
    asked = f">= {limit.share:g} equal shares"
    reasons = []
    if parts[layer] < limit.share:
        share = parts[layer] / len(parts)
        reasons.append(
            f"{layer} has {percent(share)} of the first epoch's update, {parts[layer]:.2f} of an "
            f"equal share among {len(parts)} layers{of_runs(len(found))}; asked is at least "
            f"{limit.share:g}: it hardly learns. Batch normalisation or a skip connection lets the "
            "gradient through; a sigmoid or tanh before it holds it up"
        )
    if dead > limit.dead * channels:
        where = ", ".join(_where(found))
        reasons.append(
            f"{percent(dead / channels)} of the {channels:,} ReLU channels are zero on every image "
            f"({where}); allowed are {limit_in_percent(limit.dead)}: they cost parameters and do "
            "nothing. A lower learning rate keeps them alive, as does batch normalisation before "
            "the ReLU"
        )
    silent = f", {dead:g} of {channels:,} ReLU channels dead" if channels else ""
    return Answer(
        measured=f"{parts[layer]:.2f} ({layer}){silent}",
        asked=asked,
        verdict=Verdict.PASSED if kept else Verdict.FAILED,
        value=parts[layer],
        relation=">=",
        limit=limit.share,
        unit="equal shares",
        hints=_hints(layer, lines) if parts[layer] < limit.share else (),
        explanation="; and ".join(reasons),
    )


def _hints(layer: str, lines: Mapping[str, int | None]) -> tuple[Hint, ...]:
    line = lines.get(layer)
    return (Hint(text="This layer hardly learns.", line=line),) if line else ()


def _parts(found: Sequence[RunQualities]) -> dict[str, float]:
    """Each layer's part in equal shares, the mean of the runs."""
    layers = [one.layer for one in found[0].updates]
    parts = dict.fromkeys(layers, 0.0)
    for each in found:
        for one in each.updates:
            parts[one.layer] += len(layers) * one.share / len(found)
    return parts


def _dead(found: Sequence[RunQualities]) -> tuple[float, int]:
    """Dead channels, the mean of the runs, and how many there are."""
    channels = sum(row.channels for row in found[0].relus)
    return fmean(map(_of_run, found)), channels


def _of_run(found: RunQualities) -> int:
    return sum(row.dead for row in found.relus)


def _where(found: Sequence[RunQualities]) -> list[str]:
    """The layers that have any, in the run that has most of them."""
    rows = max(found, key=_of_run).relus
    return [f"{row.layer} {row.dead} of {row.channels}" for row in rows if row.dead][:4]
