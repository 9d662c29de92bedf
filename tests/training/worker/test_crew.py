"""Seeds train side by side on a CPU, each in a process with its share of the threads; one that
fails stops all.
"""

from __future__ import annotations

import os
import threading
import time

import pytest
import torch

from grader.errors import SubmissionError
from grader.training.records import INTERRUPTED, Ending
from grader.training.run import train_seeds
from grader.training.task import Task, Trainer
from grader.training.worker.crew import Crew
from grader.training.worker.remote import Worker
from tests.training.engine.test_loop import EPOCHS, images, program, values
from tests.training.worker.test_worker import alive

IMAGES = images()
PROGRAM = program(dropout=0.3)
BLOBS = {seed: values() for seed in (3, 4, 5)}


@pytest.fixture
def threads():
    """Torch may use two threads, whatever the machine or the test runner says."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def crew(threads):
    with Crew() as together:
        yield together


def pids(crew: Crew) -> list[int]:
    return [worker.pid for worker in crew._workers if worker.pid]


def test_each_seed_has_the_bits_that_it_has_alone_and_nobody_is_told_of_two_things_at_once(crew):
    seen, inside = [], threading.Lock()

    def after_epoch(seed, epoch):
        assert inside.acquire(blocking=False)
        seen.append((seed, epoch.epoch))
        time.sleep(0.01)
        inside.release()

    runs = crew.run(Task(PROGRAM, IMAGES, engine="torch", after_epoch=after_epoch), BLOBS)
    assert [done.seed for done in runs] == [3, 4, 5]
    assert {done.side_by_side for done in runs} == {2}
    assert {(done.device, done.engine) for done in runs} == {
        ("cpu (1 thread)", "eager, channels last")
    }
    assert sorted(seen) == [(seed, epoch) for seed in (3, 4, 5) for epoch in range(1, EPOCHS + 1)]
    torch.set_num_threads(1)
    for done, alone in zip(
        runs, train_seeds(Task(PROGRAM, IMAGES, engine="torch"), BLOBS), strict=True
    ):
        assert all(
            torch.equal(a.logits, b.logits) for a, b in zip(done.epochs, alone.epochs, strict=True)
        )


def test_one_seed_has_all_threads_and_the_next_lot_has_other_processes(crew):
    (first,) = crew.run(Task(PROGRAM, IMAGES, engine="torch"), {3: values()})
    assert (first.device, first.engine, first.side_by_side) == ("cpu (2 threads)", "eager", 1)
    (alone,) = pids(crew)
    crew.run(Task(PROGRAM, IMAGES, engine="torch"), {4: values(), 5: values()})
    assert len(pids(crew)) == 2
    assert not alive(alone)


@pytest.mark.parametrize("kind", [Crew, Worker])
def test_a_trainer_can_be_entered_again_after_it_was_left(threads, kind):
    """The pipeline enters one trainer for each submission, and nothing of the last one is left."""
    trainer: Trainer = kind()
    runs, processes = [], []
    for _ in range(2):
        with trainer as entered:
            assert entered is trainer
            runs.append(trainer.run(Task(PROGRAM, IMAGES, engine="torch"), BLOBS))
            processes.append([trainer.pid] if isinstance(trainer, Worker) else pids(trainer))
        assert processes[-1]
        assert not any(alive(pid) for pid in processes[-1])
    assert not set(processes[0]) & set(processes[1])
    for first, again in zip(*runs, strict=True):
        assert (first.seed, first.engine, first.ending) == (again.seed, again.engine, again.ending)
        for a, b in zip(first.epochs, again.epochs, strict=True):
            assert torch.equal(a.logits, b.logits)


def test_a_process_that_dies_is_an_error_and_stops_the_others(crew):
    hired = []

    def kill(seed, epoch):
        hired.extend(pids(crew))
        os.kill(hired[0], 9)

    with pytest.raises(SubmissionError, match="SIGKILL"):
        crew.run(Task(PROGRAM, IMAGES, engine="torch", after_epoch=kill), BLOBS)
    assert not any(alive(pid) for pid in hired)


def test_ctrl_c_while_several_train_keeps_what_is_finished(crew, monkeypatch):
    enough, cancelled = threading.Event(), threading.Event()
    real, real_cancel = Crew._wait, Crew._cancel

    def cancel(self):
        real_cancel(self)
        cancelled.set()

    def wait(self, futures):
        enough.wait(60)
        stopped = iter([KeyboardInterrupt])
        monkeypatch.setattr(
            type(futures[0]), "result", _interrupted(type(futures[0]).result, stopped)
        )
        return real(self, futures)

    monkeypatch.setattr(Crew, "_wait", wait)
    monkeypatch.setattr(Crew, "_cancel", cancel)
    seen = []

    def after_epoch(seed, epoch):
        seen.append(seed)
        if len(seen) == 2:
            enough.set()
            cancelled.wait(60)  # the others wait for this one to have spoken

    runs = crew.run(
        Task(PROGRAM, IMAGES, engine="torch", after_epoch=after_epoch), {3: values(), 4: values()}
    )
    assert {done.seed for done in runs} == {3, 4}
    assert all(done.ending in (INTERRUPTED, Ending(True)) for done in runs)
    assert INTERRUPTED in {done.ending for done in runs}
    assert pids(crew) == []


def test_a_worker_that_was_cancelled_before_it_began_trains_nothing_and_leaves_no_process(threads):
    worker = Worker(threads=1)
    worker.cancel()
    (done,) = worker.run(Task(PROGRAM, IMAGES, engine="torch"), {3: values()})
    assert (done.ending, done.epochs, worker.pid) == (INTERRUPTED, (), None)


def _interrupted(real, stopped):
    def result(self, timeout=None):
        for kind in stopped:
            raise kind
        return real(self, timeout)

    return result


def test_side_by_side_each_run_may_take_longer_by_as_many_times(threads, monkeypatch):
    budgets = []

    def run_nothing(self, task, values):
        budgets.append(task.budget_seconds)
        return ()

    monkeypatch.setattr(Worker, "run", run_nothing)
    with Crew() as together:
        together.run(Task(PROGRAM, IMAGES, engine="torch", budget_seconds=100), {3: BLOBS[3]})
        together.run(
            Task(PROGRAM, IMAGES, engine="torch", budget_seconds=100), {4: BLOBS[4], 5: BLOBS[5]}
        )
    assert budgets == [100, 200, 200]
