"""Trainings beside others: their budget is as much longer, and a GPU is one training's."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from grader.training.records import TrainingRun
from grader.training.task import Task
from grader.training.worker.sharing import Share, Turns

ROOT = Path(__file__).parents[3]


class Noting:
    """A Trainer that trains nothing and notes what it was asked."""

    def __init__(self):
        self.tasks = []
        self.inside = 0

    def __enter__(self):
        self.inside += 1
        return self

    def __exit__(self, *_):
        self.inside -= 1

    def run(self, task, values):
        self.tasks.append(task)
        return tuple(run(seed) for seed in values)


def run(seed):
    fields = {field.name: None for field in dataclasses.fields(TrainingRun)}
    return TrainingRun(**fields | {"seed": seed, "side_by_side": 2})


def task():
    return Task(program=None, data=None, budget_seconds=100.0)


def test_a_share_of_the_processor_has_as_much_more_time_and_says_so():
    trainer = Noting()
    with Share(trainer, 3) as share:
        assert trainer.inside == 1
        runs = share.run(task(), {0: b"", 1: b""})
    assert trainer.inside == 0
    assert trainer.tasks[0].budget_seconds == 300
    assert [(one.seed, one.side_by_side) for one in runs] == [(0, 6), (1, 6)]


HOLD = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(descriptor, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no flock")
def test_of_those_with_one_ticket_one_trains(tmp_path):
    ticket, trainer = tmp_path / "turn", Noting()
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(ticket)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with other:
        assert other.stdout.readline() == b"held\n"
        script = (
            "import sys; sys.path.insert(0, sys.argv[2])\n"
            "from pathlib import Path\n"
            "from tests.training.worker.test_sharing import Noting, Turns\n"
            "print('waits', flush=True)\n"
            "with Turns(Noting(), Path(sys.argv[1])): print('trains', flush=True)\n"
        )
        waiting = subprocess.Popen(
            [sys.executable, "-c", script, str(ticket), str(ROOT)], stdout=subprocess.PIPE
        )
        with waiting:
            assert waiting.stdout.readline() == b"waits\n"
            with pytest.raises(subprocess.TimeoutExpired):
                waiting.wait(0.5)
            other.kill()  # however the first one ends, the next one trains
            assert waiting.stdout.readline() == b"trains\n"
            assert waiting.wait(60) == 0
    with Turns(trainer, ticket) as turns:
        assert turns.run(task(), {4: b""})[0].seed == 4
        assert trainer.inside == 1
    assert trainer.inside == 0
