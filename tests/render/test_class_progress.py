"""How far a class is: on a terminal one block, in a pipe a line for each that is done."""

import io

from rich.console import Console

from grader.render.class_progress import ClassProgress
from grader.report import Verdict
from tests import report_examples as examples


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def progress(number, *, terminal=False, quiet=False):
    clock, text = Clock(), io.StringIO()
    console = Console(file=text, width=80, force_terminal=terminal, legacy_windows=False)
    return ClassProgress(number, console=console, quiet=quiet, clock=clock), clock, text


def test_a_pipe_gets_a_line_for_each_with_the_time_that_is_left():
    shown, clock, text = progress(5)
    with shown:
        shown.kept(1)
        shown.running("a", "alice", "Reading the network")
        clock.now = 10.0
        shown.done("a", examples.passed())
    kept, done = text.getvalue().splitlines()
    assert kept == "1 of 5 unchanged since they were graded: kept"
    assert done == "      2/5  ✓ alice: passed, 100 / 100 · about 30.0 s to go"


def test_a_terminal_gets_a_block_with_what_runs_and_what_failed():
    shown, clock, text = progress(9, terminal=True)
    with shown:
        shown.kept(2)
        shown.running("a", "alice", "Reading the network")
        shown.running("b", "ben", "Training", 75.0)
        clock.now = 4.0
        shown.done("a", examples.passed().model_copy(update={"verdict": Verdict.FAILED}))
    said = text.getvalue()
    assert "3 of 9 done · 1 running · 2 kept · 1 failed" in said
    assert "Training, 1 min 15 s left" in said
    assert "about 24.0 s to go" in said


def test_names_that_would_move_the_cursor_are_only_text():
    shown, _, text = progress(2)
    with shown:
        shown.done("a", examples.passed().model_copy(update={"display_name": "\x1b[2Jbad"}))
    assert "\x1b" not in text.getvalue()


def test_the_quiet_are_told_nothing():
    shown, _, text = progress(2, quiet=True)
    with shown:
        shown.kept(1)
        shown.done("a", examples.passed())
    assert text.getvalue() == ""
