"""Read the terms on weights that a file adds to the loss: L1_PENALTY, L2_PENALTY, NORM_PENALTY.

In: the file's definitions, and the network's weights. Out: `Penalty`s. Runs in the child.

Each setting is a number, for all weights that are trained, or a dictionary of a number for each
weight that is meant: `L1_PENALTY = {"fc.weight": 1e-4}`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from grader.capture.graph import plain_name
from grader.capture.settings import Asker, did_you_mean, short
from grader.errors import SubmissionError
from grader.program.recipe import Penalty

KINDS: dict[str, Literal["l1", "l2", "norm"]] = {
    "L1_PENALTY": "l1",
    "L2_PENALTY": "l2",
    "NORM_PENALTY": "norm",
}


def read(ask: Asker, trained: Sequence[str], weights: Collection[str]) -> tuple[Penalty, ...]:
    """By kind and factor; `trained` are the weights of the optimizer, `weights` all there are.

    Raises SubmissionError.
    """
    found: list[Penalty] = []
    for name, kind in KINDS.items():
        value = ask(name, name.lower())
        if value is None:
            continue
        factors = value if isinstance(value, Mapping) else dict.fromkeys(trained, value)
        of_factor: dict[float, list[str]] = {}
        for key, factor in factors.items():
            weight = plain_name(str(key))
            _check(ask, name, weight, factor, weights)
            if factor:
                of_factor.setdefault(float(factor), []).append(weight)
        for factor, names in sorted(of_factor.items()):
            found.append(Penalty(kind=kind, factor=factor, parameters=tuple(names)))
    return tuple(found)


def _check(ask: Asker, name: str, weight: str, factor: Any, weights: Collection[str]) -> None:
    if weight not in weights:
        raise SubmissionError(
            f"{name} names the weight {short(weight)}, which the network does not have: take "
            f"names as model.named_parameters() gives them.{did_you_mean(weight, weights)}",
            line=ask.line(name),
        )
    is_number = isinstance(factor, int | float) and not isinstance(factor, bool)
    if not is_number or not 0 <= factor < math.inf:
        raise SubmissionError(
            f"{name} is {short(factor)}; write a number above 0, such as 1e-5, for all weights, or "
            'one for each that is meant: {"fc.weight": 1e-5}.',
            line=ask.line(name),
        )
