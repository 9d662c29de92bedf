"""Gradients of a convolution's weights and bias.

    d weight[o][i][ky][kx] = sum over images and pixels of
                             d target[o][y][x] * source[i][y * stride + ky * dilation][x * ...]
    d bias[o]              = sum over images and pixels of d target[o][y][x]

Some output channels times the whole window (or one of its rows) lie in registers while some rows of
a group of images are added up:

              tap 0  tap 1  ...  tap 8
    channel o  acc    acc         acc     <-  one vector of d target[o], times 9 of the source
    channel o+1
    channel o+2

Between the rows and groups, sums lie in memory as vectors (`sums`), in the order of the weights and
then the biases; when all of a thread's images are added up, `finish` sums up the lanes. There are
as many rows as stay in the first cache with the others, which each block reads. Where the sums
themselves would fill the second cache, lanes are summed up for each group instead.
"""

from __future__ import annotations

from dataclasses import dataclass

from grader.training.engine.lanes.convolution import over
from grader.training.engine.lanes.ir import Function, Value, Variable
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import Place
from grader.training.engine.lanes.stages import Convolution

PARAMETERS = [
    ("ptr", "source"),
    ("ptr", "gradient"),
    ("ptr", "weight"),
    ("ptr", "bias"),
    ("i64", "first"),
    ("i64", "end"),
]
MOST_SUMS = 1_000_000
"""Bytes of sums that are kept as vectors."""
FIRST_CACHE = 24_000
"""Bytes of rows that a block should read from there."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything that decides a kernel; channels are those of one group."""

    inputs: int
    outputs: int
    window: tuple[int, int]
    height: int
    width: int
    source: Place
    gradient: Place
    groups: int
    stride: tuple[int, int]
    dilation: tuple[int, int]
    of_weight: bool
    of_bias: bool

    @property
    def weights(self) -> int:
        """How many there are, of all groups."""
        rows, columns = self.window
        return self.groups * self.outputs * self.inputs * rows * columns

    def kept(self, lanes: int) -> int:
        """Floats of sums that are kept as vectors, if any."""
        needed = lanes * (self.weights * self.of_weight + self.groups * self.outputs * self.of_bias)
        return needed if 4 * needed <= MOST_SUMS else 0


def shape_of(stage: Convolution, *, of_weight: bool, of_bias: bool) -> Shape:
    """The kernel for the weights of a stage, or only its bias."""
    return Shape(
        inputs=stage.source.channels // stage.groups,
        outputs=stage.target.channels // stage.groups,
        window=stage.window,
        height=stage.target.height,
        width=stage.target.width,
        source=stage.source.values.moved(-stage.padding[0], -stage.padding[1]),
        gradient=stage.target.gradient,
        groups=stage.groups,
        stride=stage.stride,
        dilation=stage.dilation,
        of_weight=of_weight,
        of_bias=of_bias,
    )


def write(shape: Shape, target: Target) -> Function:
    """The kernel; `weight` and `bias` are sums where those are kept, else the gradients."""
    f = Function("weigh", PARAMETERS, target.lanes)
    sums = _Sums(f, kept=shape.kept(target.lanes) > 0)
    with f.loop(f["first"], f["end"]) as group, f.loop(shape.groups) as part:
        if shape.of_weight:
            _weights(sums, shape, group, part, target.registers - 4)
        if shape.of_bias:
            _bias(sums, shape, group, part)
    return f


def finish(count: int, target: Target) -> Function:
    """The kernel that adds the lanes of so many sums to a gradient."""
    f = Function("finish_sums", [("ptr", "sums"), ("ptr", "gradient")], target.lanes)
    with f.loop(count) as number:
        total = f.total(f.load(f["sums"], number))
        f.put(total + f.scalar(f["gradient"], number), f["gradient"], number)
    return f


@dataclass(frozen=True, slots=True)
class _Sums:
    """Where sums begin and end."""

    f: Function
    kept: bool

    def begin(self, key: str, place: Value) -> Variable:
        """A sum that goes on, or begins."""
        f = self.f
        return f.variable(f.vector, f.load(f[key], place) if self.kept else 0.0)

    def end(self, key: str, place: Value, total: Value) -> None:
        """Keep it, or add it to the gradient."""
        f = self.f
        if self.kept:
            f.store(total, f[key], place)
        else:
            f.put(f.total(total) + f.scalar(f[key], place), f[key], place)


def _weights(sums: _Sums, shape: Shape, group: Value, part: Value, registers: int) -> None:
    f = sums.f
    rows, columns = shape.window
    at_once = rows if rows * columns <= registers // 2 else 1
    across = min(columns, registers // 2)
    taps = at_once * across
    inputs = 1 if taps > 2 else min(shape.inputs, 5 // taps)
    spare = 1 if taps * inputs > 1 else 0
    outputs = max(1, min(shape.outputs, registers // (taps * inputs) - spare))
    if taps == 9:
        outputs = min(shape.outputs, 3 if registers >= 28 else 1)
    read = 4 * f.lanes * (outputs * shape.gradient.row + inputs * shape.source.row)
    together = max(1, FIRST_CACHE // read) if sums.kept else shape.height
    for height, begin in over(f, shape.height, together):
        for channels, output in over(f, shape.outputs, outputs):
            for count, channel in over(f, shape.inputs, inputs):
                for width, kx in over(f, columns, across):
                    with f.loop(0, rows, at_once) as ky:
                        window = (ky, at_once), (kx, width)
                        pixels = group, (begin, height)
                        block = _Block((output, channels), (channel, count), *window, *pixels)
                        _sum(sums, shape, part, block)


@dataclass(frozen=True, slots=True)
class _Block:
    """Where output channels, input channels, rows and columns of windows begin; how many.

    And of which images, which rows are added up.
    """

    outputs: tuple[Value, int]
    inputs: tuple[Value, int]
    rows: tuple[Value, int]
    columns: tuple[Value, int]
    group: Value
    pixels: tuple[Value, int]


def _sum(sums: _Sums, shape: Shape, part: Value, block: _Block) -> None:
    f = sums.f
    (output, channels), (channel, inputs) = block.outputs, block.inputs
    (ky, rows), (kx, columns) = block.rows, block.columns
    taps = [(i, y, x) for i in range(inputs) for y in range(rows) for x in range(columns)]

    def place(number: int, tap: tuple[int, int, int]) -> Value:
        i, y, x = tap
        first = (part * shape.outputs + output + number) * shape.inputs + channel + i
        return (first * shape.window[0] + ky + y) * shape.window[1] + kx + x

    table = [
        {tap: sums.begin("weight", place(number, tap)) for tap in taps}
        for number in range(channels)
    ]
    source, gradient = shape.source, shape.gradient
    begin, height = block.pixels
    with f.loop(height) as line:
        y = line + begin
        row = y * shape.stride[0] + ky * shape.dilation[0]
        from_ = source.at(block.group, part * shape.inputs + channel, row, kx * shape.dilation[1])
        of = gradient.at(block.group, part * shape.outputs + output, y)
        with f.loop(shape.width) as x:
            given = [
                f.load(f["gradient"], of + x * gradient.pixel + number * gradient.channel)
                for number in range(channels)
            ]
            here = from_ + x * (shape.stride[1] * source.pixel)
            for tap in taps:
                _add(f, shape, table, given, here, tap)
    for number, of_channel in enumerate(table):
        for tap, total in of_channel.items():
            sums.end("weight", place(number, tap), total.get())


def _add(
    f: Function,
    shape: Shape,
    table: list[dict[tuple[int, int, int], Variable]],
    given: list[Value],
    here: Value,
    tap: tuple[int, int, int],
) -> None:
    i, y, x = tap
    source = shape.source
    offset = i * source.channel + y * shape.dilation[0] * source.row
    value = f.load(f["source"], here + (offset + x * shape.dilation[1] * source.pixel))
    for number, gradient in enumerate(given):
        total = table[number][tap]
        total.set(f.fma(gradient, value, total.get()))


def _bias(sums: _Sums, shape: Shape, group: Value, part: Value) -> None:
    f, place = sums.f, shape.gradient
    with f.loop(shape.outputs) as output:
        number = part * shape.outputs + output
        parts = [sums.begin("bias", number), *f.sums(3)]
        with f.loop(shape.height) as y:
            row = place.at(group, number, y)
            for width, x in over(f, shape.width, 8):
                for column in range(width):
                    value = f.load(f["gradient"], row + (x + column) * place.pixel)
                    parts[column % 4].add(value)
        total = (parts[0].get() + parts[1].get()) + (parts[2].get() + parts[3].get())
        sums.end("bias", number, total)
