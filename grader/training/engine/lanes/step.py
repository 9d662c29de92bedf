"""A whole training step as one function that every thread runs, and a look at images as another.

    train   images into lanes; forward; loss; backward; each thread's gradients
    look    images into lanes; forward through the evaluation graph; scores

Each thread takes a share of the groups of images. They wait for each other only where batch norm
needs all images, so between two barriers nobody writes what another reads.
"""

from __future__ import annotations

from grader.program.recipe import Loss
from grader.training.engine.lanes import loading, loss
from grader.training.engine.lanes.backward import backward
from grader.training.engine.lanes.barrier import BARRIER
from grader.training.engine.lanes.calls import Calls, Library
from grader.training.engine.lanes.forward import forward
from grader.training.engine.lanes.ir import Function
from grader.training.engine.lanes.lowering import Lowered
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.plan import Plan, reached

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


def write(train: Lowered, look: Lowered, plan: Plan, asked: Loss, target: Target) -> list[str]:
    """The texts of all functions, of which "train" and "look" are to be called."""
    library = Library()
    texts = [_train(train, asked, library, plan, target), _look(look, library, plan, target)]
    return [BARRIER, *library.texts, *texts]


def _train(lowered: Lowered, asked: Loss, library: Library, plan: Plan, target: Target) -> str:
    """Forward, loss and backward of this thread's images."""
    f = Function("train", TRAIN, target.lanes, shared=True)
    groups = (f["count"] + (f.lanes - 1)) / f.lanes
    begin = f["thread"] * groups
    mine = begin / f["threads"], (begin + groups) / f["threads"]
    calls = Calls(library, plan, target, f, f["memory"], mine)
    _load(calls, lowered.images)
    _forget(calls)
    for stage in lowered.stages:
        forward(calls, stage, training=True)
    _lose(calls, lowered, asked)
    for stage in reversed(reached(lowered)):
        backward(calls, stage)
    return f.text()


def _look(lowered: Lowered, library: Library, plan: Plan, target: Target) -> str:
    """Forward of `count` images, as many as a thread looks at in one go."""
    f = Function("look", LOOK, target.lanes, shared=True)
    base = f.at(f["memory"], f["thread"] * plan.look_stride)
    all_of_them = 0, (f["count"] + (f.lanes - 1)) / f.lanes
    calls = Calls(library, plan, target, f, base, all_of_them)
    _load(calls, lowered.images)
    for stage in lowered.stages:
        forward(calls, stage, training=False)
    give = loading.give(lowered.scores, target)
    calls.call(give, calls.values(lowered.scores), f["scores"], *calls.range)
    return f.text()


def _load(calls: Calls, images: Map) -> None:
    kernel = loading.load(images, calls.target)
    given = calls.f["images"], calls.values(images)
    calls.call(kernel, *given, *calls.range, calls.f["count"])


def _forget(calls: Calls) -> None:
    """Zeros where this thread's gradients are added up."""
    f, mine = calls.f, calls.weight_gradient(None)
    with f.loop(calls.plan.gradients_stride // f.lanes) as vector:
        f.store(0.0, mine, vector)


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
