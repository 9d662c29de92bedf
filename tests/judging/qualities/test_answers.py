"""Each answer: where it passes, where it fails, and what lies between; and how often it errs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from grader.checks.limits import ClassLimit
from grader.judging.qualities import answer, stability
from grader.judging.qualities.classes import per_class
from grader.report import CheckResult, Verdict
from tests.checks.beyond import alike, check, counted, pace, relus, run, updates

PASSED, FAILED, CLOSE = Verdict.PASSED, Verdict.FAILED, Verdict.BORDERLINE


def numbers(found: CheckResult):
    return found.value, found.relation, found.limit, found.unit


# At 90 % of 10,000 images the margin is 1.96 * 0.3 points; a little more at less.


@pytest.mark.parametrize(
    ("correct", "verdict"), [(9_059, PASSED), (9_058, CLOSE), (8_940, CLOSE), (8_939, FAILED)]
)
def test_noise_is_judged_up_to_the_chance_in_so_many_images(correct, verdict):
    found = check("robust_noise", [run(noise=counted(correct))], accuracy=0.9)
    assert found.verdict is verdict
    assert numbers(found) == (correct / 10_000, ">=", 0.9, "fraction")


def test_on_few_images_chance_reaches_further():
    few = check("robust_noise", [run(noise=counted(310, 355))], accuracy=0.9)  # 87.3 %
    many = check("robust_noise", [run(noise=counted(8_730))], accuracy=0.9)
    assert (few.verdict, many.verdict) == (CLOSE, FAILED)


def test_several_runs_are_judged_by_their_mean_with_less_of_chance():
    runs = [run(noise=counted(8_950 + seed), seed=seed) for seed in (-1, 0, 1)]
    assert check("robust_noise", runs[:1], accuracy=0.9).verdict is CLOSE
    found = check("robust_noise", [*runs, *runs], accuracy=0.9)
    assert found.verdict is FAILED
    assert "mean of 6 runs" in found.detail


def test_runs_that_scatter_more_than_images_do_are_judged_by_their_scatter():
    runs = [run(noise=counted(correct)) for correct in (8_200, 9_600, 8_100)]
    assert check("robust_noise", runs, accuracy=0.9).verdict is CLOSE


def test_the_lower_of_moved_and_turned_counts():
    found = check("robust_shift", [run(shift=counted(9_900), rotation=counted(9_800))])
    assert (found.verdict, found.measured) == (PASSED, "98.00 % (turned by 10°)")
    found = check("robust_shift", [run(shift=counted(9_000), rotation=counted(9_800))], pixels=3)
    assert (found.verdict, found.measured) == (FAILED, "90.00 % (moved by 3 pixels)")


def classes(*correct: int, total: int = 1_000):
    return tuple(counted(one, total) for one in correct)


def test_the_worst_class_counts():
    found = check("per_class", [run(classes=classes(*[998] * 9, 994))])
    assert (found.verdict, found.measured) == (PASSED, "99.40 % (class 9)")
    found = check("per_class", [run(classes=classes(950, *[998] * 9))])
    assert (found.verdict, found.measured) == (FAILED, "95.00 % (class 0)")


def test_a_class_that_is_too_close_leaves_the_answer_open():
    assert check("per_class", [run(classes=classes(*[998] * 9, 980))]).verdict is CLOSE


def test_the_classes_may_be_so_far_apart():
    runs = [run(classes=classes(*[999] * 9, 940))]
    assert check("per_class", runs, accuracy=0.9, spread=0.02).verdict is FAILED
    assert check("per_class", runs, accuracy=0.9, spread=0.2).verdict is PASSED
    assert check("per_class", runs, accuracy=0.9).verdict is PASSED


def test_a_class_without_a_test_image_is_not_judged():
    assert (
        check("per_class", [run(classes=(*classes(*[999] * 9), counted(0, 0)))]).verdict is PASSED
    )


def test_ten_classes_exactly_at_the_limit_seldom_fail_or_pass():
    random = np.random.default_rng(0)
    verdicts = []
    for _ in range(150):
        drawn = random.binomial(1_000, 0.98, 10)
        verdicts.append(check_quickly(drawn))
    assert np.mean([one is FAILED for one in verdicts]) < 0.05
    assert not any(one is PASSED for one in verdicts)


def check_quickly(drawn) -> Verdict:
    found = per_class([run(classes=classes(*drawn.tolist()))], ClassLimit(accuracy=0.98))
    return found.verdict


def test_a_network_that_is_as_sure_as_right_is_calibrated_and_one_that_is_not_is_told_which():
    assert check("calibrated", [run(calibration=alike(0.99, 10_000, 9_900))]).verdict is PASSED
    unsure = check("calibrated", [run(calibration=alike(0.9, 10_000, 9_900))])
    assert unsure.verdict is FAILED
    assert "less sure than it is right" in unsure.detail
    sure = check("calibrated", [run(calibration=alike(0.99, 10_000, 9_000))])
    assert "more sure than it is right" in sure.detail


def test_on_few_images_the_confidence_may_be_off_by_chance():
    assert check("calibrated", [run(calibration=alike(0.95, 100, 92))]).verdict is CLOSE
    assert check("calibrated", [run(calibration=alike(0.95, 10_000, 9_200))]).verdict is FAILED


def test_how_sure_wrong_answers_are_may_have_a_limit_too():
    runs = [run(calibration=alike(0.99, 100_000, 99_000))]
    found = check("calibrated", runs, wrong_confidence=0.8)
    assert found.verdict is FAILED
    assert "wrong answers are given with a confidence of 99.00 %" in found.detail
    assert check("calibrated", runs, wrong_confidence=1.0).verdict is CLOSE


@pytest.mark.parametrize(
    ("microseconds", "verdict"), [(97.0, PASSED), (100.0, CLOSE), (104.0, FAILED)]
)
def test_time_is_judged_beside_the_yardstick_up_to_what_the_clock_scatters(microseconds, verdict):
    found = check("fast_inference", inference=pace(microseconds, 20))
    assert found.verdict is verdict
    assert numbers(found) == (microseconds / 20, "<=", 5.0, "times the yardstick")


def test_multiply_adds_are_counted_and_not_timed():
    found = check("fast_inference", inference=pace(20, 20), multiply_adds=999_999)
    assert found.verdict is FAILED
    assert "1,000,000 multiply-adds an image" in found.detail
    assert (
        check("fast_inference", inference=pace(20, 20), multiply_adds=1_000_000).verdict is PASSED
    )


def test_what_was_too_slow_to_be_timed_is_not_known():
    slow = pace(20, 20).model_copy(update={"pace": ()})
    assert check("fast_inference", inference=slow).verdict is Verdict.UNKNOWN
    assert check("fast_inference", inference=slow, multiply_adds=10).verdict is FAILED
    assert check("fast_inference").verdict is Verdict.UNKNOWN


def test_the_layer_that_moves_least_counts_in_equal_shares():
    found = check("gradients_flow", [run(updates=updates(0.2, 0.5, 0.3), relus=relus(8, 0))])
    assert found.verdict is PASSED
    assert numbers(found) == (pytest.approx(0.6), ">=", 0.1, "equal shares")
    found = check("gradients_flow", [run(updates=updates(0.03, 0.67, 0.3))])
    assert found.verdict is FAILED
    assert found.measured == "0.09 (layer1)"


def test_shares_are_the_mean_of_the_runs():
    runs = [run(updates=updates(0.02, 0.98)), run(updates=updates(0.12, 0.88))]
    assert check("gradients_flow", runs).value == pytest.approx(0.14)


@pytest.mark.parametrize(("dead", "verdict"), [(1, PASSED), (2, FAILED)])
def test_a_tenth_of_the_relu_channels_may_be_dead(dead, verdict):
    found = check("gradients_flow", [run(updates=updates(0.5, 0.5), relus=relus(10, dead))])
    assert found.verdict is verdict


def test_a_network_without_relus_has_none_that_are_dead():
    assert check("gradients_flow", [run(updates=updates(0.5, 0.5))]).verdict is PASSED


def test_seeds_that_lie_close_are_stable_and_others_are_not():
    def found(*scores: int):
        return check("stable", [run(score, seed=seed) for seed, score in enumerate(scores)])

    assert found(9_940, 9_945, 9_938).verdict is PASSED
    assert found(9_940, 9_900, 9_960).verdict is CLOSE  # ± 0.31: with three runs, chance
    assert found(9_940, 9_500, 9_800).verdict is FAILED
    few = found(9_940)
    assert few.verdict is Verdict.SKIPPED
    assert few.detail == "one run was made, and the spread over seeds takes 3"


@pytest.mark.parametrize("runs", [2, 3, 5, 10])
def test_the_least_deviation_is_that_of_the_chi_squared_distribution(runs):
    expected = np.sqrt((runs - 1) / stats.chi2.ppf(0.95, runs - 1))
    assert stability.least_deviation(1.0, runs) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("runs", [3, 5])
def test_networks_that_scatter_by_the_limit_fail_in_5_of_100_gradings(runs):
    drawn = np.random.default_rng(0).normal(0, 1, (20_000, runs)).std(axis=1, ddof=1)
    failed = [stability.least_deviation(spread, runs) > 1 for spread in drawn]
    assert np.mean(failed) == pytest.approx(0.05, abs=0.01)


def test_the_gap_to_training_images_is_judged_up_to_chance():
    def found(trained: int, tested: int, **limits):
        return check("no_overfit", [run(tested, train=counted(trained))], **limits)

    assert found(9_950, 9_940).verdict is PASSED
    assert found(9_900, 9_940).value == pytest.approx(-0.004)
    assert found(10_000, 9_900).verdict is CLOSE
    assert found(10_000, 9_800).verdict is FAILED
    assert found(10_000, 9_800, gap=0.03).verdict is PASSED


def test_nothing_is_graded_where_no_run_was_finished_or_the_trial_says_so():
    found = check("robust_noise", [run().model_copy(update={"qualities": None})])
    assert (found.verdict, found.detail) == (Verdict.SKIPPED, "no training run was finished")
    found = check("robust_noise", [run(noise=counted(9_900))], skipped="practice images")
    assert (found.verdict, found.detail) == (Verdict.SKIPPED, "practice images")
    assert found.value == 0.99


@given(st.floats(0, 1), st.sampled_from(["<=", ">="]), st.floats(0.01, 1), st.floats(0, 0.5))
def test_a_value_beyond_the_margin_is_decided_and_one_within_is_not(value, relation, limit, margin):
    found = answer.compare(value, relation, limit, margin)
    room = value - limit if relation == ">=" else limit - value
    assert (found is PASSED) == (room >= margin)
    assert (found is FAILED) == (room < -margin)


@pytest.mark.parametrize("questions", [1, 2, 10])
def test_all_questions_together_err_in_5_of_100(questions):
    reach = answer.normal(questions=questions)
    inside = 1 - 2 * (1 - stats.norm.cdf(reach))
    assert inside**questions == pytest.approx(0.95, abs=0.002)
