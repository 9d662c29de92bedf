"""Terms on the weights that a recipe adds to its loss: L1, L2 and norms.

In: a Recipe's penalties and the network's weights. Out: the loss to take gradients of. Autograd
goes through the sum, as it does in a student's loop: weights that the network does not use learn
from their penalty, frozen ones do not.

The loss that is reported is the plain one. It is what losses are compared by, and that of test
images has no penalty either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from grader.program.recipe import Penalty

KINDS: dict[str, Callable[[Tensor], Tensor]] = {
    "l1": lambda weight: weight.abs().sum(),
    "l2": lambda weight: weight.pow(2).sum(),
    "norm": lambda weight: torch.linalg.vector_norm(weight),
}
"""What each kind makes of one weight; a norm of zeros has the gradient 0."""


def add(loss: Tensor, penalties: Sequence[Penalty], weights: Mapping[str, Tensor]) -> Tensor:
    """The batch's loss and all penalties; the loss itself where there are none."""
    for penalty in penalties:
        of_one = KINDS[penalty.kind]
        loss = loss + penalty.factor * sum(of_one(weights[name]) for name in penalty.parameters)
    return loss
