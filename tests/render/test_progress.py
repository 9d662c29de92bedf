"""The live display: calm on a terminal, one line per epoch elsewhere, nothing when quiet."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from grader.render.progress import SECONDS_BETWEEN_FRAMES, TrainingProgress
from grader.render.queue import Queue


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    """What rich reads from the environment (FORCE_COLOR in CI, say) would change the output."""
    for name in (
        "FORCE_COLOR",
        "NO_COLOR",
        "COLUMNS",
        "LINES",
        "TTY_COMPATIBLE",
        "TTY_INTERACTIVE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def clock():
    return Clock()


def console(*, terminal):
    return Console(
        file=io.StringIO(),
        force_terminal=terminal,
        width=80,
        color_system=None,
        legacy_windows=False,
    )


def output(progress):
    return progress._console.file.getvalue()


def plain(clock, **options):
    return TrainingProgress("alice", console=console(terminal=False), clock=clock, **options)


def live(clock, **options):
    return TrainingProgress("alice", console=console(terminal=True), clock=clock, **options)


def test_away_from_a_terminal_each_epoch_is_one_plain_line(clock):
    with plain(clock) as progress:
        progress.stage("Reading the network")
        progress.start(1, 20, 469)
        progress.step(0, 1, 20, 0.5, 0.01)
        progress.epoch(0, 1, 9731, 10_000, 0.2413, 0.0121, 13.46)
    assert output(progress) == (
        "alice: Reading the network\nalice: epoch  1/20  97.31 %  loss 0.2413  lr 0.0121  13.5 s\n"
    )


def test_quiet_prints_nothing(clock):
    for shown in (plain(clock, quiet=True), live(clock, quiet=True)):
        with shown as progress:
            progress.stage("Training")
            progress.start(1, 1, 1)
            progress.step(0, 1, 1, 0.5, 0.01)
            progress.epoch(0, 1, 9, 10, 0.5, 0.01, 1.0)
        assert output(progress) == ""


def test_a_terminal_shows_epoch_loss_accuracy_learning_rate_and_time_left(clock):
    with live(clock) as progress:
        progress.start(1, 4, 100)
        clock.now = 10.0
        progress.epoch(0, 1, 9731, 10_000, 0.2413, 0.0121, 10.0)
    shown = output(progress)
    for part in (
        "alice",
        "epoch 1 of 4",
        "97.31 %",
        "loss 0.2413",
        "learning rate 0.0121",
        "30.0 s left",
    ):
        assert part in shown


def frame(progress, width):
    """The lines of the block as it stands, on a terminal of that width."""
    progress._console.width = width
    with progress._console.capture() as drawn:
        progress._console.print(progress._frame())
    return [line.rstrip() for line in drawn.get().split("\n")[:-1]]


@pytest.mark.parametrize("width", [30, 40, 60, 80, 120])
def test_on_any_terminal_the_block_keeps_its_number_of_lines(clock, width):
    queue = Queue(28, clock=clock)
    name = "a_rather_long_name_of_a_student"
    progress = TrainingProgress(name, console=console(terminal=True), clock=clock, queue=queue)
    progress.start(3, 15, 469)
    assert len(frame(progress, width)) == 3
    clock.now = 20.0
    for epoch in (1, 2, 3):
        for seed in (1, 2, 3):
            progress.epoch(seed, epoch, 9731, 10_000, 0.2413, 0.0121, 10.0)
    whole, place, bar, head, *rows = frame(progress, width)
    assert whole.startswith("1 of 28 · ")
    assert whole.endswith("46 min 20 s to go")
    assert place.startswith("a_rather_")
    assert "epoch 3 of 15" in place
    assert bar.endswith("1 min 20 s left")
    assert "accuracy" in head
    assert len(rows) == 6
    assert all("97.31 %" in row for row in rows)
    assert max(map(cell_len, (whole, place, bar, head, *rows))) <= width


def test_before_the_first_step_no_loss_is_shown(clock):
    progress = live(clock)
    progress.start(1, 4, 100)
    (_, bar) = frame(progress, 80)
    assert "loss" not in bar
    assert bar.endswith("getting ready to train")


def test_when_all_steps_are_done_no_time_is_left(clock):
    progress = live(clock)
    progress.start(1, 1, 100)
    clock.now = 9.0
    progress.epoch(0, 1, 9731, 10_000, 0.2413, 0.0121, 9.0)
    assert "0.0 s left" not in "".join(frame(progress, 80))
    assert "judging the result" in "".join(frame(progress, 80))


def test_what_comes_before_the_first_stage_is_said_on_a_terminal_alone(clock):
    with live(clock) as progress:
        progress.get_ready()
    assert "Getting ready" in output(progress)
    with plain(clock) as progress:
        progress.get_ready()
    assert output(progress) == ""


def test_steps_are_drawn_a_few_times_per_second_at_most(clock):
    with live(clock) as progress:
        progress.start(1, 1, 1000)
        before = output(progress)
        for step in range(1, 500):
            progress.step(0, 1, step, 0.5, 0.01)
        assert output(progress) == before
        clock.now = SECONDS_BETWEEN_FRAMES
        progress.step(0, 1, 500, 0.5, 0.01)
        assert output(progress) != before


def test_the_time_left_is_the_pace_so_far_times_the_steps_to_go(clock):
    with plain(clock) as progress:
        progress.start(2, 5, 100)
        assert progress.seconds_left() is None
        clock.now = 6.0
        progress.step(0, 1, 60, 0.5, 0.01)
        assert progress.seconds_left() == pytest.approx(94.0)  # 0.1 s a step, 1000 - 60 steps to go


def test_seeds_that_train_at_once_are_told_apart(clock):
    with plain(clock) as progress:
        progress.start(2, 3, 10)
        for epoch in (1, 2, 3):
            for seed in (4, 7):
                progress.step(seed, epoch, 5, 0.5, 0.01)
                progress.epoch(seed, epoch, 9, 10, 0.5, 0.01, 1.0)
    assert output(progress).count("seed 4  epoch") == 3
    assert output(progress).count("seed 7  epoch") == 3
    assert progress.seconds_left() == 0


def test_more_seeds_than_announced_are_counted_in(clock):
    with plain(clock) as progress:
        progress.start(1, 1, 10)
        progress.epoch(0, 1, 9, 10, 0.5, 0.01, 1.0)
        progress.more_seeds(3)
        progress.epoch(1, 1, 9, 10, 0.5, 0.01, 1.0)
    assert "seed 1  epoch" in output(progress)
    clock.now += 2.0
    assert progress.seconds_left() == pytest.approx(1.0)


@pytest.mark.parametrize("loss", [None, float("nan")])
def test_a_loss_that_is_no_number_is_said_to_be_none(clock, loss):
    with plain(clock) as progress:
        progress.start(1, 1, 1)
        progress.epoch(0, 1, 1, 10, loss, 0.01, 1.0)
    assert "loss none" in output(progress)


def test_the_display_ends_when_training_is_interrupted(clock):
    progress = live(clock)

    def interrupted():
        with progress:
            progress.start(1, 1, 1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert progress._live is None
    assert output(progress).rstrip().endswith("\x1b[2K")  # the block was wiped


def test_a_hostile_name_is_shown_as_text(clock):
    with TrainingProgress(
        "\x1b[2J[red]x", console=console(terminal=False), clock=clock
    ) as progress:
        progress.stage("Reading the network")
    assert output(progress) == "\\x1b[2J[red]x: Reading the network\n"


def test_it_writes_to_stderr(capsys):
    with TrainingProgress("alice") as progress:
        progress.stage("Reading the network")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Reading the network" in captured.err
