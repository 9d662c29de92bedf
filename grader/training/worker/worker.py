"""The training process: trains one submission's Program under as many seeds as the grader asks for.

Started by `grader.training.worker.process` with `python -I`; nobody imports it but its tests. In:
messages on standard input (Program, weights, training images and labels, test images). Out:
messages on what was standard output (steps, epochs with their logits, the ending). It never holds a
label of a test image, and ends when the grader does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

# `python -I` leaves the grader's own folder out; another grader may be installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from grader.sandbox import same_code
from grader.training.worker.wire import Inbox, Message, send

if TYPE_CHECKING:
    from torch import Tensor

    from grader.program.program import Program
    from grader.training.data import TrainingData
    from grader.training.records import Epoch, Feedback, Step

STEPS_BETWEEN_MESSAGES = 20
"""Reading a loss waits for the device, so the display is sent one in so many."""
SECONDS_BETWEEN_SIGNS = 1.0
"""A slow network's worker shows in between that it is alive."""


def main() -> None:
    """Answer messages until standard input ends.

    What torch or CUDA print goes to standard error.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's to handle
    _be_the_first_to_go()
    inbox = Inbox(os.fdopen(os.dup(0), "rb"), at_end=lambda: os._exit(0))
    outbox = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from grader.training import run  # noqa: F401 - torch takes seconds: the images arrive meanwhile

    with contextlib.suppress(BrokenPipeError):  # the grader is gone
        send(outbox, Message("ready", same_code.own()))
        _Worker(inbox, outbox).serve()
    os._exit(0)


def _be_the_first_to_go() -> None:
    """When memory runs out, Linux ends this process rather than the grader, without a core file."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with contextlib.suppress(ImportError):  # Windows
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class _Worker:
    """The state between messages: the Program and images of this process's one submission."""

    def __init__(self, inbox: Inbox, outbox: IO[bytes]) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._program: Program
        self._data: TrainingData
        self._device = "cpu"
        self._last_sign = time.perf_counter()

    def serve(self) -> None:
        """Do what each message asks."""
        while True:
            message = self._inbox.get()
            try:
                {"prepare": self._prepare, "run": self._run}[message.kind](message)
            except BrokenPipeError:
                raise
            except Exception as error:  # whatever it is, the grader wants to hear of it
                self._say(_error(error))

    def _say(self, message: Message) -> None:
        send(self._outbox, message)
        self._last_sign = time.perf_counter()

    def _prepare(self, message: Message) -> None:
        import numpy as np
        import torch

        from grader.program import program
        from grader.training.data import Look, TrainingData

        facts = message.facts
        text, train_images, train_labels, test_images, *second_look = message.blobs
        torch.set_num_threads(facts["threads"])
        self._program = program.read(bytes(text))
        self._data = TrainingData(
            name=facts["name"],
            practice=facts["practice"],
            train_images=np.frombuffer(train_images, np.uint8).reshape(facts["train_shape"]),
            train_labels=np.frombuffer(train_labels, np.int64),
            test_images=np.frombuffer(test_images, np.uint8).reshape(facts["test_shape"]),
            batch_sizes=tuple(facts["batch_sizes"]),
        )
        for blob in second_look:
            images = np.frombuffer(blob, np.uint8).reshape(-1, *facts["test_shape"][1:])
            look = Look(images, tuple(facts["second_batch_sizes"]))
            self._data = dataclasses.replace(self._data, second_look=look)
        self._device = facts["device"]
        _try(self._device)
        if self._device == "cpu":
            _limit_memory(facts["memory_bytes"])

    def _run(self, message: Message) -> None:
        from grader.training import device
        from grader.training.run import train_seeds
        from grader.training.task import Task

        seeds = message.facts.pop("seeds")
        self._say(Message("began", {"device": device.describe(_place(self._device))}))
        task = Task(
            self._program,
            self._data,
            self._device,
            after_epoch=self._after_epoch,
            on_step=self._on_step,
            **message.facts,
        )
        for done in train_seeds(
            task, {seed: bytes(blob) for seed, blob in zip(seeds, message.blobs, strict=True)}
        ):
            facts = {
                item.name: getattr(done, item.name)
                for item in dataclasses.fields(done)
                if item.name in _OF_A_RUN
            }
            logits = done.ending.second_look
            ending = dataclasses.asdict(dataclasses.replace(done.ending, second_look=None))
            blobs = () if logits is None else (_bytes(logits),)
            self._say(Message("done", facts | {"ending": ending}, blobs))

    def _on_step(self, seed: int, step: Step) -> None:
        if step.step % STEPS_BETWEEN_MESSAGES == 0:
            facts = {item.name: getattr(step, item.name) for item in dataclasses.fields(step)}
            self._say(Message("step", {**facts, "loss": float(step.loss), "seed": seed}))
        elif time.perf_counter() - self._last_sign > SECONDS_BETWEEN_SIGNS:
            self._say(Message("alive"))

    def _after_epoch(self, seed: int, epoch: Epoch) -> Feedback | None:
        from grader.training import device
        from grader.training.records import Feedback

        facts = {
            item.name: getattr(epoch, item.name)
            for item in dataclasses.fields(epoch)
            if item.name != "logits"
        }
        facts |= {"seed": seed, "peak_memory_bytes": device.peak_memory_bytes(_place(self._device))}
        self._say(Message("epoch", facts, (_bytes(epoch.logits),)))
        answer = self._inbox.get()
        return Feedback(**answer.facts) if answer.facts else None


_OF_A_RUN = {
    "seed",
    "parameters_moved",
    "peak_memory_bytes",
    "engine",
    "side_by_side",
    "preparation_seconds",
}
"""What the grader cannot know of a run before it is done."""


def _bytes(logits: Tensor) -> bytes:
    return logits.contiguous().numpy().tobytes()


def _place(device: str) -> Any:
    import torch

    return torch.device(device)


def _try(device: str) -> None:
    """Whether the device works at all, before anything of the submission runs on it.

    Raises GraderError.
    """
    import torch

    from grader.errors import GraderError

    try:
        torch.zeros(1, device=device).add(1).cpu()
    except RuntimeError as error:
        raise GraderError(
            f"The {device} device does not work: {error}. --device cpu trains without it."
        ) from error


def _limit_memory(most: int) -> None:
    """Bound what this process may write to in memory, where the system can (Linux).

    RLIMIT_AS would also count the gigabytes of address space that a CUDA build of torch maps and
    never touches.
    """
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _error(error: Exception) -> Message:
    """Whose fault it is.

    RuntimeError, IndexError and MemoryError are how torch refuses what a network does.
    """
    import torch

    from grader.errors import GraderError, SubmissionError

    if isinstance(error, SubmissionError):
        return Message(
            "error", {"fault": "submission", "message": error.message, "line": error.line}
        )
    if isinstance(error, GraderError):
        return Message("error", {"fault": "grader", "message": str(error), "line": None})
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or "allocate memory" in str(error):
        return Message("error", {"fault": "submission", "message": _TOO_LARGE, "line": None})
    if isinstance(error, RuntimeError | IndexError):
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300].rstrip(".")
        message = (
            f"Training stopped with an error: {reason}. Train the network yourself for a few steps "
            "to see where."
        )
        return Message("error", {"fault": "submission", "message": message, "line": None})
    return Message(
        "error", {"fault": "grader", "message": f"{type(error).__name__}: {error}", "line": None}
    )


_TOO_LARGE = (
    "Training ran out of memory. Make the batch smaller, or the layers: what counts is the number "
    "of channels times the pixels that they keep."
)


if __name__ == "__main__":
    main()
