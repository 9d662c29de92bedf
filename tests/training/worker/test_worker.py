"""Training in a process of its own gives the same bits, and its death is one submission's error and
nobody else's.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from grader.errors import GraderError, SubmissionError
from grader.program.program import Program, read
from grader.sandbox import same_code
from grader.training.records import INTERRUPTED, Ending, Epoch, Feedback, TrainingRun
from grader.training.run import train_seeds
from grader.training.task import Task
from grader.training.worker import remote, worker
from grader.training.worker.process import Process
from grader.training.worker.remote import Limits, Worker
from grader.training.worker.wire import Inbox, Message, receive, send
from tests.training.engine.test_loop import PLATEAU, images, program, values, with_second_look

IMAGES = images()
ROTATION = {
    "degrees": [-7.0, 7.0],
    "interpolation": "nearest",
    "expand": False,
    "center": None,
    "fill": 0,
}
PROGRAM = program(
    dropout=0.3,
    batch_size=2,
    steps_per_epoch=20,
    schedule={"learning_rate": [[{"value": 0.1, "steps": 60}]]},
    plateau=PLATEAU,
    augmentations=[{"name": "RandomRotation", "settings": ROTATION}, {"name": "ToTensor"}],
)

READY = Message("ready", same_code.own())

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


def judged(epoch: Epoch) -> Feedback:
    return Feedback(accuracy=0.5, loss=float(epoch.logits.mean()) + 1)


def trained(
    one: Worker, wanted: Program = PROGRAM, *, seed: int = 3, **arguments: Any
) -> TrainingRun:
    (done,) = one.run(
        Task(wanted, IMAGES, engine="torch", **told(**{"after_epoch": judged, **arguments})),
        {seed: values()},
    )
    return done


def told(*, after_epoch: Any, on_step: Any = lambda step: None, **arguments: Any) -> dict[str, Any]:
    """The arguments of a Task from functions that do not care for the seed."""
    by_seed = {
        "after_epoch": lambda _, epoch: after_epoch(epoch),
        "on_step": lambda _, step: on_step(step),
    }
    return {**by_seed, **arguments}


def trained_here(seed: int) -> TrainingRun:
    (done,) = train_seeds(
        Task(PROGRAM, IMAGES, engine="torch", **told(after_epoch=judged)), {seed: values()}
    )
    return done


def without_times(done: TrainingRun) -> list[Any]:
    timed = {"logits", "seconds", "evaluation_seconds"}
    return [
        {key: value for key, value in asdict(epoch).items() if key not in timed}
        for epoch in done.epochs
    ]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def shared():
    """One process for the tests that leave it alive."""
    with Worker() as one:
        yield one


def test_all_that_a_recipe_may_ask_for_crosses_to_the_process(shared):
    weights = ["conv.weight", "linear.weight"]
    group = {"parameters": [*weights, "norm.bias"], "settings": {"rho": 0.8}}
    curves = {
        "learning_rate": [[{"value": 1.0, "steps": 9}]],
        "weight_decay": [[{"value": 0.0, "steps": 4}, {"value": 0.1, "steps": 5}]],
    }
    wanted = program(
        batch_size=8,
        steps_per_epoch=3,
        images=25,
        drop_last=True,
        optimizer={"name": "Adadelta", "groups": [group]},
        schedule=curves,
        penalties=[{"kind": "l1", "factor": 0.01, "parameters": weights}],
        patience={"monitor": "accuracy", "epochs": 1},
    )
    (here,) = train_seeds(
        Task(wanted, IMAGES, engine="torch", **told(after_epoch=judged)), {3: values()}
    )
    there = trained(shared, wanted)
    assert without_times(there) == without_times(here)
    assert [epoch.images for epoch in there.epochs] == [24, 24]
    assert there.ending == here.ending
    assert there.ending.stopped_because.endswith("had not improved for 1 epoch")
    for ours, theirs in zip(there.epochs, here.epochs, strict=True):
        assert torch.equal(ours.logits, theirs.logits)


def test_two_seeds_in_one_process_give_the_bits_that_training_here_gives(shared):
    pids, seen = set(), []
    for seed in (3, 4):
        here = trained_here(seed)
        there = trained(shared, seed=seed, on_step=seen.append)
        pids.add(shared.pid)
        assert without_times(there) == without_times(here)
        assert len(there.epochs) == 3
        for one, other in zip(there.epochs, here.epochs, strict=True):
            assert torch.equal(one.logits, other.logits)
        assert (there.seed, there.device, there.ending) == (seed, here.device, here.ending)
        assert there.engine == here.engine
        assert there.parameters_moved
        assert there.peak_memory_bytes > 1_000_000
    assert len(pids) == 1
    assert [(step.epoch, step.step, step.steps) for step in seen] == [
        (1, 20, 20),
        (2, 20, 20),
        (3, 20, 20),
    ] * 2


def test_epochs_and_the_time_budget_reach_the_process(shared):
    assert len(trained(shared, epochs=1).epochs) == 1
    assert trained(shared, budget_seconds=0).ending == Ending(
        False, "its 0 s were over in epoch 1", out_of_time=True
    )


def test_what_is_sent_holds_the_training_images_and_no_label_of_a_test_image():
    message = remote._preparation(PROGRAM, IMAGES, "cpu", Limits(), 1)
    text, *arrays = (bytes(blob) for blob in message.blobs)
    assert read(text) == PROGRAM
    sent = (IMAGES.train_images, IMAGES.train_labels, IMAGES.test_images)
    assert arrays == [array.tobytes() for array in sent]
    assert message.facts.keys() == {
        *("name", "practice", "train_shape", "test_shape", "device", "threads", "memory_bytes"),
        *("batch_sizes", "second_batch_sizes"),
    }


def test_the_looks_of_a_process_are_those_of_training_here():
    task = Task(PROGRAM, with_second_look(), engine="torch", **told(after_epoch=judged))
    (here,) = train_seeds(task, {3: values()})
    with Worker() as one:
        (there,) = one.run(task, {3: values()})
    assert torch.equal(there.ending.second_look, here.ending.second_look)
    for epoch, other in zip(there.epochs, here.epochs, strict=True):
        assert torch.equal(epoch.logits, other.logits)


@pytest.mark.parametrize("rows", [6, 0])
def test_a_second_look_of_another_size_is_nonsense(rows):
    runs = remote._Runs({3: remote._Run(3)}, "cpu", (12, 10), (7, 10))
    facts = {"seed": 3, "parameters_moved": True, "peak_memory_bytes": None, "engine": "eager"}
    facts |= {"side_by_side": 1, "preparation_seconds": 0.0, "ending": {"finished": True}}
    with pytest.raises(ValueError, match="reshape"):
        remote._understand(Message("done", facts, (bytes(40 * rows),)), runs)


@needs_signals
def test_a_killed_process_is_this_runs_error_and_the_next_run_has_a_fresh_one(shared):
    def kill(epoch: Epoch) -> Feedback:
        if epoch.epoch == 2:
            os.kill(shared.pid, signal.SIGKILL)
        return judged(epoch)

    with pytest.raises(
        SubmissionError, match="was ended by SIGKILL: most likely it used more memory than"
    ):
        trained(shared, after_epoch=kill)
    assert shared.pid is None
    assert trained(shared).ending.finished


@needs_signals
def test_a_silent_process_is_stopped(shared, monkeypatch):
    stopped = []

    def stop(epoch: Epoch) -> Feedback:
        stopped.append(shared.pid)
        os.kill(shared.pid, signal.SIGSTOP)
        monkeypatch.setattr(shared, "_limits", Limits(silence_seconds=0.5))
        return judged(epoch)

    with pytest.raises(SubmissionError, match="did nothing for 0 s and was stopped"):
        trained(shared, after_epoch=stop)
    assert not alive(stopped[0])


def test_ctrl_c_stops_the_process_and_keeps_the_epochs_that_were_finished(shared):
    pids = []

    def interrupt(epoch: Epoch) -> Feedback:
        pids.append(shared.pid)
        if epoch.epoch == 2:
            raise KeyboardInterrupt
        return judged(epoch)

    done = trained(shared, after_epoch=interrupt)
    assert [epoch.epoch for epoch in done.epochs] == [1, 2]
    assert done.ending == INTERRUPTED
    assert done.device.startswith("cpu (")
    assert done.peak_memory_bytes > 1_000_000
    assert not alive(pids[0])


def enlarged() -> Program:
    """A network whose activations take 2 TB."""
    return _with_node("aten.repeat.default", [1, 1, 2**11, 2**8], ["N", 4, 2**14, 2**11])


def refused() -> Program:
    """A network with an operator that torch refuses when it runs."""
    return _with_node("aten.transpose.int", 9, 9, ["N", 4, 8, 8])


def _with_node(op: str, *arguments: Any) -> Program:
    document = json.loads(program().to_json())
    *given, shape = arguments
    for graph in (document["train"], document["eval"]):
        at = next(place for place, node in enumerate(graph["nodes"]) if node["name"] == "b") + 1
        for node in graph["nodes"][at:]:
            node["shape"] = shape if node["shape"] == ["N", 4, 8, 8] else node["shape"]
        added = {
            "name": "r",
            "op": op,
            "arguments": [{"node": "b"}, *given],
            "shape": shape,
            "dtype": "float32",
        }
        graph["nodes"].insert(at, added)
        graph["nodes"][at + 1]["arguments"][0] = {"node": "r"}
    return read(json.dumps(document))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds a process's memory")
def test_a_network_that_needs_more_memory_than_it_may_use_is_told_so():
    with (
        Worker(Limits(memory_bytes=2 * 2**30)) as one,
        pytest.raises(SubmissionError, match="ran out of memory"),
    ):
        trained(one, enlarged())


@pytest.fixture
def served(monkeypatch):
    """What the worker says when asked to train a Program once; run here, without a process."""
    monkeypatch.setattr(worker, "_limit_memory", lambda most: None)

    def serve(wanted: Program) -> list[Message]:
        asked = _bytes(remote._preparation(wanted, images(), "cpu", Limits(), 1))
        asked += _bytes(
            Message("run", {"seeds": [3], "epochs": 1, "budget_seconds": 100.0}, (values(),))
        )
        said = io.BytesIO()
        with pytest.raises(EOFError):
            worker._Worker(Inbox(io.BytesIO(asked)), said).serve()
        said.seek(0)
        return list(_messages(said))

    return serve


def _messages(stream: io.BytesIO) -> Iterator[Message]:
    while stream.tell() < len(stream.getvalue()):
        yield receive(stream)


def test_what_torch_refuses_while_it_trains_is_told_in_its_words(served):
    error = served(refused())[-1]
    assert error.facts["fault"] == "submission"
    assert "stopped with an error: Dimension out of range" in error.facts["message"]


def test_what_training_refuses_is_told_as_training_says_it(served):
    error = served(program(trainable=False))[-1]
    assert error.facts["fault"] == "submission"
    assert "output depends on no trainable parameter" in error.facts["message"]


def test_a_recipe_for_other_images_is_the_graders_fault(served):
    error = served(program(batch_size=40))[-1]
    assert error.facts["fault"] == "grader"
    assert "captured for 3 steps an epoch" in error.facts["message"]


def test_an_error_that_nobody_foresaw_is_the_graders_fault():
    assert worker._error(KeyError("weight")).facts == {
        "fault": "grader",
        "message": "KeyError: 'weight'",
        "line": None,
    }


def test_a_device_that_does_not_work_is_the_graders_fault():
    with pytest.raises(GraderError, match="The xla device does not work"):
        worker._try("xla")


def test_the_process_ends_when_the_grader_is_gone():
    process = Process()
    process.say(remote._preparation(PROGRAM, IMAGES, "cpu", Limits(), 1))
    process.wait_until_ready(300)
    process.say(
        Message("run", {"seeds": [3], "epochs": None, "budget_seconds": 100.0}, (values(),))
    )
    process.hear(100)
    process._stdin.close()  # as the system does for a grader that was killed
    assert process._process.wait(timeout=120) == 0
    process.end()


@cache
def conversation() -> list[bytes]:
    """What a process says in a run of three epochs."""
    here = trained_here(3)
    said = [READY, Message("began", {"device": "cpu (1 thread)"})]
    for epoch in here.epochs:
        facts = {key: getattr(epoch, key) for key in epoch.__dataclass_fields__ if key != "logits"}
        said.append(
            Message(
                "epoch",
                {**facts, "seed": 3, "peak_memory_bytes": 5},
                (epoch.logits.numpy().tobytes(),),
            )
        )
    known = {
        "seed": 3,
        "parameters_moved": True,
        "peak_memory_bytes": 5,
        "engine": "eager",
        "side_by_side": 1,
    }
    known["preparation_seconds"] = 0.5
    said.append(Message("done", {"ending": asdict(here.ending), **known}))
    return [_bytes(message) for message in said]


def _bytes(message: Message) -> bytes:
    stream = io.BytesIO()
    send(stream, message)
    return stream.getvalue()


@pytest.fixture
def actor(tmp_path, monkeypatch):
    """A process that says given bytes, and then runs a line of Python."""

    def play(said: bytes, then: str) -> Worker:
        (tmp_path / "said").write_bytes(said)
        script = tmp_path / "actor.py"
        script.write_text(
            "import os, signal, sys, time\n"
            f"os.write(1, open({str(tmp_path / 'said')!r}, 'rb').read())\n{then}\n"
        )
        monkeypatch.setattr(remote, "Process", partial(Process, script))
        return Worker(Limits(start_seconds=20, silence_seconds=20))

    return play


def test_the_actors_whole_conversation_is_a_run(actor):
    with actor(b"".join(conversation()), "time.sleep(100)") as one:
        assert trained(one).ending.finished


@needs_signals
def test_killed_at_any_moment_the_run_ends_with_a_clear_error(actor):
    parts = conversation()
    whole, ready = b"".join(parts), len(parts[0])
    for cut in np.linspace(ready, len(whole) - 1, 20).astype(int):
        with actor(whole[:cut], "os.kill(os.getpid(), signal.SIGKILL)") as one:
            with pytest.raises(SubmissionError, match="was ended by SIGKILL"):
                trained(one)
            assert one.pid is None


def test_a_process_that_does_not_start_is_the_graders_fault(actor):
    early = r"did not start: it ended early \(status 1\): no torch here"
    with actor(b"", "sys.exit('no torch here')") as one, pytest.raises(GraderError, match=early):
        trained(one)
    with actor(b"", "time.sleep(100)") as one:
        one._limits = Limits(start_seconds=0.1)
        with pytest.raises(GraderError, match="did not start within 0 s"):
            trained(one)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\xff" * 8,
        _bytes(Message("hello")),
        _bytes(Message("epoch", {"seed": 3, "epoch": 1})),
        _bytes(Message("step", {"seed": 3, "loss": "high"})),
        _bytes(Message("step", {"seed": 4, "loss": 1.0})),
        _bytes(Message("done", {"seed": 3})),
    ],
)
def test_nonsense_from_the_process_is_this_submissions_error(actor, nonsense):
    with actor(_bytes(READY) + nonsense, "time.sleep(100)") as one:
        one._limits = Limits(start_seconds=20, silence_seconds=0.5)
        with pytest.raises(SubmissionError, match="nonsense"):
            trained(one)


def test_logits_of_another_size_are_nonsense(actor):
    ready, began, epoch, *_ = conversation()
    arrived = receive(io.BytesIO(epoch))
    (logits,) = arrived.blobs
    assert len(logits) == 12 * 10 * 4  # images, classes, bytes
    said = ready + began + _bytes(replace(arrived, blobs=(logits[:-4],)))
    with actor(said, "time.sleep(100)") as one, pytest.raises(SubmissionError, match="nonsense"):
        trained(one)


def test_twice_the_budget_is_the_end_though_the_process_shows_life(actor):
    say = f"while True: os.write(1, {_bytes(Message('alive'))!r}); time.sleep(0.05)"
    with actor(_bytes(READY), say) as one:
        one._limits = Limits(start_seconds=1)
        with pytest.raises(SubmissionError, match="twice its time budget"):
            trained(one, budget_seconds=0)


def test_what_the_process_prints_last_is_part_of_the_error(actor):
    then = (
        "print('CUDA error: device-side assert triggered', file=sys.stderr); sys.stderr.flush(); "
        "os.abort()"
    )
    with (
        actor(_bytes(READY), then) as one,
        pytest.raises(SubmissionError, match="device-side assert"),
    ):
        trained(one)


def test_an_error_of_the_graders_own_in_the_process_is_not_the_students(actor):
    said = _bytes(READY) + _bytes(
        Message("error", {"fault": "grader", "message": "no", "line": None})
    )
    with (
        actor(said, "time.sleep(100)") as one,
        pytest.raises(GraderError, match="The training process failed: no"),
    ):
        trained(one)


def test_the_program_file_is_beside_the_code_that_starts_it():
    assert Path(remote.__file__).with_name("worker.py").exists()
