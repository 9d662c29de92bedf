"""The checks beyond accuracy in a grading from a file to the report, with real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader import pipeline
from grader.assignment import Check
from grader.options import Options
from grader.pipeline import Workshop
from grader.program.listing import Listing
from grader.render.progress import TrainingProgress
from grader.report import Verdict, read
from grader.storage import json_text
from grader.submission.submission import Submission
from grader.training.data import Source
from grader.training.datasets import DATASETS
from grader.training.worker.crew import Crew
from tests.static_grading import InThisProcess, every_check

NAMES = (
    "robust_noise",
    "robust_shift",
    "per_class",
    "calibrated",
    "fast_inference",
    "gradients_flow",
    "stable",
    "no_overfit",
)
SOURCE = """
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 6, 5, stride=2)
        self.norm = nn.BatchNorm2d(6)
        self.second = nn.Conv2d(6, 10, 5, stride=2)

    def forward(self, x):
        x = F.relu(self.norm(self.first(x)))
        return self.second(x).mean((2, 3))
"""


def graded(**options):
    asked = every_check()
    checks = {name: Check(required=False, points=0) for name in NAMES}
    asked = asked.model_copy(update={"checks": checks})
    listing = Listing.of_file("net.py", SOURCE)
    submission = Submission(Path("net.py"), "net", "net", asked.name, listing, "")
    source = Source(DATASETS["practice"], practice=True)
    workshop = Workshop(Options(**options), source, InThisProcess(), Crew())
    return pipeline.grade(submission, asked, workshop, TrainingProgress(quiet=True))


@pytest.fixture(scope="module")
def trained():
    return graded(epochs=2, seeds=2)


def test_every_number_is_in_the_report_beside_its_limit_and_unit(trained):
    assert trained.problem is None
    checks = {check.name: check for check in trained.checks}
    assert list(checks) == list(NAMES)
    for name in set(NAMES) - {"stable"}:
        check = checks[name]
        assert check.value is not None, name
        assert check.limit is not None, name
        assert check.unit, name
        assert check.relation in ("<=", ">="), name
    assert checks["stable"].detail == "2 runs were made, and the spread over seeds takes 3"


def test_practice_images_are_measured_and_not_graded(trained):
    for check in trained.checks:
        if check.name not in ("fast_inference", "stable"):
            assert check.verdict is Verdict.SKIPPED
            assert check.detail.startswith("practice images")


def test_what_was_measured_is_of_this_network(trained):
    for run in trained.training.runs:
        found = run.qualities
        assert sum(one.correct for one in found.classes) == run.epochs[-1].correct
        assert found.noise.total == found.shift.total == found.train.total == 355
        assert [one.layer for one in found.updates] == ["first", "second"]
        assert all(one.moved > 0 for one in found.updates)
        assert [row.channels for row in found.relus] == [6]
        assert found.calibration.right == run.epochs[-1].correct / 355
    adds = 6 * 25 * 12 * 12 + 10 * 6 * 25 * 4 * 4
    assert trained.inference.multiply_adds == adds
    assert [one.batch for one in trained.inference.pace] == [1, 256]


def test_the_report_comes_back_from_json(trained):
    found = read(json_text.of_report(trained))
    assert found.training == trained.training
    assert found.inference == trained.inference
    assert found.checks == trained.checks


def test_without_training_only_the_speed_is_known():
    found = {check.name: check for check in graded(static=True).checks}
    assert found.pop("fast_inference").value > 0
    assert {check.verdict for check in found.values()} == {Verdict.SKIPPED}
