"""The learning rate by epoch as a line of an SVG. In: a Report. Out: its elements.

What a run really used where one was trained, else what the recipe plans.
"""

from __future__ import annotations

from collections.abc import Sequence

from grader.report import Report

HEIGHT = 150.0
LEFT, RIGHT, TOP, BOTTOM = 60, 620, 8, 120


def rates(report: Report) -> tuple[float, ...]:
    """The rate at the end of each epoch; none where it is not known."""
    runs = report.training.runs if report.training else ()
    trained = next((run for run in runs if run.epochs), None)
    if trained is not None:
        return tuple(row.learning_rate for row in trained.epochs)
    return report.recipe.rates if report.recipe else ()


def draw(values: Sequence[float]) -> list[str]:
    """The line, between 0 and the highest rate."""
    highest = max(max(values), 1e-30)
    parts = []
    for share in (0, 0.5, 1):
        y = _y(share)
        parts.append(f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y:g}" y2="{y:g}"/>')
        label = f"{share * highest:.3g}"
        parts.append(f'<text class="quiet end" x="{LEFT - 8}" y="{y + 4:g}">{label}</text>')
    pitch = (RIGHT - LEFT) / len(values)
    places = [
        (LEFT + (place + 0.5) * pitch, _y(max(value, 0) / highest))
        for place, value in enumerate(values)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts.append(f'<polyline points="{line}"/>')
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places if len(places) <= 60]
    for place, (x, _) in enumerate(places):
        if _is_named(place + 1, len(places)):
            parts.append(
                f'<text class="quiet middle" x="{x:.1f}" y="{BOTTOM + 17}">{place + 1}</text>'
            )
    parts.append(f'<text class="quiet" x="{RIGHT + 6}" y="{BOTTOM + 17}">epoch</text>')
    return parts


def _is_named(epoch: int, last: int) -> bool:
    """The first, the last, and about every fifth of a short training."""
    step = max(5, last // 10)
    return epoch in (1, last) or (epoch % step == 0 and last - epoch > step // 2)


def _y(share: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * share
