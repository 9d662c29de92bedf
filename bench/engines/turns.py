"""The process in which the contenders take turns: one epoch each, round after round.

`python -m bench.engines.turns SETTINGS` (JSON). Out: a finding a line, as JSON. One seed is trained
here on all threads; two more processes of one thread each train one seed alone, and two at once.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from bench import references
from bench.driver import Training, Turn
from bench.engines import peak
from bench.engines.table import BUSY, LANES, ONE_THREAD, STUDENT, TORCH, TWO_SEEDS
from bench.references import Reference
from bench.student import Student
from grader.analysis.cost import measure_cost
from grader.program.program import Program
from grader.training.data import Data
from grader.training.engine.eager import Eager
from grader.training.engine.engine import CannotTrainError, Engine
from grader.training.engine.lanes.lanes import Lanes

SHARE_OF_SLOW_ONES = 0.4
"""The student's loop and PyTorch train on so much of what machine code trains on in a turn."""
TESTS = 6
"""One test image is looked at for so many that are trained on, as with MNIST."""

Way = Callable[[], Turn]


class _Seed:
    """A process of one thread that trains a seed by machine code."""

    def __init__(self, number: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, number), daemon=True)
        self._process.start()
        theirs.close()

    def prepare(self, reference: Reference, images: Data) -> None:
        """Begin to train that."""
        self._connection.send((reference, images))
        self.wait()

    def begin(self) -> None:
        """Train an epoch; `wait` waits for it."""
        self._connection.send(None)

    def wait(self) -> Turn:
        """What it took."""
        answer = self._connection.recv()
        if isinstance(answer, str):
            raise CannotTrainError(answer)
        assert isinstance(answer, Turn)
        return answer

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


def _serve(connection: Connection, number: int) -> None:
    torch.set_num_threads(1)
    training: Training | None = None
    while True:
        try:
            asked = connection.recv()
        except EOFError:
            return
        try:
            if asked is not None:
                reference, images = asked
                if training:
                    training.close()
                data = reference.metric(images).data
                training = Training(Lanes(), reference, data, seeds=[number])
            assert training is not None
            connection.send(training.turn())
        except CannotTrainError as error:
            connection.send(str(error))


def _alone(seed: _Seed) -> Turn:
    seed.begin()
    return seed.wait()


def _at_once(seeds: list[_Seed]) -> Turn:
    """Both seeds: all of their images in the time of the slower one."""
    for seed in seeds:
        seed.begin()
    turns = [seed.wait() for seed in seeds]
    slower = max(turns, key=lambda turn: turn.seconds + turn.look_seconds)
    return Turn(
        sum(turn.images for turn in turns),
        slower.seconds,
        slower.look_seconds,
        slower.elapsed,
        sum(turn.processor for turn in turns),
    )


@contextmanager
def _busy() -> Iterator[None]:
    """One process that never waits for anything beside what is done in here."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _say(kind: str, **facts: Any) -> None:
    print(json.dumps({"kind": kind, **facts}), flush=True)  # noqa: T201


def _say_peak(threads: int) -> None:
    measured = peak.measure(threads)
    _say("peak", gflops=measured.gflops, how=measured.how)


def operations(program: Program, images: int, tests: int) -> float:
    """Floating-point operations of an epoch, as direct sums would have them, in units of 1e9.

    A multiply-add is two. Training does each forward, for the gradient of the weights, and for that
    of what comes in, which the first layer does not need; looking does it once.
    """
    input_ = next(node.name for node in program.train.nodes if node.op == "input")
    work = measure_cost(program.train).multiply_adds
    by_name = program.train.by_name
    trained = sum(
        count * (2 if input_ in by_name[name].references() else 3) for name, count in work.items()
    )
    return 2 * (images * trained + tests * measure_cost(program.eval).total) / 1e9


class _Contenders:
    """The ways to train one reference."""

    def __init__(
        self, name: str, many: tuple[Reference, Data], few: tuple[Reference, Data]
    ) -> None:
        self._name, self._many, self._few = name, many, few
        self._trainings: list[Training] = []
        self.ways: dict[str, Way] = {}

    def add(self, seeds: list[_Seed]) -> None:
        """Let all of them train an epoch to warm up; who cannot is left out, and why is said."""
        reference, images = self._few
        model = reference.captured.program.model
        self._warm_up(STUDENT, Student(reference.file, model, images).turn)
        self._try(TORCH, lambda: self._training(Eager(), *self._few))
        self._try(LANES, lambda: self._training(Lanes(), *self._many))
        self._try(ONE_THREAD, lambda: self._prepared(seeds))
        if ONE_THREAD in self.ways:
            self.ways[TWO_SEEDS] = lambda: _at_once(seeds)

    def close(self) -> None:
        """Let go of memory and threads."""
        for training in self._trainings:
            training.close()

    def _try(self, way: str, make: Callable[[], Way]) -> None:
        try:
            self._warm_up(way, make())
        except CannotTrainError as error:
            _say("refused", reference=self._name, way=way, why=str(error))

    def _warm_up(self, way: str, turn: Way) -> None:
        turn()
        self.ways[way] = turn
        _say("warm", reference=self._name, way=way)

    def _training(self, by: Engine, reference: Reference, images: Data) -> Way:
        training = Training(by, reference, reference.metric(images).data)
        self._trainings.append(training)
        return training.turn

    def _prepared(self, seeds: list[_Seed]) -> Way:
        for seed in seeds:
            seed.prepare(*self._many)
        return lambda: _alone(seeds[0])


def main(settings: str) -> None:
    """Measure all that the settings name."""
    known = json.loads(settings)
    torch.set_num_threads(known["threads"])
    folder = Path(known["folder"]) if known["folder"] else None
    _say_peak(known["threads"])
    count = known["images"]
    lots = [
        references.images(folder, images, max(1, images // TESTS))
        for images in (count, int(SHARE_OF_SLOW_ONES * count))
    ]
    captured = [
        references.capture(known["references"], len(images.training.train_images), seeds=2)
        for images in lots
    ]
    seeds = [_Seed(number) for number in range(2)]
    try:
        for name in known["references"]:
            many, few = (
                (these[name], images) for these, images in zip(captured, lots, strict=True)
            )
            _one(name, many, few, seeds, known)
    finally:
        for seed in seeds:
            seed.end()


def _one(
    name: str,
    many: tuple[Reference, Data],
    few: tuple[Reference, Data],
    seeds: list[_Seed],
    known: Mapping[str, Any],
) -> None:
    reference, images = many
    data = reference.metric(images).data
    program = reference.captured.program
    learned = program.recipe.learned_from(len(data.train_images))
    work = operations(program, learned, len(data.test_images))
    _say("work", reference=name, gflop=work, images=learned, tests=len(data.test_images))
    contenders = _Contenders(name, many, few)
    try:
        contenders.add(seeds)
        for number in range(1, known["rounds"] + 1):
            for way, turn in contenders.ways.items():
                _say("turn", reference=name, way=way, round=number, **asdict(turn()))
            for way in (STUDENT, TORCH, LANES) if known["busy"] else ():
                if way in contenders.ways:
                    with _busy():
                        taken = contenders.ways[way]()
                    _say("turn", reference=name, way=way + BUSY, round=number, **asdict(taken))
    finally:
        contenders.close()


if __name__ == "__main__":
    main(sys.argv[1])
