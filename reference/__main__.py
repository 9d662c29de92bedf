"""Grade the published models and write RESULTS.md: `nox -s reference -- [--seeds N] [--data DIR] [NAME...]`.

NAME is a part of "assignment/file", such as `sub_8k`; without any, all models. What was measured before stays in
measured.json until its model is measured again, so the long runs can be done one by one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from grader import assignment, pipeline, submission
from grader.errors import GraderError
from grader.grades import write_whole
from grader.render import terminal
from grader.render.progress import TrainingProgress
from grader.sandbox import isolation
from grader.training.data import resolve
from reference import measurement

ROOT = Path(__file__).parents[1]


def main(
    names: Annotated[list[str] | None, typer.Argument()] = None,
    *,
    seeds: Annotated[int, typer.Option(min=1, max=100)] = 1,
    device: str = "auto",
    data: Path | None = None,
) -> None:
    """Measure the models named (all, if none) on MNIST and write RESULTS.md."""
    messages = Console(stderr=True)
    known = assignment.load_all(ROOT)
    images = resolve("mnist", data, say=messages.print)
    options = pipeline.Options(device=device, seeds=seeds, train_anyway=True)
    claims, measured = measurement.read_claims(), measurement.read_measurements()
    for name in _wanted(list(claims), names or []):
        file = measurement.HERE / f"{name}.py"
        (found,) = submission.discover([file], known, root=ROOT)
        with isolation.choose() as sandbox, TrainingProgress(found.name, console=messages) as progress:
            report = pipeline.grade(found, known[found.assignment], images, options, progress, sandbox)
        Console().print(terminal.scorecard(report))
        measured[name] = measurement.of_report(report)
        ordered = {key: measured[key] for key in claims if key in measured}
        write_whole(measurement.MEASURED, measurement.Measurements(ordered).model_dump_json(indent=1) + "\n")
        write_whole(measurement.RESULTS, measurement.results(claims, ordered))


def _wanted(known: list[str], names: list[str]) -> list[str]:
    for name in names:
        if not any(name in item for item in known):
            raise GraderError(f"There is no reference model {name!r}; known: {', '.join(known)}.")
    return [item for item in known if not names or any(item.endswith(f"/{name}") or name == item for name in names)]


if __name__ == "__main__":
    typer.run(main)
