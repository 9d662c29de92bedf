"""The layers as a table. In: a Report's layer rows. Out: size, reach and cost of each, in execution order."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from grader.printable import printable
from grader.render import words
from grader.render.marks import section
from grader.report import LayerRow, Report

HEAD = ("layer", "kind", "output", "params", "share", "field", "jump", "mult-adds", "line")


def layer_table(report: Report) -> RenderableType:
    """Module, kind, output shape, parameters with their share, receptive field and jump, multiply-adds, line."""
    table = Table(
        box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False, header_style="dim"
    )
    module, kind, *numbers = HEAD
    table.add_column(module, overflow="fold")
    table.add_column(kind, no_wrap=True)
    for name in numbers:
        table.add_column(name.replace("-", "-\n"), justify="right", no_wrap=True)
    for row in report.layers:
        table.add_row(*_cells(row))
    return Group(section("Layers"), table, _total(report))


def _cells(row: LayerRow) -> tuple[Text, ...]:
    learns = "" if row.parameters > 0 else "dim"
    styles = (learns, learns, "", "", "bold" if row.share >= 0.25 else "", "", "", "", "dim")
    return tuple(
        Text(cell, style=style) for cell, style in zip(layer_cells(row), styles, strict=True)
    )


def layer_cells(row: LayerRow) -> tuple[str, ...]:
    """One layer in a table of layers: see `HEAD`."""
    return (
        printable(row.module, 80),
        printable(row.kind, 17),
        words.shape(row.output_shape),
        f"{row.parameters:,}" if row.parameters > 0 else "",
        words.share(row.share),
        words.pair(row.receptive_field),
        printable(words.pair(row.jump), 9),
        words.large(row.multiply_adds) if row.multiply_adds else "",
        "" if row.line is None else str(row.line),
    )


def totals(report: Report) -> str:
    """Parameters, multiply-adds and receptive field of the whole network."""
    parameters = _known(report, "total_parameters", sum(row.parameters for row in report.layers))
    multiply_adds = _known(report, "multiply_adds", sum(row.multiply_adds for row in report.layers))
    parts = [f"{parameters:,} parameters", f"{words.large(multiply_adds)} multiply-adds"]
    if reach := words.pair(_last_reach(report.layers)):
        parts.append(f"receptive field {reach} px")
    return " · ".join(parts)


def _total(report: Report) -> Text:
    proof = measurement(report)
    return Text(totals(report), style="bold").append(
        f"\n{proof}" if proof else "", style="not bold dim"
    )


def measurement(report: Report) -> str:
    """How the receptive field was proven, where it was."""
    field = (report.analysis or {}).get("receptive_field")
    found = field.get("measurement") if isinstance(field, dict) else None
    return f"receptive field {printable(found, 300)}" if isinstance(found, str) else ""


def _known(report: Report, key: str, otherwise: int) -> int:
    """The analysis counts shared parameters once; rows alone are the next best."""
    value = (report.analysis or {}).get(key)
    return value if isinstance(value, int) else otherwise


def _last_reach(layers: Sequence[LayerRow]) -> tuple[int, int] | None:
    return next((row.receptive_field for row in reversed(layers) if row.receptive_field), None)
