"""Train on a processor by machine code that is written for the network: see docs/speed.md.

In: networks of one Program, one for each seed, and the images. Out: what `loop.train` gives, up to
rounding and to what dropout draws. `loop` is the loop here too; only a batch's loss and gradients
and the looks at test images are computed by code of the network's own (`compiled.py`):

    Program -> stages (lowering, operators) -> places in one memory (plan)
            -> kernels and a step as LLVM IR (step and what it imports) -> machine code (machine)

Several seeds train side by side, each on one thread; a single one uses all threads. A network with
an operator that has no code here, one that does not fit into memory, and one whose code does not
compute what torch computes (`self_check`) are left to torch, and the report says why.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial

import torch

from grader.network import Network
from grader.program.program import Program
from grader.training.data import TrainingData
from grader.training.engine import loop
from grader.training.engine.engine import Answers, Began, Training
from grader.training.engine.lanes import compiled, machine, self_check
from grader.training.engine.lanes.learner import ByLanes
from grader.training.engine.lanes.team import Team
from grader.training.records import Ending, Epoch, Feedback, Step

OneSeed = Generator[Epoch, Feedback | None, Ending]


class Lanes:
    """See `Engine`: on a processor, seeds side by side."""

    def runs_on(self, device: torch.device) -> bool:
        """On a processor."""
        return device.type == "cpu"

    def train(
        self,
        networks: Mapping[int, Network],
        program: Program,
        data: TrainingData,
        *,
        epochs: int | None,
        budget_seconds: float,
        on_step: Callable[[int, Step], None],
    ) -> Training:
        """See `Engine`."""
        target = machine.here()
        threads = torch.get_num_threads()
        together = min(len(networks), threads)
        each = max(1, threads // together)
        waiting, code = dict(networks), None
        while waiting:
            now = {seed: waiting.pop(seed) for seed in list(waiting)[:together]}
            yield dict.fromkeys(now, Began(f"machine code, {target.words}", len(now)))
            if code is None:
                loop.check_steps(program.recipe, len(data.train_images))
                images = program.recipe.learned_from(len(data.train_images))
                batch = min(program.recipe.batch_size, images)
                written = compiled.write(program, batch, each, target)
                code = compiled.compile_(written, target)
                first = next(iter(now.values()))
                self_check.check(first, program, data, written, code, target)
            with ExitStack() as stack:
                runs = {}
                for seed, network in now.items():
                    learner = ByLanes(network, program.recipe, compiled.Compiled(written, code))
                    stack.callback(learner.close)
                    runs[seed] = loop.train(
                        network,
                        program.recipe,
                        data,
                        seed=seed,
                        epochs=epochs,
                        budget_seconds=budget_seconds,
                        on_step=partial(on_step, seed),
                        learner=learner,
                    )
                yield from _side_by_side(runs, each)


@dataclass(slots=True)
class _Run:
    """One seed's training, and what it waits to be told."""

    training: OneSeed
    feedback: Feedback | None = None
    news: Epoch | Ending | None = None

    def go_on(self) -> None:
        """Until the end of an epoch, or of the training."""
        try:
            self.news = self.training.send(self.feedback)
        except StopIteration as stop:
            self.news = stop.value


def _side_by_side(trainings: Mapping[int, OneSeed], threads: int) -> Training:
    """All seeds' epochs at once, each on threads of its own, until every one of them has ended."""
    runs = {seed: _Run(training) for seed, training in trainings.items()}
    team, before = Team(len(runs)), torch.get_num_threads()
    try:
        while runs:
            waiting = list(runs.values())
            # Torch's random numbers are everybody's: each run seeds them and puts them back.
            with torch.random.fork_rng([]):
                team.run(partial(_go_on, waiting, threads))
            news = {seed: run.news for seed, run in runs.items() if run.news is not None}
            answers: Answers = (yield news) or {}
            for seed, item in news.items():
                runs[seed].feedback = answers.get(seed)
                if isinstance(item, Ending):
                    del runs[seed]
    finally:
        team.close()
        torch.set_num_threads(before)
        for run in runs.values():
            with suppress(RuntimeError, ValueError):
                run.training.close()


def _go_on(runs: list[_Run], threads: int, number: int) -> None:
    torch.set_num_threads(threads)  # of the thread that calls
    if number < len(runs):
        runs[number].go_on()
