"""How a number is written for people: with its unit, and never rounded across a threshold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from grader.printable import printable
from grader.report import Placed, Report


def percent(accuracy: float | None, *, threshold: float | None = None) -> str:
    """An accuracy (0 to 1) as "99.42 %"; with more digits where two would cross `threshold`."""
    if accuracy is None:
        return "–"
    for digits in range(2, 8):
        text = f"{100 * accuracy:.{digits}f}"
        shown = round(float(text) / 100, 12)  # 99.4 / 100 is not 0.994 in binary
        if threshold is None or (shown >= threshold) == (accuracy >= threshold):
            break
    return f"{text} %"


def share(part: float) -> str:
    """A share (0 to 1) of a whole: "12.3 %", "< 0.1 %", and nothing for nothing."""
    if part == 0:
        return ""
    return f"{100 * part:.1f} %" if part >= 0.0005 else "< 0.1 %"


def large(number: int) -> str:
    """A number of operations to three digits: 144, "113 k", "2.31 M"."""
    scaled = float(number)
    for unit in ("", " k", " M", " G"):
        if abs(scaled) < 999.5:
            whole = unit == "" or abs(scaled) >= 99.95
            return f"{scaled:.0f}{unit}" if whole else f"{scaled:.3g}{unit}"
        scaled /= 1000
    return f"{scaled:,.3g} T"


def duration(seconds: float) -> str:
    """Seconds as "0.4 s", "3 min 32 s", "1 h 05 min"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def memory(size: int) -> str:
    """Bytes as "812 MB" or "1.31 GB": powers of ten."""
    return f"{size / 1e9:.3g} GB" if size >= 999_500_000 else f"{size / 1e6:.3g} MB"


def several(number: int, noun: str) -> str:
    """A number of things: "1 image", "2,000 images"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def points(value: float) -> str:
    """Points without idle zeros: "20", "12.5"."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def shape(sizes: tuple[int, ...]) -> str:
    """An output's shape without the batch: "16×7×7"."""
    return "×".join(str(size) for size in sizes)


def pair(axes: tuple[int, int] | tuple[str, str] | None) -> str:
    """(rows, columns), written once where they agree: "28", "28×14"; nothing for None."""
    if axes is None:
        return ""
    rows, columns = axes
    return str(rows) if rows == columns else f"{rows}×{columns}"


RECIPE_PARTS = {
    "epochs": "epochs",
    "batch_size": "batch size",
    "optimizer": "optimizer and schedule",
    "criterion": "loss",
    "train_transform": "transform",
}
CLIPPING = ("clip_norm", "clip_value")
RECIPE_EXTRAS = {
    "images": "number of images",
    "drop_last": "last batch",
    "l1_penalty": "L1 penalty",
    "l2_penalty": "L2 penalty",
    "norm_penalty": "penalty on norms",
    "stop_at_accuracy": "stop at an accuracy",
    "patience": "patience",
}
"""Parts that are named where a file says them; no assignment has them."""


def recipe_origin(recipe: Mapping[str, Any]) -> str:
    """Whose recipe was trained, in a line; `recipe` is `analysis["recipe"]` of a report.

    "Yours: epochs (line 5), loss (line 7). The assignment's: batch size, optimizer and schedule,
    transform. No clipping."
    """
    lines: Mapping[str, int] = recipe.get("lines", {})
    clipped = {key: "clipping" for key in CLIPPING if recipe.get(key) is not None}
    said = {key: words for key, words in RECIPE_EXTRAS.items() if key in lines}
    parts = RECIPE_PARTS | said | clipped
    yours = [f"{words} (line {lines[key]})" for key, words in parts.items() if key in lines]
    others = [words for key, words in parts.items() if key not in lines]
    texts = [f"Yours: {', '.join(yours)}."] if yours else []
    texts += [f"The assignment's: {', '.join(others)}."] if others else []
    return " ".join([*texts, *([] if clipped else ["No clipping."])])


def recipe_shares(recipe: Mapping[str, Any], *, brief: bool = False) -> str:
    """The same without lines: "yours: epochs, loss; the assignment's: batch size".

    `brief`: "yours: epochs, loss; the rest is the assignment's".
    """
    lines: Mapping[str, int] = recipe.get("lines", {})
    yours = [words for key, words in RECIPE_PARTS.items() if key in lines]
    others = [words for key, words in RECIPE_PARTS.items() if key not in lines]
    if brief and yours and others:
        return f"yours: {', '.join(yours)}; the rest is the assignment's"
    shares = (("yours", yours), ("the assignment's", others))
    return "; ".join(f"{whose}: {', '.join(parts)}" for whose, parts in shares if parts)


def file_name(report: Report) -> str:
    """The submission's file without its folders, harmless to print."""
    return printable(re.split(r"[\\/]", report.path)[-1] or report.submission, 60)


def path_place(report: Report, where: Placed) -> str:
    """`path:line` from the current folder, which a terminal can open; in a notebook, the cell."""
    path = printable(within(report, where), 400) or file_name(report)
    return _at(path, where)


def within(report: Report, where: Placed | None) -> str:
    """The path of the file that is meant, in the folder that was handed in, if it was one."""
    if where is None or not where.file or where.file == re.split(r"[\\/]", report.path)[-1]:
        return report.path
    return f"{report.path.rstrip('/')}/{where.file}"


def place(report: Report, where: Placed) -> str:
    """`file:line`, short; "net.ipynb, cell 7, line 3"; nothing where no line is known."""
    name = printable(where.file, 60) if where.file else file_name(report)
    return "" if where.line is None else _at(name, where)


def line_of(where: Placed) -> str:
    """Where in the submission: "12", "cell 7:3", "model.py:12"; nothing where no line is known."""
    if where.line is None:
        return ""
    parts = [printable(where.file, 40), f"cell {where.cell}" if where.cell else "", str(where.line)]
    return ":".join(filter(None, parts))


def _at(path: str, where: Placed) -> str:
    if where.line is None:
        return path
    if where.cell:
        return f"{path}, cell {where.cell}, line {where.line}"
    return f"{path}:{where.line}"
