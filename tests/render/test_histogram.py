"""How many lie between two numbers: every one is counted once."""

from hypothesis import given
from hypothesis import strategies as st

from grader.render import histogram


def numbers(drawn):
    return [column.number for column in drawn.columns]


def test_points_are_counted_in_tenths_and_full_points_with_the_last():
    assert numbers(histogram.of_points([0, 9.5, 10, 90, 100], 100)) == [
        2,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        2,
    ]


def test_accuracies_from_the_threshold_on_are_in_full_colour():
    drawn = histogram.of_accuracies([0.5, 0.9939, 0.994, 0.9941], [0.99, 0.994, 0.995], 0.994)
    assert numbers(drawn) == [2, 2]  # 0.5 counts with the lowest
    assert [column.full for column in drawn.columns] == [False, True]
    assert [edge.text for edge in drawn.edges if edge.required] == ["99.4"]


def test_sizes_beyond_the_limit_are_one_column_at_the_end():
    drawn = histogram.of_sizes([1, 1600, 8000], 2, 8000)
    assert numbers(drawn) == [1, 1, 0, 0, 1, 2]
    assert [column.full for column in drawn.columns] == [True] * 5 + [False]
    assert drawn.edges[-1].text == "more"
    assert len(histogram.of_sizes([1, 1600, 8000], 0, 8000).columns) == 5


def test_nothing_to_count_is_no_picture():
    assert histogram.of_points([], 100) is None
    assert histogram.of_points([0], 0) is None
    assert histogram.of_sizes([], 0, 8000) is None
    assert histogram.of_accuracies([], [0.9, 1.0], 0.95) is None


@given(st.lists(st.floats(-10, 200), min_size=1), st.floats(1, 100))
def test_every_work_is_counted_once_and_the_columns_stay_inside(values, most):
    drawn = histogram.of_points(values, most)
    assert sum(numbers(drawn)) == len(values)
    for column in drawn.columns:
        assert 0 <= column.x <= column.x + column.width <= 100
        assert 0 <= column.y <= histogram.HEIGHT
