"""A curve of many steps in few numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.analysis import curves
from grader.program.recipe import Run, Schedule

RUNS = st.lists(st.tuples(st.floats(0, 1), st.integers(1, 50)), min_size=1, max_size=60)


def test_few_runs_stay_as_they_are():
    assert curves.shortened([(0.1, 469), (0.01, 469)]) == [(0.1, 469), (0.01, 469)]


def test_of_ten_steps_four_points_are_the_first_of_each_stretch_and_the_last_step():
    runs = [(step / 10, 1) for step in range(10)]
    assert curves.shortened(runs, 4) == [(0.0, 3), (0.3, 3), (0.6, 3), (0.9, 1)]


@given(RUNS, st.integers(2, 9))
def test_the_steps_of_all_stretches_are_those_of_the_training(runs, most):
    found = curves.shortened(runs, most)
    assert sum(steps for _, steps in found) == sum(steps for _, steps in runs)
    assert len(found) == min(len(runs), most)
    assert (found[0][0], found[-1][0]) == (
        pytest.approx(runs[0][0], rel=1e-5),
        pytest.approx(runs[-1][0], rel=1e-5),
    )
    assert all(steps >= 1 for _, steps in found)


def test_a_rate_that_moves_at_every_step_takes_200_points_and_says_that_it_is_not_exact():
    runs = tuple(Run(value=1 / (1 + step), steps=1) for step in range(7035))
    found = curves.short(Schedule(scheduler="OneCycleLR", learning_rate=(runs,)))
    (points,) = found["learning_rate"]
    assert (len(points), found["exact"], found["momentum"]) == (200, False, [])


@pytest.mark.parametrize("groups", [2, 100])
def test_all_groups_share_the_points(groups):
    runs = tuple(Run(value=step, steps=1) for step in range(1000))
    found = curves.short(Schedule(learning_rate=(runs,) * groups))
    assert sum(map(len, found["learning_rate"])) == 200


def test_a_constant_rate_is_one_run_and_exact():
    found = curves.short(Schedule(learning_rate=((Run(value=0.1, steps=7035),),)))
    assert (found["learning_rate"], found["exact"]) == ([[(0.1, 7035)]], True)


def test_of_many_epochs_200_are_shown():
    assert curves.thinned((1.0, 2.0)) == (1.0, 2.0)
    assert len(curves.thinned(tuple(map(float, range(1000))))) == 200
