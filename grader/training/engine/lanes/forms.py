"""A value's shape and the map that holds it: the same numbers in the same order, counted otherwise.

A map has channels, rows and columns. What torch calls a view is another shape over the same
numbers, which needs no code until somebody asks for a dimension of it:

    map of 8 x 7 x 7, seen as (2, 4, 49):    dimension 0 is steps of 4 channels, 1 of one,
                                             2 is steps of a row, then of a column within it

A dimension that is no product of whole steps, such as 14 in a map of 4 x 7 x 7, cannot be told so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Sizes = tuple[int, int, int]
"""Channels, rows, columns."""
Vector = tuple[int, int, int]
"""So many channels, rows and columns further."""
Loop = tuple[int, Vector]
"""How often, and the step between."""


def sizes_for(shape: Sequence[int]) -> Sizes:
    """The map in which every dimension of the shape is steps of one size."""
    if len(shape) == 2:
        return shape[0], 1, shape[1]
    first, second, *rest = (*shape, 1, 1)
    return first, second, math.prod(rest)


def loops(sizes: Sizes, shape: Sequence[int]) -> list[list[Loop]] | None:
    """Each dimension of a shape as loops over a map of those sizes, the outer ones first.

    None where a dimension cannot be told so.
    """
    axis, left, step = 2, sizes[2], 1
    found: list[list[Loop]] = []
    for size in reversed(shape):
        mine: list[Loop] = []
        while size > 1:
            while left == 1 and axis > 0:
                axis, left, step = axis - 1, sizes[axis - 1], 1
            taken = min(size, left)
            if size % taken or left % taken or taken == 1:
                return None
            mine.insert(0, (taken, along(axis, step)))
            size, left, step = size // taken, left // taken, step * taken
        found.insert(0, mine)
    return found


def along(axis: int, step: int) -> Vector:
    """A step along one axis of a map."""
    first, second, third = (step if axis == which else 0 for which in range(3))
    return first, second, third


def times(vector: Vector, factor: int) -> Vector:
    """So many steps."""
    return vector[0] * factor, vector[1] * factor, vector[2] * factor


def plus(one: Vector, other: Vector) -> Vector:
    """Both steps."""
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]
