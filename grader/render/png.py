"""The picture of `grader.render.svg` as PNG. In: Reports. Out: bytes.

Drawn by resvg, which comes with the extra `pictures` and is nothing but one wheel.
"""

from __future__ import annotations

from collections.abc import Sequence

from grader.errors import GraderError
from grader.render import svg
from grader.report import Report

SCALE = 2
"""Pixels for each unit of the SVG: sharp on today's screens."""


def render(reports: Sequence[Report]) -> bytes:
    """Raises GraderError where resvg is not installed."""
    try:
        import resvg_py
    except ImportError as error:
        raise GraderError(
            "PNG needs a package that is not installed: `pip install resvg-py`, or `uv tool "
            "install` with `--with resvg-py`. --format svg needs none, and every browser shows it."
        ) from error
    drawn = resvg_py.svg_to_bytes(svg_string=svg.render(reports), zoom=SCALE)
    return bytes(drawn)
