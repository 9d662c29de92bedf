"""The accuracy chart: bars cross the threshold exactly where the counted accuracy does."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.render.chart import MOST_COLUMNS, MOST_ROWS, bars, draw, rungs

ACCURACY = st.integers(0, 10_000).map(lambda correct: correct / 10_000)


def lines(runs, threshold=0.994, counted=()):
    return draw(bars(runs, counted), threshold).plain.splitlines()


def threshold_line(runs):
    return next(line for line in lines(runs) if "├" in line)


def test_a_bar_crosses_the_threshold_line_from_the_threshold_on():
    assert threshold_line([[0.9939, 0.9940, 0.9941]]).split("├")[1].startswith("┄┄┄██┄██┄")


@given(st.lists(ACCURACY, min_size=1, max_size=20))
def test_as_many_bars_cross_as_epochs_reached_the_threshold(accuracies):
    assert threshold_line([accuracies]).count("██") == sum(
        accuracy >= 0.994 for accuracy in accuracies
    )


def test_light_shade_shows_what_only_some_seeds_reached():
    drawn = threshold_line([[0.9945, 0.9945], [0.9930, 0.9950]]).split("├")[1]
    assert drawn.startswith("░░┄██┄")


def test_the_axis_names_the_first_the_last_and_every_fifth_epoch():
    axis = next(line for line in lines([[0.99] * 12]) if line.endswith("epoch"))
    assert axis.split() == ["1", "5", "10", "12", "epoch"]


def test_the_epochs_that_count_have_an_arrow():
    assert lines([[0.99] * 5], counted={3, 4, 5})[-1].split() == ["▲", "▲", "▲", "count"]


def test_numbers_that_would_touch_each_other_are_left_out():
    axis = next(line for line in lines([[0.99] * 60]) if line.endswith("epoch"))
    assert axis.split() == ["1", "5", *map(str, range(10, 56, 5)), "60", "epoch"]


def test_without_a_threshold_none_is_drawn():
    assert not any("required" in line for line in lines([[0.5, 0.9]], threshold=None))


def test_the_rows_around_the_threshold_are_its_neighbours_on_the_ladder():
    assert rungs(0.9731, 0.9944, 0.994) == (0.97, 0.98, 0.985, 0.99, 0.993, 0.994, 0.995)


@given(ACCURACY, ACCURACY, st.none() | st.integers(1, 9_999).map(lambda wanted: wanted / 10_000))
def test_the_rows_hold_every_accuracy_in_ascending_order(one, other, threshold):
    low, high = min(one, other), max(one, other)
    levels = rungs(low, high, threshold)
    assert levels[0] <= low <= high <= levels[-1]
    assert all(below < above for below, above in pairwise(levels))
    assert threshold is None or threshold in levels[1:-1]
    assert len(levels) - 1 <= MOST_ROWS


@pytest.mark.parametrize("epochs", [1, 2, 20, 60, 61, 200])
def test_any_number_of_epochs_fits_into_eighty_columns_and_shows_the_last_one(epochs):
    drawn = lines([[0.99] * epochs])
    assert max(map(len, drawn)) <= 79  # the scorecard indents it by one
    assert bars([[0.99] * epochs], ())[-1].epoch == epochs
    assert len(bars([[0.99] * epochs], ())) <= MOST_COLUMNS


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_the_ends_of_the_scale_can_be_drawn(accuracy):
    assert lines([[accuracy]])


def test_a_seed_that_stopped_early_has_no_bar_after_its_end():
    short, long = [0.98], [0.98, 0.99]
    assert [(bar.low, bar.high) for bar in bars([short, long], ())] == [(0.98, 0.98), (0.99, 0.99)]
