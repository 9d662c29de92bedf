"""Do two engines learn equally well? `python -m bench.seeds REFERENCE --seeds 10 --file FILE`.

Each seed is a whole grading's training: the product's recipe, images, judge and processes, two
seeds at once with one thread each. What a seed came to is added to the file when it is done, so
that long runs can be stopped and begun again; `--seeds` says how many each engine is to have in
all. Out: each engine's mean with its standard error, and the difference with its own.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from rich.console import Console

from bench import references
from grader import assignment, pipeline
from grader.errors import GraderError
from grader.options import Options
from grader.render.progress import TrainingProgress
from grader.report import Report, RunRow
from grader.sandbox import isolation
from grader.storage.atomic import write_whole
from grader.submission import find
from grader.training.data import Source, default_folder, resolve
from grader.training.datasets import DATASETS
from grader.training.worker.crew import Crew

ENGINES = ("lanes", "torch")
AT_ONCE = 2
WHICH = ("mean of the last 3", "last", "best")


@dataclass(frozen=True, slots=True)
class Result:
    """What one seed came to: accuracies of its epochs, in percent; `by` says which engine it was.

    Runs are compared where `reference`, `dataset` and `epochs` are the same.
    """

    reference: str
    dataset: str
    engine: str
    seed: int
    epochs: int
    accuracies: tuple[float, ...]
    seconds: float
    by: str
    torch: str
    processor: str
    date: str

    @property
    def scores(self) -> dict[str, float]:
        """By the words of `WHICH`."""
        last = self.accuracies
        return dict(zip(WHICH, (statistics.fmean(last[-3:]), last[-1], max(last)), strict=True))


def read(file: Path) -> list[Result]:
    """The results in a file; none where it is missing."""
    if not file.exists():
        return []
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [Result(**{**line, "accuracies": tuple(line["accuracies"])}) for line in lines]


def add(file: Path, more: Sequence[Result]) -> None:
    """Write the results so far and these, a line each."""
    lines = [json.dumps(asdict(result)) for result in [*read(file), *more]]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, "\n".join(lines) + "\n")


def compared(results: Sequence[Result]) -> Iterator[str]:
    """The table, and the differences where there are two engines."""
    engines = list(dict.fromkeys(result.engine for result in results))
    yield "| engine | n | " + " | ".join(WHICH) + " | seconds a seed |"
    yield "| --- " * (len(WHICH) + 3) + "|"
    for engine in engines:
        own = [result for result in results if result.engine == engine]
        cells = [engine, str(len(own)), *(_mean([r.scores[which] for r in own]) for which in WHICH)]
        yield f"| {' | '.join(cells)} | {statistics.fmean(r.seconds for r in own):,.0f} |"
    if len(engines) == 2:
        yield f"| {_differences(results, engines)} |"
    yield ""
    yield "Accuracy in percent: mean ± standard error (standard deviation of the seeds)."


def _mean(scores: Sequence[float]) -> str:
    if len(scores) < 2:
        return f"{scores[0]:.3f} (once)"
    deviation = statistics.stdev(scores)
    return f"{statistics.fmean(scores):.3f} ± {_error(scores):.3f} ({deviation:.3f})"


def _error(scores: Sequence[float]) -> float:
    return statistics.stdev(scores) / math.sqrt(len(scores))


def _differences(results: Sequence[Result], engines: Sequence[str]) -> str:
    cells = [f"{engines[0]} less {engines[1]}", ""]
    for which in WHICH:
        one, other = (
            [result.scores[which] for result in results if result.engine == engine]
            for engine in engines
        )
        difference = statistics.fmean(one) - statistics.fmean(other)
        if min(len(one), len(other)) < 2:
            cells.append(f"{difference:+.3f}")
            continue
        error = math.hypot(_error(one), _error(other))
        times = f", {abs(difference) / error:.1f} of them" if error else ""
        cells.append(f"{difference:+.3f} ± {error:.3f}{times}")
    return " | ".join([*cells, ""])


def train(
    reference: str, engine: str, seeds: Sequence[int], epochs: int | None, images: Source
) -> list[Result]:
    """Train these seeds, which follow each other, at once. Raises GraderError where that fails."""
    known = assignment.load_all(references.ROOT)
    file = references.FOLDER / f"{reference}.py"
    (found,) = find.discover([file], known, root=references.ROOT)
    options = Options(
        device="cpu",
        engine=engine,
        epochs=epochs,
        seeds=len(seeds),
        first_seed=seeds[0],
        train_anyway=True,
    )
    torch.set_num_threads(len(seeds))  # a process each, with one thread
    console = Console(stderr=True, markup=False, highlight=False)
    with isolation.choose() as sandbox, TrainingProgress(found.name, console=console) as progress:
        workshop = pipeline.Workshop(options, images, sandbox, Crew())
        report = pipeline.grade(found, known[found.assignment], workshop, progress)
    if report.interrupted:
        raise KeyboardInterrupt
    if report.training is None or report.problem:
        said = report.problem.message if report.problem else "it was not trained"
        raise GraderError(f"{reference} by {engine}: {said}")
    return [_result(reference, engine, run, report, epochs) for run in report.training.runs]


def _result(reference: str, engine: str, run: RunRow, report: Report, epochs: int | None) -> Result:
    assert report.training is not None
    if not run.finished:
        raise GraderError(f"{reference}, seed {run.seed}: {run.stopped_because}")
    by_lanes = run.engine.startswith("machine code")
    if by_lanes != (engine == "lanes"):
        raise GraderError(f"{reference} was to be trained by {engine}, but {run.engine} trained it")
    return Result(
        reference=reference,
        dataset=report.training.dataset,
        engine=engine,
        seed=run.seed,
        epochs=epochs or 0,
        accuracies=tuple(100 * epoch.correct / epoch.total for epoch in run.epochs),
        seconds=round(run.seconds, 1),
        by=run.engine,
        torch=report.environment.torch,
        processor=report.environment.processor,
        date=f"{datetime.now(UTC):%Y-%m-%d}",
    )


def main(arguments: Sequence[str]) -> int:
    """Train what is missing, in turn by each engine, and print; returns the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        (reference,) = _chosen(asked.reference)
        choice, folder = ("practice", None) if asked.practice else ("mnist", asked.data)
        folder = folder or default_folder()
        images = resolve(DATASETS["mnist"], folder, choice=choice)
        while lot := _next(_of(asked, reference, choice), asked.engine or ENGINES, asked.seeds):
            engine, seeds = lot
            print(f"{reference}: {engine}, seeds {seeds}", file=sys.stderr, flush=True)  # noqa: T201
            add(asked.file, train(reference, engine, seeds, asked.epochs, images))
    except GraderError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        print("Stopped; what is done is kept.", file=sys.stderr)  # noqa: T201
    results = _of(asked, reference, choice)
    if results:
        print("\n".join([f"{reference}, {_note(results)}", "", *compared(results)]))  # noqa: T201
    return 0


def _chosen(name: str) -> tuple[str]:
    found = references.chosen([name])
    if len(found) != 1:
        raise GraderError(f"{name} names {len(found)} references; name one of {', '.join(found)}.")
    return (found[0],)


def _of(asked: argparse.Namespace, reference: str, dataset: str) -> list[Result]:
    """What the file has of this reference, trained for as many epochs on the same images."""
    wanted = (reference, dataset, asked.epochs or 0)
    found = [r for r in read(asked.file) if (r.reference, r.dataset, r.epochs) == wanted]
    return sorted(found, key=lambda result: (result.engine, result.seed))


def _next(
    results: Sequence[Result], engines: Sequence[str], seeds: int
) -> tuple[str, list[int]] | None:
    """The next seeds to train, by the engine that is furthest behind; None when all are done."""
    missing = {}
    for engine in engines:
        done = {result.seed for result in results if result.engine == engine}
        missing[engine] = [seed for seed in range(seeds) if seed not in done]
    engine = max(missing, key=lambda name: len(missing[name]))
    left = missing[engine]
    if not left:
        return None
    following = [seed for place, seed in enumerate(left[:AT_ONCE]) if seed == left[0] + place]
    return engine, following


def _note(results: Sequence[Result]) -> str:
    facts = {(result.date, result.processor, f"torch {result.torch}") for result in results}
    whole = "whole recipe" if not results[0].epochs else f"{results[0].epochs} epochs of it"
    return f"{results[0].dataset}, {whole}; {'; '.join(', '.join(one) for one in sorted(facts))}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.seeds",
        description="Train seeds of a published model in each engine, and compare their accuracy.",
    )
    parser.add_argument("reference", help="such as sub_8k or mnist_20k/model_b")
    parser.add_argument("--file", type=Path, required=True, help="keeps a line for each seed")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="both, if not given")
    parser.add_argument("--seeds", type=int, default=10, help="that each engine is to have in all")
    parser.add_argument("--epochs", type=int, help="fewer than the recipe has")
    parser.add_argument("--data", type=Path, help="the folder that holds MNIST/raw")
    parser.add_argument("--practice", action="store_true", help="train on the practice digits")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
