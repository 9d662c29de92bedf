"""Processor time that rehearsing takes: for every training script and notebook of the tests.

`python -m bench.rehearsals [NAME ...]` prints a line for each, or for those that are named. What a
rehearsal costs is the time of its locked children, all of its rehearsals together; starting the
sandbox and capturing the network are not in it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader import assignment
from grader.intake import asking, rehearsing
from grader.sandbox import isolation
from tests.rehearsal.cases import all_cases

ROOT = Path(__file__).parents[1]
IMAGES = 60_000


@dataclass(frozen=True, slots=True)
class Row:
    """What rehearsing one work took, and whether a recipe came of it."""

    name: str
    seconds: float
    rehearsals: int
    has_recipe: bool


def measure(names: Iterable[str] = ()) -> Iterator[Row]:
    """A row for each work that is rehearsed."""
    chosen = set(names)
    asked = assignment.load(ROOT / "assignments" / "mnist_20k")
    with isolation.choose() as sandbox:
        for case in all_cases():
            if (chosen and case.name not in chosen) or not rehearsing.is_rehearsed(case.listing):
                continue
            asker = asking.Asker(case.listing, asked, sandbox, IMAGES, asking.CPU_SECONDS)
            found = rehearsing.by(asker)
            seconds = asking.CPU_SECONDS - asker.left
            yield Row(case.name, seconds, asker.asked, found.recipe is not None)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The figures as a table of Markdown."""
    ordered = sorted(rows, key=lambda row: row.seconds)
    yield "| works | median | nine of ten | worst |"
    yield "| --- | --- | --- | --- |"
    for title, chosen in (
        ("all", ordered),
        ("with a recipe", [row for row in ordered if row.has_recipe]),
        ("rehearsed more than once", [row for row in ordered if row.rehearsals > 1]),
    ):
        if not chosen:
            continue
        middle, most, worst = (_at(chosen, share) for share in (0.5, 0.9, 1.0))
        yield (
            f"| {title} ({len(chosen)}) | {middle.seconds:.2f} s | {most.seconds:.2f} s | "
            f"{worst.seconds:.2f} s ({worst.name}, {worst.rehearsals} rehearsals) |"
        )


def _at(ordered: Sequence[Row], share: float) -> Row:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


if __name__ == "__main__":
    measured = []
    for row in measure(sys.argv[1:]):
        measured.append(row)
        print(f"{row.name:45} {row.seconds:6.2f} s {row.rehearsals:3}", flush=True)  # noqa: T201
    print("\n".join(table(measured)))  # noqa: T201
