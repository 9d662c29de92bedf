"""Convolutions, and the gradients of what they read: the same kernel with other distances.

    target[o][y][x] = bias[o] + sum over i, ky, kx of
                      weight[o][i][ky][kx] * source[i][y * stride + ky * dilation][x * ...]

A block of output channels times pixels lies in registers while all of a window is added up; each
vector that is read serves every channel of the block, each weight every pixel:

                 x   x+1  x+2  x+3        pixels of 16 images each
    channel o   acc  acc  acc  acc   <-   one weight of channel o, broadcast
    channel o+1 acc  acc  acc  acc
    channel o+2 acc  acc  acc  acc

The gradient of the source sums the gradient of the target under the window turned around. After a
stride, that gradient is spread out with zeros between, so that there is no stride on the way back.

Columns of blocks go down the map, so that the rows that windows share stay in the first cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from grader.training.engine.lanes.ir import Function, Value, Variable
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import Place
from grader.training.engine.lanes.stages import Convolution

PARAMETERS = [
    ("ptr", "source"),
    ("ptr", "target"),
    ("ptr", "weight"),
    ("ptr", "bias"),
    ("i64", "first"),
    ("i64", "end"),
]


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything that decides a kernel; channels are those of one group.

    `weights` are the distances of output channel, input channel, row and column in the weights, in
    floats, and where the first one is; `next_group` is the distance of the next group's.
    """

    inputs: int
    outputs: int
    window: tuple[int, int]
    height: int
    width: int
    source: Place
    target: Place
    weights: tuple[int, int, int, int, int]
    next_group: int
    groups: int = 1
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    has_bias: bool = False
    accumulates: bool = False


def forward(stage: Convolution) -> Shape:
    """The kernel that computes the stage's target."""
    inputs, outputs = _channels(stage)
    rows, columns = stage.window
    size = rows * columns
    return Shape(
        inputs=inputs,
        outputs=outputs,
        window=stage.window,
        height=stage.target.height,
        width=stage.target.width,
        source=stage.source.values.moved(-stage.padding[0], -stage.padding[1]),
        target=stage.target.values,
        weights=(inputs * size, size, columns, 1, 0),
        next_group=outputs * inputs * size,
        groups=stage.groups,
        stride=stage.stride,
        dilation=stage.dilation,
        has_bias=stage.bias is not None,
    )


def backward(stage: Convolution, *, accumulates: bool) -> Shape:
    """The kernel that computes the gradient of the stage's source, or adds to it."""
    inputs, outputs = _channels(stage)
    rows, columns = stage.window
    size = rows * columns
    border = stage.target.gradient_border
    above, left = (
        (window - 1) * dilation - padding
        for window, dilation, padding in zip(
            stage.window, stage.dilation, stage.padding, strict=True
        )
    )
    return Shape(
        inputs=outputs,
        outputs=inputs,
        window=stage.window,
        height=stage.source.height,
        width=stage.source.width,
        source=stage.target.spread_gradient.moved(border.top - above, border.left - left),
        target=stage.source.gradient,
        weights=(size, inputs * size, -columns, -1, size - 1),
        next_group=outputs * inputs * size,
        groups=stage.groups,
        dilation=stage.dilation,
        accumulates=accumulates,
    )


def _channels(stage: Convolution) -> tuple[int, int]:
    return stage.source.channels // stage.groups, stage.target.channels // stage.groups


def blocks(count: int, most: int) -> list[tuple[int, int, int]]:
    """`count` in as few near-equal pieces of at most `most` as there may be.

    Gives (size, how many of that size, where they begin), for one or two sizes.
    """
    pieces = -(-count // most)
    small, larger = count // pieces, count % pieces
    found, begin = [], 0
    for size, number in ((small + 1, larger), (small, pieces - larger)):
        if number:
            found.append((size, number, begin))
            begin += size * number
    return found


def over(f: Function, count: int, most: int) -> Iterator[tuple[int, Value]]:
    """Loops over all blocks: for each, its size and where it begins."""
    for size, number, begin in blocks(count, most):
        with f.loop(number) as block:
            yield size, block * size + begin


def block_of(shape: Shape, registers: int) -> tuple[int, int]:
    """Channels and pixels at once, by what they cost: loads, and chains too short to be hidden."""
    columns, best = shape.window[1], (float("inf"), 1, 1)
    for pixels in range(1, min(shape.width, 8) + 1):
        for channels in range(1, min(shape.outputs, 12) + 1):
            sums = pixels * channels
            # The weights of a tap, and most of what its row reads, are in registers too.
            if sums + channels + max(1, pixels + columns - 3) > registers and sums > 1:
                continue
            steps = -(-shape.outputs // channels) * -(-shape.width // pixels)
            work = shape.outputs * shape.width
            loads = steps * (0.5 * channels + 0.6 * (pixels + columns - 1) / columns + 1.0)
            waits = work * max(0, 8 - sums) / 8
            best = min(best, (work + loads + waits, channels, pixels))
    return best[1], best[2]


def write(shape: Shape, target: Target) -> Function:
    """The kernel."""
    f = Function("convolve", PARAMETERS, target.lanes)
    channels, pixels = block_of(shape, target.registers)
    with f.loop(f["first"], f["end"]) as group, f.loop(shape.groups) as part:
        for width, x in over(f, shape.width, pixels):
            with f.loop(shape.height) as y:
                for count, channel in over(f, shape.outputs, channels):
                    _block(f, shape, group, part, (channel, count), y, (x, width))
    return f


def _block(
    f: Function,
    shape: Shape,
    group: Value,
    part: Value,
    outputs: tuple[Value, int],
    y: Value,
    pixels: tuple[Value, int],
) -> None:
    """Some channels of some pixels of one row."""
    (channel, channels), (x, width) = outputs, pixels
    output = part * shape.outputs + channel
    to = shape.target.at(group, output, y, x)
    sums = [_begin(f, shape, to, output, number, width) for number in range(channels)]
    from_ = shape.source.at(group, part * shape.inputs, y * shape.stride[0], x * shape.stride[1])
    weight = part * shape.next_group + channel * shape.weights[0] + shape.weights[4]
    with f.loop(shape.inputs) as i, f.loop(shape.window[0]) as ky:
        row = from_ + i * shape.source.channel + ky * (shape.source.row * shape.dilation[0])
        weights = weight + i * shape.weights[1] + ky * shape.weights[2]
        _add_row(f, shape, sums, row, weights)
    for number, of_channel in enumerate(sums):
        for column, variable in enumerate(of_channel):
            place = to + (number * shape.target.channel + column * shape.target.pixel)
            f.store(variable.get(), f["target"], place)


def _begin(
    f: Function, shape: Shape, to: Value, output: Value, number: int, width: int
) -> list[Variable]:
    """A channel's sums, which begin with what is there, the bias, or nothing."""
    if not shape.accumulates:
        first = f.every(f["bias"], output + number) if shape.has_bias else 0.0
        return [f.variable(f.vector, first) for _ in range(width)]
    begins = [number * shape.target.channel + x * shape.target.pixel for x in range(width)]
    return [f.variable(f.vector, f.load(f["target"], to + begin)) for begin in begins]


def _add_row(
    f: Function, shape: Shape, sums: list[list[Variable]], row: Value, weights: Value
) -> None:
    """One row of the window, of one input channel."""
    read: dict[int, Value] = {}
    for kx in range(shape.window[1]):
        factors = [
            f.every(f["weight"], weights + (number * shape.weights[0] + kx * shape.weights[3]))
            for number in range(len(sums))
        ]
        for column in range(len(sums[0])):
            offset = column * shape.stride[1] + kx * shape.dilation[1]
            if offset not in read:
                read[offset] = f.load(f["source"], row + offset * shape.source.pixel)
            for number, factor in enumerate(factors):
                total = sums[number][column]
                total.set(f.fma(read[offset], factor, total.get()))
