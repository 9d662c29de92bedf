"""What of a submission can resemble another's. In: a listing and its Report. Out: a `Work`.

Names that a student chose are left out: layers are told by their kinds and shapes, and of a
recipe's parameter groups only the settings count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from grader.classroom.similarity import Layer, Recipe, Work
from grader.program.listing import Listing
from grader.report import Report

_NOT_THE_TRAINING = ("lines", "remarks", "defaults", "origin", "steps_per_epoch")
"""Of a recipe: where it stands and what was said of it; and what follows from the batch size."""
_CURVES = ("learning_rate", "momentum", "weight_decay")


def work(listing: Listing, report: Report) -> Work:
    """The work, named by the report's `submission`."""
    analysis = report.analysis or {}
    own = report.recipe is not None and report.recipe.origin != "assignment"
    return Work(
        name=report.submission,
        sources=tuple(part.text for part in listing.parts),
        architecture=str(analysis.get("fingerprint", "")),
        layers=tuple(Layer(row.kind, row.output_shape) for row in report.layers),
        recipe=recipe(analysis.get("recipe", {})) if own else (),
    )


def recipe(said: Mapping[str, Any]) -> Recipe:
    """A recipe of an analysis, as settings with their values in one order."""
    kept = {name: value for name, value in said.items() if name not in _NOT_THE_TRAINING}
    schedule = dict(kept.pop("schedule", None) or {})
    for name in _CURVES:
        kept[f"schedule.{name}"] = [_ends(curve) for curve in schedule.get(name) or ()]
    kept["schedule.scheduler"] = schedule.get("scheduler")
    return tuple(sorted(_settings("", kept), key=lambda setting: setting[0]))


def _ends(curve: list[Any]) -> dict[str, Any]:
    """A curve of [value, steps] by its first, highest and last value."""
    values = [value for value, _ in curve]
    return {"first": values[0], "highest": max(values), "last": values[-1]} if values else {}


def _settings(name: str, value: Any) -> Iterator[tuple[str, str | float]]:
    """Every number and word within, by the way to it: optimizer.groups.0.settings.lr.

    What is not set is left out, or unset settings would make any two recipes alike.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key != "parameters":
                yield from _settings(f"{name}.{key}" if name else str(key), inner)
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from _settings(f"{name}.{place}", inner)
    elif isinstance(value, bool):
        yield name, str(value)
    elif value is not None:
        yield name, value if isinstance(value, int | float) else str(value)
