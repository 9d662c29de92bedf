"""Train in a process of its own, which may run out of memory, hang or die: the grader goes on.

In: what `grader.training.run.run` takes. Out: the same `TrainingRun`, bit for bit on a CPU. However the process ends,
that is this submission's error and nobody else's. It is sent no label of a test image, and its answers are believed
only as far as their form.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import torch

from grader.errors import SubmissionError
from grader.program import Program
from grader.training.data import TrainingData
from grader.training.process import Process
from grader.training.records import Ending, Epoch, Feedback, Step, TrainingRun
from grader.training.run import INTERRUPTED
from grader.training.wire import Message


@dataclass(frozen=True, slots=True)
class Limits:
    """What a training process may use.

    `memory_bytes` is of the CPU's memory, where training runs there; less on a machine that has less. `start_seconds`
    is for importing torch, `silence_seconds` for one training step or one look at all test images.
    """

    memory_bytes: int = 16 * 2**30
    start_seconds: float = 300.0
    silence_seconds: float = 600.0


@dataclass(slots=True)
class _Run:
    """What is known of a run while it goes on: enough for a TrainingRun at any moment."""

    seed: int
    device: str
    logits_shape: tuple[int, int]
    after_epoch: Callable[[Epoch], Feedback | None]
    on_step: Callable[[Step], None] | None
    epochs: list[Epoch] = field(default_factory=list)
    peak_memory_bytes: int | None = None
    parameters_moved: bool = True

    def ended(self, ending: Ending) -> TrainingRun:
        return TrainingRun(
            self.seed, self.device, tuple(self.epochs), ending, self.parameters_moved, self.peak_memory_bytes
        )


class Worker:
    """The training process of one submission: `with Worker() as worker: worker.run(...)`, once for each seed.

    It starts with the first run, and again after a failure; when the `with` ends, it is gone.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._process: Process | None = None
        self._subject: tuple[object, ...] = ()

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

    def run(
        self,
        program: Program,
        values: bytes,
        data: TrainingData,
        *,
        seed: int,
        device: torch.device | str = "cpu",
        epochs: int | None = None,
        budget_seconds: float = math.inf,
        after_epoch: Callable[[Epoch], Feedback | None] = lambda epoch: None,
        on_step: Callable[[Step], None] | None = None,
    ) -> TrainingRun:
        """As `grader.training.run.run`, but `on_step` is called every 20 steps only.

        Ctrl-C stops the process and keeps the epochs that were finished; the parameters then count as moved. Raises
        SubmissionError also when the process dies, is silent for too long, or takes more than twice its budget;
        GraderError when it does not start.
        """
        shape = (len(data.test_images), program.classes)
        run = _Run(seed, torch.device(device).type, shape, after_epoch, on_step)
        deadline = time.monotonic() + 2 * budget_seconds + self._limits.start_seconds
        try:
            process = self._prepared(program, data, str(device))
            process.say(Message("run", {"seed": seed, "epochs": epochs, "budget_seconds": budget_seconds}, (values,)))
            ending = self._follow(process, run, deadline)
        except KeyboardInterrupt:
            self.stop()
            ending = INTERRUPTED
        except BaseException:
            self.stop()
            raise
        return run.ended(ending)

    def _prepared(self, program: Program, data: TrainingData, device: str) -> Process:
        """The process that holds this Program and these images: the last run's, or a fresh one."""
        subject = (program, data, device)
        if subject != self._subject:
            self.stop()
        if self._process is None:
            self._process, self._subject = Process(), subject
            self._process.say(_preparation(program, data, device, self._limits))
            self._process.wait_until_ready(self._limits.start_seconds)
        return self._process

    def _follow(self, process: Process, run: _Run, deadline: float) -> Ending:
        """Take the run's messages until it is done."""
        while True:
            if time.monotonic() > deadline:
                raise SubmissionError("Training took more than twice its time budget and was stopped.")
            message = process.hear(self._limits.silence_seconds)
            try:
                heard = _understand(message, run)
            except (KeyError, TypeError, ValueError) as error:
                raise SubmissionError(f"The training process answered nonsense and was stopped ({error}).") from error
            if isinstance(heard, Ending):
                return heard
            if isinstance(heard, Step) and run.on_step:
                run.on_step(heard)
            if isinstance(heard, Epoch):
                run.epochs.append(heard)
                feedback = run.after_epoch(heard)
                process.say(Message("feedback", asdict(feedback) if feedback else {}))


def _preparation(program: Program, data: TrainingData, device: str, limits: Limits) -> Message:
    """All that the process is told of the submission and the images, but for the weights."""
    facts = {
        "name": data.name,
        "practice": data.practice,
        "train_shape": data.train_images.shape,
        "test_shape": data.test_images.shape,
        "device": device,
        "threads": torch.get_num_threads(),  # another number of threads adds in another order
        "memory_bytes": min(limits.memory_bytes, _memory_of_this_machine()),
    }
    arrays = (data.train_images, data.train_labels.astype(np.int64), data.test_images)
    blobs = (np.ascontiguousarray(array).reshape(-1).view(np.uint8).data for array in arrays)
    return Message("prepare", facts, (program.to_json().encode(), *blobs))


def _memory_of_this_machine() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return 2**62


def _understand(message: Message, run: _Run) -> Step | Epoch | Ending | None:
    """What a message says; None for one that only shows life or says where training runs.

    Raises KeyError, TypeError or ValueError for what no training process says.
    """
    facts: dict[str, Any] = dict(message.facts)
    if message.kind == "step":
        return Step(**{**facts, "loss": torch.tensor(float(facts["loss"]))})
    if message.kind == "epoch":
        run.peak_memory_bytes = facts.pop("peak_memory_bytes")
        return Epoch(**facts, logits=_logits(message, run.logits_shape))
    if message.kind == "done":
        run.parameters_moved = facts["parameters_moved"]
        run.peak_memory_bytes = facts["peak_memory_bytes"]
        return Ending(**facts["ending"])
    if message.kind == "began":
        run.device = str(facts["device"])
    elif message.kind != "alive":
        raise ValueError(f"it says {message.kind!r}")
    return None


def _logits(message: Message, shape: tuple[int, int]) -> torch.Tensor:
    (blob,) = message.blobs
    return torch.from_numpy(np.frombuffer(blob, np.float32).reshape(shape).copy())
