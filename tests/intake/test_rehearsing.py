"""Which of several trainings counts, and that the others are said."""

from __future__ import annotations

from grader.intake import asking, rehearsing
from grader.program.listing import Listing
from grader.program.rehearsed import Rehearsal, TrainedNetwork, Training


def trained(*names: str) -> Rehearsal:
    """A rehearsal of one training for each class."""
    return Rehearsal(
        trainings=tuple(
            Training(network=TrainedNetwork(file="a.py", name=name), steps=10, line=line)
            for line, name in enumerate(names, start=1)
        )
    )


def counting(source: str, *names: str) -> str | None:
    chosen = asking.of_model(trained(*names), Listing.of_file("a.py", source)).counting
    return chosen.network.name if chosen and chosen.network else None


def test_the_last_training_counts():
    assert counting("", "One", "Two") == "Two"


def test_model_says_whose_training_counts():
    assert counting("x = 1\nMODEL = One\n", "One", "Two") == "One"
    assert counting('MODEL = "One"  # this one\n', "One", "Two", "One", "Two") == "One"


def test_a_model_that_was_not_trained_takes_no_other_ones_recipe():
    found = asking.of_model(trained("One", "Two"), Listing.of_file("a.py", "MODEL = Three"))
    assert found.counting is None
    (trouble,) = found.troubles
    assert "Three" in trouble.text
    assert "One, Two" in trouble.text


def test_the_other_trainings_are_said_with_their_lines():
    remark = rehearsing.others(trained("One", "Two", "Three"))
    assert "trains 3 times" in remark[0].text
    assert "One (line 1), Two (line 2)" in remark[0].text
    assert remark[0].line == 3
    assert rehearsing.others(trained("One")) == ()
