"""The result of grading one submission. The JSON is the report; every other output renders it.

In: what the checks, analyses, training and judge found. Out: a `Report`, to JSON and back. No torch
here.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

REPORT_VERSION: Final = 3
COULD_NOT_TELL: Final = "could not tell: "
"""Said what is a verdict today, in reports of version 1."""


class Verdict(StrEnum):
    """The answer of a check, or of a whole submission."""

    PASSED = "passed"
    PASSED_SO_FAR = "passed_so_far"
    """Nothing failed, and a required check is still to come: a submission's alone."""
    FAILED = "failed"
    BORDERLINE = "borderline"
    """Too close to the threshold to call."""
    UNKNOWN = "unknown"
    """Asked, and could not be told; the detail says why."""
    SKIPPED = "skipped"
    """Not asked; the detail says why."""
    BROKEN = "broken"
    """The grader's own fault; costs no points."""


class Record(BaseModel):
    """Frozen; unknown keys are refused. NaN is not JSON, so a diverged loss is None."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CheckResult(Record):
    """One line of the scorecard.

    `name` is the check's function without "test_"; `title` its docstring; `measured` and `asked`
    are sentences for people ("26,202 parameters", "< 20,000"); `detail` says why it failed or was
    skipped; `hints` what to do, each with the line of the student's file where there is one.

    `value`, `relation`, `limit` and `unit` are the same as numbers (26202, "<", 20000,
    "parameters"): the check asks for a `value` that stands in that relation to `limit`. An accuracy
    is 0 to 1, its unit "fraction". They are None and "" where nothing is a number.
    """

    name: str
    title: str
    verdict: Verdict
    required: bool
    points: float
    max_points: float
    measured: str = ""
    asked: str = ""
    value: int | float | None = None
    relation: Literal["", "<", "<=", ">="] = ""
    limit: int | float | None = None
    unit: str = ""
    detail: str = ""
    hints: tuple[Hint, ...] = ()


class Placed(Record):
    """Something with a place: `line` (from 1) of the submission's file.

    In a notebook it is the line of the code cell `cell` (from 1); in a folder, that of `file`.
    """

    line: int | None = None
    cell: int | None = None
    file: str = ""


class Hint(Placed):
    """What to do, and where."""

    text: str


class Problem(Placed):
    """Why the submission could not be graded. `fault` says whose it is."""

    fault: Literal["submission", "assignment", "grader"]
    message: str


class RecipeFact(Placed):
    """A line of a recipe: its `name` ("optimizer"), what it is, and where the student says so."""

    name: str
    text: str


class RecipeReport(Record):
    """Whose recipe the network is trained with, and what of the student's own was understood.

    `origin` "rehearsed" is the training that was handed in, which ran against stand-ins;
    "convention" is the settings that the grader reads by name; "assignment" the assignment's own.
    `obstacles` say why a training that was handed in could not be followed; the assignment's recipe
    is then used, all of it. `differences` are small ones between the student's training and ours.
    `rates` is the learning rate of the first parameter group at the end of each epoch.
    """

    origin: Literal["rehearsed", "convention", "assignment"]
    facts: tuple[RecipeFact, ...] = ()
    obstacles: tuple[Hint, ...] = ()
    differences: tuple[Hint, ...] = ()
    rates: tuple[float, ...] = ()


class LastTrained(Record):
    """The newest trained grading of a submission, named by a report that is not one itself.

    `score` is by the assignment's protocol then, beside its `threshold`; `sha256` is the file's.
    `later` are the versions of the file that were seen since, this report's last: the first 12
    digits of each one's hash. It is empty where the file has not changed.
    """

    verdict: Verdict
    score: float | None
    threshold: float
    points: float
    max_points: float
    sha256: str
    started: str
    later: tuple[str, ...] = ()


class Claim(Placed):
    """A number that the work says of itself: quoted, and never believed. An accuracy is 0 to 1.

    `quote` are the words around it, `place` where they stand ("output of cell 12", "README.md").
    """

    name: Literal["accuracy", "parameters", "epochs"]
    number: float
    quote: str
    place: str = ""


class Stated(Placed):
    """What the work states of itself in words: its target, its result, its analysis. Quoted."""

    part: Literal["target", "result", "analysis"]
    text: str
    place: str = ""


class Helped(Record):
    """How much better a step is than the one before, by its own protocol: accuracies, 0 to 1.

    `margin` is what the `difference` may be off by (95 %); `answer` says whether that is more than
    chance. `seeds` of each are needed to find such a difference in four of five attempts; None
    where that are too many.
    """

    difference: float
    margin: float
    answer: Literal["better", "worse", "within noise"]
    seeds: int | None = None


class StepRow(Record):
    """One step of a work in steps: what its own report says, and what changed on the way to it.

    `report` is the folder of its report, inside of the work's. `accuracy` (0 to 1) is by the step's
    `protocol`, the mean of `seeds` runs whose standard deviation is `spread`; `claimed` is the
    accuracy that its result states. `network` and `recipe` are what changed since the last step
    that could be graded, in words; None for the first one.
    """

    name: str
    title: str
    report: str
    verdict: Verdict
    points: float
    max_points: float
    parameters: int | None = None
    receptive_field: tuple[int, int] | None = None
    accuracy: float | None = None
    spread: float | None = None
    seeds: int = 0
    protocol: str = ""
    threshold: float | None = None
    practice: bool = False
    claimed: float | None = None
    stated: tuple[Stated, ...] = ()
    network: tuple[str, ...] | None = None
    recipe: tuple[str, ...] | None = None
    helped: Helped | None = None
    problem: str = ""


class LayerRow(Placed):
    """One row of the layer table, in execution order.

    `receptive_field` and `jump` are (rows, columns) in pixels of the image; None after global
    pooling or where it is not proven. `jump` is a whole number, or a fraction ("1/2").
    `share` is of all parameters, 0 to 1. `multiply_adds` is per image; `output_shape` is without
    the batch.
    """

    module: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    share: float
    receptive_field: tuple[int, int] | None = None
    jump: tuple[str, str] | None = None
    multiply_adds: int = 0


class EpochRow(Record):
    """One epoch of one run.

    Accuracy is counted: `correct` of `total` test images. The loss and `train_accuracy` (0 to 1)
    are means over the epoch's training images, as the network saw them (augmented) while it
    learned. `learning_rate` and `momentum` (or Adam's beta1) are those of the first parameter group
    at the epoch's last step. `seconds` includes the evaluation.
    """

    epoch: int
    train_loss: float | None
    correct: int
    total: int
    learning_rate: float
    seconds: float
    momentum: float | None = None
    train_accuracy: float | None = None


class Curve(Record):
    """What a learning rate or a momentum really was in a run, in the first parameter group.

    `first` and `last` are the values of the first and the last step, `lowest` and `highest` are
    over all of them.
    """

    first: float
    lowest: float
    highest: float
    last: float


class Counted(Record):
    """How many of so many images are recognised."""

    correct: int
    total: int


class LayerUpdate(Record):
    """How much of the first epoch's update a layer with weights has.

    `moved` is how far its weights went, divided by their size (the norm of the difference by the
    larger norm of before and after); `share` is that divided by the sum over all layers.
    """

    layer: str
    moved: float
    share: float


class ReluRow(Record):
    """A ReLU: so many `channels`, of which `dead` are zero on every image that was tried."""

    layer: str
    channels: int
    dead: int


class Calibration(Record):
    """How honest the network's confidence is, on the test images. All are shares, 0 to 1.

    `error` is the expected calibration error in 15 bins. A network whose confidence is exactly
    right would be measured at about `chance`, and the error scatters by about `deviation`: both
    come from there being only so many images. `wrong_confidence` is the mean confidence in the
    `wrong` answers that are wrong; None where none is. `confidence` is the mean over all answers,
    of which the share `right` is right.
    """

    error: float
    chance: float
    deviation: float
    confidence: float
    right: float
    wrong: int
    wrong_confidence: float | None = None


class RunQualities(Record):
    """What a finished run's network is like beyond its accuracy, as far as checks ask for it.

    `noise`, `shift` and `rotation`: test images that were changed so; `classes`: the test images of
    each class; `train`: some of the images that it learned from, not augmented. `updates` and
    `relus` are in the order in which the layers run.
    """

    noise: Counted | None = None
    shift: Counted | None = None
    rotation: Counted | None = None
    classes: tuple[Counted, ...] = ()
    calibration: Calibration | None = None
    train: Counted | None = None
    updates: tuple[LayerUpdate, ...] = ()
    relus: tuple[ReluRow, ...] = ()


class Pace(Record):
    """How long the network computes an image, in batches of `batch`, on one thread of the CPU.

    `microseconds` and `yardstick` are of the fastest turn: the network's, and that of a small
    network that is the same for everybody, timed in turns. `ratio` is the one by the other; half of
    all turns came to a ratio between `low` and `high`.
    """

    batch: int
    microseconds: float
    yardstick: float
    ratio: float
    low: float
    high: float


class Inference(Record):
    """What one image costs the network; `pace` is empty where it was too slow to be timed."""

    multiply_adds: int
    pace: tuple[Pace, ...] = ()


class RunRow(Record):
    """One seed's training. `seconds` is training and evaluation alone, the device synchronised.

    `seconds_to_99` is how many of these seconds had gone by after the first epoch with a test
    accuracy of at least 99 %; None where there was none. `images_per_second` counts training images
    and seconds of training alone. `device`, `engine` ("eager, channels last") and `side_by_side`
    (how many runs shared the device at the time) say how it was computed; `preparation_seconds`
    went by before the first step, and are not in `seconds`. `dimmed` and `noisy` are how many test
    images the finished network recognises when all are one grey level darker, and when each pixel
    is up to two levels darker or brighter; None where the run was not finished. `qualities` is
    there where a check asks for more than accuracy.
    """

    seed: int
    epochs: tuple[EpochRow, ...]
    seconds: float
    images_per_second: float
    finished: bool
    stopped_because: str = ""
    parameters_moved: bool = True
    seconds_to_99: float | None = None
    learning_rate: Curve | None = None
    momentum: Curve | None = None
    device: str = ""
    engine: str = ""
    side_by_side: int = 1
    preparation_seconds: float = 0.0
    dimmed: int | None = None
    noisy: int | None = None
    qualities: RunQualities | None = None


class Picture(Record):
    """A small image: a hexadecimal digit for each pixel, row by row; 0 is black, f is white."""

    columns: int = Field(ge=1, le=64)
    pixels: str = Field(pattern="^[0-9a-f]*$", max_length=4_096)


class Mistake(Record):
    """A test image that is not recognised: its position in the test set, and what was thought.

    It is one of class `label` and was `taken` for another; `sure` and `of_label` are the shares (0
    to 1, of the softmax) that the network gave to the two.
    """

    position: int
    label: int
    taken: int
    sure: float
    of_label: float
    picture: Picture


class Training(Record):
    """All runs of a submission and what they came to.

    `best`, `last` and `last_3` are accuracies (0 to 1): the best epoch, the last one, and the mean
    of the last three, each averaged over the runs. `score` is the one that the assignment's
    `protocol` names. `interval` is a 95 % interval for the mean over training runs (see
    docs/fairness.md); `practice` is True where the images were not those of the assignment,
    `graded_on` the data set that they stood in for. `feedback` says what a plateau rule or an early
    stop of the recipe read after each epoch, and on which images; it is empty for other recipes.
    `train_images` counts those that the networks learned from: none that were held back.
    `confusion` counts test images by label (row) and prediction (column), `wrong` lists those that
    are not recognised by their position in the test set (from 0): both after the last epoch of the
    last run that finished one. `mistakes` are a few of these, the surest first. `peak_memory_bytes`
    is the GPU's, or on a CPU that of the training process, torch included. `dimmed` and `noisy` are
    accuracies (0 to 1) after the last epoch on test images that are a shade different (see
    `RunRow`), averaged over the runs that have them.
    """

    dataset: str
    practice: bool
    train_images: int
    test_images: int
    protocol: str
    threshold: float
    runs: tuple[RunRow, ...]
    best: float | None
    last: float | None
    last_3: float | None
    score: float | None
    interval: tuple[float, float] | None = None
    confusion: tuple[tuple[int, ...], ...] = ()
    wrong: tuple[int, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    device: str = ""
    peak_memory_bytes: int | None = None
    feedback: str = ""
    graded_on: str = "MNIST"
    dimmed: float | None = None
    noisy: float | None = None


class Excerpt(Record):
    """Some lines of what was handed in, as they were; the first has the number `first` (from 1).

    In a notebook they are lines of the code cell `cell`; in a folder, of `file`.
    """

    first: int
    lines: tuple[str, ...]
    cell: int | None = None
    file: str = ""


class Environment(Record):
    """Where this was measured: what a lab note needs.

    `isolation` is the level that student code ran at, `isolation_reason` why it was not a higher
    one.
    """

    grader: str
    python: str
    torch: str
    torchvision: str
    platform: str
    processor: str
    cores: int
    device: str
    isolation: str
    isolation_reason: str = ""


class Report(Record):
    """Everything about one graded submission.

    `submission` names the folder in grades/, `display_name` the person or the file to people (empty
    in older reports: then it is `submission`). `dataset_choice` is what the user asked for: "auto",
    "own", or a name. `last_trained` is there where this report is not of a trained grading, and an
    earlier one is.

    `analysis` is the JSON of `grader analyse` (see `grader.analysis.summary`) without what the
    report has elsewhere (`IN_REPORT`; `whole_analysis` puts it back), None where capture failed.
    `seconds` is by stage: capture, analysis, training (all its runs). `quick_look`
    names why this is not a graded run (fewer epochs than the recipe's, say), or is empty.
    `interrupted`: Ctrl-C ended the training. `key` says what was graded, how, and that this grader
    wrote it (see `grader.storage.seal`); empty in a report that was not kept. `self_check`: the
    student's own process asked (see `grader.command.self_check`), so it is never a grade.
    `excerpts` are the lines that hints are about, with those around them; `sample` is an image of
    the data set. `stated` is what the work says of itself in words. `inference` is there where a
    check asks how fast the network is.

    `step` names the step that this report is on, in an assignment in steps. The report on the whole
    work has `steps`, one check for each, and is for the rest that of the last step.
    """

    schema_version: Literal[3] = REPORT_VERSION
    submission: str
    path: str
    sha256: str
    assignment: str
    assignment_title: str
    verdict: Verdict
    points: float
    max_points: float
    checks: tuple[CheckResult, ...]
    problem: Problem | None = None
    layers: tuple[LayerRow, ...] = ()
    analysis: dict[str, Any] | None = None
    recipe: RecipeReport | None = None
    claims: tuple[Claim, ...] = ()
    training: Training | None = None
    left_out: tuple[Hint, ...] = ()
    flags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    quick_look: str = ""
    interrupted: bool = False
    environment: Environment
    seconds: dict[str, float] = Field(default_factory=dict)
    started: str
    display_name: str = ""
    dataset_choice: str = "auto"
    last_trained: LastTrained | None = None
    key: str = ""
    self_check: bool = False
    excerpts: tuple[Excerpt, ...] = ()
    sample: Picture | None = None
    stated: tuple[Stated, ...] = ()
    step: str = ""
    steps: tuple[StepRow, ...] = ()
    inference: Inference | None = None


IN_REPORT: Final = ("layers", "flags", "notes", "left_out")
"""What a report says itself, and its analysis does not say again."""


def whole_analysis(report: Report) -> dict[str, Any] | None:
    """The analysis as `model_analysis_results.json` holds it; None where capture failed."""
    if report.analysis is None:
        return None
    return report.analysis | report.model_dump(mode="json", include=set(IN_REPORT))


def read(text: str | bytes) -> Report:
    """A Report from its JSON, also one of an older version. Raises pydantic.ValidationError."""
    try:
        return Report.model_validate_json(text)
    except ValidationError:
        older = _older(text)
        if older is None:
            raise
        return Report.model_validate_json(json.dumps(older))


def _older(text: str | bytes) -> dict[str, Any] | None:
    """A report of an older version in today's words; None for anything else."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    version = value.get("schema_version") if isinstance(value, dict) else None
    if version == 1:
        value, version = _of_version_1(value), 2
    return _of_version_2(value) if version == 2 else None


def _of_version_1(value: dict[str, Any]) -> dict[str, Any]:
    """A report of version 1 in the words of version 2.

    That version had no "unknown": a check was "skipped" and its detail began with `COULD_NOT_TELL`;
    a submission was "skipped" for this one reason, and "passed" also where it was only so far.
    """
    checks = value.get("checks")
    if isinstance(checks, list):
        checks = [_upgraded_check(item) for item in checks]
    verdict = value.get("verdict")
    if verdict == "skipped":
        verdict = "unknown"
    if verdict == "passed" and (value.get("interrupted") or _has_open_check(checks)):
        verdict = "passed_so_far"
    return {**value, "checks": checks, "verdict": verdict}


def _upgraded_check(item: Any) -> Any:
    detail = str(item.get("detail", "")) if isinstance(item, dict) else ""
    if not detail.startswith(COULD_NOT_TELL):
        return item
    return {**item, "verdict": "unknown", "detail": detail.removeprefix(COULD_NOT_TELL)}


def _has_open_check(checks: Any) -> bool:
    if not isinstance(checks, list):
        return False
    found = [item for item in checks if isinstance(item, dict) and item.get("required")]
    return any(item.get("verdict") == "skipped" for item in found)


def _of_version_2(value: dict[str, Any]) -> dict[str, Any]:
    """A report of version 2 in today's words.

    There a check's `limit` was the sentence that is `asked` today, and no number; the analysis
    repeated what the report has itself, and had the learning rate of every step.
    """
    checks, analysis = value.get("checks"), value.get("analysis")
    if isinstance(checks, list):
        checks = [_renamed(item) for item in checks]
    if isinstance(analysis, dict):
        analysis = {name: item for name, item in analysis.items() if name not in IN_REPORT}
        for holder, name in (("recipe", "schedule"), ("receptive_field", "layers")):
            if isinstance(analysis.get(holder), dict):
                analysis[holder] = {**analysis[holder]}
                analysis[holder].pop(name, None)
    return {**value, "schema_version": REPORT_VERSION, "checks": checks, "analysis": analysis}


def _renamed(item: Any) -> Any:
    if not isinstance(item, dict) or "limit" not in item:
        return item
    renamed = {"limit": "asked"}
    return {renamed.get(name, name): field for name, field in item.items()}


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a report as it is written: no field is left out."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Report.model_json_schema(mode="serialization"),
    }


def write_schema(path: Path) -> None:
    """Write `schema()` to `path` (`schema/report.schema.json`), creating its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
