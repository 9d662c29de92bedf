"""Boards: what counts, who is ranked, and that ranks are what the values say."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.classroom import leaderboard
from grader.render.markdown import prose
from grader.report import Verdict
from tests import report_examples as examples
from tests.render import hostile


def with_training(name, *, score=0.9942, parameters=6260, seconds=30.0, **more):
    report = examples.passed()
    runs = tuple(run.model_copy(update={"seconds_to_99": seconds}) for run in report.training.runs)
    training = report.training.model_copy(update={"score": score, "runs": runs})
    analysis = {**report.analysis, "total_parameters": parameters}
    changes = {"submission": name, "training": training, "analysis": analysis, **more}
    return report.model_copy(update=changes)


def failing(report):
    checks = [
        check.model_copy(update={"verdict": Verdict.FAILED}) if check.name == "accuracy" else check
        for check in report.checks
    ]
    return report.model_copy(update={"checks": tuple(checks)})


def boards(*reports):
    found = leaderboard.boards(reports, names=leaderboard.own_name)
    return {board.name: [(p.rank, p.name) for p in board.places] for board in found}


def test_the_smallest_the_fastest_and_the_best_lead_each_their_own_board():
    small = with_training("small", parameters=5000, seconds=60.0)
    quick = with_training("quick", parameters=7000, seconds=20.0, score=0.9941)
    best = with_training("best", parameters=7900, seconds=90.0, score=0.9951)
    found = boards(small, quick, best)
    leaders = {name: places[0][1] for name, places in found.items()}
    assert leaders["parameters"] == "small"
    assert leaders["seconds_to_99"] == "quick"
    assert leaders["accuracy"] == "best"


def test_a_small_network_that_learned_little_is_on_the_board_of_accuracy_alone():
    found = boards(failing(with_training("tiny", parameters=100, score=0.62)))
    assert found["accuracy"] == [(1, "tiny")]
    assert found["parameters"] == found["seconds_to_99"] == found["multiply_adds"] == []


@pytest.mark.parametrize("changed", [{"quick_look": "2 of 15 epochs"}, {"interrupted": True}])
def test_what_is_no_graded_training_is_on_no_board(changed):
    found = boards(with_training("a", **changed), examples.practice(), examples.uncaptured())
    assert all(places == [] for places in found.values())


@given(st.lists(st.integers(1, 5), max_size=8))
@settings(max_examples=30, deadline=None)
def test_a_rank_is_one_more_than_the_number_of_those_before(sizes):
    reports = [with_training(f"s{n}", parameters=size) for n, size in enumerate(sizes)]
    (board, *_) = leaderboard.boards(reports, names=leaderboard.own_name)
    values = [place.value for place in board.places]
    assert values == sorted(map(float, sizes))
    for place in board.places:
        assert place.rank == 1 + sum(value < place.value for value in values)


def test_pseudonyms_say_no_name_and_stay():
    reports = [with_training(f"student-{n}") for n in range(12)]
    first = leaderboard.pseudonyms(reports, b"secret")
    again = leaderboard.pseudonyms(reports[::-1], b"secret")
    names = [first(report) for report in reports]
    assert names == [again(report) for report in reports]
    assert sorted(names) == [f"participant {n:02}" for n in range(1, 13)]
    other = leaderboard.pseudonyms(reports, b"another")
    assert names != [other(report) for report in reports]


@given(hostile.HOSTILE)
@settings(max_examples=20)
def test_a_hostile_name_is_only_text_in_markdown_and_json(report):
    report = with_training("x", display_name=report.submission)
    found = leaderboard.boards([report], names=leaderboard.own_name)
    (name,) = {place.name for board in found for place in board.places}
    assert prose(name) in leaderboard.markdown(found)
    assert json.loads(leaderboard.to_json(found))["accuracy"][0]["name"] == name
