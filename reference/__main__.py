"""Grade the published models and write RESULTS.md: `nox -s reference -- [--seeds N] [--data DIR]
[NAME...]`.

NAME is an assignment, a file or both: `mnist_8k`, `sub_8k`, `mnist_8k/sub_8k`; without any, all
models. What was measured before stays in measured.json: `--seeds 5` trains only the seeds that are
missing there, where the others come from this machine with these versions. So the long runs can be
done one by one, and in several terminals at once. `--remark` is what a reader of the numbers should
know, such as other work that made the machine slow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from grader import assignment, pipeline
from grader.command.endings import guarded
from grader.errors import GraderError
from grader.options import Options
from grader.render import card, terminal
from grader.render.progress import TrainingProgress
from grader.sandbox import isolation
from grader.sandbox.level import Isolation
from grader.storage.atomic import write_whole
from grader.submission import find
from grader.training import device as devices
from grader.training import lab_note
from grader.training.data import resolve
from grader.training.datasets import DATASETS
from grader.training.worker.crew import Crew
from reference import measurement

ROOT = Path(__file__).parents[1]


def main(
    names: Annotated[list[str] | None, typer.Argument()] = None,
    *,
    seeds: Annotated[int, typer.Option(min=1, max=100)] = 1,
    device: str = "auto",
    data: Path | None = None,
    remark: str = "",
) -> None:
    """Measure the models named (all, if none) on MNIST and write RESULTS.md."""
    raise typer.Exit(
        guarded(lambda: measure(names or [], seeds=seeds, device=device, data=data, remark=remark))
    )


def measure(names: list[str], *, seeds: int, device: str, data: Path | None, remark: str) -> int:
    """See `main`.

    Raises GraderError, and KeyboardInterrupt, which leaves the model in hand unmeasured.
    """
    messages = Console(stderr=True, markup=False, emoji=False, highlight=False)
    known = assignment.load_all(ROOT)
    claims = measurement.read_claims()
    wanted = _wanted(list(claims), names)
    for name in wanted:
        file = measurement.HERE / f"{name}.py"
        done = _seeds_done(name, device)
        if done >= seeds:
            messages.print(f"{name}: {done} seeds are measured already")
            continue
        images = resolve(DATASETS["mnist"], data, choice="mnist", say=messages.print)
        options = Options(device=device, seeds=seeds - done, first_seed=done, train_anyway=True)
        (found,) = find.discover([file], known, root=ROOT)
        with (
            isolation.choose() as sandbox,
            TrainingProgress(found.name, console=messages) as progress,
        ):
            workshop = pipeline.Workshop(options, images, sandbox, Crew())
            report = pipeline.grade(found, known[found.assignment], workshop, progress)
        Console().print(terminal.details(report))
        Console().print(card.draw(report))
        if report.interrupted:
            raise KeyboardInterrupt
        _keep(name, measurement.of_report(report, remark))
    write_whole(measurement.RESULTS, measurement.results(claims, measurement.read_measurements()))
    return 0


def _seeds_done(name: str, device: str) -> int:
    """How many seeds, from 0 on, are measured of this model on this machine with these versions."""
    known = measurement.read_measurements().get(name)
    here = lab_note.describe(device=devices.choose(device).type, isolation=Isolation().name)
    return len(known.runs) if known and measurement.same_place(known.environment, here) else 0


def _keep(name: str, found: measurement.Measurement) -> None:
    """Add to what is measured by now, which another terminal may have changed, and write it."""
    measured, claims = measurement.read_measurements(), measurement.read_claims()
    before = measured.get(name)
    measured[name] = before.joined(found) if before else found
    ordered = {key: measured[key] for key in claims if key in measured}
    write_whole(
        measurement.MEASURED, measurement.Measurements(ordered).model_dump_json(indent=1) + "\n"
    )
    write_whole(measurement.RESULTS, measurement.results(claims, ordered))


def _wanted(known: list[str], names: list[str]) -> list[str]:
    for name in names:
        if not any(_means(name, item) for item in known):
            raise GraderError(f"There is no reference model {name!r}; known: {', '.join(known)}.")
    return [item for item in known if not names or any(_means(name, item) for name in names)]


def _means(name: str, item: str) -> bool:
    return name == item or name in item.split("/")


if __name__ == "__main__":
    typer.run(main)
