"""Numbers as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.render import words
from grader.report import Placed, Report
from tests.report_examples import report


def test_an_accuracy_has_two_digits():
    assert words.percent(0.9942) == "99.42 %"


def test_one_thing_is_not_several():
    assert words.several(1, "image") == "1 image"
    assert [words.several(number, "image") for number in (0, 2_000)] == ["0 images", "2,000 images"]


def test_a_missing_accuracy_is_a_dash():
    assert words.percent(None) == "–"


def test_an_accuracy_just_below_the_threshold_is_not_rounded_up_to_it():
    assert (
        words.percent(29_819 / 30_000, threshold=0.994) == "99.397 %"
    )  # two digits would read 99.40


@given(st.integers(0, 30_000), st.integers(0, 10_000))
def test_a_written_accuracy_is_on_the_same_side_of_the_threshold_as_the_counted_one(
    correct, wanted
):
    accuracy, threshold = correct / 30_000, wanted / 10_000
    written = float(words.percent(accuracy, threshold=threshold).removesuffix(" %"))
    assert (
        round(written * 100) >= wanted
        if written * 100 == round(written * 100)
        else written * 100 >= wanted
    ) == (accuracy >= threshold)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (144, "144"),
        (999, "999"),
        (1000, "1 k"),
        (62_720, "62.7 k"),
        (572_320, "572 k"),
        (999_499, "999 k"),
        (999_500, "1 M"),
        (2_310_000, "2.31 M"),
        (5_000_000_000, "5 G"),
        (10**13, "10 T"),
    ],
)
def test_a_large_number_has_three_digits_and_a_unit(number, text):
    assert words.large(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (212.4, "3 min 32 s"),
        (3900, "1 h 05 min"),
    ],
)
def test_a_duration_is_in_seconds_minutes_or_hours(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("part", "text"), [(0, ""), (0.0001, "< 0.1 %"), (0.1234, "12.3 %"), (1, "100.0 %")]
)
def test_a_share_is_in_percent(part, text):
    assert words.share(part) == text


@pytest.mark.parametrize(
    ("value", "text"), [(20.0, "20"), (12.5, "12.5"), (0.0, "0"), (100.0, "100")]
)
def test_points_have_no_idle_zeros(value, text):
    assert words.points(value) == text


def test_rows_and_columns_are_written_once_where_they_agree():
    assert words.pair((28, 28)) == "28"
    assert words.pair((28, 14)) == "28×14"
    assert words.pair(None) == ""


@pytest.mark.parametrize("path", ["a/b/net.py", "a\\b\\net.py", "net.py"])
def test_a_place_is_the_file_and_the_line(path):
    assert words.place(report(path=path), Placed(line=12)) == "net.py:12"
    assert words.place(report(path=path), Placed()) == ""


def test_a_place_in_a_notebook_is_its_cell_and_in_a_folder_its_file():
    one = report(path="a/net.ipynb")
    where = Placed(line=3, cell=7)
    assert words.place(one, where) == "net.ipynb, cell 7, line 3"
    assert words.path_place(one, where) == "a/net.ipynb, cell 7, line 3"
    assert words.line_of(where) == "cell 7:3"
    other = Placed(line=12, file="net/model.py")
    assert words.place(report(path="alice"), other) == "net/model.py:12"
    assert words.path_place(report(path="alice"), other) == "alice/net/model.py:12"


def test_a_file_name_cannot_move_the_cursor():
    hostile: Report = report(path="submissions/\x1b[2J.py")
    assert words.file_name(hostile) == "\\x1b[2J.py"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (812_000_000, "812 MB"),
        (999_499_999, "999 MB"),
        (999_500_000, "1 GB"),
        (1_310_000_000, "1.31 GB"),
        (0, "0 MB"),
    ],
)
def test_memory_has_three_digits_and_a_unit(size, text):
    assert words.memory(size) == text


def test_whose_recipe_was_trained_is_one_line():
    recipe = {"lines": {"epochs": 5, "optimizer": 41}, "clip_norm": None, "clip_value": None}
    assert words.recipe_origin(recipe) == (
        "Yours: epochs (line 5), optimizer and schedule (line 41). "
        "The assignment's: batch size, loss, transform. No clipping."
    )
    more = {"lines": {"patience": 9, "images": 8, "min_delta": 10}}
    assert words.recipe_origin(more).startswith("Yours: number of images (line 8), patience (li")
    clipped = {"lines": {"clip_norm": 7}, "clip_norm": 1.0}
    assert words.recipe_origin(clipped).startswith("Yours: clipping (line 7). The assignment's:")
