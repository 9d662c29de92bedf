"""A map and a weight, number by number: scales, shifts, gates that are learned, PReLU.

    z  = x ? w    for every number of the weight, over all that share it:
    dx = ..., dw = the sum of dw over images and pixels, by `operations`

Each dimension is a loop with a step in the map and one in the weight, 0 where numbers share one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from grader.training.engine.lanes.calls import Calls
from grader.training.engine.lanes.forms import Vector
from grader.training.engine.lanes.ir import Function, Value
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import Map, Place
from grader.training.engine.lanes.operations import Operation

_RANGE = [("i64", "first"), ("i64", "end")]


@dataclass(eq=False, slots=True)
class Weighted:
    """`loops`: count, step in the map, step in the weight; source and target are of one form.

    Where it does not read its source, that map needs no memory: the weight alone fills the target.
    """

    source: Map
    target: Map
    weight: str
    operation: Operation
    loops: tuple[tuple[int, Vector, int], ...]
    reads: bool = True

    @property
    def sources(self) -> tuple[Map, ...]:
        """What it reads."""
        return (self.source,) if self.reads else ()

    @property
    def weights(self) -> tuple[str, ...]:
        """Its weight."""
        return (self.weight,)

    def forward(self, calls: Calls) -> None:
        """Call what computes it."""
        places = calls.values(self.source), calls.values(self.target), calls.weight(self.weight)
        calls.call(_there(self, calls.target), *places, *calls.range)

    def backward(self, calls: Calls) -> None:
        """Call what computes the gradients of the map and of the weight."""
        places = calls.values(self.source), calls.gradient(self.target), calls.weight(self.weight)
        if calls.learns(self.weight):
            kernel = _of_weight(self, calls.target)
            calls.call(kernel, *places, calls.weight_gradient(self.weight), *calls.range)
        if self.source.needs_gradient:
            kernel = _of_source(self, calls.target, accumulates=calls.adds(self.source))
            calls.call(kernel, *places, calls.gradient(self.source), *calls.range)


Loops = Sequence[tuple[int, Vector, int]]


@contextmanager
def _nest(
    f: Function, loops: Loops, places: Sequence[Place], numbers: Sequence[Value], weight: Value
) -> Iterator[tuple[list[Value], Value]]:
    """Loops from some numbers of vectors on, and from that of a weight."""
    here = list(numbers)
    with ExitStack() as stack:
        for count, step, of_weight in loops:
            index = stack.enter_context(f.loop(count))
            here = [
                number + index * place.step(step)
                for number, place in zip(here, places, strict=True)
            ]
            weight = weight + index * of_weight
        yield here, weight


def _there(stage: Weighted, target: Target) -> Function:
    pointers = [("ptr", name) for name in ("source", "target", "weight")]
    f = Function("weighted", [*pointers, *_RANGE], target.lanes)
    places = stage.source.values, stage.target.values
    with f.loop(f["first"], f["end"]) as group:
        begins = [group * place.group + place.first for place in places]
        with _nest(f, stage.loops, places, begins, f.lift(0, "i64")) as ((one, to), number):
            value = f.load(f["source"], one)
            result = stage.operation.result(f, value, f.every(f["weight"], number))
            f.store(result, f["target"], to)
    return f


def _of_source(stage: Weighted, target: Target, *, accumulates: bool) -> Function:
    """`target` is here the gradient of the stage's target, as in `_of_weight`."""
    pointers = [("ptr", name) for name in ("source", "target", "weight", "gradient")]
    f = Function("unweighted", [*pointers, *_RANGE], target.lanes)
    places = stage.source.values, stage.target.gradient, stage.source.gradient
    with f.loop(f["first"], f["end"]) as group:
        begins = [group * place.group + place.first for place in places]
        with _nest(f, stage.loops, places, begins, f.lift(0, "i64")) as (here, number):
            one, of, to = here
            given, value = f.load(f["target"], of), f.load(f["source"], one)
            factor = f.every(f["weight"], number)
            result = stage.operation.of_first(f, given, value, factor)
            if accumulates:
                result = result + f.load(f["gradient"], to)
            f.store(result, f["gradient"], to)
    return f


def _of_weight(stage: Weighted, target: Target) -> Function:
    pointers = [("ptr", name) for name in ("source", "target", "weight", "gradient")]
    f = Function("weigh", [*pointers, *_RANGE], target.lanes)
    places = stage.source.values, stage.target.gradient
    own = [loop for loop in stage.loops if loop[2]]
    shared = [loop for loop in stage.loops if not loop[2]]
    zero = f.lift(0, "i64")
    with _nest(f, own, places, (zero, zero), zero) as (outer, number):
        factor = f.every(f["weight"], number)
        total = f.variable(f.vector, 0.0)
        with f.loop(f["first"], f["end"]) as group:
            begins = [
                begin + group * place.group + place.first
                for begin, place in zip(outer, places, strict=True)
            ]
            part = f.variable(f.vector, 0.0)
            with _nest(f, shared, places, begins, zero) as ((one, of), _):
                given, value = f.load(f["target"], of), f.load(f["source"], one)
                part.add(stage.operation.of_second(f, given, value, factor))
            total.add(part.get())
        f.put(f.total(total.get()) + f.scalar(f["gradient"], number), f["gradient"], number)
    return f
