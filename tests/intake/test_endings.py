"""The line of the condition that ends a training early, where it can be told."""

from __future__ import annotations

import pytest

from grader.intake import endings
from grader.program.listing import Listing
from grader.program.recipe import Patience
from tests.capture.rehearsal.test_summary import recipe
from tests.capture.rehearsal.traces import Made

LOOP = "for epoch in range(20):\n    acc, loss = train()\n"


def lines(text, *, accuracy=None, patience=None):
    made = Made()
    made.train()
    stops = {"stop_at_accuracy": accuracy, "lines": {"epochs": 1}}
    if patience:
        stops["patience"] = Patience(monitor="loss", epochs=patience)
    read = recipe(made).model_copy(update=stops)
    return endings.lines(Listing.of_file("train.py", text), read)


def test_the_one_break_is_the_line():
    text = LOOP + "    if acc >= 99.4:\n        break\n"
    assert lines(text, accuracy=0.994) == {"stop_at_accuracy": 3}


def test_two_are_told_apart_by_the_number():
    text = LOOP + "    if wait > 3:\n        break\n    if acc >= 99.4:\n        break\n"
    assert lines(text, accuracy=0.994, patience=3) == {"patience": 3, "stop_at_accuracy": 5}


def test_a_break_of_an_inner_loop_is_another_one():
    inner = "    for batch in data:\n        if batch is None:\n            break\n"
    text = LOOP + inner + "    else:\n        pass\n    if stop(loss):\n        break\n"
    assert lines(text, patience=3) == {"patience": 8}


def test_an_else_belongs_to_its_condition():
    text = LOOP + "    if loss < best:\n        best = loss\n    else:\n        break\n"
    assert lines(text, patience=1) == {"patience": 3}


def test_a_flag_of_a_trainer_is_one():
    text = LOOP + "    trainer.should_stop = True\n"
    assert lines(text, patience=3) == {"patience": 3}


def test_the_loop_that_follows_a_flag_is_not_another_condition():
    text = LOOP + "    if self.should_stop:\n        break\ndef f(e):\n    e.should_stop = True\n"
    assert lines(text, patience=3) == {"patience": 6}


@pytest.mark.parametrize("more", ["", "    if a:\n        break\n    if b:\n        break\n"])
def test_where_it_is_not_plain_there_is_none(more):
    assert lines(LOOP + more, patience=3) == {}


def test_a_while_is_seen():
    assert endings.has_while("while acc < 1:\n    pass\n")
    assert endings.has_while("for epoch in itertools.count(1):\n    pass\n")
    assert endings.has_while("for _ in iter(int, 1):\n    pass\n")
    assert not endings.has_while("for epoch in range(count):\n    pass\n")
    assert not endings.has_while("x = 'while acc < 1:'\n")
