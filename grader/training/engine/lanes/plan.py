"""Where everything of a network's training lies in its arena."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from grader.program.graph import Weight
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import tiling
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

    `weights` by name; `learned` of them, the first, have gradients, at the same distances from
    `gradients`, one after the other for each thread. So have the two `states` of an optimizer.
    """

    lanes: int
    threads: int
    groups: int
    arena: Arena = field(default_factory=Arena)
    weights: dict[str, int] = field(default_factory=dict)
    learned: dict[str, int] = field(default_factory=dict)
    gradients: int = 0
    gradients_stride: int = 0
    states: int = 0
    norms: dict[int, Norms] = field(default_factory=dict)
    masks: int = 0
    labels: int = 0
    out: int = 0
    barrier: int = 0
    scratch: int = 0
    scratch_stride: int = 0
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
    groups: Sequence[Sequence[str]],
    *,
    lanes: int,
    threads: int,
    batch: int,
) -> Plan:
    """Give every number its place: parameters of one of the optimizer's `groups` side by side.

    Raises CannotTrainError where that takes too much memory.
    """
    made = Plan(lanes, threads, groups=-(-batch // lanes))
    arena = made.arena
    computed = train.computed | look.computed
    weights = {**weights, **{name: each.weight for name, each in computed.items()}}

    def bases(names: Iterable[str]) -> list[str]:
        return [base.storage for name in names if name in computed for base in computed[name].bases]

    reading = [*_used(train.stages), *_used(look.stages)]
    used = dict.fromkeys([*reading, *bases(reading)])
    group_of = {
        weights[name].storage: number for number, names in enumerate(groups) for name in names
    }
    of_stages = _used(reached(train))
    learned = [name for name in (*of_stages, *bases(of_stages)) if weights[name].trainable]
    for name in sorted(dict.fromkeys(learned), key=lambda name: group_of.get(name, len(groups))):
        made.learned[name] = made.weights[name] = arena.take(weights[name].size)
    made.gradients_stride = arena.size
    for name in used:
        if name not in made.weights:
            made.weights[name] = arena.take(weights[name].size)
    made.gradients = arena.take(made.gradients_stride * threads)
    made.states = arena.take(2 * made.gradients_stride)
    size = made.groups * lanes
    made.masks, made.labels = arena.take(size), arena.take(size)
    made.out, made.barrier = arena.take(ALIGNED * threads), arena.take(4 * ALIGNED)
    _place_maps(train, arena, size)
    _place_gradients(train, made, size)
    _place_norms(made, train.stages, arena, threads)
    made.scratch_stride = lanes * max(map(_scratch, [*train.stages, *look.stages]), default=0)
    made.scratch = arena.take(made.scratch_stride * threads)
    before = arena.size
    made.look = before
    _place_maps(look, arena, made.look_groups * lanes)
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


def _scratch(stage: Stage) -> int:
    """Vectors that a stage's kernels need for themselves."""
    return tiling.scratch(stage) if isinstance(stage, Convolution) else 0


def maps(lowered: Lowered) -> list[Map]:
    """Every map, once."""
    return [lowered.images, *(stage.target for stage in lowered.stages)]


def _place_maps(lowered: Lowered, arena: Arena, images: int) -> None:
    for map_ in maps(lowered):
        map_.at = arena.take(map_.values.group * images)


def _place_gradients(train: Lowered, made: Plan, images: int) -> None:
    arena, lanes, threads = made.arena, made.lanes, made.threads
    passing = _passing(train, made.learned)
    for map_ in maps(train):
        if not map_.needs_gradient:
            continue
        group = map_.gradient.group
        if id(map_) in passing:
            map_.passing = True
            map_.gradient_stride = -(-group * lanes // ALIGNED) * ALIGNED
            map_.gradient_at = arena.take(map_.gradient_stride * threads)
        else:
            map_.gradient_at = arena.take(group * images)


def waits(stage: Stage, learned: Container[str]) -> bool:
    """Whether all threads wait for each other on the way back, for the sums of a batch norm."""
    norm = stage.norm if isinstance(stage, Chain) else None
    return norm is not None and (norm.by_batch or norm.weight in learned or norm.bias in learned)


def _passing(train: Lowered, learned: Container[str]) -> set[int]:
    """Maps (by id) whose gradient is written and read between the same two barriers.

    Batch norm has one on the way back: before it, the gradient of what it gives is summed up, after
    it, that is read again and the gradient of what it was given is written.
    """
    barriers = 0
    used = {id(train.scores): {barriers}}
    for stage in reversed(reached(train)):
        of_target = used.setdefault(id(stage.target), set())
        of_target.add(barriers)
        if waits(stage, learned):
            barriers += 1
            of_target.add(barriers)
        for source in stage.sources:
            used.setdefault(id(source), set()).add(barriers)
    return {number for number, between in used.items() if len(between) == 1}


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
