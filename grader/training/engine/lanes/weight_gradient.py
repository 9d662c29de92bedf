"""Gradients of a convolution's weights and bias.

    d weight[o][i][ky][kx] = sum over images and pixels of
                             d target[o][y][x] * source[i][y * stride + ky * dilation][x * ...]
    d bias[o]              = sum over images and pixels of d target[o][y][x]

Some output channels times the whole window (or one of its rows) lie in registers while all of a
thread's images are added up; only then are a vector's lanes summed:

              tap 0  tap 1  ...  tap 8
    channel o  acc    acc         acc     <-  one vector of d target[o], times 9 of the source
    channel o+1
    channel o+2

Each thread adds those of its own images to its own memory, which a step begins with zeros in.
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
    """The kernel."""
    f = Function("weigh", PARAMETERS, target.lanes)
    with f.loop(shape.groups) as part:
        if shape.of_weight:
            _weights(f, shape, part, target.registers - 4)
        if shape.of_bias:
            _bias(f, shape, part)
    return f


def _weights(f: Function, shape: Shape, part: Value, registers: int) -> None:
    rows, columns = shape.window
    at_once = rows if rows * columns <= registers // 2 else 1
    across = min(columns, registers // 2)
    taps = at_once * across
    inputs = 1 if taps > 2 else min(shape.inputs, 5 // taps)
    spare = 1 if taps * inputs > 1 else 0
    outputs = max(1, min(shape.outputs, registers // (taps * inputs) - spare))
    if taps == 9:
        outputs = min(shape.outputs, 3 if registers >= 28 else 1)
    for channels, output in over(f, shape.outputs, outputs):
        for count, channel in over(f, shape.inputs, inputs):
            for width, kx in over(f, columns, across):
                with f.loop(0, rows, at_once) as ky:
                    block = _Block((output, channels), (channel, count), (ky, at_once), (kx, width))
                    _sum(f, shape, part, block)


@dataclass(frozen=True, slots=True)
class _Block:
    """Where output channels, input channels, rows and columns of windows begin; how many."""

    outputs: tuple[Value, int]
    inputs: tuple[Value, int]
    rows: tuple[Value, int]
    columns: tuple[Value, int]


def _sum(f: Function, shape: Shape, part: Value, block: _Block) -> None:
    (output, channels), (channel, inputs) = block.outputs, block.inputs
    (ky, rows), (kx, columns) = block.rows, block.columns
    taps = [(i, y, x) for i in range(inputs) for y in range(rows) for x in range(columns)]
    sums = [dict(zip(taps, f.sums(len(taps)), strict=True)) for _ in range(channels)]
    source, gradient = shape.source, shape.gradient
    with f.loop(f["first"], f["end"]) as group, f.loop(shape.height) as y:
        row = y * shape.stride[0] + ky * shape.dilation[0]
        from_ = source.at(group, part * shape.inputs + channel, row, kx * shape.dilation[1])
        of = gradient.at(group, part * shape.outputs + output, y)
        with f.loop(shape.width) as x:
            given = [
                f.load(f["gradient"], of + x * gradient.pixel + number * gradient.channel)
                for number in range(channels)
            ]
            here = from_ + x * (shape.stride[1] * source.pixel)
            for tap in taps:
                _add(f, shape, sums, given, here, tap)
    for number, of_channel in enumerate(sums):
        for (i, y_tap, x_tap), total in of_channel.items():
            first = (part * shape.outputs + output + number) * shape.inputs + channel + i
            place = (first * shape.window[0] + ky + y_tap) * shape.window[1] + kx + x_tap
            _add_to(f, f["weight"], place, total.get())


def _add(
    f: Function,
    shape: Shape,
    sums: list[dict[tuple[int, int, int], Variable]],
    given: list[Value],
    here: Value,
    tap: tuple[int, int, int],
) -> None:
    i, y, x = tap
    source = shape.source
    offset = i * source.channel + y * shape.dilation[0] * source.row
    value = f.load(f["source"], here + (offset + x * shape.dilation[1] * source.pixel))
    for number, gradient in enumerate(given):
        total = sums[number][tap]
        total.set(f.fma(gradient, value, total.get()))


def _bias(f: Function, shape: Shape, part: Value) -> None:
    place = shape.gradient
    with f.loop(shape.outputs) as output:
        sums = f.sums(4)
        with f.loop(f["first"], f["end"]) as group, f.loop(shape.height) as y:
            row = place.at(group, part * shape.outputs + output, y)
            for width, x in over(f, shape.width, 8):
                for column in range(width):
                    value = f.load(f["gradient"], row + (x + column) * place.pixel)
                    sums[column % 4].add(value)
        total = (sums[0].get() + sums[1].get()) + (sums[2].get() + sums[3].get())
        _add_to(f, f["bias"], part * shape.outputs + output, total)


def _add_to(f: Function, where: Value, place: Value, vector: Value) -> None:
    f.put(f.total(vector) + f.scalar(where, place), where, place)
