"""How images and filters lie in memory: by channel, or by pixel, which a CPU convolves faster.

In: a Program or its tensors. Out: the same values under other strides; only the order of summation
changes.

Measured on one thread (torch 2.15, 128 images of 8 to 16 channels): channels last takes 0.6 of the
time of convolutions with their gradients and a third of max pooling's, and twice the time of batch
norm's gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor

from grader.analysis import dataflow
from grader.network import Network
from grader.program import ops
from grader.program.graph import Graph
from grader.program.ops import Kind
from grader.program.program import Program

_LAYS_OUT = {"aten.contiguous.default"}
"""Gives its input back where that lies side by side already, else a copy."""


def pays() -> bool:
    """Whether channels last is faster here: on one thread.

    On two, torch's gradients in that layout take twice as long.

    Only speed depends on it. See docs/speed.md for the figures.
    """
    return torch.get_num_threads() == 1


def suits(program: Program, device: torch.device) -> bool:
    """Whether the network convolves on a CPU and means the same with channels last.

    A view of channels-last pixels may have to be a copy. That is the same unless somebody writes
    into the view, or into what it views.
    """
    graphs = (program.train, program.eval)
    return (
        device.type == "cpu"
        and any(
            ops.find(node.op).kind is Kind.CONVOLUTION
            for node in program.train.nodes
            if _is_call(node.op)
        )
        and not any(_writes_through_a_view(graph) for graph in graphs)
    )


def channels_last(images: Tensor) -> Tensor:
    """The tensor (N, C, H, W) with the channels of a pixel side by side, even if there is one.

    Torch takes one channel for either layout, and then chooses the slower kernels.
    """
    dense = images.contiguous(memory_format=torch.channels_last)
    _, channels, height, width = images.shape
    return dense.as_strided(
        images.shape, (channels * height * width, 1, width * channels, channels)
    )


def apply(network: Network) -> None:
    """Lay out the filters of a network's 2-d convolutions with channels last, in place."""
    for tensor in {id(tensor): tensor for tensor in network.weights.values()}.values():
        if tensor.ndim == 4:
            tensor.data = channels_last(tensor.data)


def _is_call(op: str) -> bool:
    return op not in ("input", "weight")


def _writes_through_a_view(graph: Graph) -> bool:
    """Whether memory is written to after a view of it was made.

    In another layout that view may be a copy, or what was a copy a view.
    """
    memory = dataflow.trace(graph).memory
    viewed: set[str] = set()
    for node in graph.nodes:
        if not _is_call(node.op):
            continue
        entry = ops.find(node.op)
        if entry.writes and memory[node.name] in viewed:
            return True
        if entry.kind is Kind.RESHAPE or node.op in _LAYS_OUT:
            viewed.add(memory[node.name])
    return False
