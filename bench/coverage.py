"""How many networks train by machine code of their own, and what the others lack.

`python -m bench.coverage [PART ...]` reads every network of `tests/gallery`, of the scripts and
notebooks of `tests/rehearsal`, of `reference`, and as many drawn ones; or those whose names hold
one of the parts. A line for each network says whether it has code, or which operator has none;
then come the figures by source. Nothing is trained or compiled. Work that cannot be captured is not
counted: it would not be trained.
"""

from __future__ import annotations

import importlib
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
from torch import nn

from grader import assignment
from grader.errors import GraderError, SubmissionError
from grader.intake import intake
from grader.program.program import Program
from grader.sandbox import isolation
from grader.sandbox.isolation import Sandbox
from grader.submission import find
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import compiled, machine
from tests.rehearsal.cases import all_cases

ROOT = Path(__file__).parents[1]
IMAGES = 60_000
DRAWN = 200
"""Networks of `tests.networks`, the same ones every time."""
THREADS = 2


@dataclass(frozen=True, slots=True)
class Row:
    """A network, and why it has no machine code; "" where it has."""

    source: str
    name: str
    missing: str


def measure(parts: Sequence[str] = ()) -> Iterator[Row]:
    """A row for each network, or for those whose names hold one of the parts."""
    target = machine.here()
    for source, name, program in _programs(parts):
        missing = ""
        try:
            batch = min(program.recipe.batch_size, program.recipe.learned_from(IMAGES))
            compiled.write(program, batch, THREADS, target)
        except CannotTrainError as error:
            missing = str(error).removeprefix("no machine code for ")
        yield Row(source, name, missing)


def _programs(parts: Sequence[str]) -> Iterator[tuple[str, str, Program]]:
    def wanted(name: str) -> bool:
        return not parts or any(part in name for part in parts)

    with isolation.choose() as sandbox, tempfile.TemporaryDirectory() as folder:
        for source, name, path in _files(Path(folder)):
            program = _captured(path, sandbox) if wanted(name) else None
            if program is not None:
                yield source, name, program
    if wanted("drawn"):
        for number, program in enumerate(_drawn()):
            yield "drawn", f"drawn {number}", program


def _files(folder: Path) -> Iterator[tuple[str, str, Path]]:
    for path in sorted((ROOT / "reference").glob("mnist_*/*.py")):
        yield "reference", path.stem, path
    for case in all_cases():
        place = folder / case.name
        place.mkdir()
        yield "scripts and notebooks", case.name, case.write(place)
    for path in sorted((ROOT / "tests" / "gallery").glob("*.py")):
        yield "gallery", path.stem, path


def _captured(path: Path, sandbox: Sandbox) -> Program | None:
    """The Program of a submission; None where it is refused."""
    known = assignment.load_all(ROOT)
    (found,) = find.discover([path], known, root=ROOT, assignment="mnist_20k")
    try:
        taken = intake.read(found, known["mnist_20k"], sandbox, train_images=IMAGES, seeds=[0])
    except (SubmissionError, GraderError):
        return None
    return taken.program


def _drawn() -> Iterable[Program]:
    """Programs of drawn networks, the same each time."""
    networks: Any = importlib.import_module("tests.networks")  # as untyped as a test
    programs: list[Program] = []

    @hypothesis.given(networks.networks())
    @hypothesis.settings(
        max_examples=DRAWN,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def draw(model: nn.Module) -> None:
        programs.append(networks.program_of(model.train())[0])

    draw()
    return programs


def table(rows: Sequence[Row]) -> Iterator[str]:
    """How many have code by source, and what the others lack, as Markdown."""
    yield "| networks | with machine code | of | what the others lack |"
    yield "| --- | --- | --- | --- |"
    for source in dict.fromkeys(row.source for row in rows):
        missing = [re.sub(r" in line \d+", "", row.missing) for row in rows if row.source == source]
        lacked = Counter(missing)
        have = lacked.pop("", 0)
        shown = ", ".join(f"{text} ({count})" for text, count in lacked.most_common())
        yield f"| {source} | {have} | {len(missing)} | {shown} |"


def main() -> None:
    """Print the lines and the table."""
    rows = []
    for row in measure(sys.argv[1:]):
        rows.append(row)
        print(f"{row.source:22} {row.name:45} {row.missing}", flush=True)  # noqa: T201
    print("\n".join(table(rows)))  # noqa: T201


if __name__ == "__main__":
    main()
