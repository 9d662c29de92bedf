"""A Report as a notebook shows it: HTML in a frame of its own, and text everywhere else."""

from __future__ import annotations

import html
import io
from dataclasses import dataclass

from rich.console import Console

from grader.render import card, formats, terminal
from grader.report import Report, Verdict

WIDTH = 90
HEIGHTS = {"head": 330, "check": 34, "reason": 70, "hint": 46, "section": 110, "most": 1400}
"""Pixels: a frame that runs nothing cannot ask how tall its page is."""


@dataclass(frozen=True, slots=True, repr=False)
class Scorecard:
    """What a self-check found; `report` is all of it."""

    report: Report

    def to_json(self) -> str:
        """The whole report."""
        return self.report.model_dump_json(indent=2)

    def _repr_html_(self) -> str:
        page = html.escape(formats.render([self.report], "html"), quote=True)
        return (
            f'<iframe srcdoc="{page}" title="Self-check" sandbox '
            f'style="width: 100%; height: {self._height}px; border: 0"></iframe>'
        )

    def __repr__(self) -> str:
        """The scorecard as on a terminal, without colours."""
        stream = io.StringIO()
        console = Console(file=stream, width=WIDTH, force_terminal=False, force_jupyter=False)
        console.print(terminal.details(self.report))
        console.print(card.draw(self.report))
        return stream.getvalue()

    @property
    def _height(self) -> int:
        height = HEIGHTS["head"]
        for check in self.report.checks:
            height += HEIGHTS["check"]
            if check.verdict is not Verdict.PASSED and (check.detail or check.hints):
                height += HEIGHTS["reason"] + HEIGHTS["hint"] * len(check.hints)
        sections = (self.report.layers, self.report.notes, self.report.recipe, self.report.training)
        height += HEIGHTS["section"] * sum(map(bool, sections))
        return min(height, HEIGHTS["most"])
