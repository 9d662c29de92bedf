"""Whether a Program runs by itself, and gives what it says: tried without any data.

In: a Program that an untrusted child wrote. Out: SubmissionError, or nothing. Runs in a locked
child, before the network itself does: a forged graph meets torch there, not in the grader.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from grader import network
from grader.errors import SubmissionError
from grader.program.graph import Node
from grader.program.program import Program
from grader.program.values import concrete

LARGEST_TENSOR = 2**28
"""Elements of one intermediate tensor for a batch of two images: 1 GiB of float32."""


def check(program: Program) -> None:
    """Run both graphs without any data (on torch's meta device), and compare every shape.

    Allocates nothing. Raises SubmissionError for a shape that differs from what the Program claims,
    an operator that refuses its arguments, or a tensor of more than `LARGEST_TENSOR` elements.
    """
    meta = torch.device("meta")
    weights = {
        weight.name: torch.empty(weight.shape, dtype=getattr(torch, weight.dtype), device=meta)
        for weight in program.weights
    }
    batches = [torch.empty((count, *program.input_shape), device=meta) for count in (2, 3)]
    for graph in (program.train, program.eval):
        try:
            runs = network.trace(graph, weights, *batches)
            for images, results in zip(batches, runs, strict=True):
                for node, result in results:
                    _compare(node, result, len(images))
        except SubmissionError:
            raise
        except Exception as error:  # a forged graph can make torch raise anything
            raise SubmissionError(
                f"The captured network does not run by itself: {network.reason(error)}"
            ) from error


def _compare(node: Node, result: Any, batch: int) -> None:
    if not isinstance(result, Tensor):
        return
    if node.shape is None or tuple(result.shape) != concrete(node.shape, batch):
        raise SubmissionError(
            f"The operator {node.op} returns a tensor of shape {tuple(result.shape)}, where the "
            f"captured network claims {node.shape}. The forward pass must do the same at every "
            "call.",
            line=node.line,
        )
    if result.numel() > LARGEST_TENSOR:
        raise SubmissionError(
            f"The operator {node.op} makes a tensor of {result.numel():,} numbers for {batch} "
            f"images; the limit is {LARGEST_TENSOR:,}. Make the layer smaller.",
            line=node.line,
        )
