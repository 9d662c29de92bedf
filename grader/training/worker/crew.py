"""Training processes side by side: on a CPU one for each seed, on a GPU one for all.

In: a Task and initial weights, as `run.train_seeds` takes them. Out: the same runs. Two processes
of one thread each train two seeds in three quarters of the time that one process of two threads
takes: small tensors are not worth sharing. There are never more processes than torch has threads.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

import torch

from grader.training.records import Epoch, Feedback, Step, TrainingRun
from grader.training.task import Task, Values
from grader.training.worker.remote import Limits, Worker


class Crew:
    """A `Trainer`: the training processes of one submission after the other.

    `with crew: crew.run(...)`, as often as one likes; after each `with` all processes are gone.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits
        self._workers: list[Worker] = []
        self._speaking = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End all processes, now."""
        for worker in self._workers:
            worker.stop()

    def run(self, task: Task, values: Values) -> tuple[TrainingRun, ...]:
        """As `Worker.run`; other threads call `after_epoch` and `on_step`, one at a time."""
        threads = torch.get_num_threads()
        width = min(len(values), threads) if torch.device(task.device).type == "cpu" else 1
        lots = [dict(list(values.items())[number::width]) for number in range(width)]
        workers = self._hire(width, threads // width)

        def told(seed: int, epoch: Epoch) -> Feedback | None:
            with self._speaking:
                return task.after_epoch(seed, epoch)

        def shown(seed: int, step: Step) -> None:
            with self._speaking:
                task.on_step(seed, step)

        if width == 1:
            return workers[0].run(task, values)
        # Side by side each takes longer by as many times.
        budget = task.budget_seconds * width
        part = dataclasses.replace(task, budget_seconds=budget, after_epoch=told, on_step=shown)
        with ThreadPoolExecutor(width) as pool:
            runs = self._wait(
                [
                    pool.submit(worker.run, part, lot)
                    for worker, lot in zip(workers, lots, strict=True)
                ]
            )
        by_seed = {run.seed: dataclasses.replace(run, side_by_side=width) for run in runs}
        return tuple(by_seed[seed] for seed in values if seed in by_seed)

    def _hire(self, width: int, threads: int) -> list[Worker]:
        """So many workers with so many threads each: those at hand, where they have as many."""
        fitting = [worker for worker in self._workers if worker.threads == threads]
        for worker in self._workers:
            if worker not in fitting[:width]:
                worker.stop()
        fresh = [Worker(self._limits, threads=threads) for _ in range(width - len(fitting))]
        self._workers = [*fitting[:width], *fresh]
        return self._workers

    def _cancel(self) -> None:
        for worker in self._workers:
            worker.cancel()
        self._workers = []

    def _wait(self, futures: Sequence[Future[tuple[TrainingRun, ...]]]) -> list[TrainingRun]:
        """All runs.

        Ctrl-C, and an error of one worker, stops the others; only the error is an error.
        """
        try:
            return _results(futures)
        except KeyboardInterrupt:
            self._cancel()
            return _results(futures)
        except BaseException:
            self._cancel()
            raise


def _results(futures: Sequence[Future[tuple[TrainingRun, ...]]]) -> list[TrainingRun]:
    runs: list[TrainingRun] = []
    for future in futures:
        runs += future.result()
    return runs
