"""What a work says of itself stands beside what was measured or trained."""

from __future__ import annotations

import pytest

from grader.render import claims
from grader.report import Claim
from tests import report_examples as examples


def said(report, name: str, number: float) -> str:
    claim = Claim(name=name, number=number, quote="it says so", place="line 1")
    (row,) = claims.rows(report.model_copy(update={"claims": (claim,)}))
    return row[1]


@pytest.fixture
def report():
    return examples.passed()


def test_epochs_are_those_that_were_trained(report):
    trained = max(len(run.epochs) for run in report.training.runs)
    with_recipe = {**report.analysis, "recipe": {"epochs": trained}}
    found = report.model_copy(update={"analysis": with_recipe})
    assert said(found, "epochs", 30) == f"says 30, trained {trained}"
    longer = {**report.analysis, "recipe": {"epochs": trained + 9}}
    found = report.model_copy(update={"analysis": longer})
    assert said(found, "epochs", 30) == f"says 30, trained {trained} of at most {trained + 9}"
    untrained = found.model_copy(update={"training": None})
    assert said(untrained, "epochs", 30) == f"says 30, {trained + 9} in the recipe"


def test_accuracy_and_parameters_are_measured(report):
    assert said(report, "accuracy", 0.9954).startswith("says 99.54 %, measured 9")
    assert "measured" in said(report, "parameters", 7000)
