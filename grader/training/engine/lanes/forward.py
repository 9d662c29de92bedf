"""The way there: what each stage calls to compute its map."""

from __future__ import annotations

from grader.training.engine.lanes import (
    chain,
    convolution,
    group_norm,
    norm,
    pooling,
    tiling,
    winograd,
)
from grader.training.engine.lanes.calls import Calls
from grader.training.engine.lanes.convolution import Shape
from grader.training.engine.lanes.ir import Value
from grader.training.engine.lanes.stages import Chain, Convolution, Group, Stage, Window
from grader.training.engine.lanes.tiles import Tile


def forward(calls: Calls, stage: Stage, *, training: bool) -> None:
    """Call what computes the map of a stage."""
    to = calls.values(stage.target)
    from_ = [calls.values(source) for source in stage.sources]
    if isinstance(stage, Convolution):
        weights = calls.weight(stage.weight), calls.weight(stage.bias)
        convolve(calls, convolution.forward(stage), tiling.forward(stage), *from_, to, *weights)
    elif isinstance(stage, Chain):
        coefficients = _normalize(calls, stage)
        kernel = chain.apply(stage, calls.target, training=training)
        calls.call(kernel, *from_, to, coefficients, *calls.range, calls.seed)
    elif isinstance(stage, Window):
        calls.call(pooling.forward(stage, calls.target), *from_, to, *calls.range)
    elif not isinstance(stage, Group):
        stage.forward(calls)
    else:
        weights = calls.weight(stage.weight), calls.weight(stage.bias)
        kernel = group_norm.forward(stage, calls.target)
        calls.call(kernel, *from_, to, *weights, *calls.range)


def convolve(
    calls: Calls, shape: Shape, tile: Tile | None, from_: Value, to: Value, *weights: Value
) -> None:
    """Call a convolution, by tiles where there is one; `weights` are weight and bias."""
    if tile is None or not calls.library.by_tiles:
        calls.call(convolution.write(shape, calls.target), from_, to, *weights, *calls.range)
        return
    weight, bias = weights
    transformed = calls.room(tile.products * shape.outputs * shape.inputs)
    calls.call(winograd.weights(shape, tile, calls.target), weight, transformed)
    kernel = winograd.write(shape, tile, calls.target)
    calls.call(kernel, from_, to, transformed, bias, calls.scratch, *calls.range)


def _normalize(calls: Calls, stage: Chain) -> Value:
    """Compute the coefficients of batch norm; returns where they are."""
    f, coefficients = calls.f, calls.coefficients(stage)
    if stage.norm is None:
        return coefficients
    places = calls.plan.norms[id(stage)]
    wanted = stage.norm
    weights = [
        calls.weight(name) for name in (wanted.weight, wanted.bias, wanted.mean, wanted.variance)
    ]
    if not wanted.by_batch:
        calls.call(norm.running(stage, wanted, calls.target), coefficients, *weights)
        return coefficients
    mine = f.at(f["memory"], f["thread"] * (2 * places.sums_stride) + places.sums)
    masks = f.at(f["memory"], calls.plan.masks)
    source = calls.values(stage.source)
    calls.forget(mine, 2 * places.sums_stride)
    kernel = norm.stats(stage, calls.target)
    calls.call(kernel, source, coefficients, mine, masks, *calls.range, calls.seed)
    calls.wait()
    finish = norm.finish(stage, wanted, calls.target, places.sums_stride)
    sums = f.at(f["memory"], places.sums)
    images = f.convert("sitofp", f["count"], "double")
    calls.call(finish, coefficients, sums, *weights, f["thread"], f["threads"], images)
    return coefficients
