"""A network's code with its memory: steps and looks, on as many threads as it was made for.

In: a Program, a batch size, a number of threads. Out: `Compiled`, which holds the weights; whoever
trains reads and writes them as torch tensors that lie in the same memory.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from grader.program.program import Program
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import machine, step
from grader.training.engine.lanes.computed import Computed, Sources
from grader.training.engine.lanes.lowering import Lowered
from grader.training.engine.lanes.machine import Code, Target
from grader.training.engine.lanes.plan import Plan, plan
from grader.training.engine.lanes.team import Team
from grader.training.engine.lanes.walk import lower

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Written:
    """A network's code as text, and where it expects everything."""

    texts: list[str]
    plan: Plan
    counters: Mapping[str, float]
    log_probabilities: bool
    classes: int
    computed: tuple[tuple[Computed, ...], tuple[Computed, ...]]
    """For a step, and for a look."""


def write(program: Program, batch: int, threads: int, target: Target) -> Written:
    """The code of a Program's training. Raises CannotTrainError, which names what it lacks."""
    weights = {weight.name: weight for weight in program.weights}
    try:
        train = lower(program.train, weights, training=True)
        look = lower(program.eval, weights, training=False)
    except CannotTrainError as error:
        raise CannotTrainError(f"no machine code for {error}") from error
    if not train.scores.needs_gradient:
        raise CannotTrainError("nothing learns")
    places = plan(train, look, weights, lanes=target.lanes, threads=threads, batch=batch)
    texts = step.write(train, look, places, program.recipe.loss, target)
    computed = _read(train, places), _read(look, places)
    return Written(texts, places, train.counters, look.log_probabilities, program.classes, computed)


def _read(lowered: Lowered, places: Plan) -> tuple[Computed, ...]:
    """The computed weights that stages read."""
    return tuple(each for name, each in lowered.computed.items() if name in places.weights)


class Compiled:
    """One network's weights, maps and code."""

    def __init__(self, written: Written, code: Code) -> None:
        self._plan = written.plan
        self._log_probabilities = written.log_probabilities
        self._classes = written.classes
        self._code = code
        self.counters = written.counters
        self._memory: Floats = written.plan.arena.memory()
        self._team = Team(written.plan.threads)
        pointer, whole, number = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
        train = ctypes.CFUNCTYPE(
            None, pointer, pointer, whole, whole, whole, ctypes.c_float, number, pointer
        )
        look = ctypes.CFUNCTYPE(None, pointer, pointer, pointer, whole, whole)
        self._train = train(code.address("train"))
        self._look = look(code.address("look"))
        self._give_way = _give_way()
        self._for_step, self._for_look = (Sources(all_, self._room) for all_ in written.computed)

    def close(self) -> None:
        """Let the threads go."""
        self._team.close()

    def weight(self, name: str, shape: tuple[int, ...]) -> Tensor | None:
        """The weight's memory as a tensor of that shape; None where the code does not use it."""
        if name not in self._plan.weights:
            return None
        return self._room(name, shape)

    def _room(self, name: str, shape: tuple[int, ...]) -> Tensor:
        begin, size = self._plan.weights[name], int(np.prod(shape))
        return torch.from_numpy(self._memory[begin : begin + size]).view(shape)

    @property
    def learned(self) -> tuple[str, ...]:
        """Names of the weights that have gradients; what is computed is none of the network's."""
        return tuple(name for name in self._plan.learned if ":" not in name)

    def gradient(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Where the gradient of a weight will be after a step, as a tensor."""
        begin = self._plan.gradients + self._plan.learned[name]
        size = int(np.prod(shape))
        return torch.from_numpy(self._memory[begin : begin + size]).view(shape)

    def step(
        self, images: Tensor, labels: npt.NDArray[np.int64], share: float, seed: int
    ) -> tuple[float, int]:
        """Forward and backward of a batch: images (N, C, H, W) as floats, its labels.

        Returns the sum of the losses, before `share`, and how many were recognised; gradients are
        in `gradient`.
        """
        images = images.contiguous()
        self._for_step.compute()
        count, plan, memory = len(labels), self._plan, self._memory
        size = plan.groups * plan.lanes
        memory[plan.labels : plan.labels + size].view(np.int32)[:count] = labels
        masks = memory[plan.masks : plan.masks + size]
        masks[:count], masks[count:] = 1, 0
        out = memory[plan.out : plan.out + 16 * plan.threads].view(np.float64)
        out[:] = 0
        at, of, threads = memory.ctypes.data, images.data_ptr(), plan.threads
        self._team.run(
            lambda thread: self._train(at, of, thread, threads, count, share, seed, self._give_way)
        )
        self._collect()
        self._for_step.hand_on(self.gradient, tuple(plan.learned))
        totals = out.reshape(threads, 8)[:, :2].sum(axis=0)
        return float(totals[0]), round(float(totals[1]))

    def _collect(self) -> None:
        """All threads' gradients become the first one's."""
        plan = self._plan
        whole = self._memory[plan.gradients : plan.gradients + plan.gradients_stride * plan.threads]
        by_thread = whole.reshape(plan.threads, plan.gradients_stride)
        for other in by_thread[1:]:
            by_thread[0] += other

    def look(self, images: Tensor) -> Tensor:
        """Scores (N, classes) of images (N, C, H, W), by the evaluation graph."""
        images = images.contiguous()
        self._for_look.compute()
        plan, lanes = self._plan, self._plan.lanes
        most = plan.look_groups * lanes
        chunks = [(begin, min(most, len(images) - begin)) for begin in range(0, len(images), most)]
        groups = -(-len(images) // lanes)
        room = np.zeros((groups * self._classes + 1) * lanes, np.float32)
        skipped = (-room.ctypes.data % (4 * lanes)) // 4
        scores = room[skipped : skipped + groups * self._classes * lanes]
        at, of, to = self._memory.ctypes.data, images.data_ptr(), scores.ctypes.data
        image = images[0].numel() * 4 if len(images) else 0

        def share(thread: int) -> None:
            for begin, count in chunks[thread :: plan.threads]:
                self._look(
                    at,
                    of + begin * image,
                    to + begin // lanes * self._classes * lanes * 4,
                    thread,
                    count,
                )

        self._team.run(share)
        by_group = torch.from_numpy(scores).view(groups, self._classes, lanes)
        found = by_group.transpose(1, 2).reshape(groups * lanes, self._classes)[: len(images)]
        return found.log_softmax(1) if self._log_probabilities else found.clone()


def compile_(written: Written, target: Target) -> Code:
    """The machine code of a network. Raises CannotTrainError."""
    return machine.compiled(written.texts, target)


def _give_way() -> int:
    """The address of the system's function by which a thread sleeps for some microseconds.

    Windows has none: there it gives up its turn.
    """
    if sys.platform == "win32":
        function: Any = ctypes.WinDLL("kernel32").SwitchToThread
    else:
        function = ctypes.CDLL(None).usleep
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)
