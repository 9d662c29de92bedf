"""The layers as a table. In: a Report. Out: size, reach and cost of each, in execution order."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from grader.printable import printable
from grader.render import words
from grader.render.marks import section
from grader.report import LayerRow, Report

HEAD = ("layer", "kind", "output", "params", "share", "field", "jump", "mult-adds", "line")


LEGEND = (
    "field: how many pixels of the image, across, one value of the layer depends on. "
    "jump: how many pixels apart two neighbouring values look."
)


def draw(report: Report) -> RenderableType:
    """A line for each layer (see `HEAD`), then the network as a whole."""
    table = Table(
        box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False, header_style="dim"
    )
    module, kind, *numbers = HEAD
    table.add_column(module, overflow="fold")
    table.add_column(kind, no_wrap=True)
    for name in numbers:
        table.add_column(name.replace("-", "-\n"), justify="right", no_wrap=True)
    for row in report.layers:
        table.add_row(*_styled_cells(row))
    total = Text(totals(report), style="bold")
    if proof := measurement(report):
        total.append(f"\n{proof}", style="not bold dim")
    return Group(section("Layers"), table, total, Text(LEGEND, style="dim"))


def _styled_cells(row: LayerRow) -> list[Text]:
    learns = "" if row.parameters > 0 else "dim"
    share = "bold" if row.share >= 0.25 else ""
    styles = (learns, learns, "", "", share, "", "", "", "dim")
    return [Text(*cell) for cell in zip(cells(row), styles, strict=True)]


def cells(row: LayerRow) -> tuple[str, ...]:
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
        words.line_of(row),
    )


def totals(report: Report) -> str:
    """Parameters, multiply-adds and receptive field of the whole network."""
    parameters = _known(report, "total_parameters", sum(row.parameters for row in report.layers))
    multiply_adds = _known(report, "multiply_adds", sum(row.multiply_adds for row in report.layers))
    parts = [f"{parameters:,} parameters", f"{words.large(multiply_adds)} multiply-adds"]
    fields = [row.receptive_field for row in report.layers if row.receptive_field]
    if fields:
        parts.append(f"receptive field {words.pair(fields[-1])} px")
    return " · ".join(parts)


def measurement(report: Report) -> str:
    """How the receptive field was proven, where it was."""
    field = (report.analysis or {}).get("receptive_field")
    found = field.get("measurement") if isinstance(field, dict) else None
    return f"receptive field {printable(found, 300)}" if isinstance(found, str) else ""


def _known(report: Report, key: str, otherwise: int) -> int:
    """The analysis counts shared parameters once; rows alone are the next best."""
    value = (report.analysis or {}).get(key)
    return value if isinstance(value, int) else otherwise
