"""The same dropout in torch as in lanes, so that the two can be compared.

In: a Network. Out: the network, whose training graph now multiplies by the masks that the code
draws under a seed.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, fx

from grader.network import Network
from grader.training.engine.lanes.elementwise import SALT

NAMES = {"dropout": False, "dropout_": False, "feature_dropout": True, "feature_dropout_": True}
"""Whether each drops whole channels."""


class Masks:
    """What the code keeps in the step of a seed, on vectors of `lanes`."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.seed = 0

    def apply(self, x: Tensor, p: float, salt: int, whole_channels: bool) -> Tensor:
        """X (N, ...) under the dropout of that salt."""
        if p == 0:
            return x
        images = torch.arange(len(x))
        group, lane = images // self.lanes, images % self.lanes
        shape = x.shape[1:]
        if whole_channels:
            shape = torch.Size([shape[0], *(1 for _ in shape[1:])])
        inside = torch.arange(shape.numel())
        number = (group[:, None] * shape.numel() + inside) * self.lanes + lane[:, None]
        mask = kept(self.seed + salt * SALT, number, p).view(len(x), *shape)
        return x * mask * (1 / (1 - p) if p < 1 else 0.0)


def kept(seed: int, numbers: Tensor, p: float) -> Tensor:
    """1.0 where `elementwise.keep` keeps the element of that number, else 0.0."""
    x = (numbers.numpy().astype(np.uint64) ^ np.uint64(seed % 2**32)) & np.uint64(2**32 - 1)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        x ^= x >> np.uint64(shift)
        x = (x * np.uint64(factor)) & np.uint64(2**32 - 1)
    return torch.from_numpy(((x >> np.uint64(8)) >= round(p * 2**24)).astype(np.float32))


def share(network: Network, masks: Masks) -> Network:
    """Let the network's training graph drop what `masks` say."""
    graph: fx.Graph = network.train_graph.graph
    salt = 0
    for node in list(graph.nodes):
        called = node.meta.get("node")
        name = called.op.split(".")[1] if called is not None else ""
        if name in NAMES and node.args[2]:
            with graph.inserting_before(node):
                arguments = (*node.args[:2], salt, NAMES[name])
                masked = graph.call_function(masks.apply, arguments)
            node.replace_all_uses_with(masked)
            graph.erase_node(node)
            salt += 1
    network.train_graph.recompile()
    return network
