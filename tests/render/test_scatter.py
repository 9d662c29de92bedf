"""Sizes against accuracy: who is on the front, what is drawn where, what is left out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.render import scatter
from grader.report import Verdict
from tests import report_examples as examples


def work(name, parameters, score, **more):
    changes = {
        "submission": name,
        "analysis": {"total_parameters": parameters},
        "training": examples.training(score=score, interval=None),
        **more,
    }
    return examples.passed().model_copy(update=changes)


def on_front(*reports):
    return [said.split(" (")[0] for said in scatter.draw(reports).on_front]


def test_the_worked_example_of_the_module():
    drawn = scatter.draw([work("a", 2000, 0.992), work("b", 4000, 0.995), work("c", 8000, 0.994)])
    left, middle, right = (mark.x for mark in drawn.marks)
    assert middle - left == pytest.approx(right - middle, abs=0.02)
    assert on_front(work("a", 2000, 0.992), work("b", 4000, 0.995), work("c", 8000, 0.994)) == [
        "a",
        "b",
    ]


def test_of_equal_accuracies_the_smaller_network_is_on_the_front():
    assert on_front(work("large", 5000, 0.995), work("small", 4000, 0.995)) == ["small"]


def test_who_fails_another_check_than_the_accuracys_is_drawn_and_not_on_the_front():
    failing = [examples.check("gap", "GAP.", Verdict.FAILED)]
    cheat = work("cheat", 10, 0.999, checks=failing, verdict=Verdict.FAILED)
    missed = [examples.check("accuracy", "Accuracy.", Verdict.FAILED)]
    honest = work("honest", 3000, 0.98, checks=missed, verdict=Verdict.FAILED)
    assert on_front(cheat, honest) == ["honest"]
    assert len(scatter.draw([cheat, honest]).marks) == 2


def test_only_what_was_trained_and_graded_is_drawn():
    ended = work("ended", 4000, 0.99, interrupted=True)
    looked = work("looked", 4000, 0.99, quick_look="10 epochs")
    assert scatter.draw([examples.uncaptured(), examples.practice(), ended, looked]) is None
    assert len(scatter.draw([work("a", 4000, 0.99), ended]).marks) == 1


def test_a_network_that_learned_nothing_stands_at_the_edge_and_presses_nobody_together():
    drawn = scatter.draw([work("good", 4000, 0.9945), work("diverged", 4000, 0.1135)])
    good, diverged = drawn.marks
    assert (diverged.y, diverged.outlying) == (scatter.HEIGHT, True)
    assert not good.outlying
    assert drawn.outlying == "1 below 97.00 %, at the edge"


def test_the_threshold_and_the_limit_stand_at_their_places():
    drawn = scatter.draw([work("on it", 8000, 0.994)])
    (mark,) = drawn.marks
    assert drawn.limit.text == "limit <= 8,000"
    assert drawn.limit.place == mark.x
    assert drawn.required.place == mark.y


def test_names_of_the_front_that_would_collide_are_left_out():
    crowd = [work(f"somebody {place}", 4000 + place, 0.995 + place * 1e-6) for place in range(20)]
    drawn = scatter.draw(crowd)
    assert len(drawn.on_front) == 20
    assert sum(bool(mark.label) for mark in drawn.marks) == 1


sizes = st.integers(1, 10**8)
scores = st.floats(0, 1)


@given(st.lists(st.tuples(sizes, scores), min_size=1, max_size=30))
def test_whoever_is_not_on_the_front_is_beaten_by_somebody_on_it(values):
    reports = [work(str(place), *value) for place, value in enumerate(values)]
    best = [values[int(name)] for name in on_front(*reports)]
    assert best == sorted(set(best))
    for size, score in values:
        assert any(other <= size and found >= score for other, found in best)
    for one in best:
        assert not any(size <= one[0] and score > one[1] for size, score in values)


@given(st.lists(st.tuples(sizes, scores), min_size=1, max_size=10))
def test_everything_is_inside_the_picture(values):
    drawn = scatter.draw([work(str(place), *value) for place, value in enumerate(values)])
    across = [mark.x for mark in drawn.marks] + [tick.place for tick in drawn.across]
    up = [mark.y for mark in drawn.marks] + [tick.place for tick in drawn.up]
    assert all(0 <= place <= 100 for place in across)
    assert all(0 <= place <= scatter.HEIGHT for place in up)
    assert 1 <= len(drawn.across) <= 7
    assert [tick.place for tick in drawn.up] == sorted((t.place for t in drawn.up), reverse=True)
