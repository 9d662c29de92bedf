"""Accuracy, learning rate and receptive field as one picture. In: Reports. Out: SVG on white.

It loads nothing and holds no script; every text passes `printable` and the escaping of XML. A panel
that has nothing to show is left out; several reports stand one below the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from grader.printable import printable
from grader.render import field_panel, notices, picture, rate_panel
from grader.render.marks import MARKS
from grader.report import Report, Training

WIDTH = 680
HEAD = 64
TITLE = 38
"""Above each panel."""

GAP = 20
INK, QUIET, LINE, BAR, PALE, REQUIRED = (
    "#1d2129",
    "#5c6570",
    "#dfe2e7",
    "#2f6db5",
    "#b5c9e4",
    "#b4483f",
)
STYLE = f"""
text {{ font: 13px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: {INK}; }}
.name {{ font-size: 20px; font-weight: 600; }} .title {{ font-size: 15px; font-weight: 600; }}
.quiet {{ fill: {QUIET}; font-size: 12px; }} .end {{ text-anchor: end; }}
.middle {{ text-anchor: middle; }} .asked {{ fill: {REQUIRED}; font-size: 12px; }}
line {{ stroke: {LINE}; }} line.asked {{ stroke: {REQUIRED}; stroke-dasharray: 5 4; }}
rect {{ fill: {PALE}; }} rect.strong {{ fill: {BAR}; }} rect.paper {{ fill: #ffffff; }}
polyline {{ fill: none; stroke: {BAR}; stroke-width: 2.5; stroke-linejoin: round; }}
circle {{ fill: {BAR}; }}
"""

Panel = tuple[str, float, list[str]]
"""Title, height, and the drawing with its own origin."""


def render(reports: Sequence[Report]) -> str:
    """One SVG for all `reports`."""
    body: list[str] = []
    top = 0.0
    for report in reports:
        height, parts = _drawing(report)
        body += [f'<g transform="translate(0 {top:g})">', *parts, "</g>"]
        top += height
    names = ", ".join(notices.name(report) for report in reports[:5])
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top:g}" '
        f'viewBox="0 0 {WIDTH} {top:g}" role="img">'
    )
    lines = [
        head,
        f"<title>{text(names, 400)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{top:g}"/>',
        *body,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def text(said: str, longest: int = 60) -> str:
    """Words and nothing else."""
    return escape(printable(said, longest))


def _drawing(report: Report) -> tuple[float, list[str]]:
    verdict = f"{MARKS[report.verdict].words}, {notices.total(report)}"
    parts = [
        f'<text class="name" x="10" y="36">{text(notices.name(report), 40)}</text>',
        f'<text class="quiet" x="10" y="56">{text(report.assignment_title)} · {verdict}</text>',
    ]
    height = float(HEAD)
    for title, size, drawing in _panels(report):
        parts.append(f'<g transform="translate(0 {height:g})">')
        parts.append(f'<text class="title" x="10" y="24">{text(title, 120)}</text>')
        parts += [f'<g transform="translate(0 {TITLE})">', *drawing, "</g></g>"]
        height += TITLE + size + GAP
    if height == HEAD:
        parts.append(
            f'<text x="10" y="{HEAD + 24}">Nothing was measured that could be drawn.</text>'
        )
        height += 48
    return height, parts


def _panels(report: Report) -> Iterator[Panel]:
    if report.training is not None and (chart := picture.draw(report.training)):
        yield "Accuracy on the test images after each epoch", 240, _accuracy(chart, report.training)
    if rates := rate_panel.rates(report):
        yield "Learning rate", rate_panel.HEIGHT, rate_panel.draw(rates)
    if rows := field_panel.rows(report):
        title = "Receptive field: pixels across that one unit sees, layer by layer"
        yield title, field_panel.height(rows), field_panel.draw(rows, text)


def _accuracy(chart: picture.Picture, training: Training) -> list[str]:
    parts = []
    for tick in chart.ticks:
        parts.append(f'<line x1="{chart.left}" x2="{chart.right}" y1="{tick.y}" y2="{tick.y}"/>')
        y = tick.y + 4
        parts.append(f'<text class="quiet end" x="{chart.left - 8}" y="{y:g}">{tick.text}</text>')
    for column in chart.columns:
        strong = ' class="strong"' if column.counts else ""
        box = f'x="{column.x}" y="{column.y}" width="{column.width}" height="{column.height}"'
        parts.append(f"<rect{strong} {box}><title>{column.text}</title></rect>")
        middle = column.x + column.width / 2
        if column.label:
            parts.append(_below(middle, chart.bottom, column.label))
    if chart.required is not None:
        y = chart.required
        parts.append(
            f'<line class="asked" x1="{chart.left}" x2="{chart.right}" y1="{y}" y2="{y}"/>'
        )
        parts.append(f'<text class="asked" x="{chart.right + 6}" y="{y + 4:g}">asked</text>')
    end = chart.right + 6
    parts.append(f'<text class="quiet" x="{end}" y="{chart.bottom + 17:g}">epoch</text>')
    return parts


def _below(x: float, bottom: float, label: str) -> str:
    return f'<text class="quiet middle" x="{x:g}" y="{bottom + 17:g}">{label}</text>'
