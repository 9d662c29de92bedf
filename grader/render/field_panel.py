"""How the receptive field grows, as bars of an SVG. In: a Report. Out: a bar for each step of it.

A layer that leaves field and jump as they are has no bar of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from grader.render import words
from grader.report import LayerRow, Report

LEFT, RIGHT, PITCH, BAR = 210, 560, 24, 15
MOST_ROWS = 24
IMAGE = 28
"""Pixels across the images of every data set that is graded on."""


def rows(report: Report) -> list[LayerRow]:
    """The layers at which the field changes, the first and the last `MOST_ROWS` of them at most."""
    found: list[LayerRow] = []
    before = None
    for row in report.layers:
        now = (row.receptive_field, row.jump)
        if row.receptive_field is not None and now != before:
            found.append(row)
            before = now
    return found[:1] + found[1:][-(MOST_ROWS - 1) :]


def height(shown: Sequence[LayerRow]) -> float:
    """In SVG units."""
    return PITCH * len(shown) + 22.0


def draw(shown: Sequence[LayerRow], text: Callable[[str, int], str]) -> list[str]:
    """A bar as long as the field for each layer, and a line where the image ends."""
    fields = [min(row.receptive_field or (0, 0)) for row in shown]
    widest = max(*fields, IMAGE)
    parts = []
    for place, (row, pixels) in enumerate(zip(shown, fields, strict=True)):
        y = PITCH * place
        long = (RIGHT - LEFT) * pixels / widest
        name = text(f"{row.module} · {row.kind}", 30)
        parts.append(f'<text class="quiet end" x="{LEFT - 10}" y="{y + 12}">{name}</text>')
        strong = ' class="strong"' if pixels >= IMAGE else ""
        parts.append(f'<rect{strong} x="{LEFT}" y="{y}" width="{long:.1f}" height="{BAR}"/>')
        said = f"{words.pair(row.receptive_field)} px · jump {text(words.pair(row.jump), 12)}"
        parts.append(f'<text class="quiet" x="{LEFT + long + 8:.1f}" y="{y + 12}">{said}</text>')
    end, bottom = LEFT + (RIGHT - LEFT) * IMAGE / widest, PITCH * len(shown)
    parts.append(f'<line class="asked" x1="{end:.1f}" x2="{end:.1f}" y1="-4" y2="{bottom}"/>')
    label = f"the image: {IMAGE} px"
    parts.append(f'<text class="asked middle" x="{end:.1f}" y="{bottom + 14}">{label}</text>')
    return parts
