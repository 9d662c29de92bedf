"""Time capture and analyses, and write bench/RESULTS.md as lab notes: `nox -s bench -- [--runs N]`.

Every figure is the median of N runs in this process, with the fastest and the slowest beside it.
"""

from __future__ import annotations

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

from grader import assignment, environment, network, submission
from grader.analysis import proof, summary
from grader.analysis.cost import cost
from grader.analysis.receptive_field import receptive_field
from grader.capture import graph
from grader.program import Graph
from grader.sandbox import isolation
from grader.sandbox.capture import Captured, capture
from grader.whole import write_whole

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "RESULTS.md"
REFERENCES = ("mnist_20k/dsconv_se", "mnist_20k/dual_block", "mnist_8k/sub_8k")

Row = tuple[str, str, str]


def main(runs: Annotated[int, typer.Option(min=1)] = 10) -> None:
    """Measure, print and write."""
    torch.set_num_threads(1)
    rows: list[Row] = []
    with isolation.choose() as sandbox:
        for name in REFERENCES:
            rows += _reference(name, sandbox, runs)
        here = environment.describe(device="cpu (1 thread)", isolation=sandbox.isolation)
    rows += _resnet152(runs)
    text = _page(rows, f"{here.processor}, {here.cores} cores, {here.platform}", here.torch, here.python, runs)
    write_whole(RESULTS, text)
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def _reference(name: str, sandbox: isolation.Sandbox, runs: int) -> Iterator[Row]:
    known = assignment.load_all(ROOT)
    (found,) = submission.discover([ROOT / "reference" / f"{name}.py"], known, root=ROOT)
    asked = known[found.assignment]

    def captured() -> Captured:
        return capture(
            found.source, found.path.name, asked, train_images=60_000, seeds=range(asked.most_seeds), sandbox=sandbox
        )

    one = captured()
    weights = network.build(one.program, one.values[0]).weights
    yield _timed(name, f"capture ({sandbox.isolation.name}, zygote warm)", captured, runs)
    yield _timed(name, "shapes checked", lambda: network.check_shapes(one.program), runs)
    yield _timed(name, "all analyses", lambda: summary.analyse(one.program), runs)
    yield _timed(name, "NaN probe", lambda: proof.measure(one.program.eval, weights), runs)


def _resnet152(runs: int) -> Iterator[Row]:
    model = models.resnet152(weights=None)
    exported = graph.export(model, torch.rand(2, 3, 224, 224), training=False)
    yield _timed("resnet152 at 224×224", "receptive field and cost", lambda: _analyse(exported), runs)


def _analyse(exported: Graph) -> None:
    field = receptive_field(exported)
    cost(exported, field.live)


def _timed(what: str, step: str, work: Callable[[], object], runs: int) -> Row:
    seconds = []
    work()
    for _ in range(runs):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
    return what, step, f"{1e3 * middle:.0f} ({1e3 * low:.0f} to {1e3 * high:.0f})"


def _page(rows: list[Row], machine: str, torch_version: str, python: str, runs: int) -> str:
    head = [
        "# How fast the grader is",
        "",
        "Written by `nox -s bench`; do not edit. Milliseconds: the median of the runs (fastest to slowest).",
        "",
        "| what | step | ms |",
        "| --- | --- | --- |",
    ]
    versions = f"torch {torch_version}, Python {python}"
    note = f"{datetime.now(UTC):%Y-%m-%d}, {machine}, one thread, {versions}, {runs} runs each."
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows), "", f"Lab note: {note}"]) + "\n"


if __name__ == "__main__":
    typer.run(main)
