"""How a batch's numbers lie in memory: [group][channel][row + border][column + border][lane].

A group is as many images as a vector has lanes; a vector holds the same pixel of each of them. So
every kernel works on whole vectors, whatever the size of the map.

Two images with one channel of 2 x 2 pixels, on 2 lanes, with a border of one column on the left:

    0 a A    a A is pixel (0, 0) of both images, next to it (0, 1) ...
    0 b B

Borders hold zeros that nobody ever writes: a window that reaches over the edge reads them, so that
no kernel has a special case for edges. They are as wide as the widest window needs. Gradients have
borders of their own, for the kernel that goes backward. After a convolution with stride s, pixels
of the gradient lie s apart, with zeros between them: then the way back is one without stride.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from grader.training.engine.lanes.forms import Vector
from grader.training.engine.lanes.ir import Function, Operand, Value

At = tuple[Value, Value, Value, Value]
"""A pixel: its group, channel, row and column."""


@dataclass(slots=True)
class Border:
    """Rows and columns of zeros around a map."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0

    def widen(self, top: int, left: int, bottom: int, right: int) -> None:
        """Make it at least so wide."""
        self.top, self.left = max(self.top, top), max(self.left, left)
        self.bottom, self.right = max(self.bottom, bottom), max(self.right, right)


@dataclass(frozen=True, slots=True)
class Place:
    """Distances, in vectors: of groups, channels, rows, pixels; and where the first pixel is."""

    group: int
    channel: int
    row: int
    pixel: int
    first: int

    def at(self, group: Value, channel: Operand, row: Operand = 0, column: Operand = 0) -> Value:
        """The number of a pixel's vector."""
        number = group * self.group + channel * self.channel
        return number + row * self.row + column * self.pixel + self.first

    def step(self, vector: Vector) -> int:
        """How far so many channels, rows and columns are."""
        return vector[0] * self.channel + vector[1] * self.row + vector[2] * self.pixel

    def moved(self, rows: int, columns: int) -> Place:
        """As seen from that pixel, which may lie in the border."""
        first = self.first + rows * self.row + columns * self.pixel
        return Place(self.group, self.channel, self.row, self.pixel, first)


@dataclass(eq=False, slots=True)
class Map:
    """What one stage of the network gives to others: channels x height x width for each image.

    `needs_gradient`: something that learns lies before it. `at` and `gradient_at` are where its
    numbers begin, in floats. `passing`: its gradient is read before that of the next group is
    written, so that there is memory for one group of each thread, `gradient_stride` floats apart.
    """

    channels: int
    height: int
    width: int
    name: str = ""
    needs_gradient: bool = True
    spread: tuple[int, int] = (1, 1)
    border: Border = field(default_factory=Border)
    gradient_border: Border = field(default_factory=Border)
    at: int = 0
    gradient_at: int = 0
    passing: bool = False
    gradient_stride: int = 0

    @property
    def pixels(self) -> int:
        """Of one channel."""
        return self.height * self.width

    @property
    def values(self) -> Place:
        """Where its values lie."""
        return _place(self, self.border, (1, 1))

    @property
    def gradient(self) -> Place:
        """Where its gradient lies."""
        place = _place(self, self.gradient_border, self.spread)
        return replace(place, group=0) if self.passing else place

    @property
    def spread_gradient(self) -> Place:
        """The same, with the zeros between its pixels as pixels, from the border's corner on."""
        place = self.gradient
        row = place.row // self.spread[0]
        return Place(place.group, place.channel, row, 1, 0)


def _place(of: Map, border: Border, spread: tuple[int, int]) -> Place:
    row = border.left + (of.width - 1) * spread[1] + 1 + border.right
    rows = border.top + (of.height - 1) * spread[0] + 1 + border.bottom
    return Place(
        group=of.channels * rows * row,
        channel=rows * row,
        row=row * spread[0],
        pixel=spread[1],
        first=border.top * row + border.left,
    )


@contextmanager
def pixels(f: Function, of: Map) -> Iterator[At]:
    """A loop over all pixels of a map, of the groups that a kernel is called for."""
    with (
        f.loop(f["first"], f["end"]) as group,
        f.loop(of.channels) as channel,
        f.loop(of.height) as y,
        f.loop(of.width) as x,
    ):
        yield group, channel, y, x
