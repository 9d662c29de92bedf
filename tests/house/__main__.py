"""Print how a package is built: `python -m tests.house [FOLDER] [--json]`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.house.figures import House, Sized, measure

CAPTION = "per 100: of the lines that are not empty. --json names every place."
GRADER = Path(__file__).resolve().parents[2] / "grader"


def main() -> int:
    """Measure the folder that was named, or the grader."""
    parser = argparse.ArgumentParser(prog="python -m tests.house", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=GRADER, help="a package")
    parser.add_argument("--json", action="store_true", help="print JSON, which names every place")
    arguments = parser.parse_args()
    try:
        house = measure(arguments.folder)
    except (SyntaxError, ValueError) as error:
        parser.error(str(error))
    if arguments.json:
        sys.stdout.write(json.dumps(asdict(house), indent=2) + "\n")
    else:
        Console().print(table(house, title=str(arguments.folder)))
    return 0


def table(house: House, *, title: str) -> Table:
    """Lay the figures out, one a row."""
    drawn = Table("figure", "value", title=title, caption=CAPTION)
    for figure, value in rows(house):
        drawn.add_row(figure, value)
    return drawn


def rows(house: House) -> list[tuple[str, str]]:
    """Each figure in words, with its value."""
    long_lines = f"{len(house.long_lines)} ({house.long_line_share:.1%})"
    return [
        ("files", f"{house.files}"),
        ("median file", f"{house.median_file:g} lines"),
        ("largest file", sized(house.largest_file)),
        ("functions", f"{house.functions}"),
        ("median function", f"{house.median_function:g} lines"),
        ("longest function", sized(house.longest_function)),
        ("names at the top", f"{len(house.top)}"),
        ("import cycles at run time", circles(house.cycles)),
        ("import cycles among types too", circles(house.cycles_with_types)),
        ("lines", f"{house.lines}"),
        ("lines that are not empty", f"{house.filled_lines}"),
        ("conditional expressions per 100", f"{house.conditions_per_100:.1f}"),
        ("comprehensions per 100", f"{house.comprehensions_per_100:.1f}"),
        ("lines with a comment per 100", f"{house.comments_per_100:.1f}"),
        ("lines that are only a comment per 100", f"{house.comment_lines_per_100:.1f}"),
        ("comprehensions inside a comprehension", f"{len(house.nested_comprehensions)}"),
        ("comprehensions with several for", f"{len(house.several_for)}"),
        ("conditional expressions inside a call", f"{len(house.conditions_in_calls)}"),
        ("lines over 100 columns", long_lines),
        ("modules that hold a function or class of their own name", f"{len(house.own_name)}"),
        ("imports from the package under another name", f"{len(house.renamed_imports)}"),
        ("modules that nobody imports", f"{len(house.never_imported)}"),
        ("private one-line functions called once", f"{len(house.one_line_helpers)}"),
    ]


def sized(thing: Sized) -> str:
    """A length and its place."""
    return f"{thing.lines} lines: {thing.place}"


def circles(found: tuple[tuple[str, ...], ...]) -> str:
    """How many cycles there are, and each on a line."""
    return "\n".join([f"{len(found)}", *map(", ".join, found)])


if __name__ == "__main__":
    sys.exit(main())
