"""What the checks beyond accuracy measure on the published models: a table for docs/qualities.md.

`python -m reference.qualities --epochs N [--seeds N] [--data DIR] [NAME...]` grades each model by
the rules of its assignment and all of these checks, and prints a line for it. With `--epochs` every
training is cut short, and the schedule of its learning rate with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grader import assignment, pipeline
from grader.assignment import Assignment, Check
from grader.checks.limits import StableLimit
from grader.command.endings import guarded
from grader.options import Options
from grader.render.progress import TrainingProgress
from grader.report import CheckResult, Report
from grader.sandbox import isolation
from grader.submission import find
from grader.training.data import resolve
from grader.training.datasets import DATASETS
from grader.training.worker.crew import Crew
from reference import measurement

ROOT = Path(__file__).parents[1]
ASKED = (
    "robust_noise",
    "robust_shift",
    "per_class",
    "calibrated",
    "fast_inference",
    "gradients_flow",
    "stable",
    "no_overfit",
)
HEAD = (
    "model",
    "epochs",
    "seeds",
    "accuracy",
    "noise",
    "moved",
    "turned",
    "worst class",
    "calibration error",
    "sure when wrong",
    "× yardstick",
    "µs at 1",
    "µs at 256",
    "least share",
    "dead ReLUs",
    "spread of seeds",
    "gap to train",
)


def main(
    names: Annotated[list[str] | None, typer.Argument()] = None,
    *,
    epochs: int | None = None,
    seeds: int = 2,
    data: Path | None = None,
    engine: str = "auto",
) -> None:
    """Measure the models named (all, if none) on MNIST and print a table."""
    raise typer.Exit(guarded(lambda: measure(names or [], epochs, seeds, data, engine)))


def measure(
    names: list[str], epochs: int | None, seeds: int, data: Path | None, engine: str
) -> int:
    """See `main`."""
    known = {name: with_checks(one, seeds) for name, one in assignment.load_all(ROOT).items()}
    claims = measurement.read_claims()
    images = resolve(DATASETS["mnist"], data, choice="mnist", say=typer.echo)
    options = Options(epochs=epochs, seeds=seeds, train_anyway=True, engine=engine)
    typer.echo(f"| {' | '.join(HEAD)} |")
    typer.echo(f"|{' --- |' * len(HEAD)}")
    for name, claim in claims.items():
        if names and not any(one in name for one in names):
            continue
        (found,) = find.discover([measurement.HERE / f"{name}.py"], known, root=ROOT)
        with isolation.choose() as sandbox, TrainingProgress(quiet=True) as progress:
            workshop = pipeline.Workshop(options, images, sandbox, Crew())
            report = pipeline.grade(found, known[found.assignment], workshop, progress)
        typer.echo(line(claim["title"], report))
    return 0


def with_checks(asked: Assignment, seeds: int) -> Assignment:
    """The same assignment, with every check beyond accuracy, advisory and without points."""
    more = {name: Check(required=False, points=0) for name in ASKED}
    stable = StableLimit(seeds=max(2, seeds))
    limits = asked.limits.model_copy(update={"stable": stable})
    return asked.model_copy(update={"checks": asked.checks | more, "limits": limits})


def line(title: str, report: Report) -> str:
    """A row of the table: the mean of the runs, and of times those in batches of both sizes."""
    checks = {check.name: check for check in report.checks}
    assert report.training is not None, report.problem
    assert report.inference is not None
    runs = report.training.runs
    found = [run.qualities for run in runs if run.qualities]
    one, many = report.inference.pace
    sure = [each.calibration.wrong_confidence or 0.0 for each in found if each.calibration]
    dead = sum(row.dead for each in found for row in each.relus) / len(found)
    channels = sum(row.channels for row in found[0].relus)
    cells = [
        title,
        str(max(len(run.epochs) for run in runs)),
        str(len(runs)),
        _percent(report.training.last),
        _percent(checks["robust_noise"].value),
        *(_percent(_mean(report, kind)) for kind in ("shift", "rotation")),
        checks["per_class"].measured,
        checks["calibrated"].measured,
        _percent(sum(sure) / len(sure)),
        f"{many.ratio:.2f} ({many.low:.2f}–{many.high:.2f})",
        f"{one.microseconds:.0f}",
        f"{many.microseconds:.0f}",
        checks["gradients_flow"].measured.partition(",")[0],
        f"{dead:g} of {channels}",
        checks["stable"].measured,
        checks["no_overfit"].measured,
    ]
    return f"| {' | '.join(cells)} |"


def _mean(report: Report, kind: str) -> float:
    assert report.training is not None
    counted = [getattr(run.qualities, kind) for run in report.training.runs if run.qualities]
    return sum(one.correct / one.total for one in counted) / len(counted)


def _percent(value: CheckResult | float | None) -> str:
    return "–" if value is None else f"{100 * float(value):.2f} %"


if __name__ == "__main__":
    typer.run(main)
