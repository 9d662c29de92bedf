"""Time capture, analyses and training, and write bench/RESULTS.md as lab notes: `nox -s bench`.

Every figure of the analyses is the median of N runs in this process, with the fastest and the
slowest beside it; for training see `bench.training`, which needs MNIST: `GRADER_DATA`, or what
`grade` has downloaded.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from torchvision import models

from bench import coverage, loop, references, rehearsals, training
from bench.engines import measuring, table
from grader import assignment, network
from grader.analysis import shapes, summary
from grader.analysis.cost import measure_cost
from grader.analysis.receptive_field import proof
from grader.analysis.receptive_field.field import find_field
from grader.capture import graph
from grader.intake import intake
from grader.program.graph import Graph
from grader.program.program import Captured
from grader.sandbox import isolation
from grader.storage.atomic import write_whole
from grader.submission import find
from grader.training import data, lab_note

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "RESULTS.md"
REFERENCES = ("mnist_20k/dsconv_se", "mnist_20k/dual_block", "mnist_8k/sub_8k")

Row = tuple[str, str, str]


def main(
    runs: Annotated[int, typer.Option(min=1, help="of each analysis")] = 10,
    rounds: Annotated[int, typer.Option(min=1, help="of the training loops, in turn")] = 3,
    steps: Annotated[int, typer.Option(min=10, help="batches of each training loop")] = 100,
) -> None:
    """Measure, print and write; `--gpu` measures a GPU instead: see `--gpu --help`."""
    folder = data.default_folder()
    loops = training.measure(folder, rounds=rounds, steps=steps, seeds=(1, 2, 4, 8))
    memory = training.memory(folder)
    engines = measuring.measure(folder, references.NAMES, rounds=min(rounds, measuring.MOST_ROUNDS))
    edits = loop.measure([ROOT], rounds=rounds)
    rehearsed = list(rehearsals.measure())
    covered = list(coverage.measure())
    torch.set_num_threads(1)
    rows: list[Row] = []
    with isolation.choose() as sandbox:
        for name in REFERENCES:
            rows += _reference(name, sandbox, runs)
        here = lab_note.describe(device="cpu (1 thread)", isolation=sandbox.isolation.name)
    rows += _resnet152(runs)
    versions = f"torch {here.torch}, Python {here.python}"
    machine = f"{here.processor}, {here.cores} cores, {here.platform}, {versions}"
    text = (
        "\n".join(
            [
                *_of_analyses(rows),
                *_of_training(loops, memory),
                *("", "## Engines of a processor", "", *table.lines(engines)),
                *_of_edits(edits),
                *_of_rehearsals(rehearsed),
                *("", "## Networks with machine code", "", *coverage.table(covered)),
                *_note(machine, runs, rounds, steps),
            ]
        )
        + "\n"
    )
    write_whole(RESULTS, text)
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def _reference(name: str, sandbox: isolation.Sandbox, runs: int) -> Iterator[Row]:
    known = assignment.load_all(ROOT)
    (found,) = find.discover([ROOT / "reference" / f"{name}.py"], known, root=ROOT)
    asked = known[found.assignment]

    def captured() -> Captured:
        return intake.capture(
            found.source.encode(),
            found.path.name,
            asked,
            train_images=60_000,
            seeds=range(asked.most_seeds),
            sandbox=sandbox,
        )

    one = captured()
    weights = network.build(one.program, one.values[0]).weights
    yield _timed(name, f"capture ({sandbox.isolation.name}, zygote warm)", captured, runs)
    yield _timed(name, "shapes checked", lambda: shapes.check(one.program), runs)
    yield _timed(name, "all analyses", lambda: summary.analyse(one.program), runs)
    yield _timed(name, "NaN probe", lambda: proof.measure(one.program.eval, weights), runs)


def _resnet152(runs: int) -> Iterator[Row]:
    model = models.resnet152(weights=None)
    exported = graph.export(model, torch.rand(2, 3, 224, 224), training=False)
    yield _timed(
        "resnet152 at 224×224", "receptive field and cost", lambda: _analyse(exported), runs
    )


def _analyse(exported: Graph) -> None:
    field = find_field(exported)
    measure_cost(exported, field.live)


def _timed(what: str, step: str, work: Callable[[], object], runs: int) -> Row:
    seconds = []
    work()
    for _ in range(runs):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
    return what, step, f"{1e3 * middle:.0f} ({1e3 * low:.0f} to {1e3 * high:.0f})"


def _of_analyses(rows: list[Row]) -> Iterator[str]:
    yield "# How fast the grader is"
    yield ""
    yield "Written by `nox -s bench`; do not edit. The median of the runs, with their range in"
    yield "brackets."
    yield ""
    yield "## Reading a submission, on one thread"
    yield ""
    yield "| what | step | ms |"
    yield "| --- | --- | --- |"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _of_training(rows: list[training.Row], memory: tuple[float, float]) -> Iterator[str]:
    yield ""
    yield "## Training the sub-8K reference"
    yield ""
    yield "Batches of 128, augmented, all seeds together. The ratio is to the better of the"
    yield "student's loops; the last column is one seed's share of 15 epochs of 60,000 images, with"
    yield "a look at the 10,000 test images after each."
    yield ""
    yield "| loop | device | seeds | images/s | ratio | 15 epochs |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for row in rows:
        speeds = [timing.images_per_second for timing in row.timings]
        speed = f"{row.middle.images_per_second:,.0f} ({min(speeds):,.0f} to {max(speeds):,.0f})"
        cells = (row.contender.name, row.contender.device, str(row.contender.seeds), speed)
        yield f"| {' | '.join(cells)} | {row.ratio:.2f} | {row.middle.seconds:.0f} s |"
    yield ""
    yield f"Memory: a process that has imported torch has {memory[0]:.2f} GiB, one that trains on"
    yield f"all images at most {memory[1]:.2f} GiB."


def _of_edits(rows: list[loop.Row]) -> Iterator[str]:
    yield ""
    yield "## Grading again, statically"
    yield ""
    yield from loop.table(rows)


def _of_rehearsals(rows: list[rehearsals.Row]) -> Iterator[str]:
    yield ""
    yield "## Rehearsing a training"
    yield ""
    yield "Processor time of all rehearsals of a work: the scripts and notebooks of the tests."
    yield ""
    yield from rehearsals.table(rows)


def _note(machine: str, runs: int, rounds: int, steps: int) -> Iterator[str]:
    yield ""
    load = (
        ", ".join(f"{load:.1f}" for load in os.getloadavg())
        if hasattr(os, "getloadavg")
        else "unknown"
    )
    yield f"Lab note: {datetime.now(UTC):%Y-%m-%d}, {machine}."
    yield f"{runs} runs of each analysis; training in {rounds} rounds of {steps} batches after as"
    yield f"many to warm up, each contender in turn. Load average at the end: {load}."
