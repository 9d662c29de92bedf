"""The decision rule against simulation, and the intervals against numbers worked by hand."""

from __future__ import annotations

import itertools
import math
import statistics as standard
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.judging.decision import (
    DEFAULT_RULE,
    Decision,
    Rule,
    claim_tolerance,
    decide,
    interval,
    spread,
)
from grader.judging.judge import rounds

THRESHOLD = Fraction("0.994")
accuracies = st.integers(9800, 10_000).map(lambda correct: Fraction(correct, 10_000))


def points(percent: str) -> Fraction:
    return Fraction(percent) / 100


def test_a_single_run_far_above_passes_at_once():
    assert decide([points("99.52")], THRESHOLD, most_runs=5) is Decision.PASSED


def test_a_single_run_far_below_fails_at_once():
    assert decide([points("99.20")], THRESHOLD, most_runs=5) is Decision.FAILED


def test_one_run_settles_from_nine_hundredths_of_a_point_on():
    # log(19) * 0.055^2 / (2 * 0.05) = 0.0891 points
    assert decide([points("99.49")], THRESHOLD, most_runs=5) is Decision.PASSED
    assert decide([points("99.48")], THRESHOLD, most_runs=5) is Decision.ANOTHER_SEED
    assert decide([points("99.32")], THRESHOLD, most_runs=5) is Decision.ANOTHER_SEED
    assert decide([points("99.31")], THRESHOLD, most_runs=5) is Decision.FAILED


def test_one_run_just_above_the_threshold_asks_for_another_seed():
    assert decide([points("99.41")], THRESHOLD, most_runs=5) is Decision.ANOTHER_SEED


def test_runs_that_stay_just_above_the_threshold_end_as_borderline():
    assert decide([points("99.41")] * 4, THRESHOLD, most_runs=5) is Decision.ANOTHER_SEED
    assert decide([points("99.41")] * 5, THRESHOLD, most_runs=5) is Decision.BORDERLINE


def test_with_one_run_allowed_a_near_miss_is_borderline():
    assert decide([points("99.41")], THRESHOLD, most_runs=1) is Decision.BORDERLINE


def test_evidence_adds_up_over_runs():
    # each run is 0.04 points above; three make 0.12 > 0.0891, two make 0.08
    assert decide([points("99.44")] * 2, THRESHOLD, most_runs=5) is Decision.ANOTHER_SEED
    assert decide([points("99.44")] * 3, THRESHOLD, most_runs=5) is Decision.PASSED


def test_a_decision_without_a_score_is_refused():
    with pytest.raises(ValueError, match="at least one run"):
        decide([], THRESHOLD, most_runs=5)


@given(st.lists(accuracies, min_size=1, max_size=6), st.integers(1, 6))
def test_a_better_run_never_turns_a_pass_into_less(scores, most_runs):
    better = [*scores[:-1], scores[-1] + Fraction(1, 10_000)]
    order = [Decision.FAILED, Decision.ANOTHER_SEED, Decision.BORDERLINE, Decision.PASSED]
    before, after = (
        order.index(decide(runs, THRESHOLD, most_runs=most_runs)) for runs in (scores, better)
    )
    assert before <= after


@given(st.lists(accuracies, min_size=1, max_size=8))
def test_the_rule_is_walds_ratio_of_normal_likelihoods(scores):
    low, high = standard.NormalDist(0.9935, 0.00055), standard.NormalDist(0.9945, 0.00055)

    def log_density(normal: standard.NormalDist, value: float) -> float:
        return -(((value - normal.mean) / normal.stdev) ** 2) / 2

    ratio = sum(
        log_density(high, float(score)) - log_density(low, float(score)) for score in scores
    )
    assert Rule().evidence(scores, THRESHOLD) == pytest.approx(ratio, abs=1e-6)


def test_the_bounds_are_walds():
    assert Rule().enough_to_pass == pytest.approx(math.log(0.95 / 0.05))
    assert Rule(false_pass=0.01, false_fail=0.2).enough_to_fail == pytest.approx(
        math.log(0.2 / 0.99)
    )


def looks(most_seeds: int) -> list[int]:
    """After how many runs a grading with at most so many seeds asks the rule."""
    return list(itertools.accumulate(len(lot) for lot in rounds(range(most_seeds))))


def simulate(
    true_mean: float,
    *,
    sigma: float,
    looks: Sequence[int],
    rule: Rule = DEFAULT_RULE,
    simulations: int = 20_000,
) -> dict[str, float]:
    """Shares of decisions and the mean number of runs; accuracies in points of 10,000 images."""
    most_runs = looks[-1]
    draws = (
        np.random.default_rng(0)
        .normal(true_mean * 100, sigma * 100, (simulations, most_runs))
        .round()
        .astype(int)
    )
    counts = dict.fromkeys(Decision, 0)
    runs = 0
    known: dict[tuple[int, int], Decision] = {}
    for row in draws.tolist():
        totals = list(itertools.accumulate(row))
        for made in looks:
            total = totals[made - 1]
            if (
                made,
                total,
            ) not in known:  # the rule looks at the sum alone: the test above says so
                scores = [Fraction(total, 10_000 * made)] * made
                known[made, total] = decide(scores, THRESHOLD, most_runs=most_runs, rule=rule)
            if known[made, total] is not Decision.ANOTHER_SEED:
                break
        counts[known[made, total]] += 1
        runs += made
    shares = {decision.value: count / simulations for decision, count in counts.items()}
    return {**shares, "runs": runs / simulations}


def work_out(true_mean: float, *, sigma: float, looks: Sequence[int]) -> dict[str, float]:
    """What `simulate` estimates, without chance: the sum of all runs, cut at every look.

    A sum settles from nine images of 10,000 on: log(19) * 5.5^2 / 10 = 8.91.
    """
    normal = standard.NormalDist((true_mean - 99.40) * 100, sigma * 100)
    one_run = [normal.cdf(excess + 0.5) - normal.cdf(excess - 0.5) for excess in range(-150, 151)]
    open_sums, passed, failed, runs = np.ones(1), 0.0, 0.0, 0.0
    for before, made in itertools.pairwise([0, *looks]):
        runs += (made - before) * open_sums.sum()
        for _ in range(before, made):
            open_sums = np.convolve(open_sums, one_run)
        excess = np.arange(len(open_sums)) - len(open_sums) // 2
        passed += open_sums[excess >= 9].sum()
        failed += open_sums[excess <= -9].sum()
        open_sums = np.where(abs(excess) < 9, open_sums, 0)
    return {"passed": passed, "failed": failed, "borderline": open_sums.sum(), "runs": runs}


@pytest.mark.parametrize(
    ("true_mean", "passed", "runs"),
    [
        (99.30, 0.001, 1.7),
        (99.35, 0.02, 2.9),
        (99.40, 0.50, 4.7),
        (99.45, 0.98, 2.9),
        (99.50, 1.0, 1.7),
    ],
)
def test_asked_after_each_of_eight_runs_of_sigma_6_the_rule_does_what_the_design_table_says(
    true_mean, passed, runs
):
    """That table has no borderline: what is left after eight runs goes half and half."""
    shares = simulate(true_mean, sigma=0.06, looks=range(1, 9), rule=Rule(sigma=0.0006))
    assert shares["passed"] + shares["borderline"] / 2 == pytest.approx(passed, abs=0.012)
    assert shares["runs"] == pytest.approx(runs, abs=0.06)


@pytest.mark.parametrize("true_mean", [99.33, 99.40, 99.45])
@pytest.mark.parametrize(
    ("most_seeds", "asked_after"),
    [(1, [1]), (2, [1, 2]), (3, [1, 3]), (4, [1, 3, 4]), (5, [1, 3, 5]), (8, [1, 3, 5, 7, 8])],
)
def test_however_many_seeds_are_allowed_the_rule_errs_as_often_as_worked_out(
    most_seeds, asked_after, true_mean
):
    shares = simulate(true_mean, sigma=0.055, looks=looks(most_seeds))
    expected = work_out(true_mean, sigma=0.055, looks=asked_after)
    assert shares.pop("runs") == pytest.approx(expected.pop("runs"), abs=0.05)
    assert shares == pytest.approx({"another seed": 0, **expected}, abs=0.012)


FAIRNESS = Path(__file__).parents[2] / "docs" / "fairness.md"
ROUNDS_OF_FIVE = [1, 3, 5]


def documented(unit: str) -> list[list[float]]:
    """Rows of the table of shares whose first column is in that unit."""
    lines = [line for line in FAIRNESS.read_text("utf-8").splitlines() if f" {unit} | 0." in line]
    rows = [line.replace(f" {unit} |", " |").strip("| ").split(" | ") for line in lines]
    return [list(map(float, row)) for row in rows]


def as_documented(share: float) -> object:
    """A share in a table: simulated 200,000 times (see there), then rounded to three digits."""
    return pytest.approx(share, abs=0.0023 + 0.0005)


def as_documented_runs(runs: float) -> object:
    """A mean of 200,000 numbers of runs (1 to 5, so a deviation of at most 2): ± 0.0045."""
    return pytest.approx(runs, abs=0.01 + 0.005)


def test_the_documentation_gives_error_rates_at_five_true_means_and_four_spreads():
    assert [row[0] for row in documented("%")] == [99.30, 99.35, 99.40, 99.45, 99.50]
    assert [row[0] for row in documented("points")] == [0.04, 0.055, 0.08, 0.11]


@pytest.mark.parametrize("row", documented("%"), ids=lambda row: f"{row[0]:.2f}")
def test_the_documentation_has_the_error_rates_that_the_rule_must_have(row):
    true_mean, one_run, mean_of_3, *of_rule = row
    expected = work_out(true_mean, sigma=0.055, looks=ROUNDS_OF_FIVE)
    *shares, runs = of_rule
    assert shares == [as_documented(expected[name]) for name in ("passed", "failed", "borderline")]
    assert runs == as_documented_runs(expected["runs"])
    assert one_run == as_documented(
        standard.NormalDist(true_mean, 0.055).cdf(2 * true_mean - 99.395)
    )
    draws = np.random.default_rng(2).normal(true_mean * 100, 5.5, (20_000, 3)).round()
    assert (draws.sum(axis=1) >= 3 * 9_940).mean() == pytest.approx(mean_of_3, abs=0.012)


@pytest.mark.parametrize("row", documented("points"), ids=lambda row: f"{row[0]}")
def test_the_documentation_says_how_a_larger_spread_is_misjudged(row):
    sigma, passes_wrongly, fails_wrongly, borderline, runs = row
    weak, even, good = (
        work_out(mean, sigma=sigma, looks=ROUNDS_OF_FIVE) for mean in (99.35, 99.40, 99.45)
    )
    assert passes_wrongly == as_documented(weak["passed"])
    assert fails_wrongly == as_documented(good["failed"])
    assert borderline == as_documented(even["borderline"])
    assert runs == as_documented_runs(even["runs"])


@pytest.mark.parametrize("row", documented("%"), ids=lambda row: f"{row[0]:.2f}")
def test_as_graded_the_rule_has_the_error_rates_of_the_documentation(row):
    true_mean, _, _, passed, failed, borderline, runs = row
    shares = simulate(true_mean, sigma=0.055, looks=looks(5))
    assert shares["passed"] == pytest.approx(passed, abs=0.012)
    assert shares["failed"] == pytest.approx(failed, abs=0.012)
    assert shares["borderline"] == pytest.approx(borderline, abs=0.012)
    assert shares["runs"] == pytest.approx(runs, abs=0.05)


def test_one_run_has_an_interval_of_the_pooled_sigma():
    low, high = interval([points("99.40")])
    assert (low, high) == pytest.approx((0.994 - 1.96 * 0.00055, 0.994 + 1.96 * 0.00055), abs=1e-6)


def test_four_runs_halve_the_interval():
    low, high = interval([points("99.40")] * 4)
    assert high - low == pytest.approx(2 * 1.96 * 0.00055 / 2, abs=1e-6)


def test_runs_that_scatter_more_than_the_pooled_sigma_get_their_own_spread():
    low, high = interval([points("99.0"), points("99.2")])
    # standard deviation 0.1 * sqrt(2) points; divided by sqrt(2) for two runs
    assert (low, high) == pytest.approx((0.991 - 0.00196, 0.991 + 0.00196), abs=1e-6)


def test_an_interval_does_not_leave_zero_to_one():
    assert interval([Fraction(1)])[1] == 1
    assert interval([Fraction(0)])[0] == 0


def test_an_interval_without_a_score_is_refused():
    with pytest.raises(ValueError, match="at least one run"):
        interval([])


def test_intervals_hold_the_true_mean_in_95_of_100_cases():
    draws = np.random.default_rng(1).normal(99.40, 0.055, (2_000, 3)).round(2)
    ends = [interval(list(map(points, row))) for row in draws]
    assert 0.94 < np.mean([low <= 0.994 <= high for low, high in ends]) < 0.985


def test_a_single_run_shows_no_spread():
    assert spread([points("99.4")]) == 0
    assert spread([points("99.3"), points("99.5")]) == pytest.approx(0.002 / math.sqrt(2))


def test_a_claim_may_be_fourteen_hundredths_of_a_point_from_three_runs():
    assert claim_tolerance(3) == pytest.approx(1.96 * 0.00055 * math.sqrt(4 / 3) + 0.0002, abs=1e-7)
    assert round(100 * claim_tolerance(3), 2) == 0.14


def test_a_claim_is_not_compared_with_nothing():
    with pytest.raises(ValueError, match="at least one run"):
        claim_tolerance(0)
