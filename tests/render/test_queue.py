"""How far a class is, and how long the rest takes."""

import io

from rich.console import Console

from grader.render.progress import TrainingProgress
from grader.render.queue import Queue


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def graded(queue, clock, seconds):
    queue.begin()
    clock.now += seconds
    queue.end(graded=True)


def test_one_submission_has_no_queue():
    queue = Queue(1, clock=Clock())
    assert (queue.place, queue.text(5.0)) == ("", "")


def test_before_anything_is_known_only_the_places_are_said():
    assert Queue(28, clock=Clock()).text() == "1 of 28 · 0 done · 27 left"


def test_the_first_one_stands_for_the_others():
    clock = Clock()
    queue = Queue(3, clock=clock)
    queue.begin()
    clock.now = 10.0
    assert queue.seconds_left(20.0) == 20 + 2 * 30


def test_those_that_are_done_stand_for_the_others():
    clock = Clock()
    queue = Queue(4, clock=clock)
    graded(queue, clock, 10.0)
    graded(queue, clock, 30.0)
    queue.begin()
    clock.now += 5.0
    assert queue.seconds_left() == 15 + 20
    assert queue.text(60.0) == "3 of 4 · 2 done · 1 left · about 1 min 20 s to go"


def test_a_report_that_is_kept_takes_no_time():
    clock = Clock()
    queue = Queue(3, clock=clock)
    queue.end(graded=False)
    graded(queue, clock, 8.0)
    queue.begin()
    assert (queue.place, queue.seconds_left()) == ("3 of 3", 8.0)


def shown(terminal):
    clock = Clock()
    queue = Queue(3, clock=clock)
    console = Console(file=io.StringIO(), force_terminal=terminal, width=80, legacy_windows=False)
    graded(queue, clock, 40.0)
    queue.begin()
    with TrainingProgress("bob", console=console, clock=clock, queue=queue) as progress:
        progress.stage("Training")
        progress.start(1, 4, 100)
        clock.now += 10.0
        progress.epoch(0, 1, 9731, 10_000, 0.2413, 0.0121, 10.0)
    return console.file.getvalue()


def test_a_terminal_shows_the_class_above_the_training(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert "2 of 3 · 1 done · 1 left · about 1 min 10 s to go" in shown(terminal=True)


def test_elsewhere_each_line_says_what_is_left():
    text = shown(terminal=False)
    assert "bob: Training (2 of 3 · 1 done · 1 left · about 1 min 20 s to go)\n" in text
    assert text.endswith("10.0 s  (30.0 s left, 1 min 10 s for all)\n")
