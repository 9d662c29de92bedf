"""What the gradients do to each layer: how far its weights go, and which ReLUs end up silent.

In: a network before it trains, its Program, and training images. Out: a `Flow`. Nothing of the
training changes: weights are read after the first epoch, and some images are shown to the finished
network.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from grader.network import Network
from grader.program.graph import Graph, Node
from grader.program.program import Program
from grader.training import augment
from grader.training.records import Flow, Moved, Silent

IMAGES = 1_000
"""Training images that a ReLU must be silent on to count as dead."""

BATCH = 250
"""Images at once."""

RELUS = tuple(f"aten.{name}.default" for name in ("relu", "relu_", "relu6", "relu6_"))


class Watch:
    """Follows one network: `after_first_epoch` is called when it was trained once, `flow` last."""

    def __init__(self, network: Network, program: Program, images: NDArray[np.uint8]) -> None:
        self._network = network
        self._program = program
        self._images = images[:IMAGES]
        self._layers = _weights_by_layer(network, program)
        self._before = {
            name: network.weights[name].detach().clone()
            for names in self._layers.values()
            for name in names
        }
        self._moved: tuple[Moved, ...] = ()

    def after_first_epoch(self) -> None:
        """Measure how far each layer has gone."""
        self._moved = tuple(Moved(layer, self._far(names)) for layer, names in self._layers.items())

    def _far(self, names: list[str]) -> float:
        """The norm of the change by the larger norm of before and after; 0 where neither is one."""
        before = _norm(self._before[name] for name in names)
        after = _norm(self._network.weights[name].detach() for name in names)
        change = _norm(self._network.weights[name].detach() - self._before[name] for name in names)
        size = max(before, after)
        far = change / size if size else 0.0
        return far if math.isfinite(far) else 0.0

    def flow(self) -> Flow:
        """All that was seen, with the ReLUs as they are now."""
        return Flow(self._moved, _silent(self._network, self._program, self._images))


def _norm(tensors: Iterator[Tensor]) -> float:
    return math.sqrt(sum(float(tensor.double().square().sum()) for tensor in tensors))


def _weights_by_layer(network: Network, program: Program) -> dict[str, list[str]]:
    """Names of the weights that learn, of convolutions and the like, by their layer as it runs.

    A layer's bias and a norm's factors are left out: they are few, and start at 0 or 1. Where a
    network has nothing else, they are what is followed.
    """
    graph = program.train
    read = [graph[name] for node in graph.nodes for name in node.references()]
    used = dict.fromkeys(str(node.arguments[0]) for node in read if node.op == "weight")
    found: dict[str, list[str]] = defaultdict(list)
    for least in (2, 0):
        seen: set[int] = set()
        for name in used:
            tensor = network.weights[name]
            if tensor.requires_grad and tensor.dim() >= least and id(tensor) not in seen:
                seen.add(id(tensor))
                found[name.rpartition(".")[0] or name].append(name)
        if found:
            break
    return dict(found)


class _Listening(fx.Interpreter):
    """Runs the evaluation graph and notes which channels of each ReLU fired."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.fired: list[Tensor] = []
        self._number = 0

    def run(self, *images: Any, **more: Any) -> Any:
        self._number = 0
        return super().run(*images, **more)

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if str(n.target) in RELUS:
            self._note(result)
        return result

    def _note(self, result: Tensor) -> None:
        if result.dim() < 2:
            return
        others = [axis for axis in range(result.dim()) if axis != 1]
        fired = (result > 0).sum(others) > 0
        if self._number == len(self.fired):
            self.fired.append(fired)
        else:
            self.fired[self._number] |= fired
        self._number += 1


@torch.inference_mode()
def _silent(network: Network, program: Program, images: NDArray[np.uint8]) -> tuple[Silent, ...]:
    """How many channels of each ReLU are zero on all these images."""
    nodes = _relus(program.eval)
    if not nodes:
        return ()
    shape = (int(images.shape[1]), int(images.shape[2]), int(images.shape[3]))
    prepare = augment.evaluation(program.recipe.augmentations, image_shape=shape)
    network.eval()
    listening = _Listening(network.eval_graph)
    tried = torch.tensor(images, device=network.device)
    for begin in range(0, len(tried), BATCH):
        listening.run(prepare(tried[begin : begin + BATCH]))
    found = []
    for node, fired in zip(nodes, listening.fired, strict=True):
        dead = int((~fired).sum())
        found.append(Silent(node.module or node.name, len(fired), dead))
    return tuple(found)


def _relus(graph: Graph) -> list[Node]:
    """Those with channels, which are the second axis."""
    nodes = (node for node in graph.nodes if node.op in RELUS)
    return [node for node in nodes if node.shape is not None and len(node.shape) >= 2]
