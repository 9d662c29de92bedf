"""The expected calibration error, held to loops over the images and to coins."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grader.judging.judge import Judge
from grader.judging.qualities import calibration

answers = st.lists(st.tuples(st.floats(0.1, 1), st.booleans()), min_size=1, max_size=200)


def measured(pairs):
    confidence, right = zip(*pairs, strict=True)
    return calibration.measure(np.array(confidence), np.array(right))


def by_hand(pairs) -> float:
    """Bin by bin, answer by answer."""
    error = 0.0
    for low in range(15):
        inside = [
            (sure, right)
            for sure, right in pairs
            if low <= sure * 15 < low + 1 or (low == 14 and sure == 1)
        ]
        if inside:
            sure = sum(one for one, _ in inside) / len(inside)
            right = sum(one for _, one in inside) / len(inside)
            error += len(inside) / len(pairs) * abs(sure - right)
    return error


def test_the_example_of_the_module():
    pairs = [(0.95, True)] * 3 + [(0.95, False), (0.55, True), (0.55, False)]
    assert measured(pairs).error == pytest.approx(0.15)


@given(answers)
def test_it_is_what_a_loop_over_bins_and_answers_finds(pairs):
    found = measured(pairs)
    assert found.error == pytest.approx(by_hand(pairs), abs=1e-9)
    wrong = [sure for sure, right in pairs if not right]
    assert found.wrong == len(wrong)
    assert found.wrong_confidence == (pytest.approx(np.mean(wrong)) if wrong else None)
    assert found.confidence == pytest.approx(np.mean([sure for sure, _ in pairs]))
    assert found.right == pytest.approx(np.mean([right for _, right in pairs]))


def test_coins_that_are_right_as_often_as_they_say_are_measured_at_chance():
    random = np.random.default_rng(0)
    confidence = random.beta(8, 1, 5_000) * 0.9 + 0.1
    found = []
    for _ in range(400):
        found.append(calibration.measure(confidence, random.random(5_000) < confidence))
    errors = [one.error for one in found]
    assert np.mean(errors) == pytest.approx(found[0].chance, rel=0.1)
    assert np.std(errors) < found[0].deviation


def test_the_margin_holds_what_coins_scatter_that_are_all_off_by_as_much():
    random = np.random.default_rng(1)
    confidence = np.full(4_000, 0.9)
    found = [calibration.measure(confidence, random.random(4_000) < 0.85) for _ in range(400)]
    errors = [one.error for one in found]
    assert np.mean(errors) == pytest.approx(0.05, rel=0.02)
    assert np.std(errors) == pytest.approx(found[0].deviation, rel=0.35)
    inside = [
        abs(error - 0.05) < 1.96 * one.deviation for error, one in zip(errors, found, strict=True)
    ]
    assert np.mean(inside) > 0.8


def test_the_confidence_of_logits_is_the_largest_share_of_torchs_softmax():
    logits = torch.randn(50, 10, dtype=torch.float64) * 4
    found = calibration.confidences(logits.numpy())
    assert found == pytest.approx(torch.softmax(logits, 1).amax(1).numpy())
    of_logarithms = calibration.confidences(torch.log_softmax(logits, 1).numpy())
    assert of_logarithms == pytest.approx(found)


def test_probabilities_are_taken_as_they_are():
    shares = torch.softmax(torch.randn(50, 10, dtype=torch.float64), 1)
    found = calibration.confidences(shares.numpy())
    assert found == pytest.approx(shares.amax(1).numpy())


def test_a_score_that_is_no_number_is_a_certain_answer_and_a_wrong_one():
    scores = np.full((2, 3), -np.inf)  # the logarithm of 0
    scores[:, :2] = np.log([0.7, 0.3])
    scores[1, 0] = np.nan
    assert calibration.confidences(scores) == pytest.approx([0.7, 1.0])
    found = Judge([0, 0], classes=3).calibration(scores)
    assert (found.wrong, found.wrong_confidence) == (1, 1.0)


@given(st.integers(0, 2**16), st.integers(1, 40))
def test_the_images_of_each_class_are_counted_apart(seed, count):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, count)
    logits = random.normal(size=(count, 4))
    found = Judge(labels, classes=4).by_class(logits)
    for number, one in enumerate(found):
        own = labels == number
        assert one.total == own.sum()
        assert one.correct == (logits[own].argmax(1) == number).sum()
