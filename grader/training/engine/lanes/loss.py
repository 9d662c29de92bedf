"""The loss of a batch, how many it recognises, and the gradient of the scores.

For scores z of an image with label k, with class weights w and label smoothing e, over C classes:

    t[c]  = (1 - e) w[k] [c = k] + e / C w[c]
    loss  = sum over c of t[c] * (log sum exp z - z[c])
    dz[c] = softmax(z)[c] * sum of t - t[c]

and the batch's loss is the sum over images, times `share`: 1 for sums, else 1 over the sum of the
images' w[k]. Log-softmax at the end of a network changes nothing of it; NLLLoss of scores that are
no log-softmax leaves out log sum exp, and softmax in its gradient. Source: PyTorch
documentation, torch.nn.CrossEntropyLoss.
"""

from __future__ import annotations

from functools import reduce

from grader.program.recipe import Loss
from grader.training.engine.lanes import polynomials
from grader.training.engine.lanes.ir import Function, Value
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import Map


def write(loss: Loss, scores: Map, target: Target, *, plain: bool = False) -> Function:
    """The kernel: adds this thread's sum of losses and number of right answers to `out`.

    `plain`: NLLLoss of scores as they are.
    """
    f = Function(
        "loss",
        [
            ("ptr", "scores"),
            ("ptr", "gradient"),
            ("ptr", "labels"),
            ("ptr", "masks"),
            ("ptr", "out"),
            ("i64", "first"),
            ("i64", "end"),
            ("float", "share"),
        ],
        target.lanes,
    )
    total, right = f.variable(f.vector, 0.0), f.variable(f.vector, 0.0)
    with f.loop(f["first"], f["end"]) as group:
        label = f.load(f["labels"], group, f.whole_vector)
        mask = f.load(f["masks"], group)
        z = [f.load(f["scores"], scores.values.at(group, c)) for c in range(scores.channels)]
        top = reduce(lambda best, value: f.larger(value, best), z)
        powers = [polynomials.exp(f, value - top) for value in z]
        whole = _sum(powers)
        logarithm = polynomials.log(f, whole) + top
        of_label = f.lift(0.0, f.vector)
        for c, value in enumerate(z):
            of_label = f.select(f.compare("eq", label, c), value, of_label)
        wanted = [_wanted(f, loss, c, label, scores.channels) for c in range(scores.channels)]
        off = f.lift(0.0, f.vector) if plain else logarithm
        parts = [w * (off - value) for w, value in zip(wanted, z, strict=True)]
        real = f.compare("ogt", mask, 0.0)
        total.add(f.select(real, _sum(parts), 0.0))
        right.add(f.select(f.compare("oge", of_label, top), mask, 0.0))
        scale = mask * f.broadcast(f["share"])
        factor = _sum(wanted) / whole
        for c, power in enumerate(powers):
            pull = f.lift(0.0, f.vector) if plain else power * factor
            gradient = (pull - wanted[c]) * scale
            f.store(gradient, f["gradient"], scores.gradient.at(group, c))
    for number, vector in enumerate((total, right)):
        summed = f.convert("fpext", f.total(vector.get()), "double")
        f.put(summed + f.scalar(f["out"], number, "double"), f["out"], number)
    return f


def _sum(values: list[Value]) -> Value:
    return reduce(lambda a, b: a + b, values)


def _wanted(f: Function, loss: Loss, c: int, label: Value, classes: int) -> Value:
    weights = loss.weight or (1.0,) * classes
    others = loss.label_smoothing / classes * weights[c]
    mine = (1 - loss.label_smoothing) * weights[c] + others
    return f.select(f.compare("eq", label, c), f.lift(mine, f.vector), others)
