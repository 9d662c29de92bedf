"""Train on a processor by machine code that is written for the network: see docs/speed.md.

In: networks of one Program, one for each seed, and the images. Out: what `loop.train` gives, up to
rounding and to what dropout draws. `loop` is the loop here too; only a batch's loss and gradients
and the looks at test images are computed by code of the network's own (`compiled.py`):

    Program -> stages (lowering, operators) -> places in one memory (plan)
            -> kernels and a step as LLVM IR (step and what it imports) -> machine code (machine)

Seeds train one after the other; `grader.training.worker.crew` has a process for each where several
are wanted. A network with an operator that has no code here, one that does not fit into memory, and
one whose code does not compute what torch computes (`self_check`) are left to torch, and the report
says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch

from grader.network import Network
from grader.program.program import Program
from grader.training import augment
from grader.training.data import TrainingData
from grader.training.engine import loop
from grader.training.engine.engine import Began, Training, told
from grader.training.engine.lanes import compiled, gathering, machine, self_check
from grader.training.engine.lanes.compiled import Compiled, Written
from grader.training.engine.lanes.learner import ByLanes
from grader.training.engine.lanes.machine import Code, Target
from grader.training.records import Step


class Lanes:
    """See `Engine`."""

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
        """See `Engine`. Raises CannotTrainError before the first epoch."""
        loop.check_steps(program.recipe, len(data.train_images))
        target = machine.here()
        code: tuple[Written, Code] | None = None
        for seed, network in networks.items():
            yield {seed: Began(f"machine code, {target.words}")}
            code = code or _code(network, program, data, target)
            learner = ByLanes(network, program.recipe, Compiled(*code))
            try:
                yield from told(
                    seed,
                    loop.train(
                        network,
                        program.recipe,
                        data,
                        seed=seed,
                        epochs=epochs,
                        budget_seconds=budget_seconds,
                        on_step=partial(on_step, seed),
                        learner=learner,
                    ),
                )
            finally:
                learner.close()


def _code(
    network: Network, program: Program, data: TrainingData, target: Target
) -> tuple[Written, Code]:
    """The network's code, which was found to be right."""
    images = program.recipe.learned_from(len(data.train_images))
    batch = min(program.recipe.batch_size, images)
    pipeline = augment.build(program.recipe.augmentations, image_shape=data.image_shape)
    way = gathering.way(pipeline, len(data.train_images))
    written = compiled.write(program, batch, torch.get_num_threads(), target, way)
    code = compiled.compile_(written, target)
    self_check.check(network, program, data, written, code, target)
    return written, code
