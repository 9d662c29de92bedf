"""The way back: what each stage calls to compute the gradients of what it read and learns."""

from __future__ import annotations

from grader.training.engine.lanes import (
    chain_back,
    convolution,
    group_norm,
    norm_back,
    pooling,
    tiling,
    weight_gradient,
)
from grader.training.engine.lanes.calls import Calls
from grader.training.engine.lanes.forward import convolve
from grader.training.engine.lanes.ir import Value
from grader.training.engine.lanes.plan import waits
from grader.training.engine.lanes.stages import Chain, Convolution, Group, Stage, Window


def backward(calls: Calls, stage: Stage) -> None:
    """Call what computes the gradients of what a stage read, and of its weights."""
    given = calls.gradient(stage.target)
    if isinstance(stage, Convolution):
        _convolution_back(calls, stage, given)
    elif isinstance(stage, Chain):
        _chain_back(calls, stage, given)
    elif isinstance(stage, Window):
        adds = calls.adds(stage.source)
        kernel = pooling.backward(stage, calls.target, accumulates=adds)
        places = calls.values(stage.source), given, calls.gradient(stage.source)
        calls.call(kernel, *places, *calls.range)
    elif not isinstance(stage, Group):
        stage.backward(calls)
    else:
        _group_back(calls, stage, given)


def _convolution_back(calls: Calls, stage: Convolution, given: Value) -> None:
    of_weight, of_bias = calls.learns(stage.weight), calls.learns(stage.bias)
    if of_weight or of_bias:
        shape = weight_gradient.shape_of(stage, of_weight=of_weight, of_bias=of_bias)
        _weigh(calls, stage, shape, given)
    if stage.source.needs_gradient:
        shape_back = convolution.backward(stage, accumulates=calls.adds(stage.source))
        to, weights = calls.gradient(stage.source), (calls.weight(stage.weight), calls.weight(None))
        convolve(calls, shape_back, tiling.backward(stage), given, to, *weights)


def _weigh(calls: Calls, stage: Convolution, shape: weight_gradient.Shape, given: Value) -> None:
    weight, bias = calls.weight_gradient(stage.weight), calls.weight_gradient(stage.bias)
    kernel = weight_gradient.write(shape, calls.target)
    places = weight, bias
    kept = shape.kept(calls.target.lanes)
    if kept:
        sums = calls.room(kept)
        calls.forget(sums, kept)
        of_bias = calls.f.at(sums, shape.weights * calls.target.lanes) if shape.of_weight else sums
        places = sums, of_bias
        if shape.of_weight:
            finish = weight_gradient.finish(shape.weights, calls.target)
            calls.afterwards(finish, sums, weight)
        if shape.of_bias:
            finish = weight_gradient.finish(stage.target.channels, calls.target)
            calls.afterwards(finish, of_bias, bias)
    calls.call(kernel, calls.values(stage.source), given, *places, *calls.range)


def _chain_back(calls: Calls, stage: Chain, given: Value) -> None:
    f, coefficients = calls.f, calls.coefficients(stage)
    source, seed = calls.values(stage.source), calls.seed
    names: list[str | None] = []
    if stage.norm:
        wanted = (stage.norm.weight, stage.norm.bias)
        names = [name if calls.learns(name) else None for name in wanted]
    if stage.norm and waits(stage, calls.plan.learned):
        places = calls.plan.norms[id(stage)]
        mine = f.at(f["memory"], f["thread"] * (2 * places.sums_stride) + places.sums_back)
        calls.forget(mine, 2 * places.sums_stride)
        kernel = norm_back.sums(stage, calls.target)
        calls.call(kernel, source, given, coefficients, mine, *calls.range, seed)
        calls.wait()
        slopes = norm_back.slopes(stage, stage.norm, names, calls.target, places.sums_stride)
        sums = f.at(f["memory"], places.sums_back)
        gradients = [calls.weight_gradient(name) for name in names]
        images = f.convert("sitofp", f["count"], "double")
        calls.call(slopes, coefficients, sums, *gradients, f["thread"], f["threads"], images)
    if stage.source.needs_gradient:
        adds = calls.adds(stage.source)
        kernel = chain_back.back(stage, calls.target, accumulates=adds)
        to, masks = calls.gradient(stage.source), f.at(f["memory"], calls.plan.masks)
        calls.call(kernel, source, given, to, coefficients, masks, *calls.range, seed)


def _group_back(calls: Calls, stage: Group, given: Value) -> None:
    learns = calls.learns(stage.weight), calls.learns(stage.bias)
    of_source = stage.source.needs_gradient
    kernel = group_norm.backward(
        stage,
        calls.target,
        of_source=of_source,
        learns=learns,
        accumulates=of_source and calls.adds(stage.source),
    )
    to = calls.gradient(stage.source)
    weights = calls.weight_gradient(stage.weight), calls.weight_gradient(stage.bias)
    places = calls.values(stage.source), given, to, calls.weight(stage.weight)
    calls.call(kernel, *places, *weights, *calls.range)
