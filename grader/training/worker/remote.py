"""Train in a process of its own, which may run out of memory, hang or die: the grader goes on.

In: a Task and initial weights, as `grader.training.run` takes them. Out: the same `TrainingRun`,
bit for bit on a CPU. However the process ends, that is this submission's error and nobody else's.
It is sent no label of a test image, and its answers are believed only as far as their form.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import torch

from grader.errors import SubmissionError
from grader.program.program import Program
from grader.training.data import TrainingData
from grader.training.records import (
    INTERRUPTED,
    Ending,
    Epoch,
    Flow,
    Moved,
    Silent,
    Step,
    TrainingRun,
)
from grader.training.task import Task, Values
from grader.training.worker.process import Process
from grader.training.worker.wire import Message


@dataclass(frozen=True, slots=True)
class Limits:
    """What a training process may use.

    `memory_bytes` is of the CPU's memory, where training runs there; less on a machine that has
    less. `start_seconds` is for importing torch, `silence_seconds` for one training step or one
    look at all test images.
    """

    memory_bytes: int = 16 * 2**30
    start_seconds: float = 300.0
    silence_seconds: float = 600.0


@dataclass(slots=True)
class _Run:
    """What is known of one seed's run while it goes on: enough for a TrainingRun at any moment."""

    seed: int
    epochs: list[Epoch] = field(default_factory=list)
    ending: Ending | None = None
    peak_memory_bytes: int | None = None
    parameters_moved: bool = True
    engine: str = "eager"
    side_by_side: int = 1
    preparation_seconds: float = 0.0


@dataclass(slots=True)
class _Runs:
    """The runs of one Task, by seed, and on what device they are."""

    by_seed: dict[int, _Run]
    device: str
    logits_shape: tuple[int, int]
    second_shape: tuple[int, int]

    @property
    def done(self) -> bool:
        return all(run.ending for run in self.by_seed.values())

    def results(self) -> tuple[TrainingRun, ...]:
        """Of every seed that has begun; the first has, whatever is known of it."""
        runs = list(self.by_seed.values())
        return tuple(
            TrainingRun(
                seed=run.seed,
                device=self.device,
                epochs=tuple(run.epochs),
                ending=run.ending or INTERRUPTED,
                parameters_moved=run.parameters_moved,
                peak_memory_bytes=run.peak_memory_bytes,
                engine=run.engine,
                side_by_side=run.side_by_side,
                preparation_seconds=run.preparation_seconds,
            )
            for run in runs
            if run.ending or run.epochs or run is runs[0]
        )


class Worker:
    """The training process of one submission: `with Worker() as worker: worker.run(...)`.

    It starts with the first run, and again after a failure; when the `with` ends, it is gone.
    `threads` of the CPU are its own, by default as many as torch uses here.
    """

    def __init__(self, limits: Limits | None = None, *, threads: int | None = None) -> None:
        self._limits = limits or Limits()
        self.threads = threads or torch.get_num_threads()
        self._process: Process | None = None
        self._subject: tuple[object, ...] = ()
        self._cancelled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The number of the process, while there is one."""
        return self._process.pid if self._process else None

    def stop(self) -> None:
        """End the process, now."""
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def cancel(self) -> None:
        """Stop for good, from any thread: this run and any later one end as interrupted."""
        self._cancelled = True
        self.stop()

    def run(self, task: Task, values: Values) -> tuple[TrainingRun, ...]:
        """As `grader.training.run.train_seeds`, but `on_step` is called every 20 steps only.

        Ctrl-C stops the process and keeps the epochs that were finished; the parameters then count
        as moved. Raises SubmissionError also when the process dies, is silent for too long, or
        takes more than twice its budget; GraderError when it does not start.
        """
        look, classes = task.data.second_look, task.program.classes
        runs = _Runs(
            {seed: _Run(seed) for seed in values},
            torch.device(task.device).type,
            logits_shape=(len(task.data.test_images), classes),
            second_shape=(len(look.images) if look else 0, classes),
        )
        deadline = (
            time.monotonic() + 2 * len(values) * task.budget_seconds + self._limits.start_seconds
        )
        facts = {
            "seeds": list(values),
            "epochs": task.epochs,
            "budget_seconds": task.budget_seconds,
            "engine": task.engine,
            "flow": task.flow,
        }
        try:
            process = self._prepared(task.program, task.data, str(task.device))
            process.say(Message("run", facts, tuple(values.values())))
            self._follow(process, task, runs, deadline)
        except KeyboardInterrupt:
            self.stop()
        except BaseException:
            self.stop()
            if not self._cancelled:
                raise
        return runs.results()

    def _prepared(self, program: Program, data: TrainingData, device: str) -> Process:
        """The process that holds this Program and these images: the last run's, or a fresh one."""
        subject = (program, data, device)
        if subject != self._subject:
            self.stop()
        if self._process is None:
            process = Process()
            self._process, self._subject = process, subject
            if self._cancelled:  # before there was a process to stop
                raise KeyboardInterrupt
            process.say(_preparation(program, data, device, self._limits, self.threads))
            process.wait_until_ready(self._limits.start_seconds)
            return process
        return self._process

    def _follow(self, process: Process, task: Task, runs: _Runs, deadline: float) -> None:
        """Take the runs' messages until all are done."""
        while not runs.done:
            if time.monotonic() > deadline:
                raise SubmissionError(
                    "Training took more than twice its time budget and was stopped."
                )
            message = process.hear(self._limits.silence_seconds)
            try:
                heard = _understand(message, runs)
            except (KeyError, TypeError, ValueError) as error:
                raise SubmissionError(
                    f"The training process answered nonsense and was stopped ({error})."
                ) from error
            if isinstance(heard, Step):
                task.on_step(message.facts["seed"], heard)
            if isinstance(heard, Epoch):
                feedback = task.after_epoch(message.facts["seed"], heard)
                told = asdict(feedback) if feedback else {}
                process.say(Message("feedback", told))


def _preparation(
    program: Program, data: TrainingData, device: str, limits: Limits, threads: int
) -> Message:
    """All that the process is told of the submission and the images, but for the weights."""
    facts = {
        "name": data.name,
        "practice": data.practice,
        "train_shape": data.train_images.shape,
        "test_shape": data.test_images.shape,
        "batch_sizes": data.batch_sizes,
        "second_batch_sizes": data.second_look.batch_sizes if data.second_look else (),
        "device": device,
        "threads": threads,  # another number of threads adds in another order
        "memory_bytes": min(limits.memory_bytes, _memory_of_this_machine()),
    }
    arrays = [data.train_images, data.train_labels.astype(np.int64), data.test_images]
    if data.second_look:
        arrays.append(data.second_look.images)
    blobs = (np.ascontiguousarray(array).reshape(-1).view(np.uint8).data for array in arrays)
    return Message("prepare", facts, (program.to_json().encode(), *blobs))


def _memory_of_this_machine() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return 2**62


def _understand(message: Message, runs: _Runs) -> Step | Epoch | None:
    """What a message says; None if there is no step and no epoch in it.

    Raises KeyError, TypeError or ValueError for what no training process says.
    """
    if message.kind == "began":
        runs.device = str(message.facts["device"])
    elif message.kind != "alive":
        return _of_a_run(message, runs)
    return None


def _of_a_run(message: Message, runs: _Runs) -> Step | Epoch | None:
    facts: dict[str, Any] = dict(message.facts)
    run = runs.by_seed[facts.pop("seed")]
    if message.kind == "step":
        return Step(**{**facts, "loss": torch.tensor(float(facts["loss"]))})
    if message.kind == "epoch":
        run.peak_memory_bytes = facts.pop("peak_memory_bytes")
        run.epochs.append(Epoch(**facts, logits=_logits(message, runs.logits_shape)))
        return run.epochs[-1]
    if message.kind != "done":
        raise ValueError(f"it says {message.kind!r}")
    run.parameters_moved = facts["parameters_moved"]
    run.peak_memory_bytes = facts["peak_memory_bytes"]
    run.engine, run.side_by_side = str(facts["engine"]), int(facts["side_by_side"])
    run.preparation_seconds = float(facts["preparation_seconds"])
    second_look = _logits(message, runs.second_shape) if message.blobs else None
    said = {**facts["ending"], "second_look": second_look}
    if said.get("flow") is not None:
        said["flow"] = _flow(said["flow"])
    run.ending = Ending(**said)
    return None


def _flow(said: dict[str, Any]) -> Flow:
    """What the process says of the gradients; raises as `_understand` for nonsense."""
    moved = [Moved(str(one["layer"]), float(one["far"])) for one in said["moved"]]
    silent = []
    for one in said["silent"]:
        silent.append(Silent(str(one["layer"]), int(one["channels"]), int(one["dead"])))
    return Flow(tuple(moved), tuple(silent))


def _logits(message: Message, shape: tuple[int, int]) -> torch.Tensor:
    (blob,) = message.blobs
    return torch.from_numpy(np.frombuffer(blob, np.float32).reshape(shape).copy())
