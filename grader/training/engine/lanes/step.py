"""A whole training step as one function that every thread runs, and a look at images as another.

    load    images into lanes, or
    gather  images out of the data set, augmented, into lanes
    train   forward; loss; backward; each thread's gradients
    look    images into lanes; forward through the evaluation graph; scores

Each thread takes a share of the groups of images. They wait for each other only where batch norm
needs all images, so between two barriers nobody writes what another reads.
"""

from __future__ import annotations

from grader.program.recipe import Loss
from grader.training.engine.lanes import gathering, loading, loss
from grader.training.engine.lanes.backward import backward
from grader.training.engine.lanes.barrier import BARRIER
from grader.training.engine.lanes.calls import Calls, Library
from grader.training.engine.lanes.forward import forward
from grader.training.engine.lanes.gathering import Way
from grader.training.engine.lanes.ir import Function, Value
from grader.training.engine.lanes.lowering import Lowered
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.plan import Plan, reached

SHARED = [("ptr", "memory"), ("i64", "thread"), ("i64", "threads"), ("i64", "count")]
LOAD = [*SHARED, ("ptr", "images")]
GATHER = [*LOAD, ("ptr", "table"), ("ptr", "whole"), ("ptr", "real"), ("i64", "stride")]
TRAIN = [
    *SHARED,
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


def write(
    train: Lowered,
    look: Lowered,
    plan: Plan,
    asked: Loss,
    target: Target,
    way: Way | None,
    library: Library,
) -> list[str]:
    """The texts of all functions, of which those of the names above are to be called."""
    texts = [
        _load(train.images, library, plan, target),
        _train(train, asked, library, plan, target),
        _look(look, library, plan, target),
    ]
    if way is not None:
        texts.append(_gather(way, train.images, library, plan, target))
    return [BARRIER, *library.texts, *texts]


def _load(images: Map, library: Library, plan: Plan, target: Target) -> str:
    """This thread's images into lanes."""
    f = Function("load", LOAD, target.lanes, shared=True)
    calls = Calls(library, plan, target, f, f["memory"], _mine(f))
    _bring(calls, images)
    calls.all_groups()
    return f.text()


def _gather(way: Way, images: Map, library: Library, plan: Plan, target: Target) -> str:
    """This thread's images out of the data set, augmented."""
    f = Function("gather", GATHER, target.lanes, shared=True)
    calls = Calls(library, plan, target, f, f["memory"], _mine(f))
    given = [f[name] for name in ("images", "table", "whole", "real")]
    kernel = gathering.write(way, images, target)
    calls.call(kernel, *given, calls.values(images), f["stride"], *calls.range)
    calls.all_groups()
    return f.text()


def _train(lowered: Lowered, asked: Loss, library: Library, plan: Plan, target: Target) -> str:
    """Forward, loss and backward of this thread's images."""
    f = Function("train", TRAIN, target.lanes, shared=True)
    calls = Calls(library, plan, target, f, f["memory"], _mine(f))
    calls.forget(calls.weight_gradient(None), plan.gradients_stride)
    for stage in lowered.stages:
        forward(calls, stage, training=True)
    _lose(calls, lowered, asked)
    for stage in reversed(reached(lowered)):
        backward(calls, stage)
    calls.all_groups()
    return f.text()


def _look(lowered: Lowered, library: Library, plan: Plan, target: Target) -> str:
    """Forward of `count` images, as many as a thread looks at in one go."""
    f = Function("look", LOOK, target.lanes, shared=True)
    base = f.at(f["memory"], f["thread"] * plan.look_stride)
    all_of_them = 0, (f["count"] + (f.lanes - 1)) / f.lanes
    calls = Calls(library, plan, target, f, base, all_of_them)
    _bring(calls, lowered.images)
    for stage in lowered.stages:
        forward(calls, stage, training=False)
    give = loading.give(lowered.scores, target)
    calls.call(give, calls.values(lowered.scores), f["scores"], *calls.range)
    calls.all_groups()
    return f.text()


def _mine(f: Function) -> tuple[Value, Value]:
    """First and end of this thread's groups."""
    groups = (f["count"] + (f.lanes - 1)) / f.lanes
    begin = f["thread"] * groups
    return begin / f["threads"], (begin + groups) / f["threads"]


def _bring(calls: Calls, images: Map) -> None:
    kernel = loading.load(images, calls.target)
    given = calls.f["images"], calls.values(images)
    calls.call(kernel, *given, *calls.range, calls.f["count"])


def _lose(calls: Calls, lowered: Lowered, asked: Loss) -> None:
    """The loss, and the gradient of the scores."""
    f, plan, scores = calls.f, calls.plan, lowered.scores
    given = calls.values(scores), calls.gradient(scores)
    places = [f.at(f["memory"], place) for place in (plan.labels, plan.masks)]
    out = f.at(f["memory"], f["thread"] * 16 + plan.out)
    calls.adds(scores)
    plain = asked.name == "nll" and not lowered.log_probabilities
    kernel = loss.write(asked, scores, calls.target, plain=plain)
    calls.call(kernel, *given, *places, out, *calls.range, f["share"])
