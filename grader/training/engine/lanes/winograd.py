"""3x3 convolutions by tiles (see `tiles.py`), and the gradients of what they read.

    for each strip of up to 8 tiles of a row (or of a few short rows):
      1.  U[p][i][t] = B d         for each input channel i and tile t
      2.  M[p][o][t] = sum over i of V[p][o][i] * U[p][i][t]     for each product p
      3.  target[o]  = A M         for each output channel o

V = G g are the weights, transformed once a step (`weights`). Step 2 is where the time goes: a block
of output channels times all tiles of the strip lies in registers while it is summed up,

                 t    t+1  t+2  ...        the same product of each tile, of 16 images each
    channel o   acc  acc  acc  ...   <-   V[p][o][i], broadcast
    channel o+1 acc  acc  acc  ...

One product after the other, so that its part of U, up to 8 vectors for each input channel, stays in
the first cache; all of U and M stays in the second. Tiles that hang over the edge read zeros of the
border (`widen`), and what they give beyond it is not stored.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from grader.training.engine.lanes.convolution import Shape, blocks, over
from grader.training.engine.lanes.ir import Function, Value, Variable
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import Place
from grader.training.engine.lanes.tiles import Matrix, Row, Tile, combined, transform
from grader.training.engine.lanes.tiling import MOST_TILES

PARAMETERS = [
    ("ptr", "source"),
    ("ptr", "target"),
    ("ptr", "weight"),
    ("ptr", "bias"),
    ("ptr", "scratch"),
    ("i64", "first"),
    ("i64", "end"),
]
MOST_HELD = 26_000
"""Bytes of a line of U and M, which should stay in the first cache."""


def weights(shape: Shape, tile: Tile, target: Target) -> Function:
    """The kernel that writes V, as [product][output channel][input channel]."""
    f = Function("weights", [("ptr", "weight"), ("ptr", "transformed")], target.lanes)
    of_output, of_input, of_row, of_column, begin = shape.weights
    with f.loop(shape.outputs) as o, f.loop(shape.inputs) as i:
        here = o * of_output + i * of_input + begin
        window = [
            [f.scalar(f["weight"], here + (y * of_row + x * of_column)) for x in range(3)]
            for y in range(3)
        ]
        place = o * shape.inputs + i
        for line in transform(f, tile.rows.weights, tile.columns.weights, window):
            for number in line:
                f.put(number, f["transformed"], place)
                place = place + shape.outputs * shape.inputs
    return f


def write(shape: Shape, tile: Tile, target: Target) -> Function:
    """The kernel."""
    f = Function("winograd", PARAMETERS, target.lanes)
    rows, columns, channels = block_of(shape, tile, target.registers, target.lanes)
    of_rows, of_columns = tile.counts(shape.height, shape.width)
    with f.loop(f["first"], f["end"]) as group:
        for height, row in over(f, of_rows, rows):
            for width, column in over(f, of_columns, columns):
                strip = Strip(group, row, column, height, width)
                products = _products(shape, tile, strip.tiles, channels, target)
                for line in range(tile.rows.points):
                    factors = tile.rows.data[line], tile.columns.data
                    spread(f, "source", (shape.source, shape.inputs), tile, factors, strip, 0)
                    of_line = line * tile.columns.points * shape.outputs * shape.inputs
                    f.call(products, f["scratch"], f.at(f["weight"], of_line))
                    _give(f, shape, tile, strip, line)
    return f


def block_of(shape: Shape, tile: Tile, registers: int, lanes: int) -> tuple[int, int, int]:
    """Rows and columns of tiles of a strip, and channels at once, by the cycles that they take."""
    of_rows, of_columns = tile.counts(shape.height, shape.width)
    best = (float("inf"), 1, 1, 1)
    for columns in range(1, min(of_columns, MOST_TILES) + 1):
        most_rows = MOST_TILES // columns if columns == of_columns else 1
        for rows in range(1, min(of_rows, most_rows) + 1):
            for channels in range(1, min(shape.outputs, 12) + 1):
                tiles = rows * columns
                held = 4 * lanes * tile.columns.points * tiles * (shape.inputs + shape.outputs)
                if tiles > 1 and held > MOST_HELD:
                    continue
                if channels * tiles + min(channels, tiles) + 1 <= registers:
                    sizes = (of_rows, rows), (of_columns, columns), (shape.outputs, channels)
                    best = min(best, (cycles(*sizes), rows, columns, channels))
    return best[1:]


def cycles(*sizes: tuple[int, int]) -> float:
    """Of step 2, for each product and input channel, with (how many, at once) of rows and so on.

    Two sums a cycle, or two loads, but none faster than the 4 cycles until a sum can be added to.
    """
    total = 0.0
    for rows, of_rows, _ in blocks(*sizes[0]):
        for columns, of_columns, _ in blocks(*sizes[1]):
            for channels, of_channels, _ in blocks(*sizes[2]):
                tiles = rows * columns
                once = max(channels * tiles, channels + tiles, 8) / 2 + 1
                total += once * of_rows * of_columns * of_channels
    return total


@dataclass(frozen=True, slots=True)
class Strip:
    """Tiles that are computed together: of which images, where the first is, how many."""

    group: Value
    row: Value
    column: Value
    height: int
    width: int

    @property
    def tiles(self) -> int:
        """All of them."""
        return self.height * self.width


def spread(
    f: Function,
    pointer: str,
    of: tuple[Place, int],
    tile: Tile,
    factors: tuple[Row, Matrix],
    strip: Strip,
    begin: int,
) -> None:
    """One line of a strip's transformed pixels, as [product][channel][tile] of the scratch."""
    (place, channels), (rows, columns) = of, factors
    with f.loop(channels) as channel, f.loop(strip.height) as r, f.loop(strip.width) as c:
        y, x = (strip.row + r) * tile.rows.pixels, (strip.column + c) * tile.columns.pixels
        from_ = place.at(strip.group, channel, y, x)
        used = [(a, factor) for a, factor in enumerate(rows) if factor]
        line = []
        for b in range(len(columns[0])):
            pixels = [
                f.load(f[pointer], from_ + (a * place.row + b * place.pixel)) for a, _ in used
            ]
            line.append(combined(f, tuple(factor for _, factor in used), pixels))
        to = channel * strip.tiles + r * strip.width + c + begin
        for each in columns:
            f.store(combined(f, each, line), f["scratch"], to)
            to = to + channels * strip.tiles


def _products(shape: Shape, tile: Tile, tiles: int, channels: int, target: Target) -> Function:
    """Step 2, of a line of products: a function, since each line calls it."""
    f = Function("products", [("ptr", "scratch"), ("ptr", "weight")], target.lanes)
    with f.loop(tile.columns.points) as product:
        for count, channel in over(f, shape.outputs, channels):
            sums = [f.sums(tiles) for _ in range(count)]
            with f.loop(shape.inputs) as i:
                from_ = (product * shape.inputs + i) * tiles
                weight = (product * shape.outputs + channel) * shape.inputs + i
                multiply(f, sums, weight, shape.inputs, from_)
            to = (product * shape.outputs + channel) * tiles
            to = to + tile.columns.points * shape.inputs * tiles
            for number, of_channel in enumerate(sums):
                for each, total in enumerate(of_channel):
                    f.store(total.get(), f["scratch"], to + (number * tiles + each))
    return f.named()


def multiply(
    f: Function, sums: list[list[Variable]], weight: Value, apart: int, values: Value
) -> None:
    """Add to the sums of each channel and tile what a weight and a vector give.

    `weight` is the place of the first channel's, the others are `apart`; the vectors lie side by
    side. The fewer of the two are kept in registers.
    """

    def factor(number: int) -> Value:
        return f.every(f["weight"], weight + number * apart)

    def value(number: int) -> Value:
        return f.load(f["scratch"], values + number)

    if len(sums) > len(sums[0]):
        kept = [value(number) for number in range(len(sums[0]))]
        for number, of_channel in enumerate(sums):
            one = factor(number)
            for each, total in zip(kept, of_channel, strict=True):
                total.set(f.fma(each, one, total.get()))
    else:
        kept = [factor(number) for number in range(len(sums))]
        for number in range(len(sums[0])):
            one = value(number)
            for each, of_channel in zip(kept, sums, strict=True):
                of_channel[number].set(f.fma(one, each, of_channel[number].get()))


def _give(f: Function, shape: Shape, tile: Tile, strip: Strip, line: int) -> None:
    """Step 3, of a line of products: what it adds to each row of pixels."""
    points = tile.columns.points
    begin, step = points * shape.inputs * strip.tiles, shape.outputs * strip.tiles
    of_rows, of_columns = tile.counts(shape.height, shape.width)
    with f.loop(shape.outputs) as o, f.loop(strip.height) as r, f.loop(strip.width) as c:
        from_ = o * strip.tiles + r * strip.width + c + begin
        products = [f.load(f["scratch"], from_ + b * step) for b in range(points)]
        numbers = [combined(f, factors, products) for factors in tile.columns.sums]
        y, x = (strip.row + r) * tile.rows.pixels, (strip.column + c) * tile.columns.pixels
        to = shape.target.at(strip.group, o, y, x)
        for a, factors in enumerate(tile.rows.sums):
            if not factors[line]:
                continue
            is_first = not any(factors[:line])
            bias = f.every(f["bias"], o) if shape.has_bias and is_first else None
            for b, number in enumerate(numbers):
                place = to + (a * shape.target.row + b * shape.target.pixel)
                with ExitStack() as inside:
                    if (of_rows - 1) * tile.rows.pixels + a >= shape.height:
                        inside.enter_context(f.when(f.compare("slt", y + a, shape.height)))
                    if (of_columns - 1) * tile.columns.pixels + b >= shape.width:
                        inside.enter_context(f.when(f.compare("slt", x + b, shape.width)))
                    if shape.accumulates or not is_first:
                        old = f.load(f["target"], place)
                        total = combined(f, (1, factors[line]), (old, number))
                    else:
                        total = combined(f, (factors[line],), (number,))
                    f.store(total if bias is None else total + bias, f["target"], place)
