"""What was measured of the published models, and how it compares with what their authors claim.

In: claims.toml (facts) and measured.json (lab notes, one entry a model). Out: RESULTS.md. Loads no
torch.
"""

from __future__ import annotations

import statistics
import tomllib
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, RootModel

from grader.assignment import Protocol, load
from grader.errors import GraderError
from grader.judging import comparing, judge
from grader.judging.decision import POOLED_SIGMA, claim_tolerance
from grader.report import Environment, Report, RunRow, Verdict
from grader.storage.reports import Standing, standing

HERE = Path(__file__).parent
CLAIMS = HERE / "claims.toml"
MEASURED = HERE / "measured.json"
RESULTS = HERE / "RESULTS.md"

TEST_IMAGES = 10_000
MOST_IMAGES = 3 * TEST_IMAGES
"""Three epochs' counts: an accuracy is a fraction of no larger number."""
WORDS = {"best": "best epoch", "last": "last epoch", "mean_last_3": "mean of the last 3"}


class SeedResult(BaseModel):
    """One training run: accuracies as fractions, seconds of training and evaluation."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    seed: int
    epochs: int
    best: float
    last: float
    mean_last_3: float
    seconds: float


class Measurement(BaseModel):
    """What the grader measured of one model: static facts, and one result for each seed.

    `failed_checks` are required ones with their verdict, but for accuracy: that is judged from all
    `runs`, by `protocol` against `threshold`. `remark` is what else a reader of the numbers should
    know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    parameters: int
    keras_parameters: int
    receptive_field: tuple[int, int]
    failed_checks: tuple[str, ...]
    threshold: float
    protocol: Protocol
    runs: tuple[SeedResult, ...]
    environment: Environment
    date: str
    remark: str = ""

    @property
    def accuracy(self) -> Verdict:
        """What the grader says of the accuracy of all runs together."""
        scores = [
            Fraction(getattr(run, self.protocol)).limit_denominator(MOST_IMAGES)
            for run in self.runs
        ]
        return judge.verdict(scores, judge.exact(self.threshold), images=TEST_IMAGES).verdict

    def joined(self, more: Measurement) -> Measurement:
        """All runs, where both measured the same network in the same place; else `more` alone."""
        same = (self.parameters, self.receptive_field) == (more.parameters, more.receptive_field)
        if not same or not same_place(self.environment, more.environment):
            return more
        runs = {run.seed: run for run in (*self.runs, *more.runs)}
        remark = (
            self.remark if more.remark in self.remark else f"{self.remark} {more.remark}".strip()
        )
        return more.model_copy(
            update={"runs": tuple(runs[seed] for seed in sorted(runs)), "remark": remark}
        )


def same_place(one: Environment, other: Environment) -> bool:
    """Whether runs from the two may be averaged: same versions, processor and kind of device."""
    return (
        all(
            getattr(one, fact) == getattr(other, fact)
            for fact in ("grader", "torch", "torchvision", "processor", "cores")
        )
        and one.device[:3] == other.device[:3]
    )


class Measurements(RootModel[dict[str, Measurement]]):
    """All measurements, by "assignment/file"."""


def read_claims() -> dict[str, dict[str, Any]]:
    """Each claim by "assignment/file"."""
    tables = tomllib.loads(CLAIMS.read_text(encoding="utf-8"))
    return {
        f"{assignment}/{name}": claim
        for assignment, models in tables.items()
        for name, claim in models.items()
    }


def read_measurements(file: Path = MEASURED) -> dict[str, Measurement]:
    """The measurements so far; none where the file is missing."""
    return (
        Measurements.model_validate_json(file.read_text(encoding="utf-8")).root
        if file.exists()
        else {}
    )


def of_report(report: Report, remark: str = "") -> Measurement:
    """The measurement in a report, with what its measurer remarks.

    Raises GraderError where it was not trained in full on MNIST.
    """
    if report.training is None or report.analysis is None or standing(report) < Standing.FULL:
        reason = report.problem.message if report.problem else "it was not trained in full on MNIST"
        raise GraderError(f"{report.submission} cannot be compared with its claim: {reason}")
    parameters = report.analysis["parameters"]
    field = report.analysis["receptive_field"]
    return Measurement(
        parameters=parameters["trainable"],
        keras_parameters=parameters["trainable"] + parameters["running_statistics"],
        receptive_field=(field["rows"], field["columns"]),
        failed_checks=tuple(
            f"{check.name} ({check.verdict})"
            for check in report.checks
            if check.required and check.verdict is Verdict.FAILED and check.name != "accuracy"
        ),
        threshold=report.training.threshold,
        protocol=report.training.protocol,
        runs=tuple(_seed_result(run) for run in report.training.runs if run.epochs),
        environment=report.environment,
        date=report.started[:10],
        remark=remark,
    )


def _seed_result(run: RunRow) -> SeedResult:
    accuracies = [epoch.correct / epoch.total for epoch in run.epochs]
    return SeedResult(
        seed=run.seed,
        epochs=len(accuracies),
        best=max(accuracies),
        last=accuracies[-1],
        mean_last_3=statistics.fmean(accuracies[-3:]),
        seconds=round(run.seconds, 1),
    )


Answer = Literal[
    "confirmed", "within noise", "not reproduced", "exceeded", "other data", "not measured"
]


def answer(claim: Mapping[str, Any], measured: Measurement | None) -> Answer:
    """Whether the claimed accuracy holds.

    Confirmed: our mean is as high. Within noise: it is lower, by no more than one run may differ
    from our mean. Exceeded: it is higher by more than that.
    """
    if measured is None or not measured.runs:
        return "not measured"
    if claim["accuracy_on"] != "test":
        return "other data"
    scores = [getattr(run, claim["accuracy_is"]) for run in measured.runs]
    difference = claim["accuracy_claimed"] - statistics.fmean(scores)
    sigma = max(POOLED_SIGMA, statistics.stdev(scores) if len(scores) > 1 else 0.0)
    tolerance = claim_tolerance(len(scores), sigma=sigma)
    if abs(difference) <= tolerance:
        return "within noise" if difference > 0 else "confirmed"
    return "not reproduced" if difference > 0 else "exceeded"


INTRODUCTION = """\
# Published claims, measured

Written by `nox -s reference`; do not edit. Every number comes from the grader, run on the files in
this folder, on MNIST's 60,000 training and 10,000 test images. Accuracy is in percent: the mean
over n training runs, ± their standard deviation where n > 1; seconds are the fastest run's. Two
runs of one file may well differ by 0.15 points: for one at 99.4 % the standard deviation is 0.055.
"""
COLUMNS = (
    "model",
    "parameters claimed → counted",
    "receptive field",
    "epochs",
    "accuracy claimed",
    "best",
    "last",
    "mean of last 3",
    "n",
    "seconds",
    "the claim is",
)


def results(claims: Mapping[str, Mapping[str, Any]], measured: Mapping[str, Measurement]) -> str:
    """RESULTS.md."""
    return "\n".join(_lines(claims, measured)) + "\n"


def _lines(
    claims: Mapping[str, Mapping[str, Any]], measured: Mapping[str, Measurement]
) -> Iterator[str]:
    yield INTRODUCTION
    yield "| " + " | ".join(COLUMNS) + " |"
    yield "| --- " * len(COLUMNS) + "|"
    for name, claim in claims.items():
        yield _row(name, claim, measured.get(name))
    yield from _notes(claims, measured)


STEPS: dict[str, Protocol] = {
    "mnist_8k/c1_foundation": "best",
    "mnist_8k/c2_enhanced": "best",
    "mnist_8k/c3_final": "mean_last_3",
}
"""The published work in steps, and which epochs count in each: `assignments/mnist_progressive`."""

JOURNEY = """
## Three steps as one work

`mnist_progressive/published` holds the last three as one work: the same networks and recipes, with
what each step states. By the rules of [its assignment](../assignments/mnist_progressive/README.md),
each beside the step before:

| step | target | claimed | measured | n | is it better? |
| --- | --- | --- | --- | --- | --- |"""


def _journey(
    claims: Mapping[str, Mapping[str, Any]], measured: Mapping[str, Measurement]
) -> Iterator[str]:
    """The three steps, each with its own protocol; nothing where one was not measured."""
    if not measured.keys() >= STEPS.keys():
        return
    yield JOURNEY
    asked = load(HERE.parent / "assignments" / "mnist_progressive")
    before: Measurement | None = None
    for step, (name, protocol) in zip(asked.steps, STEPS.items(), strict=True):
        found = measured[name]
        better = _better(before, found, protocol) if before else "–"
        target = f"{100 * asked.of_step(step.name).limits.accuracy:g}"
        claimed = f"{100 * claims[name]['accuracy_claimed']:.2f}"
        spread = f"{_spread(found, protocol)} ({WORDS[protocol]})"
        yield f"| {step.title} | {target} | {claimed} | {spread} | {len(found.runs)} | {better} |"
        before = found


def _better(before: Measurement, after: Measurement, protocol: Protocol) -> str:
    """Whether the later network is better beyond noise, by its own protocol."""
    sides = []
    for one in (before, after):
        scores = (
            Fraction(getattr(run, protocol)).limit_denominator(MOST_IMAGES) for run in one.runs
        )
        sides.append(list(scores))
    found = comparing.compare(*sides, images=TEST_IMAGES)
    if found is None:
        return "–"
    return f"{found.answer}: {100 * found.difference:+.2f} ± {100 * found.margin:.2f} points"


def _row(name: str, claim: Mapping[str, Any], found: Measurement | None) -> str:
    claimed = " / ".join(f"{number:,}" for number in claim["parameters_claimed"])
    cells = [f"[{claim['title']}]({name}.py)"]
    said = f"{100 * claim['accuracy_claimed']:.2f} ({WORDS[claim['accuracy_is']]})"
    if found is None:
        cells += [
            f"{claimed} → –",
            "–",
            str(claim["epochs"]),
            said,
            "–",
            "–",
            "–",
            "0",
            "–",
            "not measured",
        ]
        return f"| {' | '.join(cells)} |"
    epochs = sorted({run.epochs for run in found.runs})
    cells += [
        f"{claimed} → {found.parameters:,}",
        " × ".join(str(side) for side in found.receptive_field),
        "–".join(str(item) for item in dict.fromkeys((epochs[0], epochs[-1]))),
        said,
        *(_spread(found, which) for which in ("best", "last", "mean_last_3")),
        str(len(found.runs)),
        f"{min(run.seconds for run in found.runs):.0f}",
        f"**{answer(claim, found)}**",
    ]
    return f"| {' | '.join(cells)} |"


def _spread(found: Measurement, which: str) -> str:
    values = [100 * getattr(run, which) for run in found.runs]
    text = f"{statistics.fmean(values):.2f}"
    return f"{text} ± {statistics.stdev(values):.2f}" if len(values) > 1 else text


LEGEND = """\
A claim is one run; by chance alone it may differ by 1.96 · s · √(1 + 1/n) + 0.02 points from our
mean. Here s is 0.055 points, as measured on a network at 99.4 %, or the deviation of our runs where
that is larger. "Confirmed": our mean is as high. "Within noise": lower, by no more than that. "Not
reproduced": lower by more. "Exceeded": higher by more. "Other data": not claimed for the test
images. See docs/fairness.md."""


def _notes(
    claims: Mapping[str, Mapping[str, Any]], measured: Mapping[str, Measurement]
) -> Iterator[str]:
    yield ""
    yield LEGEND
    yield from _journey(claims, measured)
    yield ""
    yield "## What the write-ups say, and what is so"
    for name, claim in claims.items():
        yield ""
        yield f"**{claim['title']}** (`{name}.py`)"
        yield ""
        if found := measured.get(name):
            failed = ", ".join(found.failed_checks) or "none"
            others = f"Required checks that it fails, besides accuracy: {failed}"
            yield f"- {others}. Its accuracy: {found.accuracy}."
            keras = f"with running statistics, as Keras counts, {found.keras_parameters:,}"
            yield f"- {found.parameters:,} trainable parameters; {keras}."
        yield from (f"- {text}" for text in claim["corrections"])
        yield from (f"- Assumed: {text}" for text in claim["assumptions"])
    yield ""
    yield "## Lab notes"
    yield ""
    for name, found in measured.items():
        yield f"- `{name}` {_lab_note(found)}"


def _lab_note(found: Measurement) -> str:
    place = found.environment
    runs = "; ".join(map(_run_note, found.runs))
    remark = f" {found.remark}" if found.remark else ""
    return (
        f"{found.date}, {place.processor}, {place.cores} cores, {place.device}, "
        f"torch {place.torch}, Python {place.python}, grader {place.grader}. {runs}.{remark}"
    )


def _run_note(run: SeedResult) -> str:
    scores = {"best": run.best, "last": run.last, "last 3": run.mean_last_3}
    accuracies = ", ".join(f"{name} {100 * score:.2f}" for name, score in scores.items())
    return f"seed {run.seed}: {accuracies}, {run.epochs} epochs, {run.seconds:.0f} s"
