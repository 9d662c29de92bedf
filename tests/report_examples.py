"""Reports that look like real ones: invented numbers, real shapes. For the tests of all outputs."""

from __future__ import annotations

import hashlib
import json
from itertools import product
from typing import Any

from grader.render import figures
from grader.report import (
    CheckResult,
    Curve,
    Environment,
    EpochRow,
    Excerpt,
    Hint,
    LastTrained,
    LayerRow,
    Mistake,
    Picture,
    Problem,
    RecipeFact,
    RecipeReport,
    Report,
    RunRow,
    Training,
    Verdict,
)

HERE = Environment(
    grader="0.1.0",
    python="3.12.4",
    torch="2.11.0",
    torchvision="0.26.0",
    platform="Linux x86_64",
    processor="AMD EPYC 7B13",
    cores=2,
    device="cpu",
    isolation="2 self-locked",
)

CLIMB = (9731, 9838, 9866, 9889, 9871, 9902, 9911, 9908, 9921, 9925, 9934, 9931, 9942, 9940, 9944)
"""Correct of 10,000 after each epoch: over 99.4 % from epoch 13 on; the last three: 99.42 %."""

LAYERS = (
    LayerRow(
        module="conv1",
        kind="Conv2d",
        output_shape=(8, 28, 28),
        parameters=80,
        share=80 / 6260,
        receptive_field=(3, 3),
        jump=("1", "1"),
        multiply_adds=62_720,
        line=14,
    ),
    LayerRow(
        module="bn1",
        kind="BatchNorm2d",
        output_shape=(8, 28, 28),
        parameters=16,
        share=16 / 6260,
        receptive_field=(3, 3),
        jump=("1", "1"),
        multiply_adds=0,
        line=15,
    ),
    LayerRow(
        module="conv2",
        kind="Conv2d",
        output_shape=(10, 28, 28),
        parameters=730,
        share=730 / 6260,
        receptive_field=(5, 5),
        jump=("1", "1"),
        multiply_adds=572_320,
        line=16,
    ),
    LayerRow(
        module="pool1",
        kind="MaxPool2d",
        output_shape=(10, 14, 14),
        parameters=0,
        share=0,
        receptive_field=(6, 6),
        jump=("2", "2"),
        line=18,
    ),
    LayerRow(
        module="blocks.2.depthwise_separable.conv",
        kind="Conv2d",
        output_shape=(12, 14, 14),
        parameters=1092,
        share=1092 / 6260,
        receptive_field=(10, 10),
        jump=("2", "2"),
        multiply_adds=214_032,
        line=19,
    ),
    LayerRow(
        module="conv5",
        kind="Conv2d",
        output_shape=(16, 7, 7),
        parameters=2320,
        share=2320 / 6260,
        receptive_field=(28, 28),
        jump=("4", "4"),
        multiply_adds=113_680,
        line=26,
    ),
    LayerRow(
        module="gap",
        kind="AdaptiveAvgPool2d",
        output_shape=(10, 1, 1),
        parameters=0,
        share=0,
        line=30,
    ),
    LayerRow(
        module="forward", kind="log_softmax", output_shape=(10,), parameters=0, share=0, line=44
    ),
)

ANALYSIS = {
    "schema_version": 2,
    "total_parameters": 6260,
    "multiply_adds": 962_752,
    "head": ["gap", "conv"],
}


def check(name: str, title: str, verdict: Verdict = Verdict.PASSED, **more: object) -> CheckResult:
    facts = {
        "required": True,
        "points": 10 if verdict is Verdict.PASSED else 0,
        "max_points": 10,
        **more,
    }
    return CheckResult(name=name, title=title, verdict=verdict, **facts)


STATIC = (
    check(
        "parameter_limit",
        "The model is small enough.",
        measured="6,260",
        asked="<= 8,000",
        value=6260,
        relation="<=",
        limit=8000,
        unit="parameters",
        points=20,
        max_points=20,
    ),
    check(
        "batch_normalization",
        "The model normalises its activations.",
        measured="5 layers",
        asked="at least 1",
    ),
    check(
        "global_average_pooling", "The head averages each feature map.", measured="GAP", asked="GAP"
    ),
    check(
        "receptive_field",
        "The last feature map sees the whole image.",
        measured="28",
        asked=">= 28",
        value=28,
        relation=">=",
        limit=28,
        unit="pixels",
    ),
    check(
        "samples_independent",
        "Each image is judged on its own.",
        measured="difference 0",
        asked="<= 1e-5",
    ),
)


def confusion(*mistakes: tuple[int, int, int], each: int = 990) -> tuple[tuple[int, ...], ...]:
    """`each` right of every digit, and (images, label, taken for) of `mistakes`."""
    table = [[0] * 10 for _ in range(10)]
    for digit in range(10):
        table[digit][digit] = each
    for images, label, taken in mistakes:
        table[label][taken] = images
    return tuple(map(tuple, table))


def drawn(hole: int = 5) -> Picture:
    """A ring, as a picture: some ink around a `hole` of so many pixels across."""
    greys = ""
    for row, column in product(range(28), range(28)):
        distance = ((row - 13.5) ** 2 + (column - 13.5) ** 2) ** 0.5
        ink = max(0.0, 1 - abs(distance - hole) / 3)
        greys += f"{round(15 * ink):x}"
    return Picture(columns=28, pixels=greys)


MISTAKES = tuple(
    Mistake(
        position=18 + 180 * place,
        label=label,
        taken=taken,
        sure=sure,
        of_label=round(0.98 - sure, 4),
        picture=drawn(4 + place),
    )
    for place, (label, taken, sure) in enumerate(
        [(4, 9, 0.97), (9, 4, 0.91), (5, 3, 0.64), (7, 2, 0.5), (0, 6, 0.4999)]
    )
)


def run(
    correct: tuple[int, ...] = CLIMB, *, seed: int = 1, total: int = 10_000, finished: bool = True
) -> RunRow:
    epochs = tuple(
        EpochRow(
            epoch=number,
            train_loss=0.4 / number,
            correct=right,
            total=total,
            learning_rate=0.05 / number,
            seconds=13.5,
            momentum=0.9,
            train_accuracy=1 - 0.2 / number,
        )
        for number, right in enumerate(correct, 1)
    )
    stopped = "" if finished else "Ctrl-C"
    fast = next((row.epoch for row in epochs if row.correct >= 0.99 * total), None)
    rate = momentum = None
    if correct:
        rate = Curve(first=0.004, lowest=0.004, highest=0.05, last=0.05 / len(correct))
        momentum = Curve(first=0.9, lowest=0.9, highest=0.9, last=0.9)
    return RunRow(
        seed=seed,
        epochs=epochs,
        seconds=13.5 * len(correct),
        images_per_second=4444.4,
        finished=finished,
        stopped_because=stopped,
        seconds_to_99=fast and 13.5 * fast,
        learning_rate=rate,
        momentum=momentum,
        engine="machine code, AVX-512",
    )


def training(
    *runs: RunRow, practice: bool = False, protocol: str = "mean_last_3", **more: object
) -> Training:
    runs = runs or (run(),)
    rates = [figures.accuracies(one) for one in runs]
    means = {
        "best": sum(max(rate) for rate in rates) / len(rates),
        "last": sum(rate[-1] for rate in rates) / len(rates),
        "mean_last_3": sum(sum(rate[-3:]) / 3 for rate in rates) / len(rates),
    }
    facts = {
        "dataset": "practice digits" if practice else "MNIST",
        "practice": practice,
        "train_images": 1437 if practice else 60_000,
        "test_images": 360 if practice else 10_000,
        "protocol": protocol,
        "threshold": 0.994,
        "runs": runs,
        "score": means.get(protocol),
        "interval": (0.99362, 0.99478),
        "device": "cpu",
        "peak_memory_bytes": 812_000_000,
        "confusion": confusion((7, 4, 9), (5, 9, 4), (5, 7, 2), (3, 3, 5)),
        "wrong": tuple(range(18, 9_999, 180)),
        "mistakes": MISTAKES,
        "best": means["best"],
        "last": means["last"],
        "last_3": means["mean_last_3"],
        **more,
    }
    return Training(**facts)


def report(**more: object) -> Report:
    facts = {
        "submission": "alice",
        "path": "assignments/mnist_8k/submissions/alice.py",
        "sha256": "0" * 64,
        "assignment": "mnist_8k",
        "assignment_title": "MNIST under 8,000 parameters",
        "verdict": Verdict.PASSED,
        "points": 100,
        "max_points": 100,
        "checks": STATIC,
        "environment": HERE,
        "seconds": {"capture": 4.12, "analysis": 0.21},
        "started": "2026-01-15T10:42:07+00:00",
        **more,
    }
    return Report(**facts)


def passed() -> Report:
    dropout = check(
        "dropout",
        "Dropout is active while training, and only then.",
        Verdict.FAILED,
        required=False,
        points=0,
        max_points=0,
        measured="none",
        asked="p > 0",
        detail="Not required here; the published model found dropout harmful.",
    )
    accuracy = check(
        "accuracy",
        "The model reads enough digits.",
        measured="99.42 %",
        asked=">= 99.40 %",
        value=0.9942,
        relation=">=",
        limit=0.994,
        unit="fraction",
        points=40,
        max_points=40,
    )
    return report(
        checks=(*STATIC, dropout, accuracy),
        layers=LAYERS,
        analysis=ANALYSIS,
        sample=drawn(7),
        training=training(),
        seconds={"capture": 4.12, "analysis": 0.21, "training": 202.5},
        left_out=(
            Hint(text="for epoch in range(EPOCHS): train(...)", line=61),
            Hint(text="plt.show()", line=70),
        ),
    )


def failed() -> Report:
    too_large = check(
        "parameter_limit",
        "The model is small enough.",
        Verdict.FAILED,
        measured="26,202",
        asked="< 20,000",
        value=26_202,
        relation="<",
        limit=20_000,
        unit="parameters",
        max_points=20,
        detail="26,202 trainable parameters; the limit is 20,000.\n"
        "The convolutions 3 to 5 hold 88 %.",
        hints=(
            Hint(text="conv4 alone has 9,248: try 24 channels in place of 32.", line=21),
            Hint(text="A 1×1 convolution between them narrows the channels cheaply."),
        ),
    )
    dropout = check(
        "dropout",
        "Dropout is active while training, and only then.",
        Verdict.FAILED,
        measured="declared, never called",
        asked="p > 0",
        detail="self.drop is built in __init__, but forward() never calls it.",
        hints=(Hint(text="Call it: x = self.drop(x).", line=12),),
    )
    behaviour = check(
        "same_network",
        "Evaluation runs the network that was trained.",
        Verdict.BROKEN,
        detail="The check itself raised KeyError: 'bn4'.",
    )
    skipped = check(
        "accuracy",
        "The model reads enough digits.",
        Verdict.SKIPPED,
        asked=">= 99.40 %",
        max_points=40,
        detail="Not trained, because a required check failed (--train-anyway trains it).",
    )
    return report(
        submission="model_a",
        path="assignments/mnist_20k/submissions/model_a.py",
        assignment="mnist_20k",
        assignment_title="MNIST under 20,000 parameters",
        verdict=Verdict.FAILED,
        points=30,
        checks=(too_large, *STATIC[1:4], dropout, behaviour, skipped),
        layers=LAYERS,
        analysis={**ANALYSIS, "total_parameters": 26_202},
        flags=("The weights before training are not random: accuracy before training is 97.1 %.",),
    )


def uncaptured() -> Report:
    message = (
        "model.py defines Encoder and Decoder, and both could be the network to grade.\n"
        "The grader builds one network per file. "
        "Write MODEL = Encoder (or Decoder) at the top level of the file."
    )
    return report(
        submission="bob",
        path="assignments/mnist_8k/submissions/bob.py",
        verdict=Verdict.FAILED,
        points=0,
        checks=(),
        problem=Problem(fault="submission", message=message, line=40),
    )


def broken() -> Report:
    problem = Problem(
        fault="grader",
        message="The capture process could not start: no memory limit can be set here.",
    )
    return report(submission="carol", verdict=Verdict.BROKEN, points=0, checks=(), problem=problem)


def practice() -> Report:
    skipped = check(
        "accuracy",
        "The model reads enough digits.",
        Verdict.SKIPPED,
        asked=">= 99.40 %",
        max_points=40,
        detail="Practice digits are not MNIST.",
    )
    digits = run((201, 290, 322, 331, 340, 347, 344, 350, 351, 352), total=360)
    return report(
        verdict=Verdict.PASSED_SO_FAR,
        points=60,
        checks=(*STATIC, skipped),
        layers=LAYERS,
        analysis=ANALYSIS,
        training=training(digits, practice=True, interval=None),
        quick_look="10 epochs in place of the recipe's 15 (--epochs 10).",
    )


def borderline() -> Report:
    accuracy = check(
        "accuracy",
        "The model reads enough digits.",
        Verdict.BORDERLINE,
        measured="99.40 % ± 0.06",
        asked=">= 99.40 %",
        max_points=40,
        detail="Three seeds do not tell on which side of 99.40 % this recipe lies.",
        hints=(Hint(text="More seeds narrow the interval: --seeds 10."),),
    )
    runs = (
        run(),
        run(tuple(right - 7 for right in CLIMB), seed=2),
        run(tuple(right - 2 for right in CLIMB), seed=3),
    )
    return report(
        verdict=Verdict.BORDERLINE,
        points=60,
        checks=(*STATIC, accuracy),
        layers=LAYERS,
        analysis=ANALYSIS,
        training=training(*runs),
    )


def unknown() -> Report:
    field = check(
        "receptive_field",
        "The last feature map sees the whole image.",
        Verdict.UNKNOWN,
        measured="28",
        asked=">= 28",
        value=28,
        relation=">=",
        limit=28,
        unit="pixels",
        detail="torch.sort moves pixels by their values: what one unit sees is not fixed.",
        hints=(Hint(text="Leave the sort out, and the receptive field can be proven.", line=33),),
    )
    dropout = check(
        "dropout",
        "Dropout is active while training, and only then.",
        Verdict.UNKNOWN,
        required=False,
        points=0,
        max_points=0,
        detail="A network that sorts its input hides what depends on what.",
    )
    accuracy = check(
        "accuracy",
        "The model reads enough digits.",
        measured="99.42 %",
        asked=">= 99.40 %",
        value=0.9942,
        relation=">=",
        limit=0.994,
        unit="fraction",
        points=40,
        max_points=40,
    )
    return report(
        submission="dora",
        path="assignments/mnist_8k/submissions/dora.py",
        verdict=Verdict.UNKNOWN,
        points=90,
        checks=(*STATIC[:3], field, STATIC[4], dropout, accuracy),
        analysis=ANALYSIS,
        training=training(),
        notes=("shared weights, counted once: conv1.weight = conv2.weight",),
    )


def edited() -> Report:
    """A look at a file that was trained three versions ago; its name is for people to read."""
    skipped = check(
        "accuracy",
        "The model reads enough digits.",
        Verdict.SKIPPED,
        asked=">= 99.40 %",
        max_points=40,
        detail="static checks only (--static)",
    )
    earlier = LastTrained(
        verdict=Verdict.FAILED,
        score=0.9496,
        threshold=0.994,
        points=60,
        max_points=100,
        sha256="1" * 64,
        started="2025-11-28T10:42:07+00:00",
        later=("2" * 12, "3" * 12, "0" * 12),
    )
    return report(
        submission="Jose-Mar-a-0123456789ab",
        display_name="José María",
        path="assignments/mnist_8k/submissions/José María_98765_assignsubmission_file/model.py",
        verdict=Verdict.PASSED_SO_FAR,
        points=60,
        checks=(*STATIC, skipped),
        quick_look="static checks only (--static)",
        last_trained=earlier,
    )


def mistaken() -> Report:
    """The instructor's mistake."""
    problem = Problem(
        fault="assignment",
        message="assignments/mnist_8k/assignment.toml has a mistake:\n"
        "  recipe.optimizer.settings.learning_rate is not a known key; known: lr, momentum.",
    )
    return report(submission="erin", verdict=Verdict.BROKEN, points=0, checks=(), problem=problem)


ALL = (passed, failed, uncaptured, broken, practice, borderline, unknown, edited, mistaken)


MODEL = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 80, 3)
        self.drop = nn.Dropout(0.05)
        self.head = nn.Conv2d(80, 10, 3)

    def forward(self, x):
        x = self.conv1(x)
        x = self.conv2(x)
        return self.head(x).mean((2, 3))
"""
"""What `MODEL_PATH` has to hold so that its lines are quoted."""

MODEL_PATH = "model.py"

REHEARSED = RecipeReport(
    origin="rehearsed",
    facts=(
        RecipeFact(name="epochs", text="15 epochs of 469 steps", line=3, cell=6),
        RecipeFact(name="optimizer", text="SGD, lr 0.05, momentum 0.9", line=1, cell=6),
        RecipeFact(name="schedule", text="StepLR stepped once per epoch", line=2, cell=6),
    ),
    differences=(Hint(text="Batches are drawn in another order.", line=9, cell=2),),
    rates=(0.05,) * 6 + (0.005,) * 9,
)


def quoted() -> Report:
    """Three checks that failed, of a file that is at hand."""
    large = check(
        "parameter_limit",
        "The network is small enough.",
        Verdict.FAILED,
        measured="30,730 parameters",
        asked="< 20,000",
        value=30_730,
        relation="<",
        limit=20_000,
        unit="parameters",
        max_points=20,
        detail="30,730 parameters; 10,731 too many for the limit of < 20,000.",
        hints=(Hint(text="conv2 holds 23,120 of them: try 40 channels in place of 80.", line=9),),
    )
    dropout = check(
        "dropout",
        "Dropout is used in training and off in evaluation.",
        Verdict.FAILED,
        measured="0 layers",
        asked="at least 1",
        detail="no Dropout layer with p > 0 has an effect on the output",
        hints=(Hint(text="self.drop is made here and never called.", line=10),),
    )
    pooling = check(
        "gap",
        "Global average pooling ends the network.",
        Verdict.FAILED,
        measured="mean",
        asked="GAP",
        detail="the network ends in a mean of a map that is cut",
        hints=(Hint(text="The mean leaves out a border.", line=16),),
    )
    skipped = check(
        "accuracy",
        "The network is accurate enough on the test images.",
        Verdict.SKIPPED,
        asked=">= 99.40 %",
        max_points=40,
        detail="static checks only (--static)",
    )
    return report(
        submission="model",
        path=MODEL_PATH,
        sha256=hashlib.sha256(MODEL.encode()).hexdigest(),
        verdict=Verdict.FAILED,
        points=30,
        checks=(large, *STATIC[1:4], dropout, pooling, skipped),
        layers=LAYERS,
        analysis=ANALYSIS,
        quick_look="static checks only (--static)",
        excerpts=(
            Excerpt(first=7, lines=tuple(MODEL.splitlines()[6:12])),
            Excerpt(first=14, lines=tuple(MODEL.splitlines()[13:16])),
        ),
    )


def rehearsed() -> Report:
    """A notebook whose own training passed; one hint has its place in a cell."""
    seen = check(
        "receptive_field",
        "One unit of the last feature map sees enough of the image.",
        Verdict.FAILED,
        measured="24 × 24 pixels",
        asked=">= 28",
        detail="24 pixels; 28 are needed to see the whole digit.",
        hints=(Hint(text="The last feature map is made here.", line=12, cell=4),),
    )
    lines = (
        "    def forward(self, x):",
        "        x = self.pool(self.conv3(x))",
        "        return x",
    )
    return report(
        submission="my_notebook",
        path="my_notebook.ipynb",
        verdict=Verdict.FAILED,
        points=90,
        checks=(*STATIC[:3], seen, *STATIC[4:]),
        recipe=REHEARSED,
        training=training(),
        excerpts=(Excerpt(first=11, lines=lines, cell=4),),
    )


def obstructed() -> Report:
    """A training that could not be followed: the assignment's recipe took its place."""
    recipe = RecipeReport(
        origin="assignment",
        facts=(RecipeFact(name="epochs", text="15 epochs of 469 steps"),),
        obstacles=(
            Hint(text="The learning rate is set by a rule that reads the test images.", line=57),
            Hint(text="A second optimizer steps the same weights.", line=61),
        ),
    )
    return report(path="train.py", submission="train", recipe=recipe, training=training())


def everything_failed() -> Report:
    """As many required checks as an assignment has, and none passed."""
    checks = tuple(
        check(
            f"check_{number}",
            f"Whatever check {number} asks for is there.",
            Verdict.FAILED,
            measured="nothing",
            asked="at least 1",
            detail=f"check {number} found nothing of it, which it needs to go on",
            hints=(Hint(text=f"Line {number} is where it belongs.", line=number),),
        )
        for number in range(1, 12)
    )
    return report(verdict=Verdict.FAILED, points=0, checks=checks)


CARDS = (*ALL, quoted, rehearsed, obstructed, everything_failed)
"""What a short scorecard may have to show."""


def of_version_2(one: Report) -> dict[str, Any]:
    """As the version before this one wrote it: sentences as limits, and layers in the analysis."""
    document = json.loads(one.model_dump_json()) | {"schema_version": 2}
    for item in document["checks"]:
        for name in ("value", "relation", "limit", "unit"):
            del item[name]
        item["limit"] = item.pop("asked")
    document["analysis"] = document["analysis"] or {}
    document["analysis"] |= {"layers": [], "flags": ["a"], "notes": [], "left_out": []}
    document["analysis"]["recipe"] = {"epochs": 15, "schedule": {"learning_rate": [[]]}}
    return document
