"""The chart of the page: bars reach the threshold's line exactly where the accuracy does."""

from hypothesis import given
from hypothesis import strategies as st

from grader.render.picture import BOTTOM, TOP, draw
from tests import report_examples as examples

CORRECT = st.lists(st.integers(0, 10_000), min_size=1, max_size=80).map(tuple)


def drawn(correct):
    return draw(examples.training(examples.run(correct), protocol="last"))


@given(CORRECT)
def test_every_bar_stands_on_the_axis_within_the_chart(correct):
    for column in drawn(correct).columns:
        assert TOP <= column.y <= BOTTOM
        assert abs(column.y + column.height - BOTTOM) < 0.11  # written with one digit


@given(CORRECT)
def test_a_bar_reaches_the_threshold_where_the_accuracy_does(correct):
    chart = drawn(correct)
    for column, count in zip(chart.columns[-1:], correct[-1:], strict=True):
        assert (column.y <= chart.required) == (count >= 9940) or abs(
            column.y - chart.required
        ) < 0.11


def test_an_accuracy_on_the_threshold_is_as_high_as_its_line():
    chart = drawn((9000, 9940))
    assert chart.columns[1].y == chart.required


def test_the_epochs_that_count_are_marked():
    columns = draw(examples.training()).columns
    assert [column.counts for column in columns] == [False] * 12 + [True] * 3


def test_the_first_the_last_and_every_fifth_epoch_have_a_number():
    assert [column.label for column in draw(examples.training()).columns if column.label] == [
        "1",
        "5",
        "10",
        "15",
    ]


def test_practice_digits_have_no_required_line():
    assert draw(examples.practice().training).required is None


def test_without_an_epoch_there_is_no_chart():
    assert (
        draw(examples.training(runs=(examples.run(()),), best=None, last=None, last_3=None)) is None
    )
