"""The scorecard as a page of its own. In: Reports. Out: one HTML text that loads nothing.

Every text passes `printable` and jinja2's escaping on its way into `page.html`, whoever wrote it:
`_finalized` sees each expression of the template. The page forbids everything but its own style
sheet, by that sheet's hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup

from grader.printable import printable
from grader.render import claims, figures, journey, layer_table, notices, recipe, words
from grader.render.drawing import (
    beside,
    curve,
    digits,
    frames,
    mistakes,
    overview,
    spending,
    strip,
)
from grader.render.marks import MARKS
from grader.report import Report

LONGEST_TEXT = 4000
QUESTIONS = {
    "beside": beside,
    "claims": claims,
    "curves": curve,
    "digits": digits,
    "figures": figures,
    "frames": frames,
    "journey": journey,
    "layer_table": layer_table,
    "mistakes": mistakes,
    "notices": notices,
    "overview": overview,
    "recipe": recipe,
    "spending": spending,
    "strips": strip,
    "words": words,
}
"""What the template may ask about a report."""


def render(reports: Sequence[Report]) -> str:
    """One page for all `reports`; several begin with a table."""
    title = f"{notices.name(reports[0])}: report"
    if len(reports) > 1:
        title = words.several(len(reports), "submission")
    style = _ours("page.css")
    digest = hashlib.sha256(style.encode()).digest()
    return _template().render(
        reports=reports,
        marks=MARKS,
        title=title,
        style=Markup(style),  # noqa: S704 - our own file; the hash is about its very characters
        style_hash=f"sha256-{base64.b64encode(digest).decode()}",
        **QUESTIONS,
    )


@cache
def _template() -> jinja2.Template:
    """Compiled once: a notebook draws a page for every check."""
    environment = jinja2.Environment(
        autoescape=True,
        finalize=_finalized,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.from_string(_ours("page.html"))


def _ours(name: str) -> str:
    return files("grader.render").joinpath(name).read_text(encoding="utf-8")


def _finalized(value: object) -> object:
    """What the template may print: strings made harmless, and the markup of its own."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(str(value), LONGEST_TEXT, lines=True)
    return value
