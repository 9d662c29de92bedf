"""The layers as a table. In: a Report's layer rows. Out: size, reach and cost of each, in execution order."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from grader.render import words
from grader.render.escape import printable
from grader.render.marks import section
from grader.report import LayerRow, Report


def layer_table(report: Report) -> RenderableType:
    """Module, kind, output shape, parameters with their share, receptive field and jump, multiply-adds, line."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("layer", overflow="fold")
    table.add_column("kind", no_wrap=True)
    for name in ("output", "params", "share", "field", "jump", "mult-adds", "line"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in report.layers:
        table.add_row(*_cells(row))
    return Group(section("Layers"), table, _total(report))


def _cells(row: LayerRow) -> tuple[Text, ...]:
    learns = row.parameters > 0
    return (
        Text(printable(row.module, 80), style="" if learns else "dim"),
        Text(printable(row.kind, 17), style="" if learns else "dim"),
        Text(words.shape(row.output_shape)),
        Text(f"{row.parameters:,}" if learns else ""),
        Text(words.share(row.share), style="bold" if row.share >= 0.25 else ""),
        Text(words.pair(row.receptive_field)),
        Text(printable(words.pair(row.jump), 9)),
        Text(words.large(row.multiply_adds) if row.multiply_adds else ""),
        Text("" if row.line is None else str(row.line), style="dim"),
    )


def _total(report: Report) -> Text:
    parameters = _known(report, "total_parameters", sum(row.parameters for row in report.layers))
    multiply_adds = _known(report, "multiply_adds", sum(row.multiply_adds for row in report.layers))
    parts = [f"{parameters:,} parameters", f"{words.large(multiply_adds)} multiply-adds"]
    if reach := words.pair(_last_reach(report.layers)):
        parts.append(f"receptive field {reach} px")
    return Text(" · ".join(parts), style="bold").append(_measured(report), style="not bold dim")


def _measured(report: Report) -> str:
    """How the receptive field was proven, where it was: a line of its own below the totals."""
    field = (report.analysis or {}).get("receptive_field")
    measurement = field.get("measurement") if isinstance(field, dict) else None
    return f"\nreceptive field {printable(measurement, 300)}" if isinstance(measurement, str) else ""


def _known(report: Report, key: str, otherwise: int) -> int:
    """The analysis counts shared parameters once; rows alone are the next best."""
    value = (report.analysis or {}).get(key)
    return value if isinstance(value, int) else otherwise


def _last_reach(layers: Sequence[LayerRow]) -> tuple[int, int] | None:
    return next((row.receptive_field for row in reversed(layers) if row.receptive_field), None)
