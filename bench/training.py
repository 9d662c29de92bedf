"""Time the loop that students write, the grader's plain loop and its fast one in one run.

In: a folder with MNIST. Out: `Row`s. Each contender takes its turn in every round, so that whatever
else the machine does meets them alike; the figure is the median of the rounds.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from bench import subject
from grader.program.program import Captured
from grader.training.data import TrainingData
from grader.training.task import Task
from grader.training.worker.crew import Crew

STUDENTS_WORKERS = (0, 2)
TEST_IMAGES = 10_000
ALL_IMAGES = 60_000


@dataclass(frozen=True, slots=True)
class Timing:
    """Images trained on per second by all seeds; seconds of one seed's look at the test images."""

    images_per_second: float
    evaluation_seconds: float

    @property
    def seconds(self) -> float:
        """One seed's share of 15 epochs of 60,000 images, with the test images after each."""
        return subject.EPOCHS * (ALL_IMAGES / self.images_per_second + self.evaluation_seconds)


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to train, and what it is called."""

    name: str
    device: str
    seeds: int
    run: Callable[[], Timing]


@dataclass(frozen=True, slots=True)
class Row:
    """The rounds of one contender; its median compared with the best of the student's loops."""

    contender: Contender
    timings: tuple[Timing, ...]
    ratio: float

    @property
    def middle(self) -> Timing:
        """The median round."""
        return median(self.timings)


def measure(folder: Path, *, rounds: int, steps: int, seeds: tuple[int, ...]) -> list[Row]:
    """Time all contenders on every device present, `steps` batches at a time, `rounds` times."""
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    rows: list[Row] = []
    for device in devices:
        rows += _on(device, folder, steps * subject.BATCH, rounds, seeds)
    return rows


def median(timings: Sequence[Timing]) -> Timing:
    """The median of each figure."""
    return Timing(
        statistics.median(timing.images_per_second for timing in timings),
        statistics.median(timing.evaluation_seconds for timing in timings),
    )


def _on(device: str, folder: Path, images: int, rounds: int, seeds: tuple[int, ...]) -> list[Row]:
    captured, data = subject.capture(images, max(seeds)), subject.images(folder, images)
    students = [
        Contender(
            f"student's loop, {workers} loading processes",
            device,
            1,
            _process(folder, images, device, "student", f"--workers={workers}"),
        )
        for workers in STUDENTS_WORKERS
    ]
    plain = Contender("ours, plain loop", device, 1, _process(folder, images, device, "eager"))
    fast = [
        Contender("ours", device, count, _fast(captured, data, device, count)) for count in seeds
    ]
    contenders = [*students, plain, *fast]
    found: list[tuple[Timing, ...]] = [()] * len(contenders)
    for _ in range(rounds):
        for number, contender in enumerate(contenders):
            found[number] += (contender.run(),)
    best = max(median(timings).images_per_second for timings in found[: len(students)])
    return [
        Row(contender, timings, median(timings).images_per_second / best)
        for contender, timings in zip(contenders, found, strict=True)
    ]


def _process(folder: Path, images: int, device: str, *arguments: str) -> Callable[[], Timing]:
    """A contender in a process of its own, with the environment that a student's shell has."""
    command, *options = arguments
    line = [
        sys.executable,
        "-m",
        "bench.contender",
        command,
        str(folder),
        str(images),
        f"--device={device}",
        *options,
    ]
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OMP_", "GOMP_", "MALLOC_"))
    }

    def run() -> Timing:
        done = subprocess.run(  # noqa: S603 - our own interpreter
            line, env=plain, cwd=subject.ROOT, check=True, capture_output=True, text=True
        )
        facts = json.loads(done.stdout.splitlines()[-1])
        return Timing(images / facts["seconds"], facts["evaluation_seconds"])

    return run


def _fast(captured: Captured, data: TrainingData, device: str, seeds: int) -> Callable[[], Timing]:
    """The grader's own way: its training processes, so many seeds at once.

    The second epoch counts.
    """

    def run() -> Timing:
        values = {seed: captured.values[seed] for seed in range(seeds)}
        with Crew() as crew:
            runs = crew.run(Task(captured.program, data, device, epochs=2), values)
        seconds = sum(done.epochs[-1].seconds / done.side_by_side for done in runs)
        evaluation = statistics.fmean(
            done.epochs[-1].evaluation_seconds / done.side_by_side for done in runs
        )
        return Timing(seeds * len(data.train_images) / seconds, evaluation)

    return run


def memory(folder: Path) -> tuple[float, float]:
    """The peak memory of two processes, in GiB.

    The first has imported torch, the second trains a seed on all of MNIST's images.
    """
    measure_itself = (
        "import torch; from grader.training.device import peak_memory_bytes; "
        "print(peak_memory_bytes(torch.device('cpu')))"
    )
    line = [sys.executable, "-c", measure_itself]
    done = subprocess.run(line, check=True, capture_output=True, text=True)  # noqa: S603 - our own
    captured = subject.capture(ALL_IMAGES)
    with Crew() as crew:
        (run,) = crew.run(
            Task(captured.program, subject.images(folder, ALL_IMAGES), epochs=1),
            {0: captured.values[0]},
        )
    return int(done.stdout) / 2**30, (run.peak_memory_bytes or 0) / 2**30
