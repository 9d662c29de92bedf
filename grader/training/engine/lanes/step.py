"""A whole training step as one function that every thread runs, and a look at images as another.

    train   images into lanes; forward; loss; backward; each thread's gradients
    look    images into lanes; forward through the evaluation graph; scores

Each thread takes a share of the groups of images. They wait for each other only where batch norm
needs all images, so between two barriers nobody writes what another reads.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from grader.program.graph import Weight
from grader.program.recipe import Loss
from grader.training.engine.lanes import chain as chains
from grader.training.engine.lanes import (
    convolution,
    group_norm,
    joining,
    loading,
    loss,
    norm,
    pooling,
    weight_gradient,
)
from grader.training.engine.lanes.barrier import BARRIER
from grader.training.engine.lanes.ir import Function, Operand, Value
from grader.training.engine.lanes.lowering import Lowered
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.plan import Plan, reached
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

TRAIN = [
    ("ptr", "memory"),
    ("ptr", "images"),
    ("i64", "thread"),
    ("i64", "threads"),
    ("i64", "count"),
    ("float", "share"),
    ("i32", "seed"),
    ("ptr", "give_way"),
]
LOOK = [
    ("ptr", "memory"),
    ("ptr", "images"),
    ("ptr", "scores"),
    ("i64", "thread"),
    ("i64", "count"),
]


@dataclass(slots=True)
class Library:
    """The kernels of a network: equal ones are one."""

    texts: list[str] = field(default_factory=list)
    _known: dict[str, Function] = field(default_factory=dict)

    def add(self, kernel: Function) -> Function:
        """The kernel, under a name of its own, or an equal one."""
        text = kernel.text()
        if text not in self._known:
            kernel.name = f"{kernel.name}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
            self._known[text] = kernel
            self.texts.append(kernel.text())
        return self._known[text]


def write(
    train: Lowered,
    look: Lowered,
    plan: Plan,
    weights: dict[str, Weight],
    asked: Loss,
    target: Target,
) -> list[str]:
    """The texts of all functions, of which "train" and "look" are to be called."""
    library = Library()
    texts = [
        _Step(library, plan, weights, target).train(train, asked),
        _Step(library, plan, weights, target).look(look),
    ]
    return [BARRIER, *library.texts, *texts]


class _Step:
    """A function that calls kernels, as it is being written."""

    def __init__(
        self, library: Library, plan: Plan, weights: dict[str, Weight], target: Target
    ) -> None:
        self._library = library
        self._plan = plan
        self._weights = weights
        self._target = target
        self._f: Function
        self._range: tuple[Operand, Operand]
        self._written: set[int] = set()
        self._base: Value

    def train(self, lowered: Lowered, asked: Loss) -> str:
        """Forward, loss and backward of this thread's images."""
        f = self._f = Function("train", TRAIN, self._target.lanes, shared=True)
        self._base = f["memory"]
        groups = (f["count"] + (f.lanes - 1)) / f.lanes
        begin = f["thread"] * groups
        self._range = begin / f["threads"], (begin + groups) / f["threads"]
        self._load(lowered.images)
        self._forget()
        for stage in lowered.stages:
            self._forward(stage, training=True)
        self._loss(lowered.scores, asked)
        for stage in reversed(reached(lowered)):
            if stage.target.needs_gradient:
                self._backward(stage)
        return f.text()

    def look(self, lowered: Lowered) -> str:
        """Forward of `count` images, as many as a thread looks at in one go."""
        f = self._f = Function("look", LOOK, self._target.lanes, shared=True)
        self._base = f.at(f["memory"], f["thread"] * self._plan.look_stride)
        self._range = 0, (f["count"] + (f.lanes - 1)) / f.lanes
        self._load(lowered.images)
        for stage in lowered.stages:
            self._forward(stage, training=False)
        give = loading.give(lowered.scores, self._target)
        self._call(give, self._values(lowered.scores), f["scores"], *self._range)
        return f.text()

    def _call(self, kernel: Function, *values: Operand) -> None:
        self._f.call(self._library.add(kernel), *values)

    def _values(self, of: Map) -> Value:
        return self._f.at(self._base, of.at)

    def _gradient(self, of: Map) -> Value:
        return self._f.at(self._base, of.gradient_at)

    def _weight(self, name: str | None) -> Value:
        return self._f.at(self._f["memory"], self._plan.weights[name] if name else 0)

    def _weight_gradient(self, name: str | None) -> Value:
        """Of this thread's images."""
        f, plan = self._f, self._plan
        begin = f["thread"] * plan.gradients_stride
        return f.at(f["memory"], begin + (plan.gradients + plan.learned.get(name or "", 0)))

    def _learns(self, name: str | None) -> bool:
        return name is not None and name in self._plan.learned

    def _adds(self, of: Map) -> bool:
        """Whether a gradient of that map was written in this step already."""
        before = id(of) in self._written
        self._written.add(id(of))
        return before

    @property
    def _seed(self) -> Operand:
        """Of the step; in a look nothing is random."""
        return self._f["seed"] if self._f.name == "train" else 0

    def _wait(self) -> None:
        f = self._f
        place = f.at(f["memory"], self._plan.barrier)
        f.line(
            f"call void @barrier(ptr {place.name}, i64 {f['threads'].name}, "
            f"ptr {f['give_way'].name})"
        )

    def _load(self, images: Map) -> None:
        f = self._f
        kernel = loading.load(images, self._target)
        self._call(kernel, f["images"], self._values(images), *self._range, f["count"])

    def _forget(self) -> None:
        """Zeros where this thread's gradients are added up."""
        mine = self._weight_gradient(None)
        with self._f.loop(self._plan.gradients_stride // self._f.lanes) as vector:
            self._f.store(0.0, mine, vector)

    def _loss(self, scores: Map, asked: Loss) -> None:
        f, plan = self._f, self._plan
        places = [f.at(f["memory"], place) for place in (plan.labels, plan.masks)]
        out = f.at(f["memory"], f["thread"] * 16 + plan.out)
        self._written.add(id(scores))
        self._call(
            loss.write(asked, scores, self._target),
            self._values(scores),
            self._gradient(scores),
            *places,
            out,
            *self._range,
            f["share"],
        )

    def _forward(self, stage: Stage, *, training: bool) -> None:
        to = self._values(stage.target)
        from_ = [self._values(source) for source in stage.sources]
        if isinstance(stage, Convolution):
            kernel = convolution.write(convolution.forward(stage), self._target)
            weights = self._weight(stage.weight), self._weight(stage.bias)
            self._call(kernel, *from_, to, *weights, *self._range)
        elif isinstance(stage, Chain):
            coefficients = self._normalize(stage)
            kernel = chains.apply(stage, self._target, training=training)
            self._call(kernel, *from_, to, coefficients, *self._range, self._seed)
        elif isinstance(stage, Window):
            self._call(pooling.forward(stage, self._target), *from_, to, *self._range)
        elif isinstance(stage, Sum):
            self._call(joining.add(stage, self._target), *from_, to, *self._range)
        elif isinstance(stage, Product):
            self._call(joining.multiply(stage, self._target), *from_, to, *self._range)
        elif isinstance(stage, Side):
            for part, begin in _begins(stage):
                places = (part.values, 0), (stage.target.values, begin)
                kernel = joining.copy(part, *places, self._target)
                self._call(kernel, self._values(part), to, *self._range)
        else:
            weights = self._weight(stage.weight), self._weight(stage.bias)
            kernel = group_norm.forward(stage, self._target)
            self._call(kernel, *from_, to, *weights, *self._range)

    def _coefficients(self, stage: Chain) -> Value:
        """Of this thread, or of this thread's look."""
        f, places = self._f, self._plan.norms.get(id(stage))
        if places is None:
            return self._base
        if f.name == "train":
            return f.at(f["memory"], f["thread"] * places.coefficients_stride + places.coefficients)
        return f.at(self._base, places.coefficients)

    def _normalize(self, stage: Chain) -> Value:
        """Compute the coefficients of batch norm; returns where they are."""
        f, coefficients = self._f, self._coefficients(stage)
        if stage.norm is None:
            return coefficients
        places = self._plan.norms[id(stage)]
        wanted = stage.norm
        weights = [
            self._weight(name)
            for name in (wanted.weight, wanted.bias, wanted.mean, wanted.variance)
        ]
        if not wanted.by_batch:
            self._call(norm.running(stage, wanted, self._target), coefficients, *weights)
            return coefficients
        mine = f.at(f["memory"], f["thread"] * (2 * places.sums_stride) + places.sums)
        masks = f.at(f["memory"], self._plan.masks)
        source = self._values(stage.source)
        kernel = norm.stats(stage, self._target)
        self._call(kernel, source, coefficients, mine, masks, *self._range, self._seed)
        self._wait()
        finish = norm.finish(stage, wanted, self._target, places.sums_stride)
        sums = f.at(f["memory"], places.sums)
        images = f.convert("sitofp", f["count"], "double")
        self._call(finish, coefficients, sums, *weights, f["thread"], f["threads"], images)
        return coefficients

    def _backward(self, stage: Stage) -> None:
        given = self._gradient(stage.target)
        if isinstance(stage, Convolution):
            self._convolution_back(stage, given)
        elif isinstance(stage, Chain):
            self._chain_back(stage, given)
        elif isinstance(stage, Window):
            adds = self._adds(stage.source)
            kernel = pooling.backward(stage, self._target, accumulates=adds)
            places = self._values(stage.source), given, self._gradient(stage.source)
            self._call(kernel, *places, *self._range)
        elif isinstance(stage, Sum):
            for part, factor in ((stage.first, 1.0), (stage.second, stage.factor)):
                self._copy_back(part, (stage.target, 0), factor)
        elif isinstance(stage, Product):
            self._product_back(stage, given)
        elif isinstance(stage, Side):
            for part, begin in _begins(stage):
                self._copy_back(part, (stage.target, begin), 1.0)
        else:
            self._group_back(stage, given)

    def _convolution_back(self, stage: Convolution, given: Value) -> None:
        of_weight, of_bias = self._learns(stage.weight), self._learns(stage.bias)
        if of_weight or of_bias:
            shape = weight_gradient.shape_of(stage, of_weight=of_weight, of_bias=of_bias)
            kernel = weight_gradient.write(shape, self._target)
            places = self._weight_gradient(stage.weight), self._weight_gradient(stage.bias)
            self._call(kernel, self._values(stage.source), given, *places, *self._range)
        if stage.source.needs_gradient:
            shape_back = convolution.backward(stage, accumulates=self._adds(stage.source))
            kernel = convolution.write(shape_back, self._target)
            to, weight = self._gradient(stage.source), self._weight(stage.weight)
            self._call(kernel, given, to, weight, self._weight(None), *self._range)

    def _chain_back(self, stage: Chain, given: Value) -> None:
        f, coefficients = self._f, self._coefficients(stage)
        source, seed = self._values(stage.source), self._seed
        if stage.norm and stage.norm.by_batch:
            places = self._plan.norms[id(stage)]
            mine = f.at(f["memory"], f["thread"] * (2 * places.sums_stride) + places.sums_back)
            kernel = norm.sums(stage, self._target)
            self._call(kernel, source, given, coefficients, mine, *self._range, seed)
            self._wait()
            names = [
                name if self._learns(name) else None
                for name in (stage.norm.weight, stage.norm.bias)
            ]
            slopes = norm.slopes(stage, names, self._target, places.sums_stride)
            sums = f.at(f["memory"], places.sums_back)
            gradients = [self._weight_gradient(name) for name in names]
            images = f.convert("sitofp", f["count"], "double")
            self._call(slopes, coefficients, sums, *gradients, f["thread"], f["threads"], images)
        if stage.source.needs_gradient:
            adds = self._adds(stage.source)
            kernel = chains.back(stage, self._target, accumulates=adds)
            to, masks = self._gradient(stage.source), f.at(f["memory"], self._plan.masks)
            self._call(kernel, source, given, to, coefficients, masks, *self._range, seed)

    def _copy_back(self, part: Map, whole: tuple[Map, int], factor: float) -> None:
        if part.needs_gradient:
            of, begin = whole
            places = (of.gradient, begin), (part.gradient, 0)
            adds = self._adds(part)
            kernel = joining.copy(part, *places, self._target, factor=factor, accumulates=adds)
            self._call(kernel, self._gradient(of), self._gradient(part), *self._range)

    def _product_back(self, stage: Product, given: Value) -> None:
        both = ((stage.source, stage.gate, False), (stage.gate, stage.source, True))
        for part, other, of_gate in both:
            if part.needs_gradient:
                adds = self._adds(part)
                kernel = joining.multiply_back(
                    stage, self._target, of_gate=of_gate, accumulates=adds
                )
                places = self._values(other), given, self._gradient(part)
                self._call(kernel, *places, *self._range)

    def _group_back(self, stage: Group, given: Value) -> None:
        learns = self._learns(stage.weight), self._learns(stage.bias)
        of_source = stage.source.needs_gradient
        kernel = group_norm.backward(
            stage,
            self._target,
            of_source=of_source,
            learns=learns,
            accumulates=of_source and self._adds(stage.source),
        )
        to = self._gradient(stage.source)
        weights = self._weight_gradient(stage.weight), self._weight_gradient(stage.bias)
        places = self._values(stage.source), given, to, self._weight(stage.weight)
        self._call(kernel, *places, *weights, *self._range)


def _begins(stage: Side) -> list[tuple[Map, int]]:
    """The parts, each with the channel at which it begins."""
    found, begin = [], 0
    for part in stage.parts:
        found.append((part, begin))
        begin += part.channels
    return found
