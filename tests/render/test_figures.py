"""What training came to, in words: the same ones for every output."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.render import figures
from grader.report import Curve
from tests import report_examples as examples


def text(training, name):
    return {fact.name: fact.text for fact in figures.facts(training)}.get(name)


def with_curves(*, rate=None, momentum=None):
    run = examples.run()
    return examples.training(
        run.model_copy(update={"learning_rate": rate or run.learning_rate, "momentum": momentum})
    )


def test_a_learning_rate_that_rises_and_falls_has_a_peak():
    curve = Curve(first=0.004, lowest=4e-7, highest=0.1, last=4e-7)
    assert text(with_curves(rate=curve), "learning rate") == "0.004 → peak 0.1 → 4e-07"


def test_a_learning_rate_that_only_falls_has_two_ends():
    curve = Curve(first=0.1, lowest=0.001, highest=0.1, last=0.001)
    assert text(with_curves(rate=curve), "learning rate") == "0.1 → 0.001"


def test_a_constant_learning_rate_needs_no_curve():
    curve = Curve(first=0.01, lowest=0.01, highest=0.01, last=0.01)
    (figure,) = [
        figure
        for figure in figures.facts(with_curves(rate=curve))
        if figure.name == "learning rate"
    ]
    assert (figure.text, figure.shape) == ("0.01 throughout", "")


def test_a_momentum_that_moves_has_its_own_line():
    curve = Curve(first=0.95, lowest=0.85, highest=0.95, last=0.95)
    assert text(with_curves(momentum=curve), "momentum") == "0.95 → low 0.85 → 0.95"


def test_a_momentum_that_never_moves_shares_the_line_of_the_learning_rate():
    assert (
        text(examples.training(), "learning rate") == "0.004 → peak 0.05 → 0.00333 · momentum 0.9"
    )
    assert text(examples.training(), "momentum") is None


def test_the_train_accuracy_is_shown_from_the_first_to_the_last_epoch():
    assert (
        text(examples.training(), "train accuracy") == "80.00 % → 98.67 %, while training"
    )  # 1 - 0.2 / 15


def test_speed_says_time_to_99_images_per_second_and_memory():
    # CLIMB reaches 9,900 at its sixth epoch of 13.5 s.
    assert (
        text(examples.training(), "speed")
        == "99 % after 1 min 21 s · 4,444 images/s · peak memory 812 MB"
    )


def test_several_runs_give_the_span_of_their_times():
    slow = tuple(correct - 10 for correct in examples.CLIMB)  # 9,901 at the seventh epoch
    training = examples.training(examples.run(), examples.run(slow, seed=2))
    assert text(training, "speed").startswith("99 % after 1 min 21 s to 1 min 34 s · ")


def test_runs_that_never_got_there_are_counted():
    training = examples.training(examples.run(), examples.run((9000, 9100), seed=2))
    assert text(training, "speed").startswith("99 % after 1 min 21 s in 1 of 2 runs · ")
    assert text(examples.training(examples.run((9000,))), "speed").startswith("99 % not reached · ")


def test_a_report_older_than_the_time_to_99_claims_nothing_about_it():
    run = examples.run().model_copy(update={"seconds_to_99": None})
    assert text(examples.training(run), "speed") == "4,444 images/s · peak memory 812 MB"


def test_practice_digits_have_no_time_to_99():
    assert "99 %" not in text(examples.practice().training, "speed")


def test_mistakes_are_counted_and_the_three_most_frequent_confusions_named():
    expected = "56 images · 4 taken for 9: 7 times · 7 for 2: 5 · 9 for 4: 5"
    assert text(examples.training(), "mistakes") == expected


def test_an_image_without_a_prediction_is_wrong_and_confused_with_nothing():
    training = examples.training(confusion=examples.confusion(), wrong=(3, 4))
    assert text(training, "mistakes") == "2 images"


def test_the_seed_of_a_single_run_is_named():
    assert figures.source(examples.training()).endswith("10,000 to be judged on · seed 1")


def test_only_the_best_epoch_is_marked_as_selected_on_the_test_set():
    marked = {
        score.name
        for score in figures.scores(examples.training())
        if "selected on" in " ".join(score.remarks)
    }
    assert marked == {"best epoch"}


@pytest.mark.parametrize(
    ("values", "drawn"),
    [((0, 7), "▁█"), (range(8), "▁▂▃▄▅▆▇█"), ((3, 3), "▄▄"), ((), ""), ((1.7e308, -1.7e308), "█▁")],
)
def test_a_sparkline_spans_its_own_lowest_and_highest_value(values, drawn):
    assert figures.sparkline(values) == drawn


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=200))
def test_a_sparkline_is_short_and_shows_the_last_value(values):
    drawn = figures.sparkline(values)
    assert 1 <= len(drawn) <= figures.MOST_COLUMNS
    assert set(drawn) <= set(figures.BLOCKS)
    if len(values) > 1 and values[-1] > max(values[:-1]) + 1:
        assert drawn[-1] == ("█" if len(drawn) > 1 else "▄")
