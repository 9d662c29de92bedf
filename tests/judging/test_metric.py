"""A recipe reads its metric on images held back from training, or on test images where asked."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from grader import assignment, network
from grader.capture import capture as child
from grader.capture import recipe as recipes
from grader.capture.load import read_definitions
from grader.errors import SubmissionError
from grader.intake import intake
from grader.intake.intake import capture
from grader.judging import metric, trial
from grader.judging.judge import Judge
from grader.program.program import Captured
from grader.program.request import Request
from grader.training.data import validation
from grader.training.engine import loop
from grader.training.records import INTERRUPTED, Feedback, TrainingRun
from grader.training.run import train_seeds as train_here
from tests.capture.sources import FILE, net, text
from tests.training.engine.test_loop import EPOCHS, PLATEAU, SEED, images, program, values

ASSIGNMENT = assignment.load(Path(__file__).parents[2] / "assignments" / "mnist_8k")
ON_TEST = ASSIGNMENT.model_copy(update={"metric_images": "test"})
IMAGES = images()  # 40 to train on, of which one in twelve is held back: 3; 12 to be tested on
HELD_BACK = validation(IMAGES.train_labels, 3)
TEST_LABELS = np.arange(12) % 10
MNIST = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
"""Training images of each digit."""


@dataclass
class Heard:
    """Stands in for the training processes; keeps what training was given and what it was told."""

    data: Any = None
    told: list[Feedback | None] = field(default_factory=list)

    def __enter__(self):
        self.told = []
        return self

    def __exit__(self, *_):
        pass

    def run(self, task, values):
        def hear(seed, epoch):
            self.told.append(task.after_epoch(seed, epoch))
            return self.told[-1]

        self.data = task.data
        return train_here(dataclasses.replace(task, after_epoch=hear), values)


class Silent:
    """A display that shows nothing."""

    def start(self, *_): ...
    def step(self, *_): ...
    def epoch(self, *_): ...


@pytest.fixture
def crew():
    return Heard()


def captured(**recipe):
    return Captured(program(**recipe).model_copy(update={"seeds": (SEED,)}), {SEED: values()})


def tried(crew, asked=ASSIGNMENT, labels=TEST_LABELS, **recipe):
    facts = {"trainer": crew, "device": torch.device("cpu"), "seeds": 1, "progress": Silent()}
    return trial.conduct(captured(**recipe), asked, IMAGES, Judge(labels), **facts)


# Which images


def digits(counts):
    """Labels, so many of each, in random order."""
    return np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))


def test_5_000_of_mnists_training_images_are_held_back():
    assert ASSIGNMENT.validation_images(60_000) == 5_000
    assert validation(digits(MNIST), 5_000).sum() == 5_000


def test_one_practice_image_in_twelve_is_held_back():
    assert ASSIGNMENT.validation_images(1_442) == 120


@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=10).filter(lambda counts: sum(counts) >= 12)
)
def test_every_class_has_its_share_to_within_one_image(counts):
    labels = digits(counts)
    total = len(labels) // 12
    held_back = Counter(labels[validation(labels, total)].tolist())
    assert sum(held_back.values()) == total
    for digit, count in enumerate(counts):
        assert abs(held_back[digit] - count * total / len(labels)) < 1


def test_the_split_is_the_same_for_everyone():
    chosen = np.flatnonzero(validation(np.arange(60_000) % 10, 5_000))
    assert chosen[:6].tolist() == [27, 31, 33, 47, 99, 102]
    assert hashlib.sha256(chosen.astype("<i8").tobytes()).hexdigest().startswith("098b12635a7a776f")


def test_the_split_does_not_follow_the_order_of_the_file():
    chosen = np.flatnonzero(validation(np.zeros(60_000, dtype=np.int64), 5_000))
    assert len(set(np.diff(chosen).tolist())) > 20


# What the recipe is recorded for


def recorded(source, **more):
    torch.manual_seed(0)
    default = ASSIGNMENT.recipe.model_dump(mode="json")
    return recipes.read(
        read_definitions(text(net() + source), FILE),
        torch.nn.Linear(3, 2),
        default=default,
        train_images=60_000,
        validation_images=5_000, most_steps=225_000, natural_loss="cross_entropy", **more,
    )  # fmt: skip


PLATEAU_SOURCE = """
def configure_optimizers(model, steps_per_epoch, epochs):
    optimizer = torch.optim.SGD(model.parameters(), lr=steps_per_epoch / 1000)
    return optimizer, torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
"""


def test_a_plateau_rules_recipe_is_recorded_for_55_000_images():
    found = recorded(PLATEAU_SOURCE)
    assert found.steps_per_epoch == 430  # 55,000 / 128 = 429.7
    assert sum(run.steps for run in found.schedule.learning_rate[0]) == 15 * 430


def test_configure_optimizers_is_told_the_steps_that_are_really_taken():
    assert recorded(PLATEAU_SOURCE).schedule.learning_rate[0][0].value == 0.430


def test_a_recipe_that_stops_at_an_accuracy_is_recorded_for_55_000_images():
    found = recorded("STOP_AT_ACCURACY = 0.995\n")
    assert found.steps_per_epoch == 430
    assert sum(run.steps for run in found.schedule.learning_rate[0]) == 15 * 430


def test_any_other_recipe_is_recorded_for_all_60_000():
    assert recorded("").steps_per_epoch == 469


@dataclass(frozen=True)
class Here:
    """A sandbox in this process: its files are ours. `forged` changes what the child is asked."""

    forged: tuple[tuple[str, int], ...] = ()
    isolation: Any = None

    def run(self, request, _limits, **_):
        return tuple(child.answer(Request.model_validate({**request, **dict(self.forged)})))


NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 28)

    def forward(self, x):
        return self.conv(x).flatten(1)
"""


def asked(source, assignment=ASSIGNMENT, **forged):
    class Level:
        name = "here"

    sandbox = Here(tuple(forged.items()), Level)
    found = capture(
        source.encode(), FILE, assignment, train_images=60_000, seeds=(0,), sandbox=sandbox
    )
    return found.program.recipe.steps_per_epoch


def test_the_assignment_decides_how_many_images_are_asked_for():
    assert asked(NET + PLATEAU_SOURCE) == 430
    assert asked(NET + PLATEAU_SOURCE, ON_TEST) == 469
    assert asked(NET) == asked(NET, ON_TEST) == 469


@pytest.mark.parametrize("source", [PLATEAU_SOURCE, "STOP_AT_ACCURACY = 0.9\n"])
@pytest.mark.parametrize("number", [0, 6_000])
def test_a_child_that_counts_other_images_is_refused(source, number):
    with pytest.raises(SubmissionError, match="does not belong to this assignment"):
        asked(NET + source, validation_images=number)


COUNTED = [
    ({"images": 50_000}, 391),
    ({"images": 50_000, "drop_last": True}, 390),
    ({"images": 50_000, "plateau": PLATEAU}, 391),  # the 5,000 are others
    ({"images": 58_000, "plateau": PLATEAU}, 430),  # of which 55,000 are left
    ({"drop_last": True}, 468),
    ({"patience": {"monitor": "loss", "epochs": 2}}, 430),
    ({"patience": {"monitor": "train_loss", "epochs": 2}}, 469),
    ({"stop_at_accuracy": 0.9, "stop_monitor": "train_accuracy"}, 469),
]


@pytest.mark.parametrize(("fields", "steps"), COUNTED)
def test_the_steps_of_an_epoch_are_counted_again(fields, steps):
    for claimed in (steps - 1, steps, steps + 1):
        schedule = {"learning_rate": [[{"value": 0.1, "steps": claimed}]]}
        asked = {"epochs": 1, "batch_size": 128, "steps_per_epoch": claimed, **fields}
        recipe = program(**asked, schedule=schedule).recipe
        with contextlib.nullcontext() if claimed == steps else pytest.raises(SubmissionError):
            intake._check_steps(recipe, ASSIGNMENT, 60_000)


# What training gets


def test_training_never_sees_the_images_that_are_held_back(crew):
    tried(crew, plateau=PLATEAU)
    assert len(crew.data.train_images) == len(crew.data.train_labels) == 37
    assert np.array_equal(crew.data.train_images, IMAGES.train_images[~HELD_BACK])
    assert np.array_equal(crew.data.train_labels, IMAGES.train_labels[~HELD_BACK])
    known = {image.tobytes() for image in crew.data.train_images}
    assert not known & {image.tobytes() for image in IMAGES.train_images[HELD_BACK]}


def test_images_of_the_metric_come_from_those_that_the_recipe_leaves_out(crew):
    fields = {"plateau": PLATEAU, "images": 30, "steps_per_epoch": 2}
    schedule = {"learning_rate": [[{"value": 0.1, "steps": 2 * EPOCHS}]]}
    done = tried(crew, **fields, schedule=schedule)
    assert {epoch.images for epoch in done.runs[0].epochs} == {30}
    assert np.array_equal(crew.data.train_images, IMAGES.train_images[~HELD_BACK])
    assert done.training.train_images == 30
    assert "Training used 30 of the others" in done.training.feedback


def test_where_the_recipe_leaves_out_too_few_the_metric_goes_first(crew):
    done = tried(crew, plateau=PLATEAU, images=38)
    assert {epoch.images for epoch in done.runs[0].epochs} == {37}
    assert done.training.train_images == 37
    assert "Training used the other 37" in done.training.feedback


@pytest.mark.parametrize("asked", [ASSIGNMENT, ON_TEST])
def test_the_judge_of_the_test_images_sees_the_logits_of_these_alone(asked):
    found = metric.choose(program(plateau=PLATEAU).recipe, asked, IMAGES, Judge(TEST_LABELS))
    looked_at = torch.tensor(found.data.test_images)
    assert torch.equal(found.of_test_images(looked_at), torch.tensor(IMAGES.test_images))


def test_a_recipe_that_follows_no_metric_trains_on_all_images_and_is_told_nothing(crew):
    done = tried(crew)
    assert crew.data.train_images is IMAGES.train_images
    assert crew.data.test_images.shape == IMAGES.test_images.shape
    assert crew.told == [None] * EPOCHS
    assert (done.training.train_images, done.training.feedback) == (40, "")


# What it is told


def by_hand(told, images, labels):
    """Accuracy and loss of these images after each epoch of plain training, told the same."""
    wanted = captured(plateau=PLATEAU)
    learner = network.build(wanted.program, wanted.values[SEED])
    kept = dataclasses.replace(
        IMAGES,
        train_images=IMAGES.train_images[~HELD_BACK],
        train_labels=IMAGES.train_labels[~HELD_BACK],
    )
    pixels, labels = torch.tensor(images).float() / 255, torch.tensor(labels)
    training = loop.train(learner, wanted.program.recipe, kept, seed=SEED)
    found, answers = [], iter([None, *told])
    with contextlib.suppress(StopIteration):
        while True:
            training.send(next(answers))
            learner.eval()
            with torch.no_grad():
                logits = learner(pixels)
            found.append(
                (
                    (logits.argmax(1) == labels).double().mean().item(),
                    F.cross_entropy(logits, labels).item(),
                )
            )
    return found


def test_the_rule_is_told_accuracy_and_loss_of_the_images_held_back_from_the_eval_graph(crew):
    tried(crew, plateau=PLATEAU)
    expected = by_hand(crew.told, IMAGES.train_images[HELD_BACK], IMAGES.train_labels[HELD_BACK])
    assert len(crew.told) == EPOCHS
    for told, (accuracy, loss) in zip(crew.told, expected, strict=True):
        assert told.accuracy == pytest.approx(accuracy)
        assert told.loss == pytest.approx(loss, rel=1e-4)


def test_the_test_labels_have_no_part_in_it(crew):
    outcomes = []
    for labels in (TEST_LABELS, (TEST_LABELS + 1) % 10):
        done = tried(crew, labels=labels, plateau=PLATEAU)
        outcomes.append((crew.told, [epoch.logits for epoch in done.runs[0].epochs]))
    (told, logits), (told_again, logits_again) = outcomes
    assert told == told_again
    assert all(map(torch.equal, logits, logits_again))


def test_on_the_test_images_the_judge_answers_as_the_assignment_asks(crew):
    done = tried(crew, ON_TEST, plateau=PLATEAU)
    assert crew.data.train_images is IMAGES.train_images
    assert crew.data.test_images.shape == IMAGES.test_images.shape
    judge = Judge(TEST_LABELS)
    for told, epoch in zip(crew.told, done.runs[0].epochs, strict=True):
        assert told == Feedback(judge.correct(epoch.logits) / 12, judge.loss(epoch.logits))


def test_training_stops_at_an_accuracy_of_the_images_held_back(crew, monkeypatch):
    monkeypatch.setattr(Judge, "correct", lambda self, logits: {3: 2, 12: 12}[self.total])
    done = tried(crew, stop_at_accuracy=0.7)  # 2 of 3 are too few, whatever the test images say
    assert len(done.runs[0].epochs) == EPOCHS
    monkeypatch.setattr(Judge, "correct", lambda self, logits: {3: 3, 12: 0}[self.total])
    assert len(tried(crew, stop_at_accuracy=0.7).runs[0].epochs) == 1


def test_patience_and_a_stop_read_the_images_held_back(crew, monkeypatch):
    monkeypatch.setattr(Judge, "correct", lambda self, logits: {3: 3, 12: 0}[self.total])
    patience = {"monitor": "accuracy", "epochs": 1}
    assert len(tried(crew, patience=patience).runs[0].epochs) == 2
    assert len(tried(crew, stop_at_accuracy=0.7, stop_after=2).runs[0].epochs) == 2
    assert len(crew.data.train_images) == 37


@pytest.mark.parametrize(
    "rule",
    [
        {"patience": {"monitor": "train_loss", "epochs": 1}},
        {"patience": {"monitor": "train_accuracy", "epochs": 1}},
        {"stop_at_accuracy": 0.9, "stop_monitor": "train_accuracy"},
    ],
)
def test_rules_that_watch_training_hold_nothing_back(crew, rule):
    done = tried(crew, **rule)
    assert len(crew.data.train_images) == 40
    assert not any(crew.told)
    assert done.training.feedback == ""


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"patience": {"monitor": "loss", "epochs": 9}}, "the early stop read the loss on 3"),
        (
            {"patience": {"monitor": "loss", "epochs": 9}, "stop_at_accuracy": 0.9},
            "the early stop read the accuracy and the loss on 3",
        ),
        (
            {"patience": {"monitor": "accuracy", "epochs": 9}, "stop_at_accuracy": 0.9},
            "After each epoch the early stop read the accuracy on 3",
        ),
        (
            {"patience": {"monitor": "train_loss", "epochs": 9}, "plateau": PLATEAU},
            "After each epoch the plateau rule read the loss on 3",
        ),
        (
            {"plateau": {**PLATEAU, "monitor": "train_loss"}, "stop_at_accuracy": 0.9},
            "After each epoch the early stop read the accuracy on 3",
        ),
    ],
)
def test_the_report_says_which_rules_read_which_of_them(crew, rules, words):
    assert words in tried(crew, **rules).training.feedback


# What the report says


def test_test_images_are_judged_as_ever(crew):
    done = tried(crew, plateau=PLATEAU).training
    expected = by_hand(crew.told, IMAGES.test_images, TEST_LABELS)
    assert [epoch.correct for epoch in done.runs[0].epochs] == [
        12 * accuracy for accuracy, _ in expected
    ]
    assert all(epoch.total == 12 for epoch in done.runs[0].epochs)
    assert done.test_images == 12
    assert sum(map(sum, done.confusion)) == 12
    assert all(position < 12 for position in done.wrong)
    assert 12 - len(done.wrong) == done.runs[0].epochs[-1].correct


def test_the_report_names_the_images_of_the_metric(crew):
    done = tried(crew, plateau=PLATEAU).training
    assert done.train_images == 37
    assert done.feedback == (
        "After each epoch the plateau rule read the loss on 3 validation images: "
        "training images that the grader held back. Training used the other 37, "
        "and no test image had a part in it."
    )


def test_the_report_says_when_the_test_images_had_a_part_in_training(crew):
    rule = {**PLATEAU, "monitor": "accuracy", "mode": "max"}
    assert tried(crew, ON_TEST, plateau=rule, stop_at_accuracy=0.99).training.feedback == (
        "After each epoch the plateau rule read the accuracy and the early stop read the accuracy "
        "on the 12 test images, as this assignment says: they had a part in training."
    )


def test_a_run_without_an_epoch_is_a_report_too(crew, monkeypatch):
    def interrupted(*_, **__):
        return (
            TrainingRun(
                SEED, "cpu", (), INTERRUPTED, parameters_moved=True, peak_memory_bytes=None
            ),
        )

    monkeypatch.setattr(crew, "run", interrupted)
    assert tried(crew, plateau=PLATEAU).training.confusion == ()
