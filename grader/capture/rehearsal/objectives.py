"""What `backward()` is called on, measured: factors of losses, and terms on the weights.

In: a number with its graph, and the losses that were called. Out: an Objective. A sum of losses and
terms is not guessed from names: its real gradient with respect to each loss and each weight is
computed once, and accepted only where factors and terms give that gradient and the number's value.

    loss = cross_entropy(...) + 1e-4 * sum(w.abs().sum() for w in weights)

has gradient 1 for the loss and 1e-4 · sign(w) for each weight: an "l1" with factor 1e-4. A sum of
squares has 2 · factor · w, a Euclidean norm factor · w / |w|. Of a square and a norm, which both
point along w, the value tells which it is.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from grader.capture.rehearsal import penalties
from grader.capture.rehearsal.trace import LossCall, Objective, PenaltyTerm, Trace

MOST_NODES = 20_000
MOST_MEASURED = 2_000
MOST_VAIN = 100
"""Measurements in a row that find no loss that the grader has."""
CLOSE = 2e-6
"""How far a value may be from what was measured before, relative to it: float32 rounding."""
Factors = tuple[tuple[LossCall, float], ...]


class Objectives:
    """Measures objectives; one of the same make as the last is only compared with it."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._measured = 0
        self._vain: list[Objective] = []
        self._last: tuple[Any, ...] | None = None
        self._plain: tuple[LossCall, Objective] | None = None

    def of(self, root: Tensor, network: Any, gradient: Any) -> Objective:
        """What `root.backward(gradient)` asks for."""
        trace, node = self._trace, root.grad_fn
        if gradient is not None and not _is_one(root, gradient):
            return Objective(problem="a tensor with a gradient of your own", line=trace.where())
        found = trace.losses.get(node)
        if found is not None and root.numel() == 1:
            if self._plain is None or self._plain[0] is not found[0]:
                one = Objective(losses=((found[0], 1.0),), line=trace.where())
                self._plain = found[0], one
            return self._plain[1]
        if again := self._again(root, node):
            return _as_means(again, self._images())
        if len(self._vain) >= MOST_VAIN:
            return self._vain[-1]  # refused anyway, and measuring takes long
        self._measured += 1
        if self._measured > MOST_MEASURED:
            return Objective(problem="a formula that is another one in every step")
        with torch.enable_grad():
            objective, value = self._measure(root, network)
        self._vain = [*self._vain, objective] if objective.problem else []
        if not objective.problem and value is not None:
            self._last = (type(node), trace.feeding, objective, value)
        return _as_means(objective, self._images())

    def _images(self) -> int:
        """How many there are in the batch that the network was shown last."""
        batch = self._trace.fed
        return 0 if batch is None or batch.labels is None else len(batch.labels)

    def _again(self, root: Tensor, node: Any) -> Objective | None:
        """The objective that was measured last in this walk, if this one has its value."""
        if self._last is None or root.numel() != 1:
            return None
        kind, walk, objective, penalty = self._last
        if kind is not type(node) or walk is not self._trace.feeding:
            return None
        calls, total = list(self._trace.losses.values()), float(penalty)
        if len(calls) != len(objective.losses):
            return None
        for (call, value), (before, factor) in zip(calls, objective.losses, strict=True):
            is_mean = isinstance(value, float)
            if (call if is_mean else _reduced(call)) != before:
                return None
            total += factor * (value if is_mean else float(value.mean()))
        value = root.item()
        return objective if abs(value - total) <= CLOSE * (1 + abs(value)) else None

    def _measure(self, root: Tensor, network: Any) -> tuple[Objective, float | None]:
        trace, line = self._trace, self._trace.where()
        nodes = _reached(root.grad_fn, trace)
        if root.numel() != 1 or nodes.problem or root.grad_fn is None:
            return Objective(problem=nodes.problem or "many numbers", line=line), None
        calls = [trace.losses[node] for node in nodes.losses]
        edges: list[Any] = [GradientEdge(node, 0) for node in nodes.losses]
        # `reg = torch.tensor(0.0, requires_grad=True)`, which a sum begins with, is a constant
        weights = [weight for weight in nodes.leaves if isinstance(weight, nn.Parameter)]
        known = {id(weight) for weight in network.parameters()} if network is not None else set()
        if any(id(weight) not in known for weight in weights):
            problem = "something that depends on numbers which are not weights of the network"
            return Objective(problem=problem, line=line), None
        trace.depth += 1
        try:
            found = torch.autograd.grad(
                root, [*edges, *weights], retain_graph=True, allow_unused=True
            )
        finally:
            trace.depth -= 1
        factors = _factors(calls, found[: len(edges)])
        unknown = tuple((call, 0.0) for call, _ in calls)
        if factors is None:
            return Objective(unknown, (), FORMULA, line), None
        losses, value = factors
        rest = root.item() - value
        terms: tuple[PenaltyTerm, ...] | None = ()
        if weights:
            terms = penalties.fitted(weights, list(found[len(edges) :]), rest)
        elif abs(rest) > 10 * CLOSE * (1 + abs(root.item())):
            terms = None
        if terms is None:
            text = "a sum with terms on the weights that are neither L1, L2 nor norms"
            return Objective(unknown, (), text if weights else FORMULA, line), None
        return Objective(losses, terms, "" if losses else "terms on the weights alone", line), rest


MEAN = 1e-5
"""How far six digits of a factor may be from one image's share, relative to it."""

FORMULA = "a formula of your own"


LINEAR = frozenset(
    {"Add", "Sub", "Rsub", "Mul", "Div", "Neg", "Mean", "Sum", "Stack", "Cat", "Dot"}
    | {"View", "UnsafeView", "Reshape", "Squeeze", "Unsqueeze", "ToCopy", "Clone", "Alias"}
    | {"Select", "Expand", "Unbind", "Split", "Permute", "T"}
)
"""Operators that may stand between a loss and what `backward()` is called on."""


class _Reached:
    """What a graph is made of, cut off at the losses."""

    def __init__(self) -> None:
        self.losses: list[Any] = []
        self.leaves: list[Tensor] = []
        self.problem = ""
        self.users: dict[Any, list[Any]] = {}

    def is_linear(self) -> bool:
        """Whether the losses are only added and multiplied: |loss - 0.1| + 0.1 may equal it."""
        seen, todo = set(), list(self.losses)
        while todo:
            for user in self.users.get(todo.pop(), ()):
                if user not in seen:
                    seen.add(user)
                    todo.append(user)
        return all(type(node).__name__.partition("Backward")[0] in LINEAR for node in seen)


def _reached(root: Any, trace: Trace) -> _Reached:
    """Look through the graph of a number."""
    found = _Reached()
    seen: set[Any] = set()
    todo = [root]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if len(seen) > MOST_NODES:
            found.problem = "a formula that is too large to look at"
            break
        if node in trace.losses:
            found.losses.append(node)
        elif node in trace.output_nodes:
            found.problem = FORMULA + ", made from the network's output"
            if node is root:
                found.problem = (
                    "what forward() itself gives; compute the loss in the loop, from the "
                    "network's scores, with cross entropy"
                )
        elif (leaf := getattr(node, "variable", None)) is not None:
            found.leaves.append(leaf)
        else:
            for item, _ in node.next_functions:
                found.users.setdefault(item, []).append(node)
                todo.append(item)
    if not found.is_linear() and not found.problem:
        found.problem = FORMULA
    order = {node: place for place, node in enumerate(trace.losses)}
    found.losses.sort(key=order.__getitem__)
    return found


def _factors(
    calls: list[tuple[LossCall, Any]], gradients: tuple[Any, ...]
) -> tuple[Factors, float] | None:
    """The factor of each loss, and their sum's value; None where a loss is not only multiplied."""
    factors, total = [], 0.0
    for (call, value), gradient in zip(calls, gradients, strict=True):
        if gradient is None:
            continue
        factor = float(gradient.flatten()[0])
        if not math.isfinite(factor) or not bool((gradient == gradient.flatten()[0]).all()):
            return None
        if isinstance(value, float):
            factors.append((call, _rounded(factor)))
            total += factor * value
        else:
            factors.append((_reduced(call), _rounded(factor * value.numel())))
            total += factor * float(value.sum())
    return tuple(factors), total


def _as_means(objective: Objective, images: int) -> Objective:
    """A sum over the images of a batch, divided by their number, is their mean.

    So it is in the smaller last batch, too. The mean of weighted classes is another one.
    """
    losses = []
    for call, factor in objective.losses:
        names = {name for name, _ in call.options}
        is_sum = dict(call.options).get("reduction") == "sum" and "weight" not in names
        if is_sum and call.true_labels and math.isclose(factor * images, 1, rel_tol=MEAN):
            losses.append((_reduced(call), 1.0))
        else:
            losses.append((call, factor))
    return dataclasses.replace(objective, losses=tuple(losses))


def _reduced(call: LossCall) -> LossCall:
    """A loss without reduction, of which the mean is taken by hand."""
    options = tuple(item for item in call.options if item[0] != "reduction")
    return LossCall(call.name, options, call.through, call.of_network, call.true_labels, call.line)


def _rounded(factor: float) -> float:
    """Six digits: 0.25, and 0.333333, are what the file says."""
    return float(f"{factor:.6g}")


def _is_one(root: Tensor, gradient: Any) -> bool:
    if not isinstance(gradient, Tensor):
        return False
    return root.numel() == 1 and gradient.numel() == 1 and float(gradient) == 1.0
