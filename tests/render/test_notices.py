"""What every output says above the results, where the images were not the assignment's own."""

from grader.render import figures, notices
from grader.report import Report
from tests import report_examples as examples


def practised(dataset: str, graded_on: str) -> Report:
    training = examples.training(practice=True, dataset=dataset, graded_on=graded_on)
    return examples.report(training=training)


def test_practice_digits_say_which_data_set_they_stand_in_for():
    ((title, text),) = notices.banners(practised("practice", "Fashion-MNIST"))
    assert title == "PRACTICE: not graded on Fashion-MNIST"
    assert text.startswith("Fashion-MNIST was not there, so this run learned from 1,797 small")


def test_another_data_set_in_its_place_is_named():
    ((title, text),) = notices.banners(practised("kmnist", "MNIST"))
    assert title == "PRACTICE: not graded on MNIST"
    assert text.startswith("This run learned from kmnist in place of MNIST.")


def test_a_practice_score_would_count_on_the_assignments_own_data_set():
    scores = figures.scores(practised("practice", "KMNIST").training)
    assert any("would count on KMNIST" in str(score) for score in scores)
