"""What a network is lowered to: stages that each read maps and write one.

Only convolutions, chains, and what joins maps are stored; whatever is computed number by number
between them is part of a `Chain` and is computed again where it is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from grader.training.engine.lanes.elementwise import Step
from grader.training.engine.lanes.ir import Function, Value
from grader.training.engine.lanes.maps import Map


@dataclass(frozen=True, slots=True)
class Norm:
    """Batch norm of a chain, with its weights' names; `weight` and `bias` are None for 1 and 0.

    `by_batch`: over the batch, moving the running statistics by `momentum` where there are any;
    else by the running statistics.
    """

    weight: str | None
    bias: str | None
    mean: str | None
    variance: str | None
    momentum: float
    epsilon: float
    by_batch: bool


Pool = Literal["", "max 2x2", "mean of all"]


@dataclass(eq=False, slots=True)
class Convolution:
    """A window over a map; a linear layer is one as large as its map.

    `padding` are the rows above and the columns to the left; those below and to the right follow.
    """

    source: Map
    target: Map
    weight: str
    bias: str | None
    window: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def sources(self) -> tuple[Map, ...]:
        """What it reads."""
        return (self.source,)


@dataclass(eq=False, slots=True)
class Chain:
    """Steps number by number: `before` batch norm, `norm`, `after` it; then a pool, if any."""

    source: Map
    target: Map
    before: tuple[Step, ...]
    norm: Norm | None
    after: tuple[Step, ...]
    pool: Pool

    @property
    def sources(self) -> tuple[Map, ...]:
        """What it reads."""
        return (self.source,)


@dataclass(frozen=True, slots=True)
class Axis:
    """Where the windows of a pool lie along one dimension, of `size` pixels.

    Window i begins at i * stride - padding and is `window` long, of which the part on the map
    counts; or, where `adaptive`, the windows share the map as torch's adaptive pools do.
    """

    size: int
    count: int
    window: int = 1
    stride: int = 1
    padding: int = 0
    adaptive: bool = False

    def ends(self, f: Function, number: Value) -> tuple[Value, Value]:
        """Begin and end (half-open) of that window."""
        if self.adaptive:
            end = number * self.size + (self.size + self.count - 1)
            return number * self.size / self.count, end / self.count
        begin = number * self.stride - self.padding
        end = begin + self.window
        if self.padding:
            begin = f.select(f.compare("slt", begin, 0), 0, begin)
        if (self.count - 1) * self.stride - self.padding + self.window > self.size:
            end = f.select(f.compare("slt", end, self.size), end, self.size)
        return begin, end


@dataclass(eq=False, slots=True)
class Window:
    """Pooling by windows of any kind: the largest or the mean of each.

    The mean is the sum by `divisor`, or by how many pixels of the window lie on the map. Of the
    largest, the first gets the gradient, or, with `equals`, each that is as large gets its share.
    """

    source: Map
    target: Map
    kind: Literal["max", "mean"]
    rows: Axis
    columns: Axis
    divisor: int | None = None
    equals: bool = False

    @property
    def sources(self) -> tuple[Map, ...]:
        """What it reads."""
        return (self.source,)


@dataclass(eq=False, slots=True)
class Group:
    """Group norm: each image by itself, over the channels of a group and all pixels.

    Layer norm over all of an image is that of one group, with a weight for each number.
    """

    source: Map
    target: Map
    groups: int
    weight: str | None
    bias: str | None
    epsilon: float
    by_pixel: bool

    @property
    def sources(self) -> tuple[Map, ...]:
        """What it reads."""
        return (self.source,)


class Own(Protocol):
    """A stage that knows its own kernels."""

    @property
    def target(self) -> Map:
        """What it writes."""

    @property
    def sources(self) -> tuple[Map, ...]:
        """What it reads."""

    @property
    def weights(self) -> tuple[str, ...]:
        """Names of what it reads besides."""

    def forward(self, calls: Any) -> None:
        """Call what computes its map; `calls` are those of a step (`calls.Calls`)."""

    def backward(self, calls: Any) -> None:
        """Call what computes the gradients of what it read and learns."""


Stage = Convolution | Chain | Window | Group | Own
