"""Counting right answers, scores by protocol, and what is said about them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from grader.judging.judge import Judge, another_seed, exact, rounds, score, verdict
from grader.judging.protocols import mean
from grader.report import Verdict

NAN, INFINITY = float("nan"), float("inf")


def three_classes(*labels: int) -> Judge:
    return Judge(labels, classes=3)


def test_an_image_is_correct_when_its_label_has_the_highest_logit():
    judge = three_classes(0, 1, 2)
    logits = [[3, 1, 2], [3, 1, 2], [3, 1, 4]]
    assert judge.correct(logits) == 2
    assert judge.wrong(logits) == (1,)


def test_a_torch_tensor_is_judged_as_it_is():
    assert three_classes(0, 1).correct(torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])) == 2


def test_a_tie_with_the_label_is_wrong():
    assert three_classes(0).correct([[1, 1, 0]]) == 0


def test_a_tie_among_other_classes_does_not_matter():
    assert three_classes(0).correct([[1, 0, 0]]) == 1


@pytest.mark.parametrize("row", [[NAN, 0, 0], [1, NAN, 0], [INFINITY, INFINITY, 0]])
def test_a_row_with_nan_or_equal_infinities_is_wrong(row):
    assert three_classes(0).correct([row]) == 0


def test_log_probabilities_of_minus_infinity_are_fine():
    assert three_classes(0).correct([[0, -INFINITY, -INFINITY]]) == 1


def test_a_network_that_says_the_same_for_everything_has_no_right_answer():
    assert three_classes(0, 1, 2).correct(np.zeros((3, 3))) == 0


def test_logits_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 3\), not \(1, 3\)"):
        three_classes(0).correct(np.zeros((2, 3)))


def test_changing_the_labels_afterwards_changes_nothing():
    labels = np.array([0, 0])
    judge = Judge(labels, classes=3)
    labels[:] = 1
    assert judge.correct([[1, 0, 0], [1, 0, 0]]) == 2


def test_confusion_has_labels_as_rows_and_predictions_as_columns():
    judge = three_classes(0, 0, 1, 2)
    logits = [[9, 0, 0], [0, 9, 0], [0, 9, 0], [9, 9, 9]]
    # the tie at label 2 counts for another class, the first of those that are highest
    assert judge.confusion(logits) == ((1, 1, 0), (0, 1, 0), (1, 0, 0))


def test_an_image_without_a_prediction_has_no_place_in_the_confusion():
    assert three_classes(1, 1).confusion([[0, NAN, 0], [0, 1, 0]]) == (
        (0, 0, 0),
        (0, 1, 0),
        (0, 0, 0),
    )


numbers = st.floats(-20, 20, width=32)


@given(st.lists(st.tuples(numbers, numbers, numbers, st.integers(0, 2)), min_size=1, max_size=20))
def test_the_diagonal_of_the_confusion_is_the_number_correct_and_the_wrong_are_the_rest(rows):
    judge = three_classes(*(row[3] for row in rows))
    logits = [row[:3] for row in rows]
    table = np.array(judge.confusion(logits))
    assert table.trace() == judge.correct(logits) == len(rows) - len(judge.wrong(logits))
    assert table.sum() == len(rows)


@given(st.lists(st.tuples(numbers, numbers, numbers, st.integers(0, 2)), min_size=1, max_size=20))
def test_the_losses_are_torchs(rows):
    labels = torch.tensor([row[3] for row in rows])
    logits = torch.tensor([row[:3] for row in rows], dtype=torch.float64)
    judge = Judge(labels, classes=3)
    assert judge.loss(logits) == pytest.approx(float(F.cross_entropy(logits, labels)), abs=1e-9)
    assert judge.loss(logits, "nll") == pytest.approx(float(F.nll_loss(logits, labels)), abs=1e-9)


def test_the_loss_of_a_diverged_network_is_no_number():
    assert np.isnan(three_classes(0).loss([[NAN, 0, 0]]))


def test_the_best_epoch_counts_under_best():
    assert score([9_900, 9_950, 9_940], 10_000, "best") == Fraction("0.995")


def test_the_last_epoch_counts_under_last():
    assert score([9_900, 9_950, 9_940], 10_000, "last") == Fraction("0.994")


def test_the_mean_of_the_last_three_is_exact():
    assert score([1, 9_940, 9_941, 9_941], 10_000, "mean_last_3") == Fraction(29_822, 30_000)


def test_a_run_of_two_epochs_counts_both_under_mean_last_3():
    assert score([9_900, 9_940], 10_000, "mean_last_3") == Fraction("0.992")


def test_a_run_without_an_epoch_has_no_score():
    with pytest.raises(ValueError, match="no score"):
        score([], 10_000, "best")


def test_a_threshold_is_the_decimal_that_was_written():
    assert exact(0.994) == Fraction(994, 1000)
    assert score([9_940], 10_000, "last") >= exact(0.994)


def test_the_mean_of_scores_is_exact():
    assert mean([Fraction(1, 3), Fraction(2, 3), Fraction(0)]) == Fraction(1, 3)


THRESHOLD = Fraction("0.994")


def runs(*percent: str) -> list[Fraction]:
    return [Fraction(text) / 100 for text in percent]


def test_a_clear_pass_needs_no_other_seed():
    assert not another_seed(runs("99.60"), THRESHOLD, images=10_000, most_runs=5)
    assert verdict(runs("99.60"), THRESHOLD, images=10_000).verdict is Verdict.PASSED


def test_a_clear_miss_needs_no_other_seed():
    assert not another_seed(runs("99.00"), THRESHOLD, images=10_000, most_runs=5)
    assert verdict(runs("99.00"), THRESHOLD, images=10_000).verdict is Verdict.FAILED


def test_before_the_first_run_a_seed_is_needed():
    assert another_seed([], THRESHOLD, images=10_000, most_runs=5)


def test_a_near_miss_asks_for_another_seed_until_there_are_none_left():
    assert another_seed(runs("99.41"), THRESHOLD, images=10_000, most_runs=5)
    assert not another_seed(runs(*["99.41"] * 5), THRESHOLD, images=10_000, most_runs=5)


def test_one_seed_trains_first_and_then_two_at_a_time():
    assert rounds((7, 8, 9, 10, 11)) == [(7,), (8, 9), (10, 11)]


@pytest.mark.parametrize(
    ("most_seeds", "lots"), [(1, [1]), (2, [1, 1]), (3, [1, 2]), (4, [1, 2, 1]), (6, [1, 2, 2, 1])]
)
def test_the_last_round_is_what_is_left(most_seeds, lots):
    assert [len(lot) for lot in rounds(range(most_seeds))] == lots


@given(st.lists(st.integers(), min_size=1, max_size=100, unique=True))
def test_the_rounds_have_every_seed_once_in_its_order(seeds):
    lots = rounds(seeds)
    assert [seed for lot in lots for seed in lot] == seeds
    assert all(lots)


@given(st.integers(1, 10), st.data())
def test_a_borderline_verdict_needs_all_rounds(most_seeds, data):
    scores: list[Fraction] = []
    for lot in rounds(range(most_seeds)):
        scores += [Fraction(data.draw(st.integers(9_925, 9_955)), 10_000) for _ in lot]
        if not another_seed(scores, THRESHOLD, images=10_000, most_runs=most_seeds):
            break
    assert (
        verdict(scores, THRESHOLD, images=10_000).verdict is not Verdict.BORDERLINE
        or len(scores) == most_seeds
    )


def test_a_lone_run_just_above_the_threshold_is_borderline_when_no_more_runs_come():
    judgement = verdict(runs("99.41"), THRESHOLD, images=10_000)
    assert judgement.verdict is Verdict.BORDERLINE
    assert judgement.score == Fraction("0.9941")
    assert judgement.words == (
        "99.41 % (one run; 95 % interval 99.26 % to 99.56 %): too close to 99.40 % to call. "
        "Another seed of the same training may land on either side."
    )


def test_the_words_name_the_number_of_runs():
    assert (
        "(mean of 3 runs; "
        in verdict(runs("99.45", "99.46", "99.47"), THRESHOLD, images=10_000).words
    )


def test_where_no_interval_can_be_had_none_is_shown():
    judgement = verdict(runs("95.00"), THRESHOLD, images=10_000)
    assert judgement.interval is None
    assert judgement.words == "95.00 % (one run): more than chance below 99.40 %."


def test_practice_images_give_no_verdict():
    judgement = verdict(runs("99.90"), THRESHOLD, images=10_000, practice=True)
    assert judgement.verdict is Verdict.SKIPPED
    assert judgement.score == Fraction("0.999")
    assert "not graded on MNIST" in judgement.words


def test_practice_images_say_which_data_set_they_are_not():
    judgement = verdict(runs("99.90"), THRESHOLD, images=10_000, practice=True, graded_on="KMNIST")
    assert "not graded on KMNIST" in judgement.words


def test_without_a_score_there_is_no_verdict():
    judgement = verdict([], THRESHOLD, images=10_000)
    assert (judgement.verdict, judgement.score, judgement.interval) == (Verdict.SKIPPED, None, None)
