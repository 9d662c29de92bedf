"""Where everything of a network's training lies in its arena."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from grader.program.graph import Weight
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes.arena import ALIGNED, Arena
from grader.training.engine.lanes.chain import COEFFICIENTS
from grader.training.engine.lanes.lowering import Lowered
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.stages import Chain, Convolution, Group, Stage, Window

LOOKED_AT = 64
"""Images that a thread takes through the evaluation graph at once: their maps fit in its cache."""
MOST_MEMORY = 3 * 2**30
"""Bytes of an arena; beyond them PyTorch, which needs less for large batches, trains."""


@dataclass(frozen=True, slots=True)
class Norms:
    """Of one batch norm: coefficients of each thread, sums on both ways (floats; sums are double).

    The sums of both ways are not the same memory: a thread may begin the way back while another
    still reads those of the way there.
    """

    coefficients: int
    coefficients_stride: int
    sums: int
    sums_back: int
    sums_stride: int


@dataclass(slots=True)
class Plan:
    """Places, in floats.

    `weights` by name; `learned` of them have gradients, at the same distances from `gradients`, one
    after the other for each thread.
    """

    lanes: int
    threads: int
    groups: int
    arena: Arena = field(default_factory=Arena)
    weights: dict[str, int] = field(default_factory=dict)
    learned: dict[str, int] = field(default_factory=dict)
    gradients: int = 0
    gradients_stride: int = 0
    norms: dict[int, Norms] = field(default_factory=dict)
    masks: int = 0
    labels: int = 0
    out: int = 0
    barrier: int = 0
    look: int = 0
    look_stride: int = 0

    @property
    def look_groups(self) -> int:
        """Groups of images that a thread looks at in one go."""
        return max(1, LOOKED_AT // self.lanes)


def plan(
    train: Lowered,
    look: Lowered,
    weights: Mapping[str, Weight],
    *,
    lanes: int,
    threads: int,
    batch: int,
) -> Plan:
    """Give every number its place. Raises CannotTrainError where that takes too much memory."""
    made = Plan(lanes, threads, groups=-(-batch // lanes))
    arena = made.arena
    computed = train.computed | look.computed
    weights = {**weights, **{name: each.weight for name, each in computed.items()}}

    def bases(names: Iterable[str]) -> list[str]:
        return [base.storage for name in names if name in computed for base in computed[name].bases]

    reading = [*_used(train.stages), *_used(look.stages)]
    used = dict.fromkeys([*reading, *bases(reading)])
    of_stages = _used(reached(train))
    learned = [name for name in (*of_stages, *bases(of_stages)) if weights[name].trainable]
    for name in dict.fromkeys(learned):
        made.learned[name] = made.weights[name] = arena.take(weights[name].size)
    made.gradients_stride = arena.size
    for name in used:
        if name not in made.weights:
            made.weights[name] = arena.take(weights[name].size)
    made.gradients = arena.take(made.gradients_stride * threads)
    size = made.groups * lanes
    made.masks, made.labels = arena.take(size), arena.take(size)
    made.out, made.barrier = arena.take(ALIGNED * threads), arena.take(4 * ALIGNED)
    _place_maps(train, arena, size)
    _place_norms(made, train.stages, arena, threads)
    before = arena.size
    made.look = before
    _place_maps(look, arena, made.look_groups * lanes, gradients=False)
    _place_norms(made, look.stages, arena, 1)
    made.look_stride = arena.size - before
    arena.take(made.look_stride * (threads - 1))
    if arena.size * 4 > MOST_MEMORY:
        raise CannotTrainError(f"it would take {arena.size * 4 / 2**30:.0f} GiB of memory")
    return made


def reached(lowered: Lowered) -> list[Stage]:
    """The stages through which gradients of the scores go."""
    wanted: set[int] = {id(lowered.scores)}
    found = []
    for stage in reversed(lowered.stages):
        if id(stage.target) in wanted and stage.target.needs_gradient:
            found.append(stage)
            wanted |= {id(source) for source in stage.sources}
    return found[::-1]


def _used(stages: Iterable[Stage]) -> list[str]:
    names: list[str | None] = []
    for stage in stages:
        if isinstance(stage, Convolution | Group):
            names += [stage.weight, stage.bias]
        elif isinstance(stage, Chain) and stage.norm:
            norm = stage.norm
            names += [norm.weight, norm.bias, norm.mean, norm.variance]
        elif not isinstance(stage, Chain | Window):
            names += stage.weights
    return [name for name in names if name]


def maps(lowered: Lowered) -> list[Map]:
    """Every map, once."""
    return [lowered.images, *(stage.target for stage in lowered.stages)]


def _place_maps(lowered: Lowered, arena: Arena, images: int, *, gradients: bool = True) -> None:
    for map_ in maps(lowered):
        map_.at = arena.take(map_.values.group * images)
        if gradients and map_.needs_gradient:
            map_.gradient_at = arena.take(map_.gradient.group * images)


def _place_norms(made: Plan, stages: Iterable[Stage], arena: Arena, threads: int) -> None:
    for stage in stages:
        if isinstance(stage, Chain) and stage.norm:
            channels = stage.source.channels
            coefficients = -(-COEFFICIENTS * channels // ALIGNED) * ALIGNED
            sums = -(-2 * channels // 8) * 8
            made.norms[id(stage)] = Norms(
                arena.take(coefficients * threads),
                coefficients,
                arena.take(2 * sums * threads),
                arena.take(2 * sums * threads),
                sums,
            )
