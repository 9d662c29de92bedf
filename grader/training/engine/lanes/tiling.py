"""Which convolutions are computed by Winograd's tiles, and by which."""

from __future__ import annotations

from grader.training.engine.lanes.stages import Convolution
from grader.training.engine.lanes.tiles import TILE, Tile

MOST_TILES = 8
"""Tiles that are computed together."""
Sizes = tuple[int, int]
"""Height and width."""


def chosen(stage: Convolution, inputs: int, outputs: int, sizes: Sizes) -> Tile | None:
    """The tile by which `outputs` maps of those sizes are summed up from `inputs`, if any.

    By what it costs, in cycles in which two vectors are multiplied or two are loaded, or one is
    stored: see `cost`. Windows other than 3x3, strides, dilations and groups have no tiles.
    """
    plain = stage.window == (3, 3) and stage.groups == 1
    if not plain or stage.stride != (1, 1) or stage.dilation != (1, 1):
        return None
    direct = sizes[0] * sizes[1] * inputs * outputs * 9 / 2
    return TILE if cost(TILE, inputs, outputs, sizes) < direct else None


def cost(tile: Tile, inputs: int, outputs: int, sizes: Sizes) -> float:
    """Of a map's tiles, with those that hang over its edge.

    Every product of two channels is half a cycle; every product of an input channel is loaded,
    summed up from others and stored once; that of an output channel stored, loaded and summed up.
    """
    rows, columns = tile.counts(*sizes)
    once = tile.products * (inputs * outputs / 2 + 2 * inputs + 2.5 * outputs)
    return rows * columns * once


def forward(stage: Convolution) -> Tile | None:
    """The tile for the stage's target."""
    target = stage.target
    return chosen(stage, stage.source.channels, target.channels, (target.height, target.width))


def backward(stage: Convolution) -> Tile | None:
    """The tile for the gradient of the stage's source."""
    source = stage.source
    return chosen(stage, stage.target.channels, source.channels, (source.height, source.width))


def scratch(stage: Convolution) -> int:
    """Vectors that the kernels of a stage need for themselves."""
    found = [tile for tile in (forward(stage), backward(stage)) if tile]
    return max((room(tile, stage) for tile in found), default=0)


def room(tile: Tile, stage: Convolution) -> int:
    """Vectors of a line of transformed pixels and of products."""
    channels = stage.source.channels + stage.target.channels
    return tile.columns.points * channels * MOST_TILES


def widen(stage: Convolution) -> None:
    """Give the maps borders that hold the tiles which hang over their edges."""
    source, target = stage.source, stage.target
    tile = forward(stage)
    if tile:
        bottom, right = _beyond(tile, target.height, target.width)
        top, left = stage.padding
        reach = target.height + 2 - top - source.height, target.width + 2 - left - source.width
        source.border.widen(0, 0, max(0, bottom + reach[0]), max(0, right + reach[1]))
    tile = backward(stage) if source.needs_gradient else None
    if tile:
        bottom, right = _beyond(tile, source.height, source.width)
        reach = (
            source.height + stage.padding[0] - target.height,
            source.width + stage.padding[1] - target.width,
        )
        target.gradient_border.widen(0, 0, max(0, bottom + reach[0]), max(0, right + reach[1]))


def _beyond(tile: Tile, height: int, width: int) -> Sizes:
    """Rows and columns of tiles below and to the right of a map."""
    rows, columns = tile.counts(height, width)
    return rows * tile.rows.pixels - height, columns * tile.columns.pixels - width
