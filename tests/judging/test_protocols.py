"""A protocol is one entry of one table; assignments, judge and outputs take it from there."""

from __future__ import annotations

import dataclasses
import shutil
import statistics
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grader import assignment
from grader.errors import GraderError
from grader.judging import judge, trial
from grader.judging.judge import Judge
from grader.judging.protocols import PROTOCOLS, Protocol, last
from grader.render import formats
from tests import report_examples as examples
from tests.judging.test_trial import CAPTURED, IMAGES, Here, Silent

MNIST_8K = Path(__file__).parents[2] / "assignments" / "mnist_8k"
MEDIAN = Protocol("median of last 5", last(5), statistics.median, remark="outliers do not count")


@pytest.fixture
def median(monkeypatch):
    """One more protocol, by the one entry that it takes."""
    monkeypatch.setitem(PROTOCOLS, "median_last_5", MEDIAN)


def asked(folder, protocol="median_last_5"):
    """mnist_8k with another protocol, as an instructor writes it."""
    shutil.copytree(MNIST_8K, folder / "mnist_8k", dirs_exist_ok=True)
    file = folder / "mnist_8k" / "assignment.toml"
    text = file.read_text()
    changed = text.replace('protocol = "mean_last_3"', f'protocol = "{protocol}"')
    assert changed != text
    file.write_text(changed)
    return assignment.load(folder / "mnist_8k")


def test_one_more_protocol_is_accepted_in_an_assignment(median, tmp_path):
    assert asked(tmp_path).protocol == "median_last_5"


def test_without_its_entry_it_is_refused_with_what_is_known(tmp_path):
    with pytest.raises(GraderError, match=r"protocol = \"median_last_5\"; known choices: best, "):
        asked(tmp_path)


def test_a_misspelt_protocol_is_told_the_nearest_one(tmp_path):
    with pytest.raises(GraderError, match=r'mean_last_3\. Did you mean "best"\?'):
        asked(tmp_path, "bset")


def test_one_more_protocol_scores_a_run(median):
    # of 93, 40, 95, 94 and 96 per cent the third is 94; the first epoch is not among the last five
    counts = [99, 93, 40, 95, 94, 96]
    assert judge.score(counts, 100, "median_last_5") == Fraction(94, 100)


def test_one_more_protocol_is_graded_and_shown(median, tmp_path):
    done = trial.conduct(
        CAPTURED,
        asked(tmp_path),
        dataclasses.replace(IMAGES, practice=False),
        Judge(np.zeros(12, dtype=np.int64)),
        trainer=Here(),
        device=torch.device("cpu"),
        seeds=1,
        progress=Silent(),
    )
    (run,) = done.training.runs
    expected = statistics.median(row.correct / row.total for row in run.epochs[-5:])
    assert done.training.protocol == "median_last_5"
    assert done.training.score == pytest.approx(expected)
    assert done.accuracy.measured.endswith("% (median of last 5)")

    report = examples.report(training=done.training)
    for name in ("markdown", "html"):
        shown = formats.render([report], name)
        assert "median of last 5" in shown
        assert "outliers do not count" in shown
    assert '"median_last_5"' in formats.render([report], "csv")


counts = st.lists(st.integers(0, 10_000), min_size=1, max_size=20)


@given(counts)
def test_every_score_lies_between_the_worst_and_the_best_epoch(correct):
    for name, protocol in PROTOCOLS.items():
        score = protocol.score(correct, 10_000)
        assert Fraction(min(correct), 10_000) <= score <= Fraction(max(correct), 10_000), name


@given(counts)
def test_the_epochs_that_count_exist_and_are_in_order(correct):
    for protocol in PROTOCOLS.values():
        places = list(protocol.places(correct))
        assert places == sorted(set(places))
        assert set(places) <= set(range(len(correct)))
        assert places
