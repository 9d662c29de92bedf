"""A network's code with its memory: steps and looks, on as many threads as it was made for.

In: a Program, a batch size, a number of threads. Out: `Compiled`, which holds the weights; whoever
trains reads and writes them as torch tensors that lie in the same memory.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from grader.program.program import Program
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import machine, step, stepping
from grader.training.engine.lanes.arena import padded
from grader.training.engine.lanes.calls import Library
from grader.training.engine.lanes.computed import Computed, Sources
from grader.training.engine.lanes.gathering import Gathered, Way
from grader.training.engine.lanes.lowering import Lowered
from grader.training.engine.lanes.machine import Code, Target
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.plan import Plan, plan
from grader.training.engine.lanes.stepping import Rule
from grader.training.engine.lanes.team import Part, Team
from grader.training.engine.lanes.walk import lower

Floats = npt.NDArray[np.float32]

TYPES = {
    "ptr": ctypes.c_void_p,
    "i32": ctypes.c_int32,
    "i64": ctypes.c_int64,
    "float": ctypes.c_float,
}
"""How Python hands over each type of parameter."""


@dataclass(frozen=True, slots=True)
class Written:
    """A network's code as text, and where it expects everything."""

    texts: list[str]
    plan: Plan
    images: Map
    way: Way | None
    rule: Rule | None
    counters: Mapping[str, float]
    log_probabilities: bool
    classes: int
    computed: tuple[tuple[Computed, ...], tuple[Computed, ...]]
    """For a step, and for a look."""


def write(
    program: Program, batch: int, threads: int, target: Target, way: Way | None = None
) -> Written:
    """The code of a Program's training, with a way for images to come there, if any.

    Raises CannotTrainError, which names what it lacks.
    """
    weights = {weight.name: weight for weight in program.weights}
    try:
        train = lower(program.train, weights, training=True)
        look = lower(program.eval, weights, training=False)
    except CannotTrainError as error:
        raise CannotTrainError(f"no machine code for {error}") from error
    if not train.scores.needs_gradient:
        raise CannotTrainError("nothing learns")
    groups = [group.parameters for group in program.recipe.optimizer.groups]
    places = plan(train, look, weights, groups, lanes=target.lanes, threads=threads, batch=batch)
    texts: list[str] = []
    for by_tiles in (True, False):
        library = Library(by_tiles)
        texts = step.write(train, look, places, program.recipe.loss, target, way, library)
        if sum(map(len, texts)) <= machine.MOST_TEXT:
            break
    rule = stepping.rule(program.recipe)
    if rule is not None:
        texts.append(stepping.write(rule, target))
    return Written(
        texts=texts,
        plan=places,
        images=train.images,
        way=way,
        rule=rule,
        counters=train.counters,
        log_probabilities=look.log_probabilities,
        classes=program.classes,
        computed=(_read(train, places), _read(look, places)),
    )


def _read(lowered: Lowered, places: Plan) -> tuple[Computed, ...]:
    """The computed weights that stages read."""
    return tuple(each for name, each in lowered.computed.items() if name in places.weights)


class Batch(NamedTuple):
    """The images of a batch, which are to be gathered: those from `first` on."""

    of: Gathered
    first: int


class Compiled:
    """One network's weights, maps and code."""

    def __init__(self, written: Written, code: Code) -> None:
        self._plan = written.plan
        self._images = written.images
        self._log_probabilities = written.log_probabilities
        self._classes = written.classes
        self._code = code
        self.counters = written.counters
        self._memory: Floats = written.plan.arena.memory()
        self._at = self._memory.ctypes.data
        plan, size = written.plan, written.plan.groups * written.plan.lanes
        self._labels = self._memory[plan.labels : plan.labels + size].view(np.int32)
        self._masks = self._memory[plan.masks : plan.masks + size]
        self._out = self._memory[plan.out : plan.out + 16 * plan.threads].view(np.float64)
        gradients = self._memory[plan.gradients :][: plan.gradients_stride * plan.threads]
        self._by_thread = gradients.reshape(plan.threads, plan.gradients_stride)
        self._team = Team(written.plan.threads)
        self._load = _callable(code, "load", step.LOAD)
        self._train = _callable(code, "train", step.TRAIN)
        self._look = _callable(code, "look", step.LOOK)
        self.way = written.way
        if self.way is not None:
            self._gather = _callable(code, "gather", step.GATHER)
        self.rule = written.rule
        if self.rule is not None:
            self._update = _callable(code, "update", stepping.parameters(self.rule))
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
    def lanes(self) -> int:
        """Images in a vector."""
        return self._plan.lanes

    @property
    def learned(self) -> tuple[str, ...]:
        """Names of the weights that have gradients; what is computed is none of the network's."""
        return tuple(name for name in self._plan.learned if ":" not in name)

    def gradient(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Where the gradient of a weight will be after a step, as a tensor."""
        begin = self._plan.gradients + self._plan.learned[name]
        size = int(np.prod(shape))
        return torch.from_numpy(self._memory[begin : begin + size]).view(shape)

    def update(self, values: Tensor, settings: Mapping[str, Any], number: int) -> None:
        """Take step `number` of the rule over one of the vectors that `together` gave."""
        assert self.rule is not None
        at, plan = values.data_ptr(), self._plan
        distances = (plan.gradients, plan.states, plan.states + plan.gradients_stride)
        places = [at + 4 * distance for distance in distances]
        numbers = self.rule.numbers(settings, number)
        self._update(at, *places, len(values) // plan.lanes, *numbers)

    def together(self, sizes: Mapping[str, int]) -> list[tuple[Tensor, Tensor]]:
        """Vectors of values and of gradients that hold the weights of these names and sizes.

        Between weights in a vector are numbers whose values and gradients are 0.
        """
        runs: list[list[int]] = []
        for name in sorted(sizes, key=self._plan.learned.__getitem__):
            begin = self._plan.learned[name]
            end = begin + padded(sizes[name])
            if runs and runs[-1][1] == begin:
                runs[-1][1] = end
            else:
                runs.append([begin, end])
        memory, gradients = self._memory, self._memory[self._plan.gradients :]
        return [
            (torch.from_numpy(memory[begin:end]), torch.from_numpy(gradients[begin:end]))
            for begin, end in runs
        ]

    def step(
        self, images: Tensor | Batch, labels: npt.NDArray[Any], share: float, seed: int
    ) -> tuple[float, int]:
        """Forward and backward of a batch: images (N, C, H, W) as floats or to gather, its labels.

        Returns the sum of the losses, before `share`, and how many were recognised; gradients are
        in `gradient`.
        """
        count, at, threads = len(labels), self._at, self._plan.threads
        bring = self._bring(images, count)
        self._for_step.compute()
        self._labels[:count] = labels
        self._masks[:count], self._masks[count:] = 1, 0
        self._out[:] = 0

        def mine(thread: int) -> None:
            bring(thread)
            self._train(at, thread, threads, count, share, seed, self._give_way)

        self._team.run(mine)
        self._collect()
        self._for_step.hand_on(self.gradient, tuple(self._plan.learned))
        totals = self._out.tolist()
        return sum(totals[0::8]), round(sum(totals[1::8]))

    def _bring(self, images: Tensor | Batch, count: int) -> Part:
        """What brings each thread's images into lanes."""
        at, threads = self._at, self._plan.threads
        if isinstance(images, Tensor):
            given = images.contiguous()
            return lambda thread: self._load(at, thread, threads, count, given.data_ptr())
        of, first = images
        whole, real = of.whole.data_ptr() + 4 * first, of.real.data_ptr() + 8 * first
        from_, table, stride = of.images.data_ptr(), of.table.data_ptr(), of.stride
        return lambda thread: self._gather(
            at, thread, threads, count, from_, table, whole, real, stride
        )

    def loaded(self, images: Tensor | Batch, count: int) -> Tensor:
        """What a step finds in lanes of a batch, as images (count, C, H, W) again."""
        self._team.run(self._bring(images, count))
        to, plan, place = self._images, self._plan, self._images.values
        begin, size = to.at, plan.groups * place.group * plan.lanes
        groups = self._memory[begin : begin + size].reshape(plan.groups, place.group, plan.lanes)
        pixels = np.arange(to.height)[:, None] * place.row + np.arange(to.width) + place.first
        rows = pixels + np.arange(to.channels)[:, None, None] * place.channel
        by_image = groups[:, rows].transpose(0, 4, 1, 2, 3)
        return torch.from_numpy(by_image.reshape(-1, *rows.shape)[:count].copy())

    def _collect(self) -> None:
        """All threads' gradients become the first one's."""
        for other in self._by_thread[1:]:
            self._by_thread[0] += other

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
        at, of, to = self._at, images.data_ptr(), scores.ctypes.data
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


def _callable(code: Code, name: str, parameters: Sequence[tuple[str, str]]) -> Any:
    return ctypes.CFUNCTYPE(None, *(TYPES[kind] for kind, _ in parameters))(code.address(name))


def _give_way() -> int:
    """The address of the system's function by which a thread sleeps for some microseconds.

    Windows has none: there it gives up its turn.
    """
    if sys.platform == "win32":
        function: Any = ctypes.WinDLL("kernel32").SwitchToThread
    else:
        function = ctypes.CDLL(None).usleep
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)
