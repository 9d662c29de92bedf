"""The process that measures: part after part, a finding a line.

`python -m bench.gpu.measuring SETTINGS ORDER`, both JSON; `ORDER` holds the parts and when each
must be over. Before anything that takes long it looks at the clock, and says what it leaves out.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from bench import references
from bench.driver import Training, Turn
from bench.gpu.plan import Sizes
from bench.references import SUB_8K, Reference
from bench.student import Student
from grader.judging.judge import Judge
from grader.training import device as devices
from grader.training.data import Data
from grader.training.engine import replay
from grader.training.engine.eager import Eager
from grader.training.engine.engine import CannotTrainError, Engine
from grader.training.engine.replay import CudaGraphs, Recorder, Replay, Work

ROOT = Path(__file__).parents[2]
TESTS = ("tests/training/engine/test_replay.py", "-k", "on_a_gpu")
KERNELS = 10
"""The longest ones, that are listed."""


class _AtOnce:
    """A recorder for a rehearsal without a GPU: a replay is the work itself."""

    def run(self, branches: Sequence[Work]) -> None:
        for branch in branches:
            branch()

    def record(self, branches: Sequence[Work], generators: Sequence[torch.Generator]) -> Work:
        return partial(self.run, branches)


@dataclass
class Bench:
    """What all parts share: where, with which images, how much, and until when."""

    device: str
    folder: Path | None
    sizes: Sizes
    names: Sequence[str]
    loaders: int
    part: str = ""
    deadline: float = 0.0
    longest: dict[str, float] = field(default_factory=dict)

    @cached_property
    def images(self) -> Data:
        """Of a whole epoch."""
        return references.images(self.folder, self.sizes.images, self.sizes.tests)

    @cached_property
    def few(self) -> Data:
        """Fewer, with as large a share of test images."""
        tests = self.sizes.few * self.sizes.tests // self.sizes.images
        return references.images(self.folder, self.sizes.few, tests)

    @cached_property
    def sub_8k(self) -> Reference:
        """Captured for a whole epoch, with weights for every seed."""
        return references.capture([SUB_8K], self._learned_from(self.images), self.sizes.seeds)[
            SUB_8K
        ]

    @cached_property
    def sub_8k_on_few(self) -> Reference:
        """Captured for the few images."""
        return references.capture([SUB_8K], self._learned_from(self.few), self.sizes.seeds)[SUB_8K]

    def recorded(self, *, channels_last: bool = False) -> Engine:
        """The engine that is measured."""
        recorder: Callable[[], Recorder] = CudaGraphs if self.device == "cuda" else _AtOnce
        return Replay(recorder, channels_last=channels_last)

    def say(self, kind: str, **facts: Any) -> None:
        """Hand out a finding."""
        print(json.dumps({"part": self.part, "kind": kind, **facts}), flush=True)  # noqa: T201

    def in_time(self, what: str, like: str) -> bool:
        """Whether there is time for `what`, going by how long `like` took; says so if not."""
        needed = self.longest.get(like, 0.0)
        if time.time() + needed < self.deadline:
            return True
        self.say("left out", why=f"no time was left for: {what}")
        return False

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Remember how long `what` took, then let go of the device's memory."""
        began = time.time()
        yield
        self.longest[what] = max(self.longest.get(what, 0.0), time.time() - began)
        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()

    @staticmethod
    def _learned_from(images: Data) -> int:
        return len(images.training.train_images)


def train(
    bench: Bench, by: Engine, reference: Reference, images: Data, seeds: int, epochs: int
) -> dict[str, Any]:
    """Train so many seeds for so many epochs; what it took, and how well they did."""
    place = torch.device(bench.device)
    devices.reset_peak_memory(place)
    training = Training(
        by,
        reference,
        reference.metric(images).data,
        seeds=range(seeds),
        device=bench.device,
    )
    first_loss = None
    turns: list[Turn] = []
    try:
        for _ in range(epochs):
            turns.append(training.turn())
            first_loss = first_loss or training.epochs[0].train_loss
    finally:
        training.close()
    judge = Judge(images.test_labels)
    correct = [judge.correct(epoch.logits[: judge.total]) for epoch in training.epochs.values()]
    return {
        "engine": training.engine,
        "seeds": seeds,
        "epochs": epochs,
        "preparation": turns[0].preparation,
        "seconds": sum(turn.seconds for turn in turns),
        "look_seconds": sum(turn.look_seconds for turn in turns),
        "rates": [turn.images / turn.seconds for turn in turns],
        "first_loss": first_loss,
        "accuracy": statistics.fmean(correct) / judge.total,
        "memory": devices.peak_memory_bytes(place),
    }


def tests(bench: Bench) -> None:
    """Run pytest, and hand on the result of each test."""
    command = [sys.executable, "-m", "pytest", *TESTS, "-v", "--tb=short", "-p", "no:cacheprovider"]
    # Another version's warnings are for us to read, not a reason to fail here.
    command += ["-o", "addopts=--import-mode=importlib", "-o", "filterwarnings=default"]
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        command,
        cwd=ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # whichever are installed
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    alarm = threading.Timer(max(1.0, bench.deadline - time.time()), process.kill)
    alarm.start()
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        words = line.split()
        results = [word for word in words if word in ("PASSED", "FAILED", "ERROR", "SKIPPED")]
        if "::" in line and results and words[0] not in results:
            name = line.partition("::")[2].partition(f" {results[0]}")[0].strip()
            bench.say("test", name=name, result=results[0].lower())
    alarm.cancel()
    if process.wait() < 0:
        bench.say("left out", why="the tests that had not ended when their time was over")
    failed = process.returncode not in (0, -9)
    bench.say("tests", line=lines[-1] if lines else "", tail=lines[-60:] if failed else [])


def training(bench: Bench) -> None:
    """One seed and several by the recorded engine, one by plain steps, in turn."""
    sizes = bench.sizes
    for number in range(1, sizes.rounds + 1):
        _run(bench, number, "recorded", bench.recorded(), 1, sizes.epochs)
        _run(bench, number, "plain", Eager(), 1, min(3, sizes.epochs))
        _run(bench, number, "recorded", bench.recorded(), sizes.seeds, sizes.epochs)


def _run(bench: Bench, number: int, way: str, by: Engine, seeds: int, epochs: int) -> None:
    kind = f"{way}, {seeds} at once"
    if not bench.in_time(f"{kind}, round {number}", kind):
        return
    with bench.timed(kind):
        try:
            facts = train(bench, by, bench.sub_8k, bench.images, seeds, epochs)
        except CannotTrainError as error:
            bench.say("left out", why=f"{kind}: {error}")
            return
    bench.say("run", way=way, round=number, **facts)


def every_reference(bench: Bench) -> None:
    """The second epoch of each, by the recorded engine and by plain steps."""
    captured = references.capture(bench.names, len(bench.images.training.train_images))
    for name, reference in captured.items():
        for way, by in (("recorded", bench.recorded()), ("plain", Eager())):
            if not bench.in_time(f"{name}, {way}", way):
                continue
            with bench.timed(way):
                try:
                    facts = train(bench, by, reference, bench.images, 1, 2)
                except CannotTrainError as error:
                    facts = {"refused": str(error)}
            bench.say("reference", name=name, way=way, **facts)


def student(bench: Bench) -> None:
    """The loop that students write, on the same device, with and without loading processes."""
    trainings: dict[int, Student] = {}
    for number in range(1, bench.sizes.rounds + 1):
        for workers in dict.fromkeys((0, bench.loaders)):
            what = f"the student's loop, {workers} loading processes"
            if not bench.in_time(f"{what}, round {number}", what):
                continue
            if workers not in trainings:
                file = bench.sub_8k_on_few.file
                trainings[workers] = Student(file, "Net", bench.few, bench.device, workers)
                with bench.timed(what):
                    trainings[workers].turn()
            with bench.timed(what):
                turn = trainings[workers].turn()
            bench.say("student", workers=workers, round=number, **asdict(turn))


def profile(bench: Bench) -> None:
    """Kernels of an epoch by the recorded engine: how many, how long, and how much is idle."""
    for seeds in (1, bench.sizes.seeds):
        if bench.in_time(f"the profile of {seeds} at once", "profile"):
            with bench.timed("profile"):
                _profile(bench, seeds)


def _profile(bench: Bench, seeds: int) -> None:
    reference = bench.sub_8k_on_few
    steps = reference.captured.program.recipe.steps_per_epoch
    training = Training(
        bench.recorded(),
        reference,
        bench.few.training,
        seeds=range(seeds),
        device=bench.device,
    )
    kind = torch.profiler.ProfilerActivity
    activity = kind.CUDA if bench.device == "cuda" else kind.CPU
    try:
        training.turn()
        with torch.profiler.profile(activities=[activity]) as profiler:
            turn = training.turn()
        # The profiler takes time itself, so the epoch beside it is another one.
        unseen = training.turn()
    finally:
        training.close()
    rows = []
    for event in profiler.key_averages():
        own = event.self_device_time_total if bench.device == "cuda" else event.self_cpu_time_total
        if own:
            rows.append((own, event.count, event.key))
    rows.sort(reverse=True)
    bench.say(
        "profile",
        seeds=seeds,
        steps=steps,
        wall_us=1e6 * (unseen.seconds + unseen.look_seconds),
        profiled_wall_us=1e6 * (turn.seconds + turn.look_seconds),
        kernel_us=sum(own for own, _, _ in rows),
        kernels=sum(count for _, count, _ in rows),
        longest=[{"us": own, "count": count, "name": key} for own, count, key in rows[:KERNELS]],
    )


def layouts(bench: Bench) -> None:
    """The recorded engine as it is, with channels last, and with cuDNN's own choice of kernels."""
    ways = {
        "as it is": (False, False),
        "channels last": (True, False),
        "kernels that cuDNN times itself, not repeatable": (False, True),
        "both": (True, True),
    }
    for number in range(1, 3):
        for way, (channels_last, free) in ways.items():
            if not bench.in_time(f"{way}, round {number}", "layout"):
                continue
            with bench.timed("layout"), _kernels_chosen_by_cudnn(free):
                by = bench.recorded(channels_last=channels_last)
                facts = train(bench, by, bench.sub_8k, bench.images, 1, 3)
            bench.say("layout", way=way, round=number, **facts)


@contextmanager
def _kernels_chosen_by_cudnn(free: bool) -> Iterator[None]:
    """Let cuDNN time its kernels and take the fastest, where `free`."""

    @contextmanager
    def chosen(device: torch.device, seed: int) -> Iterator[None]:
        with devices.repeatable(device, seed):
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = False, True
            yield

    with mock.patch.object(replay, "repeatable", chosen if free else devices.repeatable):
        yield


WAYS: dict[str, Callable[[Bench], None]] = {
    "tests": tests,
    "training": training,
    "references": every_reference,
    "student": student,
    "profile": profile,
    "layouts": layouts,
}


def main(settings: str, order: str) -> None:
    """Measure the parts of `order` with these settings."""
    known = json.loads(settings)
    folder = Path(known["folder"]) if known["folder"] else None
    sizes = Sizes(**known["sizes"])
    bench = Bench(known["device"], folder, sizes, known["references"], known["loaders"])
    for name, deadline in json.loads(order).items():
        bench.part, bench.deadline = name, deadline
        bench.say("began", at=time.time())
        try:
            WAYS[name](bench)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(frame.filename).name}:{frame.lineno}"
            said = (str(error).splitlines() or [""])[0]
            bench.say("left out", why=f"{type(error).__name__} at {place}: {said[:300]}")
            bench.say("ended", at=time.time(), failed=True)
            traceback.print_exc()
            sys.exit(1)  # after an error on the GPU nothing works there: the next part starts anew
        bench.say("ended", at=time.time())


if __name__ == "__main__":
    main(*sys.argv[1:])
