"""Copies of a map in another order, of parts of it, or of some of it several times.

    z[...] = x[...] by pieces, each a nest of loops with a step in both; elsewhere z is `fill`
    dx     = the sum of dz over all places to which x was copied

Swapping the dimensions of a map of 1 channel with 2 x 3 pixels is one piece of two loops:

    count   step in x    step in z            a b c        a d
        2   a row        a column      x =    d e f   z =  b e
        3   a column     a row                             c f
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from grader.training.engine.lanes.calls import Calls
from grader.training.engine.lanes.forms import Vector
from grader.training.engine.lanes.ir import Function, Value
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import Map, Place, pixels


@dataclass(frozen=True, slots=True)
class Piece:
    """Where it begins in the source and in the target, and its loops: count, step in each."""

    source: Vector
    target: Vector
    loops: tuple[tuple[int, Vector, Vector], ...]

    @property
    def count(self) -> int:
        """How many numbers of the source it copies, if each is copied once; else 0."""
        product = 1
        for count, step, _ in self.loops:
            product *= count if any(step) else 0
        return product


@dataclass(eq=False, slots=True)
class Arranged:
    """A map by pieces of another; `fill` is what it holds elsewhere."""

    source: Map
    target: Map
    pieces: tuple[Piece, ...]
    fill: float = 0.0

    @property
    def sources(self) -> tuple[Map, ...]:
        """What it reads."""
        return (self.source,)

    @property
    def weights(self) -> tuple[str, ...]:
        """None."""
        return ()

    def forward(self, calls: Calls) -> None:
        """Call what copies."""
        kernel = there(self, calls.target)
        calls.call(kernel, calls.values(self.source), calls.values(self.target), *calls.range)

    def backward(self, calls: Calls) -> None:
        """Call what brings gradients back."""
        if self.source.needs_gradient:
            kernel = back(self, calls.target, accumulates=calls.adds(self.source))
            places = calls.gradient(self.target), calls.gradient(self.source)
            calls.call(kernel, *places, *calls.range)


def there(stage: Arranged, target: Target) -> Function:
    """The kernel that computes the stage's target."""
    f = _function("arrange", target)
    source, to = stage.source.values, stage.target.values
    if stage.fill:
        with pixels(f, stage.target) as at:
            f.store(stage.fill, f["target"], to.at(*at))
    for piece in stage.pieces:
        with _numbers(f, piece, source, to) as (one, other):
            f.store(f.load(f["source"], one), f["target"], other)
    return f


def back(stage: Arranged, target: Target, *, accumulates: bool) -> Function:
    """The kernel of the gradient of the source, or what adds to it.

    `source` is here the gradient of the stage's target, `target` that of its source.
    """
    f = _function("rearrange", target)
    of, to = stage.source.gradient, stage.target.gradient
    size = stage.source.channels * stage.source.pixels
    once = len(stage.pieces) == 1 and stage.pieces[0].count == size
    if not accumulates and not once:
        with pixels(f, stage.source) as at:
            f.store(0.0, f["target"], of.at(*at))
    for piece in stage.pieces:
        with _numbers(f, piece, of, to) as (one, other):
            given = f.load(f["source"], other)
            if accumulates or not once:
                given = given + f.load(f["target"], one)
            f.store(given, f["target"], one)
    return f


def _function(name: str, target: Target) -> Function:
    parameters = [("ptr", "source"), ("ptr", "target"), ("i64", "first"), ("i64", "end")]
    return Function(name, parameters, target.lanes)


@contextmanager
def _numbers(f: Function, piece: Piece, source: Place, to: Place) -> Iterator[tuple[Value, Value]]:
    """A loop over a piece: the numbers of each vector in the source and in the target."""
    nest = [(count, source.step(one), to.step(other)) for count, one, other in piece.loops]
    with ExitStack() as stack:
        group = stack.enter_context(f.loop(f["first"], f["end"]))
        one = group * source.group + (source.first + source.step(piece.source))
        other = group * to.group + (to.first + to.step(piece.target))
        for count, step, step_there in _merged(nest):
            index = stack.enter_context(f.loop(count))
            one, other = one + index * step, other + index * step_there
        yield one, other


def _merged(nest: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The same loops, where two that follow each other evenly are one."""
    found: list[tuple[int, int, int]] = []
    for count, one, other in nest:
        if found and found[-1][1:] == (count * one, count * other):
            found[-1] = (found[-1][0] * count, one, other)
        else:
            found.append((count, one, other))
    return found
