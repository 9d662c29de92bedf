"""Train by the plain loop, one seed after the other, on every device: the engine of last resort.

In: networks, their Program and images. Out: the epochs of `loop.train`. All that is chosen here is
how numbers lie in memory: with channels last, where `layout` says that it pays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch

from grader.network import Network
from grader.program.program import Program
from grader.training.data import TrainingData
from grader.training.engine import layout, loop
from grader.training.engine.engine import Began, Training, told
from grader.training.engine.learner import ByTorch, as_it_is
from grader.training.records import Step


class Eager:
    """See `Engine`. It can train whatever can be trained."""

    def runs_on(self, device: torch.device) -> bool:
        """Everywhere."""
        return True

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
        for seed, network in networks.items():
            channels_last = layout.pays() and layout.suits(program, network.device)
            name, lay_out = "eager", as_it_is
            if channels_last:
                name, lay_out = "eager, channels last", layout.channels_last
            yield {seed: Began(name)}
            if channels_last:
                layout.apply(network)
            training = loop.train(
                network,
                program.recipe,
                data,
                seed=seed,
                epochs=epochs,
                budget_seconds=budget_seconds,
                on_step=partial(on_step, seed),
                learner=ByTorch(network, program.recipe, lay_out),
            )
            yield from told(seed, training)
