"""Whether a difference of two sets of runs is more than chance: numbers worked by hand."""

import random
from fractions import Fraction

import pytest

from grader.judging.comparing import Answer, compare, scores
from grader.report import EpochRow, RunRow


def accuracies(*percent):
    return [Fraction(round(100 * value), 10_000) for value in percent]


def test_the_example_of_the_module():
    found = compare(accuracies(99.30), accuracies(99.42), images=10_000)
    assert found.difference == pytest.approx(0.0012)
    assert found.margin == pytest.approx(0.0022, abs=0.00005)
    assert (found.answer, found.seeds) == (Answer.NOISE, 7)
    found = compare(accuracies(99.30), accuracies(99.60), images=10_000)
    assert found.margin == pytest.approx(0.0020, abs=0.00005)
    assert found.answer is Answer.BETTER


def test_worse_is_beyond_noise_too():
    found = compare(accuracies(99.5, 99.52, 99.48), accuracies(99.2, 99.22, 99.18), images=10_000)
    assert found.answer is Answer.WORSE


def test_one_run_below_99_percent_may_scatter_widely():
    # 97.5 %: a binomial deviation is 0.156 points, so each may scatter by 0.47.
    assert compare(accuracies(97.5), accuracies(98.5), images=10_000).answer is Answer.NOISE
    assert compare(accuracies(95.3), accuracies(98.2), images=10_000).answer is Answer.BETTER


def test_three_runs_below_99_percent_say_how_far_they_scatter():
    before, after = accuracies(97.4, 97.5, 97.6), accuracies(98.4, 98.5, 98.6)
    found = compare(before, after, images=10_000)
    assert found.answer is Answer.BETTER
    # Deviation 0.1 each: 0.1 * sqrt(2 / 3) = 0.0816 points; Student's 2.776 at 4 degrees.
    assert found.margin == pytest.approx(0.00227, abs=0.00003)


def test_no_difference_takes_no_number_of_seeds():
    assert compare(accuracies(99.4), accuracies(99.4), images=10_000).seeds is None


def test_nothing_is_compared_with_nothing():
    assert compare([], accuracies(99.4), images=10_000) is None


def test_a_score_is_by_the_protocol_that_is_named():
    epochs = []
    for number, correct in enumerate((9_900, 9_950, 9_940, 9_930), 1):
        epochs.append(
            EpochRow(
                epoch=number,
                train_loss=0.1,
                correct=correct,
                total=10_000,
                learning_rate=0.1,
                seconds=1.0,
            )
        )
    run = RunRow(seed=0, epochs=tuple(epochs), seconds=4.0, images_per_second=1.0, finished=True)
    empty = run.model_copy(update={"epochs": ()})
    assert scores([run, empty], "best") == [Fraction(9_950, 10_000)]
    assert scores([run], "mean_last_3") == [Fraction(9_940, 10_000)]


@pytest.mark.parametrize("runs", [1, 3, 5])
def test_equal_networks_are_seldom_told_apart(runs):
    """At 99.4 % with the pooled spread of 0.055 points: the promise is 5 in 100."""
    source, wrong = random.Random(runs), 0
    for _ in range(400):
        sides = [
            [Fraction(round(source.gauss(9940, 5.5)), 10_000) for _ in range(runs)] for _ in "ab"
        ]
        wrong += compare(*sides, images=10_000).answer is not Answer.NOISE
    assert wrong <= 0.07 * 400


def test_so_many_seeds_as_it_says_find_the_difference_four_times_in_five():
    source, found = random.Random(7), 0
    needed = compare(accuracies(99.35), accuracies(99.45), images=10_000).seeds
    for _ in range(200):
        before = [Fraction(round(source.gauss(9935, 7.7)), 10_000) for _ in range(needed)]
        after = [Fraction(round(source.gauss(9945, 7.7)), 10_000) for _ in range(needed)]
        found += compare(before, after, images=10_000).answer is Answer.BETTER
    assert found >= 0.72 * 200
