"""The scorecard for a pull request or a job summary. In: Reports. Out: GitHub-flavoured Markdown.

What a submission wrote cannot become markup: `prose` escapes Markdown and HTML, and breaks what GitHub would turn into
a link, a mention, an emoji or a formula after Markdown has been read.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from grader.printable import printable
from grader.render import figures, notices, words
from grader.render.layer_table import HEAD, layer_cells, measurement, totals
from grader.render.marks import MARKS
from grader.report import CheckResult, Hint, LayerRow, Report, Training, Verdict

MOST_ROWS = 200
"""Layers, hints and the like beyond that many are counted, not listed: a job summary may hold 1 MiB."""

SPECIAL = re.compile(r"[\\`*_\[\]<>&|~#@]")
BLOCK = re.compile(r"^(\d*)([-+=.)])(?=[\s=-]|$)")
LIVELY = re.compile(r"[@#](?=\S)|:(?=[\w+-]+:|/)|www(?=\.)|\bGH(?=-)", re.IGNORECASE)
DOLLAR = "<span>$</span>"
ZERO_WIDTH_SPACE = "\u200b"


def markdown(reports: Sequence[Report]) -> str:
    """One scorecard after the other; a class begins with a table of all."""
    parts = [_class_table(reports)] if len(reports) > 1 else []
    return "\n\n---\n\n".join([*parts, *map(scorecard, reports)]) + "\n"


def scorecard(report: Report) -> str:
    """Verdict, points, checks, what to do, training, and the layers folded away."""
    parts = [*_header(report), *_problem(report), *_checks(report), *_to_do(report)]
    if report.training is not None:
        parts += _training(report.training)
    parts += [*_layers(report), *_remarks(report), _colophon(report)]
    return "\n\n".join(parts)


def prose(text: str, limit: int = 600) -> str:
    """`text` as words and nothing else; line breaks are kept as `<br>`."""
    lines = printable(text, limit, lines=True).split("\n")
    return "<br>".join(_inert(" ".join(line.split())) for line in lines)


def _inert(line: str) -> str:
    broken = LIVELY.sub(rf"\g<0>{ZERO_WIDTH_SPACE}", line)
    escaped = SPECIAL.sub(r"\\\g<0>", broken).replace("$", DOLLAR)
    return BLOCK.sub(r"\1\\\2", escaped)  # what would begin a list or underline a heading


def code(text: str, limit: int = 300) -> str:
    """`text` in a fixed-width font."""
    return f"<code>{prose(printable(text, limit))}</code>"


def _header(report: Report) -> list[str]:
    symbol, _, verdict = notices.headline(report).partition(" ")
    parts = [
        f"## {symbol} {prose(report.submission, 80)}: {verdict}, {notices.total(report)}",
        f"{prose(report.assignment_title, 60)} · {code(report.path, 200)}",
    ]
    return [
        *parts,
        *(f"> **{prose(title)}**<br>{prose(text)}" for title, text in notices.banners(report)),
    ]


def _problem(report: Report) -> list[str]:
    if report.problem is None:
        return []
    title, advice = notices.problem(report.problem)
    place = words.place(report, report.problem.line)
    where = [f"at {code(place)}"] if place else []
    return [
        f"**{title}**",
        "> " + "<br>".join([prose(report.problem.message, 4000), *where]),
        advice,
    ]


def _checks(report: Report) -> list[str]:
    if not report.checks:
        return []
    head = ["", "check", "measured", "limit", "points"]
    return [_table(head, "clrlr", [_check_cells(check) for check in report.checks])]


def _check_cells(check: CheckResult) -> list[str]:
    advisory = "" if check.required else " · *advisory*"
    points = (
        f"{words.points(check.points)} / {words.points(check.max_points)}"
        if check.max_points
        else "–"
    )
    title = prose(check.title.rstrip("."), 120) + advisory
    return [
        MARKS[check.verdict].symbol,
        title,
        prose(check.measured, 60),
        prose(check.limit, 60),
        points,
    ]


def _to_do(report: Report) -> list[str]:
    """The reasons and hints of every check that did not pass."""
    found = [
        _reasons(report, check) for check in report.checks if check.verdict is not Verdict.PASSED
    ]
    return ["### What to do", "\n".join(filter(None, found))] if any(found) else []


def _reasons(report: Report, check: CheckResult) -> str:
    if not (check.detail or check.hints):
        return ""
    symbol = MARKS[check.verdict].symbol
    detail = f"<br>{prose(check.detail, 1200)}" if check.detail else ""
    hints = _capped(f"  - {_hint(report, hint)}" for hint in check.hints)
    return "\n".join([f"- {symbol} **{prose(check.title.rstrip('.'), 120)}**{detail}", *hints])


def _hint(report: Report, hint: Hint) -> str:
    place = words.place(report, hint.line)
    return (f"{code(place)} " if place else "") + prose(hint.text)


def _training(training: Training) -> list[str]:
    doubts = [doubt for run in training.runs for doubt in figures.doubts(run)]
    parts = ["### Training", prose(figures.source(training)), _scores(training)]
    if len(training.runs) > 1:
        rows = [figures.seed_cells(run, figures.threshold(training)) for run in training.runs]
        parts.append(_table(figures.SEED_HEAD, "r" * len(figures.SEED_HEAD), rows))
    if training.feedback:
        parts.append(prose(training.feedback))
    return [*parts, "\n".join(f"- {prose(doubt)}" for doubt in doubts)] if doubts else parts


def _scores(training: Training) -> str:
    rows = []
    for score in figures.scores(training):
        mark = "**" if score.counts else ""
        remarks = "<br>".join(map(prose, score.remarks))
        rows.append([f"{mark}{prose(score.name)}{mark}", f"{mark}{score.value}{mark}", remarks])
    if (ends := figures.interval(training)) is not None:
        rows.append(["95 % interval", ends[0], f"to {ends[1]} for the mean over training runs"])
    rows += [
        [prose(figure.name), figure.shape, prose(figure.text)]
        for figure in figures.figures(training)
    ]
    return _table(["accuracy", "", ""], "lrl", rows)


def _layers(report: Report) -> list[str]:
    if not report.layers:
        return []
    table = _table(HEAD, "llrrrrrrr", [_layer_cells(row) for row in report.layers[:MOST_ROWS]])
    left_out = (
        [f"… and {len(report.layers) - MOST_ROWS:,} more layers"]
        if len(report.layers) > MOST_ROWS
        else []
    )
    proof = [prose(measurement(report))] if measurement(report) else []
    summary = f"<details><summary>Layers: {html.escape(totals(report))}</summary>"
    return [summary, table, *left_out, *proof, "</details>"]


def _layer_cells(row: LayerRow) -> list[str]:
    module, *others = layer_cells(row)
    return [code(module), *map(prose, others)]


def _remarks(report: Report) -> list[str]:
    parts = []
    if report.left_out:
        parts += ["**Not executed** (definitions are loaded, a script is not run)"]
        parts += ["\n".join(_capped(f"- {_hint(report, hint)}" for hint in report.left_out))]
    if report.flags:
        parts += [
            "**For the instructor to look at**",
            "\n".join(_capped(f"- {prose(flag)}" for flag in report.flags)),
        ]
    if report.notes:
        parts += [
            "**To read the numbers**",
            "\n".join(_capped(f"- {prose(note)}" for note in report.notes)),
        ]
    return parts


def _colophon(report: Report) -> str:
    return (
        "<sub>"
        + "<br>".join(f"{name}: {prose(line)}" for name, line in notices.colophon(report))
        + "</sub>"
    )


def _class_table(reports: Sequence[Report]) -> str:
    head = ["", "submission", "assignment", "points", "accuracy"]
    return _table(head, "cllrr", [_summary_cells(report) for report in reports])


def _summary_cells(report: Report) -> list[str]:
    names = [prose(report.submission, 40), prose(report.assignment, 40)]
    return [notices.label(report), *names, notices.total(report), figures.score(report.training)]


def _capped(lines: Iterable[str]) -> list[str]:
    found = list(lines)
    rest = len(found) - MOST_ROWS
    return [*found[:MOST_ROWS], *([f"- … and {rest:,} more"] if rest > 0 else [])]


def _table(head: Sequence[str], align: str, rows: Iterable[Sequence[str]]) -> str:
    marks = [{"l": "---", "r": "---:", "c": ":-:"}[side] for side in align]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, marks, *rows])
