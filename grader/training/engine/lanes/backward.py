"""The way back: what each stage calls to compute the gradients of what it read and learns."""

from __future__ import annotations

from grader.training.engine.lanes import (
    chain_back,
    convolution,
    group_norm,
    joining,
    norm_back,
    pooling,
    tiling,
    weight_gradient,
)
from grader.training.engine.lanes.calls import Calls, begins
from grader.training.engine.lanes.forward import convolve
from grader.training.engine.lanes.ir import Value
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.stages import (
    Chain,
    Convolution,
    Group,
    Product,
    Side,
    Stage,
    Sum,
    Window,
)


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
    elif isinstance(stage, Sum):
        for part, factor in ((stage.first, 1.0), (stage.second, stage.factor)):
            _copy_back(calls, part, (stage.target, 0), factor)
    elif isinstance(stage, Product):
        _product_back(calls, stage, given)
    elif isinstance(stage, Side):
        for part, begin in begins(stage):
            _copy_back(calls, part, (stage.target, begin), 1.0)
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
    if stage.norm and stage.norm.by_batch:
        places = calls.plan.norms[id(stage)]
        mine = f.at(f["memory"], f["thread"] * (2 * places.sums_stride) + places.sums_back)
        calls.forget(mine, 2 * places.sums_stride)
        kernel = norm_back.sums(stage, calls.target)
        calls.call(kernel, source, given, coefficients, mine, *calls.range, seed)
        calls.wait()
        names = [
            name if calls.learns(name) else None for name in (stage.norm.weight, stage.norm.bias)
        ]
        slopes = norm_back.slopes(stage, names, calls.target, places.sums_stride)
        sums = f.at(f["memory"], places.sums_back)
        gradients = [calls.weight_gradient(name) for name in names]
        images = f.convert("sitofp", f["count"], "double")
        calls.call(slopes, coefficients, sums, *gradients, f["thread"], f["threads"], images)
    if stage.source.needs_gradient:
        adds = calls.adds(stage.source)
        kernel = chain_back.back(stage, calls.target, accumulates=adds)
        to, masks = calls.gradient(stage.source), f.at(f["memory"], calls.plan.masks)
        calls.call(kernel, source, given, to, coefficients, masks, *calls.range, seed)


def _copy_back(calls: Calls, part: Map, whole: tuple[Map, int], factor: float) -> None:
    if part.needs_gradient:
        of, begin = whole
        places = (of.gradient, begin), (part.gradient, 0)
        adds = calls.adds(part)
        kernel = joining.copy(part, *places, calls.target, factor=factor, accumulates=adds)
        calls.call(kernel, calls.gradient(of), calls.gradient(part), *calls.range)


def _product_back(calls: Calls, stage: Product, given: Value) -> None:
    both = ((stage.source, stage.gate, False), (stage.gate, stage.source, True))
    for part, other, of_gate in both:
        if part.needs_gradient:
            adds = calls.adds(part)
            kernel = joining.multiply_back(stage, calls.target, of_gate=of_gate, accumulates=adds)
            places = calls.values(other), given, calls.gradient(part)
            calls.call(kernel, *places, *calls.range)


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
