"""The scorecard for a pull request or a job summary. In: Reports. Out: GitHub-flavoured Markdown.

What a submission wrote cannot become markup: `prose` escapes Markdown and HTML, and breaks what
GitHub would turn into a link, a mention, an emoji or a formula after Markdown has been read.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from grader.printable import printable
from grader.render import claims, figures, journey, layer_table, notices, recipe, words
from grader.render.marks import MARKS
from grader.report import CheckResult, Hint, LayerRow, Report, Training, Verdict

MOST_ROWS = 200
"""Layers and hints beyond that many are counted, not listed: a job summary may hold 1 MiB."""

SPECIAL = re.compile(r"[\\`*_\[\]<>&|~#@]")
BLOCK = re.compile(r"^(\d*)([-+=.)])(?=[\s=-]|$)")
LIVELY = re.compile(r"[@#](?=\S)|:(?=[\w+-]+:|/)|www(?=\.)|\bGH(?=-)", re.IGNORECASE)
COMMAND = re.compile(r"\\`(.+?)\\`")
"""Text between backticks, in prose that is escaped already."""
DOLLAR = "<span>$</span>"
ZERO_WIDTH_SPACE = "\u200b"


def render(reports: Sequence[Report]) -> str:
    """One scorecard after the other; a class begins with a table of all."""
    parts = [class_table(reports)] if len(reports) > 1 else []
    return "\n\n---\n\n".join([*parts, *map(scorecard, reports)]) + "\n"


def scorecard(report: Report) -> str:
    """Verdict, points, checks, what to do, training, and the layers folded away."""
    parts = [*_header(report), *_problem(report), *_recipe(report)]
    parts += [*_checks(report), *_journey(report), *_to_do(report)]
    if report.training is not None:
        parts += _training(report.training)
    if said := list(claims.rows(report)):
        lines = (f"{prose(name)}: {prose(text)} {prose(where)}" for name, text, where in said)
        parts += [f"**{claims.HEADING}**", _listed(lines, "")]
    parts += [*_layers(report), *_remarks(report), _colophon(report)]
    return "\n\n".join(parts)


def _journey(report: Report) -> list[str]:
    """Of a work in steps, what each came to, what changed on the way, and whether it helped."""
    if not report.steps:
        return []
    rows = [list(map(prose, journey.cells(step))) for step in report.steps]
    parts = [f"### {journey.HEADING}", table(journey.HEAD, "clrrrr", rows)]
    for step in report.steps:
        if found := journey.changes(step):
            lines = _listed(f"{change.name}: {prose(change.text, 4000)}" for change in found)
            parts += [f"**{prose(step.title, 60)}**", lines]
    return parts


def brief(report: Report) -> str:
    """Verdict, points and checks, for where the scorecard has no room."""
    return "\n\n".join([*_header(report), *_problem(report), *_checks(report)])


def _recipe(report: Report) -> list[str]:
    """Whose recipe is trained; its lines and the small differences are folded away."""
    found = report.recipe
    if found is None:
        return []
    parts = [f"**Recipe.** {prose(recipe.headline(report))}"]
    if found.obstacles:
        parts.append(_listed((_hint(report, hint) for hint in found.obstacles), ""))
        parts.append(recipe.whose_lines(found))
    lines = [
        f"{prose(name)}: {prose(text)} {code(where) if where else ''}".rstrip()
        for name, text, where in recipe.rows(found)
    ]
    lines += [_hint(report, hint) for hint in found.differences]
    body = _listed(lines, "")
    parts.append(f"<details><summary>The recipe, line by line</summary>\n\n{body}\n\n</details>")
    return parts


def prose(text: str, limit: int = 600) -> str:
    """`text` as words and nothing else; line breaks are kept as `<br>`."""
    lines = printable(text, limit, lines=True).split("\n")
    return "<br>".join(_inert(" ".join(line.split())) for line in lines)


def _inert(line: str) -> str:
    broken = LIVELY.sub(rf"\g<0>{ZERO_WIDTH_SPACE}", line)
    escaped = SPECIAL.sub(r"\\\g<0>", broken).replace("$", DOLLAR)
    return BLOCK.sub(r"\1\\\2", escaped)  # what would begin a list or underline a heading


def sentence(text: str, limit: int = 600) -> str:
    """A message of the grader's own: what stands between backticks in it is a command to copy."""
    return COMMAND.sub(r"<code>\1</code>", prose(text, limit))


def code(text: str, limit: int = 300) -> str:
    """`text` in a fixed-width font."""
    return f"<code>{prose(printable(text, limit))}</code>"


def _header(report: Report) -> list[str]:
    mark = MARKS[report.verdict]
    result = f"{mark.words}, {notices.total(report)}"
    parts = [
        f"## {mark.symbol} {prose(notices.name(report), 80)}: {result}",
        f"{prose(report.assignment_title, 60)} · {code(report.path, 200)}",
    ]
    if earlier := notices.last_trained(report):
        parts.append(f"last trained: {prose(earlier)}")
    for title, text in notices.banners(report):
        parts.append(f"> **{prose(title)}**<br>{prose(text)}")
    return parts


def _problem(report: Report) -> list[str]:
    if report.problem is None:
        return []
    title, advice = notices.problem(report.problem)
    place = words.place(report, report.problem)
    where = f"<br>at {code(place)}" if place else ""
    return [f"**{title}**", f"> {prose(report.problem.message, 4000)}{where}", advice]


def _checks(report: Report) -> list[str]:
    if not report.checks:
        return []
    head = ["", "check", "measured", "limit", "points"]
    return [table(head, "clrlr", [_check_cells(check) for check in report.checks])]


def _check_cells(check: CheckResult) -> list[str]:
    advisory = "" if check.required else " · *advisory*"
    points = "–"
    if check.max_points:
        points = f"{words.points(check.points)} / {words.points(check.max_points)}"
    title = prose(check.title.rstrip("."), 120) + advisory
    return [
        MARKS[check.verdict].symbol,
        title,
        prose(check.measured, 60),
        prose(check.asked, 60),
        points,
    ]


def _to_do(report: Report) -> list[str]:
    """The reasons and hints of every check that did not pass."""
    opened = [check for check in report.checks if check.verdict is not Verdict.PASSED]
    found = [_reasons(report, check) for check in opened if check.detail or check.hints]
    return ["### What to do", "\n".join(found)] if found else []


def _reasons(report: Report, check: CheckResult) -> str:
    symbol = MARKS[check.verdict].symbol
    detail = f"<br>{prose(check.detail, 1200)}" if check.detail else ""
    lines = [f"- {symbol} **{prose(check.title.rstrip('.'), 120)}**{detail}"]
    if check.hints:
        lines.append(_listed((_hint(report, hint) for hint in check.hints), "  "))
    return "\n".join(lines)


def _hint(report: Report, hint: Hint) -> str:
    text = prose(hint.text)
    if hint.line is None:
        return text
    return f"{code(words.place(report, hint))} {text}"


def _training(training: Training) -> list[str]:
    doubts = figures.doubts(training)
    parts = ["### Training", prose(figures.source(training)), _scores(training)]
    if len(training.runs) > 1:
        rows = [figures.seed_cells(run, figures.threshold(training)) for run in training.runs]
        parts.append(table(figures.SEED_HEAD, "r" * len(figures.SEED_HEAD), rows))
    if training.feedback:
        parts.append(prose(training.feedback))
    if doubts:
        parts.append(_listed(map(prose, doubts)))
    return parts


def _scores(training: Training) -> str:
    rows = []
    for score in figures.scores(training):
        mark = "**" if score.counts else ""
        remarks = "<br>".join(map(prose, score.remarks))
        rows.append([f"{mark}{prose(score.name)}{mark}", f"{mark}{score.value}{mark}", remarks])
    if (ends := figures.interval(training)) is not None:
        rows.append(["95 % interval", ends[0], f"to {ends[1]} for the mean over training runs"])
    for fact in figures.facts(training):
        rows.append([prose(fact.name), fact.shape, prose(fact.text)])
    return table(["accuracy", "", ""], "lrl", rows)


def _layers(report: Report) -> list[str]:
    if not report.layers:
        return []
    shown = [_layer_cells(row) for row in report.layers[:MOST_ROWS]]
    totals = html.escape(layer_table.totals(report))
    parts = [
        f"<details><summary>Layers: {totals}</summary>",
        table(layer_table.HEAD, "llrrrrrrr", shown),
    ]
    if len(report.layers) > MOST_ROWS:
        parts.append(f"… and {len(report.layers) - MOST_ROWS:,} more layers")
    if proof := layer_table.measurement(report):
        parts.append(prose(proof))
    return [*parts, layer_table.LEGEND, "</details>"]


def _layer_cells(row: LayerRow) -> list[str]:
    module, *others = layer_table.cells(row)
    return [code(module), *map(prose, others)]


def _remarks(report: Report) -> list[str]:
    parts = []
    if report.left_out:
        parts.append("**Not executed** (definitions are loaded, a script is not run)")
        parts.append(_listed(_hint(report, hint) for hint in report.left_out))
    if report.flags:
        parts += ["**For the instructor to look at**", _listed(map(prose, report.flags))]
    if report.notes:
        parts += ["**About the numbers**", _listed(map(prose, report.notes))]
    return parts


def _colophon(report: Report) -> str:
    lines = [f"{name}: {prose(line)}" for name, line in notices.colophon(report)]
    return f"<sub>{'<br>'.join(lines)}</sub>"


def class_table(reports: Sequence[Report]) -> str:
    """One row a submission: verdict, points, accuracy."""
    head = ["", "submission", "assignment", "points", "accuracy"]
    return table(head, "cllrr", [_summary_cells(report) for report in reports])


def _summary_cells(report: Report) -> list[str]:
    names = [prose(notices.name(report), 80), prose(report.assignment, 40)]
    return [notices.label(report), *names, notices.total(report), figures.score(report.training)]


def _listed(items: Iterable[str], indent: str = "") -> str:
    """The items as a list, at most `MOST_ROWS` of them."""
    found = list(items)
    lines = [f"{indent}- {item}" for item in found[:MOST_ROWS]]
    if len(found) > MOST_ROWS:
        lines.append(f"{indent}- … and {len(found) - MOST_ROWS:,} more")
    return "\n".join(lines)


def table(head: Sequence[str], align: str, rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already; `align` has "l", "r" or "c" for each column."""
    marks = [{"l": "---", "r": "---:", "c": ":-:"}[side] for side in align]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, marks, *rows])
