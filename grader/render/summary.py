"""All of a CI run on one page that has a limit. In: remarks and Reports. Out: Markdown, cut to fit.

GitHub takes 1 MiB for a job summary and 65,536 characters for a comment: what has no room is
counted, and stands in the artifact.
"""

from __future__ import annotations

from collections.abc import Sequence

from grader.render import markdown, words
from grader.render.annotations import Annotation, Level
from grader.render.markdown import code, prose, sentence
from grader.report import Report

SYMBOLS: dict[Level, str] = {"error": "✗", "warning": "⚠", "notice": "·"}
MOST_REMARKS = 50
LONGEST_NOTE = 300
"""Bytes that are kept for the sentence on what had no room."""


def render(
    introduction: Sequence[str], remarks: Sequence[Annotation], reports: Sequence[Report], most: int
) -> str:
    """At most `most` bytes: introduction, remarks, a table of all, and as many scorecards as fit.

    `introduction` is Markdown already. Nothing at all where not even that fits.
    """
    parts = [*introduction, *_remarks(remarks)]
    if len(reports) > 1:
        parts.append(_table(reports))
    room = most - (LONGEST_NOTE if reports else 0)
    text, left_out = "", 0
    for part in parts:
        text += _if_it_fits(part, room - len(text.encode()))
    briefs = [f"---\n\n{markdown.brief(report)}" for report in reports]
    kept = sum(len(brief.encode()) + 2 for brief in briefs)  # for the verdicts of those to come
    for report, brief in zip(reports, briefs, strict=True):
        left = room - len(text.encode())
        kept -= len(brief.encode()) + 2
        card = _if_it_fits(f"---\n\n{markdown.scorecard(report)}", left - kept)
        left_out += not card
        text += card or _if_it_fits(brief, left)
    if left_out:
        text += (
            f"{words.several(left_out, 'scorecard')} had no room here in full: see `index.html` in "
            "the artifact.\n"
        )
    return text if len(text.encode()) <= most else ""


def _if_it_fits(part: str, room: int) -> str:
    return f"{part}\n\n" if len(part.encode()) + 2 <= room else ""


def _table(reports: Sequence[Report]) -> str:
    shown = reports[: markdown.MOST_ROWS]
    table = markdown.class_table(shown)
    more = len(reports) - len(shown)
    return f"{table}\n\n… and {more:,} more" if more else table


def _remarks(remarks: Sequence[Annotation]) -> list[str]:
    if not remarks:
        return []
    lines = [_remark(remark) for remark in remarks[:MOST_REMARKS]]
    if len(remarks) > MOST_REMARKS:
        lines.append(f"- … and {len(remarks) - MOST_REMARKS:,} more")
    return ["\n".join(lines)]


def _remark(remark: Annotation) -> str:
    where = f" {code(remark.path)}" if remark.path else ""
    text = sentence(remark.message, 1500)
    return f"- {SYMBOLS[remark.level]} **{prose(remark.title)}**{where}: {text}"
